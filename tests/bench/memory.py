#!/usr/bin/python3
"""What the six processes need: memory when idle and after a load, and how soon they are ready.

Memory is the proportional set size: pages that are shared count by their share. auth's includes its pool for password
hashing (19 MiB for each hash under way), which is shown apart.

    ./dev bench memory, or tests/bench/memory.py [--requests 20000]
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import drive  # noqa: E402
from sides import CODE, PASSWORD, SERVICES, School, folder, head, memory_mb, row, running  # noqa: E402

SIX = ('gateway', *SERVICES)
STARTS = 3
IDLE_S = 2
LOGINS = 8  # one after the other: auth holds back many at once for one user
TARGET_IDLE_MB, TARGET_LOADED_MB, TARGET_START_S = 80, 150, 2


def memory(school):
    return {name: memory_mb(school.stack.processes[name].pid) for name in SIX}


def start_cold(school):
    """Seconds from the first process to /readyz, with the database and Redis there."""
    for name in SIX:
        school.stack.processes[name].stop()
    began = time.monotonic()
    for name in SIX:
        school.stack.processes[name].start()
    school.stack.wait_ready()
    return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--requests', type=int, default=20000)
    arguments = parser.parse_args()
    with folder() as directory:
        school = School(directory / 'stack')
        with running(school):
            starts = sorted(start_cold(school) for _ in range(STARTS))
            time.sleep(IDLE_S)
            idle = memory(school)
            drive(school.address(), school.headers, arguments.requests, {})
            reading = memory(school)
            for _ in range(LOGINS):
                school.client().login(CODE, 'sensei', PASSWORD)
            show(idle, reading, memory(school), starts)


def show(idle, reading, logins, starts):
    head('memory, MB', 'idle', 'after reads', f'and {LOGINS} logins')
    for name in SIX:
        row(name, idle[name], reading[name], logins[name])
    row('together', *(sum(figures.values()) for figures in (idle, reading, logins)))
    row('target', f'{TARGET_IDLE_MB}', f'{TARGET_LOADED_MB}', 'pool apart')
    head('start of the six, s', 'median', 'slowest', 'target')
    row('database and Redis are there', starts[len(starts) // 2], starts[-1], f'{TARGET_START_S}', digits=2)


if __name__ == '__main__':
    main()
