#!/usr/bin/python3
"""Five times as many requests as can be answered: how many are answered all the same, and how fast. Then, how soon one is
refused behind a window that is full, because the service does nothing at all.

The load takes its part of the same machine, the more the more it sends: a ratio below 1 is in part its own doing.

    ./dev bench flood, or tests/bench/flood.py [--seconds 6]
"""

import argparse
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import CONNECTIONS, cpu_us  # noqa: E402
from sides import School, folder, head, row, running  # noqa: E402

TIMES = 5
FLOOD_CONNECTIONS = 256
WINDOW = 8  # of the gateway while the service is stopped
FULL_SECONDS = 1  # then silence opens the breaker, and it is that which refuses


def flood(school, seconds, log, options):
    """([(status, ms)], seconds) of one run, without what was under way at its end."""
    log.unlink(missing_ok=True)
    subprocess.run(['h2load', '-t', '1', '-D', str(seconds), f'--log-file={log}', *options, '-H', school.headers[0], school.address()],
                   check=True, stdout=subprocess.DEVNULL)
    return [(int(status), int(us) / 1000) for _, status, us in (line.split('\t') for line in log.read_text().splitlines())]


def summary(name, answers, seconds, cpu):
    good = sorted(ms for status, ms in answers if status == 200)
    bad = sorted(ms for status, ms in answers if status != 200)
    at = lambda times, share: times[min(len(times) - 1, int(len(times) * share))] if times else float('nan')  # noqa: E731
    row(name, len(good) / seconds, len(bad) / seconds, at(good, 0.5), at(good, 0.99), at(bad, 0.99), cpu / max(1, len(answers)), digits=0)
    return len(good) / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=int, default=6)
    arguments = parser.parse_args()
    with folder() as directory:
        school = School(directory / 'stack')
        with running(school):
            compare(school, arguments.seconds, directory / 'log')
            refuse(school, directory / 'log')


def compare(school, seconds, log):
    closed = ['-c', str(CONNECTIONS), '-m', '1']
    flood(school, 1, log, closed)
    head('', 'answered/s', 'refused/s', 'p50 ms', 'p99 ms', 'refused p99 ms', 'µs of CPU each')
    peak = 0
    for name in ('as fast as it goes', f'{TIMES} times that'):
        options = closed if not peak else ['-c', str(FLOOD_CONNECTIONS), '-m', '32', f'--rps={max(1, round(TIMES * peak / FLOOD_CONNECTIONS))}']
        before = sum(cpu_us(school.pids()).values())
        answers = flood(school, seconds, log, options)
        rate = summary(name, answers, seconds, sum(cpu_us(school.pids()).values()) - before)
        if not peak:
            peak = rate
    row('answered, of what goes at most', f'{rate / peak:.0%}')


def refuse(school, log):
    """A few requests a second on each connection, so that what is seen is the refusal and not a queue before it."""
    stack = school.stack
    stack.processes['gateway'].command += [f'--bus-window={WINDOW}', '--bus-tenant-share=100']
    stack.restart('gateway')
    stack.wait_ready()
    flood(school, 1, log, ['-c', '1', '-m', '1', '--rps=20'])
    stack.kill('learning', signal.SIGSTOP)
    try:
        answers = flood(school, FULL_SECONDS, log, ['-c', str(4 * WINDOW), '-m', '1', '--rps=20'])
    finally:
        stack.kill('learning', signal.SIGCONT)
    times = sorted(ms for status, ms in answers if status == 503)
    head('', 'refused', 'p50 ms', 'p99 ms', 'slowest ms')
    row('behind a full window', len(times), times[len(times) // 2], times[int(len(times) * 0.99)], times[-1], digits=2)


if __name__ == '__main__':
    main()
