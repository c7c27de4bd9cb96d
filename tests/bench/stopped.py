#!/usr/bin/python3
"""One of three instances of learning is stopped (SIGSTOP) under load: what the others still do, second by second.

    ./dev bench stopped, or tests/bench/stopped.py [--seconds 9]
"""

import argparse
import signal
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import CONNECTIONS  # noqa: E402
from sides import School, Stack, folder, head, row, running  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tools'))
from processes import Process  # noqa: E402

INSTANCES = 3


class ThreeOfLearning(Stack):
    """The gateway knows all of them from the start."""

    def _peers(self, name):
        more = ''.join(f',learning={self._url(f"learning-{i}")}' for i in range(2, INSTANCES + 1))
        return super()._peers(name) + (more if name == 'gateway' else '')

    def add(self):
        """The other instances: the same command on another address."""
        first = self.processes['learning']
        for i in range(2, INSTANCES + 1):
            command = [part.replace(self._url('learning'), self._url(f'learning-{i}')) if part.startswith('--listen=') else part
                       for part in first.command]
            process = Process(f'learning-{i}', command, self.logs / f'learning-{i}.log', environment=first.environment)
            process.start()
            self.processes[process.name] = process
            self._await((self.run / f'learning-{i}.ipc').exists, process.name)


def drive_while(school, seconds, log, stop_after_s):
    """[(second, status, ms)] of a run during which one instance is stopped."""
    victim = school.stack.processes['learning-2']
    timer = threading.Timer(stop_after_s, victim.signal, (signal.SIGSTOP,))
    command = ['h2load', '-c', str(CONNECTIONS), '-m', '1', '-t', '1', '-D', str(seconds), f'--log-file={log}', '-H', school.headers[0]]
    timer.start()
    try:
        subprocess.run([*command, school.address()], check=True, stdout=subprocess.DEVNULL)
    finally:
        timer.cancel()
        victim.signal(signal.SIGCONT)
    rows = [tuple(map(int, line.split('\t'))) for line in log.read_text().splitlines()]
    began = min(at for at, _, _ in rows)
    return [((at + us - began) // 1_000_000, status, us / 1000) for at, status, us in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=int, default=9)
    arguments = parser.parse_args()
    with folder() as directory:
        school = School(directory / 'stack', kind=ThreeOfLearning)
        with running(school):
            school.stack.add()
            subprocess.run(['h2load', '-c', '64', '-n', '3000', '-H', school.headers[0], school.address()], check=True, stdout=subprocess.DEVNULL)
            stop_after_s = arguments.seconds // 3
            show(drive_while(school, arguments.seconds, directory / 'log', stop_after_s), arguments.seconds, stop_after_s)


def show(answers, seconds, stop_after_s):
    head(f'one of {INSTANCES} stopped in second {stop_after_s}', 'answered', 'not answered', 'slowest ms')
    good = []
    for second in range(seconds):
        here = [(status, ms) for at, status, ms in answers if at == second]
        good.append(sum(status == 200 for status, _ in here))
        row(f'second {second}', good[-1], len(here) - good[-1], max((ms for _, ms in here), default=0), digits=0)
    before = sum(good[:stop_after_s]) / stop_after_s
    after = good[stop_after_s + 2:seconds - 1]
    row('before, a second', before, digits=0)
    row('from 2 s after on, a second', sum(after) / len(after), f'{sum(after) / len(after) / before:.0%}', digits=0)


if __name__ == '__main__':
    main()
