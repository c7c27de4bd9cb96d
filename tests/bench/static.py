#!/usr/bin/python3
"""A file of the web client through the gateway, beside nginx serving the same file with the same headers.

    ./dev bench static, or tests/bench/static.py [--rounds 3] [--requests 20000]
"""

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import drive  # noqa: E402
from sides import Nginx, School, folder, head, median, row, running  # noqa: E402

FILES = {'/assets/small-0a1b2c3d.js': 1024, '/assets/large-0a1b2c3d.js': 64 * 1024}
OWN = {'date', 'content-type', 'content-length', 'cache-control', 'etag', 'last-modified', 'accept-ranges', 'vary'}
MODES = {'HTTP/1.1': ['--h1'], 'HTTP/2': []}


def make_files(root):
    (root / 'assets').mkdir(parents=True, mode=0o755)
    (root / 'index.html').write_text('<!doctype html><title>計測</title>')
    for name, size in FILES.items():
        (root / name.lstrip('/')).write_text('/*' + '計測する。'.encode().hex() * (size // 30) + '*/')
    for path in (root, *root.rglob('*')):
        path.chmod(0o755 if path.is_dir() else 0o644)


def fixed_headers(school):
    """What the gateway adds to every answer; nginx then sends it too."""
    text = subprocess.run(['curl', '-skI', school.address(next(iter(FILES)))], check=True, stdout=subprocess.PIPE, text=True).stdout
    pairs = [line.split(': ', 1) for line in text.splitlines()[1:] if ': ' in line]
    return ''.join(f'\t\t\tadd_header {name} "{value.strip()}";\n' for name, value in pairs if name.lower() not in OWN and '"' not in value)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--requests', type=int, default=8000)
    arguments = parser.parse_args()
    with folder() as directory:
        make_files(directory / 'web')
        school = School(directory / 'stack', web_root=directory / 'web')
        with running(school):
            location = f'\t\t\troot {directory / "web"};\n\t\t\topen_file_cache max=100;\n\t\t\tsendfile on;\n' + fixed_headers(school)
            nginx = Nginx(directory / 'peer', school.stack.tls / 'server.pem', school.stack.tls / 'server.key', location)
            with running(nginx):
                compare(school, nginx, arguments)


def compare(school, nginx, arguments):
    sides = {'gateway': (school, {'gateway': school.stack.processes['gateway'].pid}), 'nginx': (nginx, nginx.pids())}
    head('CPU µs per request', *sides, 'ratio', 'gateway/s', 'nginx/s')
    for path, size in FILES.items():
        for mode, options in MODES.items():
            results = {name: [] for name in sides}
            for _ in range(arguments.rounds):
                for name, (side, pids) in sides.items():
                    results[name].append(drive(side.address(path), (), arguments.requests, pids, options=options))
            ours, theirs = (median(r.cpu_sum for r in results[name]) for name in sides)
            rates = [f'{median(r.rate for r in results[name]):,.0f}' for name in sides]
            row(f'{size // 1024} KiB, {mode}', ours, theirs, f'{ours / theirs:.2f}', *rates)


if __name__ == '__main__':
    main()
