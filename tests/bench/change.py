#!/usr/bin/python3
"""A change with its event: CPU by process, beside the same without the ledger that proves the log complete.

    ./dev bench change, or tests/bench/change.py [--rounds 3] [--changes 600]
"""

import argparse
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import cpu_us  # noqa: E402
from sides import School, folder, head, median, row, running  # noqa: E402

CLIENTS = 4
SETTLE_S = 7  # a turn of the ledger's job and of audit's are five seconds apart

OFF = """DO $$
DECLARE
    found record;
BEGIN
    FOR found IN SELECT tgrelid::regclass AS relation, tgname FROM pg_trigger WHERE tgname LIKE 'ledger\\_%' LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', found.relation, found.tgname);
    END LOOP;
    FOR found IN SELECT n.nspname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.proname = 'ledger_take' LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %I.ledger_take(integer) FROM %I', found.nspname, 'manabiya_' || found.nspname);
    END LOOP;
END $$"""


class Bare(School):
    """Without the ledger: nothing is noted, and nothing told."""

    name = 'no ledger'

    def start(self):
        super().start()
        self.stack.sql(OFF)
        return self


def change(client, skill):
    answer = client.send('POST', '/v1/units', {'title': 'マット運動', 'skillIds': [skill]}, {'Idempotency-Key': str(uuid.uuid4())})
    if answer.status != 201:
        raise RuntimeError((answer.status, answer.body))


def idle(side):
    """CPU µs a second while nothing is asked, by process: jobs that look whether there is something to do."""
    before = cpu_us(side.pids())
    time.sleep(2 * SETTLE_S)
    after = cpu_us(side.pids())
    return {name: (after[name] - before[name]) / (2 * SETTLE_S) for name in before}


def run(side, changes):
    """CPU µs a change, by process, without what goes on anyway."""
    skill = side.teacher.get('/v1/skills')['items'][0]['id']
    clients = [side.client() for _ in range(CLIENTS)]
    for client in clients:
        client.token = side.teacher.token
    rest = idle(side)
    began, before = time.monotonic(), cpu_us(side.pids())
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda client: [change(client, skill) for _ in range(changes // CLIENTS)], clients))
    time.sleep(SETTLE_S)
    after, seconds = cpu_us(side.pids()), time.monotonic() - began
    for client in clients:
        client.close()
    return rest, {name: (after[name] - before[name] - rest[name] * seconds) / changes for name in before}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--changes', type=int, default=600)
    arguments = parser.parse_args()
    with folder() as directory, running(School(directory / 'ours'), Bare(directory / 'bare')) as sides:
        for side in sides:
            run(side, 100)  # prepared statements, caches
        cost = {side: [] for side in sides}
        for _ in range(arguments.rounds):
            for side in sides:
                cost[side].append(run(side, arguments.changes))
        for which, title in enumerate(('CPU µs a second at rest', 'CPU µs a change')):
            head(title, *(side.name for side in sides))
            for name in cost[sides[0]][0][which]:
                row(name, *(median(one[which][name] for one in cost[side]) for side in sides))
            row('together', *(median(sum(one[which].values()) for one in cost[side]) for side in sides))


if __name__ == '__main__':
    main()
