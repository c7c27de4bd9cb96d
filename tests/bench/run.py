#!/usr/bin/python3
"""The benchmark: every part prints both sides of its ratios, and CPU beside rates.

    ./dev bench [NAME...]    all parts, or some
    ./dev bench --list       what there is
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / 'build'

# Each is a program of its own with options of its own; here it runs as docs/performance.md shows it.
PARTS = {
    'read': ([HERE / 'read.py'], 'an authenticated read of one row, beside nginx, fastify and pg'),
    'protocol': ([HERE / 'protocol.py', '--seconds=1'], 'TLS and HTTP alone, 1 KiB from memory, beside nginx'),
    'static': ([HERE / 'static.py'], 'files of the web client, beside nginx'),
    'handshakes': ([HERE / 'handshakes.py'], 'full TLS handshakes, beside nginx'),
    'events': ([HERE / 'events.py', '--streams=3000'], 'idle event streams: memory, and a hint to all of them'),
    'media': ([HERE / 'media.py'], 'a video of 16 MiB sent and read in ranges, beside nginx'),
    'change': ([HERE / 'change.py'], 'a change with its event, with and without the ledger'),
    'roster': ([HERE / 'roster.py'], '2,000 people, whose names lie sealed, in the order of their readings'),
    'stopped': ([HERE / 'stopped.py'], 'one of three instances stopped under load'),
    'flood': ([HERE / 'flood.py'], 'five times more requests than can be answered'),
    'audit': ([HERE / 'audit.py'], 'the audit log: events, checkpoints, proofs, beside Go'),
    'consumers': ([HERE / 'consumers.py'], 'changes and the log while its consumers are well, hang, or are slow'),
    'bus': ([BUILD / 'tests/bench/bus-bench'], 'round trips over the bus alone'),
    'memory': ([HERE / 'memory.py'], 'memory of the six processes, and a cold start'),
}


def machine():
    """What the figures belong to."""
    info = Path('/proc/cpuinfo').read_text().splitlines()
    model = next((line.partition(': ')[2] for line in info if line.startswith('model name')), 'unknown')
    busy = os.getloadavg()[0]
    return f'{os.cpu_count()} × {model}, Linux {os.uname().release}, load {busy:.1f} before the first part'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('names', nargs='*', metavar='NAME', help=', '.join(PARTS))
    parser.add_argument('--list', action='store_true')
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(PARTS):
        parser.error(f'no such part: {", ".join(sorted(unknown))}')
    if arguments.list:
        for name, (_, sentence) in PARTS.items():
            print(f'{name:12}{sentence}')
        return 0
    print(machine())
    failed = []
    for name in arguments.names or PARTS:
        command, sentence = PARTS[name]
        print(f'\n== {name}: {sentence}', flush=True)
        began = time.monotonic()
        python = ['/usr/bin/python3', '-B'] if command[0].suffix == '.py' else []  # Debian's, which has the packages
        environment = {**os.environ, 'HTTP_PROBE': str(BUILD / 'tests/attack/http-probe')}
        if subprocess.run([*python, *command], check=False, env=environment).returncode:
            failed.append(name)
        print(f'({time.monotonic() - began:.0f} s)', flush=True)
    if failed:
        print(f'\nfailed: {", ".join(failed)}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
