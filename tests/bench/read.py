#!/usr/bin/python3
"""An authenticated read of one row through everything, beside nginx -> fastify -> pg.

GET /v1/skills with one skill in the tenant: TLS, HTTP/2, session, capability, bus, row security,
JSON; with its record in the audit log, which cannot be switched off: what that costs is what audit and
its backends of PostgreSQL take more than they do when nobody asks (the gateway's part, a microsecond, is
not told apart). The peer uses the same PostgreSQL, in turns, in the same run. Decide on CPU time: the rate of a shared machine swings. h2load itself takes part of the machine from both sides.

    ./dev bench read, or tests/bench/read.py [--rounds 3] [--requests 8000]
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import ROOT, children, cpu_us, drive  # noqa: E402
from sides import School, folder, free_port, median, running  # noqa: E402

HERE = Path(__file__).resolve().parent
SETTLE_S = 3  # until audit has stored what it was told


def is_of_audit(pid):
    try:
        return b'manabiya_audit' in Path(f'/proc/{pid}/cmdline').read_bytes()  # PostgreSQL writes there whom a backend serves
    except OSError:
        return False


class Ours(School):
    """PostgreSQL in two: what it does for audit, and all the rest."""

    RECORD = ('audit', 'postgres for audit')

    def pids(self):
        pids = super().pids()
        root = pids.pop('postgres')
        return {**pids, 'postgres': lambda: [pid for pid in children(root) if not is_of_audit(pid)],
                'postgres for audit': lambda: [pid for pid in children(root) if is_of_audit(pid)]}


class Peer:
    """nginx and fastify on the other's PostgreSQL."""

    name = 'nginx-fastify-pg'
    headers = ()

    def __init__(self, ours, run):
        self.ours, self.run, self.port, self.children = ours, Path(run), free_port(), {}

    def start(self):
        socket = self.run / 'fastify'
        text = (HERE / 'nginx.conf').read_text()
        for name, value in {'RUN': self.run, 'SOCKET': socket, 'PORT': self.port, 'CERTIFICATE': self.ours.stack.tls / 'server.pem',
                            'KEY': self.ours.stack.tls / 'server.key'}.items():
            text = text.replace(f'@{name}@', str(value))
        (self.run / 'nginx.conf').write_text(text)
        environment = {**os.environ, 'NODE_ENV': 'production', 'SOCKET': str(socket), 'TENANT': self.ours.tenant,
                       'DATABASE_HOST': str(self.ours.stack.run / 'pg'),
                       'MAC_KEY': (self.ours.stack.keys / 'tenant-mac.key').read_text().strip()}
        node = subprocess.run([ROOT / 'tools/node'], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.children['fastify'] = subprocess.Popen([f'{node}/node', HERE / 'peer.js'], env=environment)
        while not socket.exists():
            self.check()
            time.sleep(0.05)
        socket.chmod(0o777)  # nginx workers run as another user; the directory is ours alone
        self.children['nginx'] = subprocess.Popen(['/usr/sbin/nginx', '-c', self.run / 'nginx.conf', '-e', self.run / 'nginx.log'])
        time.sleep(0.5)
        self.check()

    def check(self):
        for name, child in self.children.items():
            if child.poll() is not None:
                raise RuntimeError(f'{name} ended with {child.returncode}')

    def address(self):
        return f'https://127.0.0.1:{self.port}/v1/skills'

    def pids(self):
        return {'nginx': self.children['nginx'].pid, 'fastify': self.children['fastify'].pid,
                'postgres': self.ours.stack.processes['postgres'].pid}

    def stop(self):
        for child in self.children.values():
            child.terminate()
            child.wait()


def idle_us(side):
    """What everything takes in a second in which nobody asks."""
    before, began = cpu_us(side.pids()), time.monotonic()
    time.sleep(2 * SETTLE_S)
    after, seconds = cpu_us(side.pids()), time.monotonic() - began
    return {name: (after[name] - before[name]) / seconds for name in after}


def record_of(run, idle, requests):
    """(µs of the record, its share of the rest) of a request."""
    seconds = requests / run.rate + SETTLE_S
    spent = {name: value - idle[name] * seconds / requests for name, value in run.cpu.items()}
    record = sum(spent[name] for name in Ours.RECORD)
    return record, record / (sum(spent.values()) - record)


def table(sides, full, half, records):
    ours, peer = sides[0], sides[-1]

    def row(name, values, better_is_more=False, digits=1):
        ratio = values[ours] / values[peer] if better_is_more else values[peer] / values[ours]
        print(f'{name:30}' + ''.join(f'{values[s]:>20,.{digits}f}' for s in sides) + f'{ratio:>12.1f} ×')

    def medians(runs, of):
        return {s: median(of(r) for r in runs[s]) for s in sides}

    print(f'\n{"":30}' + ''.join(f'{s.name:>20}' for s in sides) + f'{"better by":>14}')
    row('requests/s', medians(full, lambda r: r.rate), True, 0)
    for share, name in ((0.5, 'p50 ms'), (0.99, 'p99 ms')):
        row(name, medians(full, lambda r, share=share: r.percentile_ms(share)), digits=2)
        row(f'{name} at half that rate', medians(half, lambda r, share=share: r.percentile_ms(share)), digits=2)
    row('CPU µs per request', medians(full, lambda r: r.cpu_sum))
    print(f'of these the record: {median(record for record, _ in records):.1f}, {median(share for _, share in records):.1%} of the rest')
    for side in sides:
        print(f'\nCPU µs per request of {side.name}')
        for name in full[side][0].cpu:
            print(f'  {name:28}{median(r.cpu[name] for r in full[side]):>16,.1f}')


def same_answer(ours, peer):
    """Both sides must do the same work: the same one row."""
    bodies = [subprocess.run(['curl', '-sk', *(part for h in side.headers for part in ('-H', h)), side.address()], check=True,
                             stdout=subprocess.PIPE, text=True).stdout for side in (ours, peer)]
    a, b = map(json.loads, bodies)
    if a != b or len(a['items']) != 1:
        raise RuntimeError(f'the answers differ:\n{bodies[0]}\n{bodies[1]}')


def measure(sides, rounds, requests):
    full, half = {s: [] for s in sides}, {s: [] for s in sides}

    def run(side, *more):
        return drive(side.address(), side.headers, *more, settle_s=SETTLE_S)

    for side in sides:
        run(side, 2000, side.pids())  # warm up: prepared statements, JIT, caches
    for number in range(rounds):
        for side in sides:
            full[side].append(run(side, requests, side.pids()))
            half[side].append(run(side, requests // 4, side.pids(), full[side][-1].rate / 2))
            print(f'round {number + 1} of {rounds}, {side.name}: {full[side][-1].rate:,.0f}/s, '
                  f'{full[side][-1].cpu_sum:.0f} µs', flush=True)
    return full, half


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--requests', type=int, default=8000)
    arguments = parser.parse_args()
    if not (HERE / 'node_modules/fastify').exists():
        subprocess.run(['npm', 'ci', '--no-fund', '--no-audit', '--loglevel=error'], cwd=HERE, check=True)
    with folder() as directory:
        ours = Ours(directory / 'stack')
        with running(ours, Peer(ours, directory / 'peer')) as sides:
            same_answer(ours, sides[-1])
            full, half = measure(sides, arguments.rounds, arguments.requests)
            idle = idle_us(ours)
            table(sides, full, half, [record_of(run, idle, arguments.requests) for run in full[ours]])


if __name__ == '__main__':
    main()
