#!/usr/bin/python3
"""Does the time of a refused login tell whether the name exists?

Names that exist and names that do not are tried with a wrong password, in random order, through the
whole stack. Unknown names cost what a pupil's or, for a few of them, what a teacher's hash costs, and
a name never changes sides; so names are compared within one cost. Prints Welch's t: below 4.5 the two
cannot be told apart with so many samples.

    python3 tests/bench/login_timing.py --build build [--samples 10000]
"""

import argparse
import math
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
import people  # noqa: E402
import seed  # noqa: E402
from api import Client  # noqa: E402
from stack import LOAD_LIMITS, Stack  # noqa: E402

PASSWORD = 'fuji-no-yama-2026'
CODE = 'hakaru'
NAMES = 90  # of each kind; the source budget allows 200 names that fail
FREE_FAILURES = 4  # of a name before it has to wait
LIMIT = 4.5


def open_school(stack):
    """A tenant with so many pupils, all with a password of their own."""
    operator = Client(stack.address, stack.ca)
    secret = (stack.keys / 'bootstrap.secret').read_text().strip()
    seed.patiently(lambda: operator.login_first('manabiya', 'operator', secret, PASSWORD), (401,))
    contract = operator.post('/v1/contracts', name='計時教育委員会', code=CODE, administratorUsername='kanri')
    admin = Client(stack.address, stack.ca)
    admin.login_first(CODE, 'kanri', contract['initialSecret'], PASSWORD)
    pairs = people.names()
    rows = [people.person(next(pairs), f'jido{i}', 'student', '計時小学校', '3年1組', 'P3') for i in range(NAMES)]
    client = Client(stack.address, stack.ca)
    for username, secret in seed.import_users(admin, rows).items():
        client.login_first(CODE, username, secret, PASSWORD)


def measure(client, username):
    client.token = None
    body = {'tenantCode': CODE, 'username': username, 'password': 'never-the-password', 'delivery': 'bearer'}
    begin = time.perf_counter()
    answer = client.send('POST', '/v1/sessions', body)
    took = (time.perf_counter() - begin) * 1000
    if answer.status != 401:
        raise RuntimeError(f'{username}: {answer.status} {answer.body}')
    return took


def sample(stack, wanted):
    """{name: [milliseconds]} of both kinds, interleaved."""
    client, times = Client(stack.address, stack.ca), {}
    names = [f'jido{i}' for i in range(NAMES)] + [f'dare{i}' for i in range(NAMES)]
    while sum(map(len, times.values())) < 2 * wanted:
        stack.sql('TRUNCATE auth.throttle')
        order = names * FREE_FAILURES
        random.shuffle(order)
        for name in order:
            times.setdefault(name, []).append(measure(client, name))
    return times


def trimmed(values):
    """Without the slowest twentieth: other work on the machine."""
    return sorted(values)[:len(values) * 19 // 20]


def welch(a, b):
    spread = math.sqrt(statistics.variance(a) / len(a) + statistics.variance(b) / len(b))
    return (statistics.mean(a) - statistics.mean(b)) / spread


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--build', default='build')
    parser.add_argument('--samples', type=int, default=10000, help='of each kind')
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='manabiya-timing-', dir='/tmp') as directory:
        stack = Stack(directory, arguments.build, extra={'gateway': LOAD_LIMITS})
        try:
            stack.start()
            open_school(stack)
            times = sample(stack, arguments.samples)
        finally:
            stack.stop()
    typical = {name: statistics.median(values) for name, values in times.items()}
    pupil_cost = statistics.median(typical[f'jido{i}'] for i in range(NAMES))
    known, unknown = [], []
    for name, values in times.items():
        if typical[name] < 2 * pupil_cost:  # a teacher's hash costs four times as much
            (known if name.startswith('jido') else unknown).extend(values)
    known, unknown = trimmed(known), trimmed(unknown)
    t = welch(known, unknown)
    for what, values in (('known', known), ('unknown', unknown)):
        print(f'{what:8} n={len(values)} mean={statistics.mean(values):.3f} ms '
              f'median={statistics.median(values):.3f} ms')
    print(f'Welch t = {t:+.2f} ({"cannot" if abs(t) < LIMIT else "CAN"} be told apart, limit {LIMIT})')
    return abs(t) >= LIMIT


if __name__ == '__main__':
    sys.exit(main())
