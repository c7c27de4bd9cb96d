#!/usr/bin/python3
"""Names lie sealed, so a service and not the database puts them in order: 2,000 pupils by kana through the API, beside PostgreSQL
with the same readings in the clear and an index.

    ./dev bench roster, or tests/bench/roster.py [--people 2000] [--rounds 15]
"""

import argparse
import re
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from load import cpu_us  # noqa: E402
from sides import CODE, PASSWORD, School, folder, head, median, row, running  # noqa: E402

ALL = 2000  # RosterLimit: what one answer holds at most
PAGE = 200
HEADER = '利用者ID,ロール,姓,名,せい,めい,学年,学校,クラス\r\n'
SYLLABLES = 'あいうえおかきくけこさしすせそたちつてと'


def reading(i):
    """Twenty to the fourth of them, not in the order in which they are made."""
    i = i * 7919 % len(SYLLABLES) ** 4
    return ''.join(SYLLABLES[i // len(SYLLABLES) ** place % len(SYLLABLES)] for place in (3, 2, 1, 0))


def fill(school, n):
    school.admin = school.client()
    school.admin.login(CODE, 'kanri', PASSWORD)
    rows = ''.join(f'p{i:05},生徒,姓{i},名{i},{reading(i)},たろう,P{i % 6 + 1},東小,{i // 30}組\r\n' for i in range(n))
    answer = school.admin.call('POST', '/v1/imports/users?dryRun=false', (HEADER + rows).encode(), {'Content-Type': 'text/csv'})
    if not answer['applied']:
        raise RuntimeError(answer['errors'][:3])
    school.stack.sql('CREATE SCHEMA bench; CREATE TABLE bench.plain (id int PRIMARY KEY, kana text COLLATE "C"); CREATE INDEX ON bench.plain (kana)')
    school.stack.sql('INSERT INTO bench.plain VALUES ' + ','.join(f"({i}, '{reading(i)}')" for i in range(n)))


def settle(school):
    """What the import told the others is done, and PostgreSQL has statistics, as autovacuum makes them within a minute."""
    school.stack.sql('ANALYZE')
    while school.stack.sql('SELECT count(*) FROM provisioning.outbox') != '0':
        time.sleep(0.1)


def ask(school, n, limit):
    """(ms of the first page, ms of all): and all are there, in order."""
    began, first, cursor, found = time.monotonic(), 0, '', []
    while cursor is not None:
        page = school.admin.get(f'/v1/users?role=student&limit={limit}{cursor}')
        first = first or 1000 * (time.monotonic() - began)
        found += [person['kanaFamilyName'] for person in page['items']]
        cursor = f'&cursor={page["nextCursor"]}' if page.get('nextCursor') else None
    took = 1000 * (time.monotonic() - began)
    if len(found) != n or found != sorted(found):
        raise RuntimeError(f'{len(found)} people, in another order or not all')
    return first, took


def ask_often(school, n, limit, rounds):
    """Times of `rounds`, and the ms of CPU of each process for one of them."""
    ask(school, n, limit)  # prepared statements, caches
    before = cpu_us(school.pids())
    times = [ask(school, n, limit) for _ in range(rounds)]
    after = cpu_us(school.pids())
    return times, {name: (after[name] - before[name]) / 1000 / rounds for name in after}


def plain_ms(school, limit):
    said = school.stack.sql(f'EXPLAIN ANALYZE SELECT id, kana FROM bench.plain ORDER BY kana, id LIMIT {limit}')
    return float(re.search(r'Execution Time: ([\d.]+) ms', said)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--people', type=int, default=2000)
    parser.add_argument('--rounds', type=int, default=15)
    arguments = parser.parse_args()
    n = arguments.people
    with folder() as directory:
        school = School(directory / 'stack')
        with running(school):
            fill(school, n)
            settle(school)
            whole, whole_cpu = ask_often(school, n, ALL, arguments.rounds)
            paged, paged_cpu = ask_often(school, n, PAGE, arguments.rounds)
            plain = [[plain_ms(school, limit) for _ in range(arguments.rounds)] for limit in (PAGE, n)]
    head(f'{n:,} pupils by kana, ms', 'sealed, median', 'least', 'most', 'plain in SQL')
    for name, ours, theirs in ((f'all of them, {min(n, ALL)} at a time', [all_ for _, all_ in whole], plain[1]),
                               (f'the first {PAGE}', [first for first, _ in paged], plain[0]),
                               (f'all of them, {PAGE} at a time', [all_ for _, all_ in paged], plain[1])):
        row(name, median(ours), min(ours), max(ours), median(theirs))
    head('CPU, ms for all of them', 'provisioning', 'gateway', 'PostgreSQL', 'together')
    for limit, cpu in ((ALL, whole_cpu), (PAGE, paged_cpu)):
        row(f'{-(-n // limit)} requests', *(cpu[name] for name in ('provisioning', 'gateway', 'postgres')), sum(cpu.values()))


if __name__ == '__main__':
    main()
