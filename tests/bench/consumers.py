#!/usr/bin/python3
"""What the consumers of the log cost the product: none, all of them well, all of them hanging (SIGSTOP), one that reads a few kB a
second. At the end each has every event, in order.

    ./dev bench consumers, or tests/bench/consumers.py [--rounds 3] [--changes 400] [--events 6000]

The receivers are real programs on the same two processors, so what they take themselves stands beside it. The variants take turns, and
a figure is the median of the rounds.
"""

import argparse
import json
import signal
import socket
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from audit import Log, TELLERS, answers, ask_all, change, signed_after  # noqa: E402
from load import ROOT, cpu_us  # noqa: E402
from sides import School, Stack, folder, head, median, row, running  # noqa: E402

sys.path.insert(0, str(ROOT / 'tests/flow'))
from receivers import Collector, Redis, Rsyslog  # noqa: E402
from stack import free_port, run  # noqa: E402

OPERATOR_TENANT = '00000000-0000-7000-8000-000000000001'
CLIENTS = 4
WARM = 40  # changes: prepared statements, caches
SETTLE_S = 1  # for what belongs to the changes and comes after them
SLOW_BYTES_S = 4000
DRAINED_WITHIN_S = 60
VARIANTS = {'none': 'no sink', 'well': 'file, syslog, Redis, OTLP', 'hang': 'the same, three stopped', 'slow': 'the same, syslog at 4 kB/s'}


class Narrow:
    """In front of a receiver: hands on what comes, all of it or so many bytes a second."""

    def __init__(self, port):
        self.to, self.port, self.is_slow = port, free_port(), False
        self.listener = socket.create_server(('127.0.0.1', self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            link, _ = self.listener.accept()
            threading.Thread(target=self._carry, args=(link,), daemon=True).start()

    def _carry(self, link):
        with link, socket.create_connection(('127.0.0.1', self.to)) as onward:
            back = threading.Thread(target=self._copy, args=(onward, link, False), daemon=True)
            back.start()
            self._copy(link, onward, True)
            back.join()

    def _copy(self, of, to, may_be_slow):
        try:
            while some := of.recv(512 if may_be_slow and self.is_slow else 65536):
                to.sendall(some)
                if may_be_slow and self.is_slow:
                    time.sleep(len(some) / SLOW_BYTES_S)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one end has gone; the other sees it by its own end


class Consumed(Stack):
    """Whose audit is started with or without sinks."""

    def start_audit(self, options):
        process = self.processes['audit']
        process.stop()
        self.extra['audit'] = options
        process.command = self._service('audit').command
        self.restart('audit')
        self.wait_ready(['audit'])


class Consumers:
    def __init__(self, directory):
        for name in ('syslog', 'redis', 'otlp'):
            (directory / name).mkdir()
        self.syslog, self.redis, self.otlp = Rsyslog(directory / 'syslog'), Redis(directory / 'redis'), Collector(directory / 'otlp')
        self.narrow = Narrow(self.syslog.port)

    @property
    def remote(self):
        return self.syslog, self.redis, self.otlp

    def start(self):
        for receiver in self.remote:
            receiver.start()

    def stop(self):
        for receiver in self.remote:
            receiver.process.signal(signal.SIGCONT)
            receiver.process.stop()

    def options(self):
        return {'pipeline-syslog': f'localhost:{self.narrow.port}', 'pipeline-syslog-ca': self.syslog.tls / 'ca.pem',
                'pipeline-syslog-certificate': self.syslog.client / 'server.pem', 'pipeline-syslog-key': self.syslog.client / 'server.key',
                'pipeline-redis': f'127.0.0.1:{self.redis.port}', 'pipeline-redis-user': self.redis.USER,
                'pipeline-redis-password': self.redis.own_password, 'pipeline-redis-max-length': 10**7,
                'pipeline-otlp-url': f'https://localhost:{self.otlp.port}/v1/logs', 'pipeline-otlp-ca': self.otlp.tls / 'ca.pem',
                'pipeline-otlp-header': self.otlp.header}

    def be(self, variant):
        for receiver in self.remote:
            receiver.process.signal(signal.SIGSTOP if variant == 'hang' else signal.SIGCONT)
        self.narrow.is_slow = variant == 'slow'

    def have(self, file):
        """What each has got, in its order."""
        return {'file': file.read_text().splitlines(),
                **{type(receiver).__name__: receiver.lines() for receiver in self.remote}}


def waiting(stack):
    """Events that wait, by sink."""
    text = run(stack.build / 'ctl/manabiyactl', 'pipeline', 'list', '--database', stack.conninfo())
    rows = [line.split('\t') for line in text.splitlines()]
    return {cells[0]: int(cells[1].split()[0]) for cells in rows if len(cells) > 1 and cells[1].endswith('waiting')}


def drain(stack):
    end = time.monotonic() + DRAINED_WITHIN_S
    while left := {sink: n for sink, n in waiting(stack).items() if n}:
        if time.monotonic() > end:
            raise RuntimeError(f'not within {DRAINED_WITHIN_S} s: {left}')
        time.sleep(0.1)


def make_changes(school, n):
    skill = school.teacher.get('/v1/skills')['items'][0]['id']

    def make_one(client):
        answer = change(client, skill)
        if answer.status != 201:
            raise RuntimeError((answer.status, answer.body))
    return ask_all(school, CLIENTS, n, make_one)


def measure(log, consumers, arguments):
    """One variant, once: {figure: value}."""
    pids = {name: log.school.pids()[name] for name in ('audit', 'postgres')}
    theirs = {type(receiver).__name__: receiver.process.pid for receiver in consumers.remote}
    before, began = cpu_us(pids | theirs), time.monotonic()
    times = make_changes(log.school, arguments.changes)
    seconds = time.monotonic() - began
    time.sleep(SETTLE_S)
    after = cpu_us(pids | theirs)
    used = {name: (after[name] - before[name]) / arguments.changes for name in after}
    told, cost = log.tell(arguments.events)
    signed = signed_after(log, log.school.tenant, answers)
    return {'rate': len(times) / seconds, 'p50': times[len(times) // 2], 'p99': times[len(times) * 99 // 100],
            'audit': used['audit'], 'postgres': used['postgres'], 'receivers': sum(used[name] for name in theirs),
            'told': told, 'told audit': cost['audit'], 'told postgres': cost['postgres'], 'told services': sum(cost[name] for name in TELLERS),
            'signed': signed[0], 'signed p99': signed[1], 'signed most': signed[2]}


def run_one(variant, log, consumers, arguments):
    stack = log.stack
    consumers.be('well')
    stack.start_audit({'pipeline-file': ''} if variant == 'none' else consumers.options())
    make_changes(log.school, WARM)
    if variant != 'none':
        drain(stack)
    consumers.be(variant)
    figures = measure(log, consumers, arguments)
    left = waiting(stack)
    behind = {'hang': {'syslog', 'redis', 'otlp'}, 'slow': {'syslog'}}.get(variant, set())
    if not all(left[sink] for sink in behind):
        raise RuntimeError(f'nobody hung: {left}')
    consumers.be('well')
    if variant != 'none':
        drain(stack)
    return figures


def place_of(line):
    metadata = json.loads(line)['metadata']
    return metadata.get('tenant_uid', OPERATOR_TENANT), metadata['sequence']


def verify(stack, consumers):
    """Every event is there, byte for byte, and of each log in order once what came twice is left out."""
    while True:  # audit's own jobs may tell something meanwhile
        drain(stack)
        stored = set(stack.sql('SELECT line FROM audit.event').splitlines())
        if len(stored) == int(stack.sql('SELECT count(*) FROM audit.event')):
            break
    head(f'{len(stored):,} events', 'got', 'of it twice')
    for name, lines in consumers.have(stack.ndjson).items():
        if stored - set(lines):
            raise RuntimeError(f'{name} lacks {len(stored - set(lines))} of {len(stored)}')
        last = {}
        for tenant, sequence in map(place_of, dict.fromkeys(lines)):
            if sequence != last.get(tenant, 0) + 1:
                raise RuntimeError(f'{name} has {sequence} of {tenant} after {last.get(tenant, 0)}')
            last[tenant] = sequence
        row(name, len(lines), len(lines) - len(set(lines)), digits=0)


def show(figures):
    """The medians of the rounds, and all rounds of what is compared."""
    of = {variant: {name: median(one[name] for one in rounds) for name in rounds[0]} for variant, rounds in figures.items()}

    def table(title, names, columns, digits):
        head(title, *columns)
        for variant, sentence in VARIANTS.items():
            mine, none = of[variant], of['none']
            row(sentence, *(mine[name] for name in names), f'{mine[names[0]] / none[names[0]]:.2f}', digits=digits)

    table(f'changes, {CLIENTS} clients', ('rate', 'p50', 'p99'), ('a second', 'p50 ms', 'p99 ms', 'to no sink'), 1)
    table('CPU µs a change', ('audit', 'postgres', 'receivers'), ('audit', 'PostgreSQL', 'receivers', 'audit to none'), 0)
    table('acknowledged events', ('told', 'told services', 'told audit', 'told postgres'), ('a second', 'services µs', 'audit µs', 'PostgreSQL µs', 'to no sink'), 0)
    table('from answer to checkpoint, ms', ('signed p99', 'signed', 'signed most'), ('p99', 'median', 'most', 'p99 to none'), 0)
    head('each round', 'changes a second', 'p99 ms', 'events a second', 'checkpoint p99')
    for variant, rounds in figures.items():
        for one in rounds:
            row(VARIANTS[variant], one['rate'], one['p99'], one['told'], one['signed p99'], digits=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--changes', type=int, default=400)
    parser.add_argument('--events', type=int, default=6000)
    arguments = parser.parse_args()
    with folder() as directory:
        consumers, school = Consumers(directory), School(directory / 'stack', kind=Consumed)
        with running(consumers, school):
            log = Log(school)
            make_changes(school, arguments.changes)  # the first of a database cost more
            figures = {variant: [] for variant in VARIANTS}
            for _ in range(arguments.rounds):
                for variant, rounds in figures.items():
                    rounds.append(run_one(variant, log, consumers, arguments))
            show(figures)
            school.stack.start_audit(consumers.options())
            verify(school.stack, consumers)


if __name__ == '__main__':
    main()
