#!/usr/bin/python3
"""A video of 16 MiB, sent and read in ranges, encrypted at rest, beside nginx keeping the same file in plain text.

    ./dev bench media, or tests/bench/media.py [--rounds 3]
"""

import argparse
import base64
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import cpu_us  # noqa: E402
from sides import Nginx, School, folder, head, median, row, running  # noqa: E402

MIB = 1024 * 1024
SIZE = 16 * MIB
RANGE = MIB  # what a player asks for at a time


def curl(*arguments):
    subprocess.run(['curl', '-skf', '--http1.1', '-o', '/dev/null', *map(str, arguments)], check=True)


class Ours:
    def __init__(self, school, file):
        self.school, self.file, self.location = school, file, None
        self.headers = ['-H', school.headers[0]]

    def pids(self):
        return self.school.pids()

    def send(self):
        self.location = self.school.teacher.upload_begin(SIZE)
        curl('-X', 'PATCH', '-H', 'Tus-Resumable: 1.0.0', '-H', 'Upload-Offset: 0', '-H', 'Expect:', '-H', 'Content-Type: application/offset+octet-stream',
             *self.headers, '--data-binary', f'@{self.file}', self.school.address(self.location))

    def read(self):
        """One connection for all ranges, as a player keeps it."""
        get_ranges(self.school.address(f'{self.location}/content'), self.headers)


class Theirs:
    def __init__(self, nginx, file):
        self.nginx, self.file = nginx, file

    def pids(self):
        return self.nginx.pids()

    def send(self):
        curl('-T', self.file, '-H', 'Expect:', self.nginx.address('/sent.mp4'))

    def read(self):
        get_ranges(self.nginx.address('/sent.mp4'), ())


def get_ranges(address, headers):
    arguments = []
    for offset in range(0, SIZE, RANGE):
        arguments += [*(['--next'] if offset else []), '-skf', '--http1.1', '-o', '/dev/null', *headers, '-r', f'{offset}-{offset + RANGE - 1}', address]
    subprocess.run(['curl', *arguments], check=True)


def cost(side, action):
    """({process: CPU µs per MiB}, MiB a second)"""
    before, began = cpu_us(side.pids()), time.monotonic()
    getattr(side, action)()
    took_s = time.monotonic() - began
    after = cpu_us(side.pids())
    return {name: (after[name] - before[name]) / (SIZE / MIB) for name in before}, SIZE / MIB / took_s


def same_bytes(ours, theirs, file):
    """Both give back what was sent."""
    for address, headers in ((ours.school.address(f'{ours.location}/content'), ours.headers), (theirs.nginx.address('/sent.mp4'), [])):
        got = subprocess.run(['curl', '-skf', *headers, address], check=True, stdout=subprocess.PIPE).stdout
        if got != file.read_bytes():
            raise RuntimeError(f'{address} gave back other bytes')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=5)
    arguments = parser.parse_args()
    with folder() as directory:
        file = directory / 'sent.mp4'
        file.write_bytes(base64.b64decode('AAAAGGZ0eXBtcDQyAAAAAG1wNDJpc29t') + os.urandom(SIZE - 24))
        kept = directory / 'peer/kept'
        kept.mkdir()
        kept.chmod(0o777)  # nginx's workers are another user; the directory above is ours
        school = School(directory / 'stack')
        with running(school):
            nginx = Nginx(directory / 'peer', school.stack.tls / 'server.pem', school.stack.tls / 'server.key',
                          f'\t\t\troot {kept};\n\t\t\tdav_methods PUT;\n\t\t\tclient_max_body_size 64m;\n\t\t\tsendfile on;')
            with running(nginx):
                compare(Ours(school, file), Theirs(nginx, file), file, arguments.rounds)


def compare(ours, theirs, file, rounds):
    for side in (ours, theirs):
        side.send()
    same_bytes(ours, theirs, file)
    head('16 MiB over TLS, CPU µs per MiB', 'manabiya', 'nginx, plain', 'throughput/CPU', 'ours MiB/s', 'nginx MiB/s')
    for action, name in (('send', 'sent'), ('read', 'read in ranges of 1 MiB')):
        results = [[], []]
        for _ in range(rounds):
            for result, side in zip(results, (ours, theirs)):
                result.append(cost(side, action))
        cpu = [median(sum(r[0].values()) for r in result) for result in results]
        row(name, *cpu, f'{cpu[1] / cpu[0]:.0%}', *(median(r[1] for r in result) for result in results), digits=0)
        parts = {part: median(r[0][part] for r in results[0]) for part in results[0][0][0]}
        print('    ' + ', '.join(f'{part} {us:,.0f}' for part, us in sorted(parts.items(), key=lambda item: -item[1])), flush=True)


if __name__ == '__main__':
    main()
