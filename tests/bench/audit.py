#!/usr/bin/python3
"""The audit log: events a second through outbox, bus and tree beside the database alone; how soon they are signed; how long
it takes to check a million of them, beside Go's tlog; size and time of proofs.

    ./dev bench audit, or tests/bench/audit.py [--events 20000] [--leaves 1000000] [--trees 10000,100000]
"""

import argparse
import base64
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from load import ROOT, cpu_us  # noqa: E402
from sides import CODE, PASSWORD, School, folder, head, median, row, running  # noqa: E402
from stack import postgres_bin  # noqa: E402

TELLERS = ('auth', 'provisioning', 'learning', 'notification')
TENANTS = 20
APPEND_ROWS = 100  # as many as the relay ships at once
PROBE_EVERY_MS, PROBES = 20, 150
PROOFS = 50  # asked for each tree
ED25519_PKCS8 = bytes.fromhex('302e020100300506032b657004220420')

# As libcommon/ocsf.c writes one, but for the ids.
LINE = """'{{"class_uid":3004,"category_uid":3,"activity_id":1,"type_uid":300401,"time":1775608200000,"severity_id":1,"status_id":1,'
    || '"actor":{{"user":{{"uid":"' || gen_random_uuid() || '","type":"instructor"}},"session":{{"uid":"' || gen_random_uuid() || '"}}}},'
    || '"entity":{{"uid":"' || gen_random_uuid() || '"}},"api":{{"operation":"{operation}","request":{{"uid":"' || gen_random_uuid()
    || '"}}}},"src_endpoint":{{"ip":"192.0.2.77"}},"metadata":{{"version":"1.8.0","product":{{"name":"Manabiya","vendor_name":"Manabiya"}},'
    || '"labels":["III"],"tenant_uid":"' || {tenant} || '","uid":"' || id || '"}}}}'"""


# Ids as the services make them, UUIDv7; what the probes note.
PREPARE = """CREATE SCHEMA bench; CREATE TABLE bench.told (size bigint, at timestamptz); CREATE TABLE bench.signed (size bigint, at timestamptz);
    CREATE FUNCTION bench.id() RETURNS uuid LANGUAGE sql VOLATILE AS $$ SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
    || '7' || substr(gen_random_uuid()::text, 16, 3) || '8' || substr(replace(gen_random_uuid()::text, '-', ''), 18, 15))::uuid $$"""


class Log:
    """A school's log, and the database that holds it."""

    def __init__(self, school):
        self.school, self.stack = school, school.stack
        self.admin = school.client()
        self.admin.login(CODE, 'kanri', PASSWORD)
        self.stack.sql(PREPARE)

    def psql(self, text):
        return subprocess.Popen([postgres_bin() / 'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', self.stack.conninfo(), '-c', text],
                                stdout=subprocess.PIPE, text=True)

    def waiting(self):
        return int(self.stack.sql('SELECT ' + ' + '.join(f"(SELECT count(*) FROM {name}.outbox WHERE consumer = 'audit')" for name in TELLERS)))

    def append(self, tenant, n):
        """By the function that the service calls, from one connection; returns seconds."""
        line = LINE.format(operation='learning.try_create', tenant=f"'{tenant}'")
        began = time.monotonic()
        self.stack.sql(f"""DO $$ BEGIN FOR i IN 1..{n // APPEND_ROWS} LOOP
            PERFORM audit.append(array_agg('{tenant}'::uuid), array_agg(id), array_agg(1775608200000::bigint), array_agg('learning.try_create'::text),
                array_agg('success'::text), array_agg(''::text), array_agg(''::text), array_agg({line}))
            FROM (SELECT bench.id() AS id FROM generate_series(1, {APPEND_ROWS})) t;
            COMMIT; END LOOP; END $$""")
        return time.monotonic() - began

    def tell(self, n):
        """Events into the outboxes of four services, all at once; returns seconds until audit has acknowledged all, and CPU."""
        tenant = f"'00000000-0000-7000-8000-0000000001' || lpad((i % {TENANTS})::text, 2, '0')"
        for name in TELLERS:
            line = LINE.format(operation=f'{name}.bench', tenant='tenant')
            self.stack.sql(f"""INSERT INTO {name}.outbox (tenant_id, consumer, kind, type, event_id, body)
                SELECT tenant::uuid, 'audit', 'audit', 'audit.line', id, {line}
                FROM (SELECT bench.id() AS id, {tenant} AS tenant FROM generate_series(1, {n // len(TELLERS)}) i) t""")
        return self.drained(n)

    def drained(self, n):
        pids = {name: pid for name, pid in self.school.pids().items() if name in (*TELLERS, 'audit', 'postgres')}
        left, before, began = self.waiting(), cpu_us(pids), time.monotonic()
        while self.waiting():
            time.sleep(0.05)
        seconds, after = time.monotonic() - began, cpu_us(pids)
        return left / seconds, {name: (after[name] - before[name]) / max(1, left) for name in pids}


def signed_after(log, tenant):
    """Milliseconds from an event's commit to a checkpoint that holds it: (median, p99, the most), told by the database itself."""
    log.stack.sql('TRUNCATE bench.told, bench.signed')
    line = LINE.format(operation='learning.try_create', tenant=f"'{tenant}'")
    teller = log.psql(f"""DO $$ BEGIN FOR i IN 1..{PROBES} LOOP
        PERFORM audit.append(array_agg('{tenant}'::uuid), array_agg(id), array_agg(1775608200000::bigint), array_agg('learning.try_create'::text),
            array_agg('success'::text), array_agg(''::text), array_agg(''::text), array_agg({line})) FROM (SELECT bench.id() AS id) t;
        COMMIT;
        INSERT INTO bench.told SELECT sequence, clock_timestamp() FROM audit.head WHERE tenant_id = '{tenant}';
        COMMIT;
        PERFORM pg_sleep({PROBE_EVERY_MS / 1000}); END LOOP; END $$""")
    watcher = log.psql(f"""DO $$ DECLARE last bigint := -1; now_signed bigint; BEGIN LOOP
        SELECT coalesce(max(signed), 0) INTO now_signed FROM audit.head WHERE tenant_id = '{tenant}';
        IF now_signed <> last THEN INSERT INTO bench.signed VALUES (now_signed, clock_timestamp()); last := now_signed; END IF;
        EXIT WHEN (SELECT count(*) FROM bench.told) = {PROBES} AND now_signed >= (SELECT max(size) FROM bench.told);
        COMMIT;
        PERFORM pg_sleep(0.002); END LOOP; END $$""")
    for process in (teller, watcher):
        if process.wait():
            raise RuntimeError('psql failed')
    text = log.stack.sql("""SELECT json_build_array(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms), percentile_cont(0.99) WITHIN GROUP (ORDER BY ms), max(ms))
        FROM (SELECT greatest(0, 1000 * extract(epoch FROM (SELECT min(s.at) FROM bench.signed s WHERE s.size >= t.size) - t.at)) AS ms FROM bench.told t) d""")
    return json.loads(text)


# ---- checking ----

def leaf(data):
    return hashlib.sha256(b'\0' + data).digest()


def root_of(hashes):
    """RFC 6962's tree: what has no neighbour goes up as it is."""
    while len(hashes) > 1:
        pairs = [hashlib.sha256(b'\1' + hashes[i] + hashes[i + 1]).digest() for i in range(0, len(hashes) - 1, 2)]
        hashes = pairs + hashes[len(pairs) * 2:]
    return hashes[0]


def make_export(directory, stack, n):
    """An export of n lines with its proof, signed with the stack's key."""
    seed = bytes.fromhex((stack.keys / 'checkpoint.key').read_text().strip())
    public = bytes.fromhex((stack.keys / 'checkpoint.pub').read_text().strip())
    name = 'manabiya.invalid/log/bench'
    key_id = hashlib.sha256(name.encode() + b'\n\1' + public).digest()[:4]
    leaves, padding = [], 'x' * 560
    with open(directory / 'export', 'wb') as file:
        for i in range(1, n + 1):
            line = f'{{"padding":"{padding}","metadata":{{"uid":"{i:036}","sequence":{i}}}}}'.encode()
            leaves.append(leaf(line))
            file.write(line + b'\n')
    text = f'{name}\n{n}\n{base64.b64encode(root_of(leaves)).decode()}\n'
    (directory / 'text').write_text(text)
    (directory / 'key.der').write_bytes(ED25519_PKCS8 + seed)
    signature = subprocess.run(['openssl', 'pkeyutl', '-sign', '-rawin', '-keyform', 'DER', '-inkey', directory / 'key.der', '-in', directory / 'text'],
                               check=True, stdout=subprocess.PIPE).stdout
    note = f'{text}\n— {name} {base64.b64encode(key_id + signature).decode()}\n'
    (directory / 'range').write_text(f'manabiya-log-range@v1\nrange 0 {n}\n\n{note}')
    verifier = base64.b64encode(bytes([1]) + public).decode()
    return f'{name}+{key_id.hex()}+{verifier}'


def seconds_of(*command):
    """Of CPU: on a machine that does other work, the clock says little."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, said


def check(directory, stack, n):
    key = make_export(directory, stack, n)
    peer = directory / 'audit_peer'
    subprocess.run(['go', 'build', '-o', peer, HERE / 'audit_peer.go'], check=True,
                   env={**os.environ, 'GO111MODULE': 'off', 'GOPATH': '/usr/share/gocode', 'GOFLAGS': '', 'GOCACHE': str(ROOT / '.manabiya/test/go')})
    ours, said = seconds_of(ROOT / 'build/verify/manabiya-verify', 'export', f'--key={key}', f'--proof={directory}/range', directory / 'export')
    if not said.startswith('GOOD'):
        raise RuntimeError(said)
    theirs, root = seconds_of(peer, directory / 'export')
    if root.strip() != (directory / 'text').read_text().split('\n')[2]:
        raise RuntimeError('Go found another root')
    head('all lines of an export checked', 'verify, CPU s', 'tlog, CPU s', 'ratio')
    row(f'{n:,} lines', ours, theirs, f'{ours / theirs:.2f}', digits=2)


def prove(log, sizes):
    """Inclusion and consistency from trees that grow."""
    head('proofs', 'inclusion, hashes', 'bytes', 'ms', 'consistency, hashes', 'ms')
    tenant = log.school.tenant
    for size in sizes:
        there = int(log.stack.sql(f"SELECT sequence FROM audit.head WHERE tenant_id = '{tenant}'"))
        log.append(tenant, max(0, size - there) // APPEND_ROWS * APPEND_ROWS + APPEND_ROWS)
        while int(log.admin.send('GET', '/v1/audit/log/checkpoint').body.split(b'\n')[1]) < size:
            time.sleep(0.1)
        figures = {}
        for kind, query in (('inclusion', 'index={at}&size={size}'), ('consistency', 'from={at}&to={size}')):
            times, counts, lengths = [], [], []
            for i in range(PROOFS):
                began = time.monotonic()
                answer = log.admin.send('GET', f'/v1/audit/log/{kind}?' + query.format(at=1 + i * (size - 2) // PROOFS, size=size))
                times.append(1000 * (time.monotonic() - began))
                counts.append(len(answer.json['hashes']))
                lengths.append(len(answer.body))
            figures[kind] = max(counts), max(lengths), median(times)
        row(f'{size:,} leaves', *figures['inclusion'], figures['consistency'][0], figures['consistency'][2], digits=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--events', type=int, default=20000)
    parser.add_argument('--leaves', type=int, default=1000000)
    parser.add_argument('--trees', default='10000,100000')
    arguments = parser.parse_args()
    with folder() as directory:
        school = School(directory / 'stack')
        with running(school):
            log = Log(school)
            flood(log, arguments.events)
            prove(log, [int(size) for size in arguments.trees.split(',')])
            check(directory / 'peer', school.stack, arguments.leaves)


def flood(log, n):
    quiet = signed_after(log, '00000000-0000-7000-8000-000000000199')
    seconds = log.append('00000000-0000-7000-8000-000000000198', n // 4)
    with ThreadPoolExecutor(1) as beside:
        told = beside.submit(log.tell, n)
        busy = signed_after(log, '00000000-0000-7000-8000-000000000197')
        rate, cpu = told.result()
    head('acknowledged events', 'a second', 'CPU µs each', 'services', 'audit', 'PostgreSQL')
    services = sum(cpu[name] for name in TELLERS)
    row('outbox → bus → tree', rate, sum(cpu.values()), services, cpu['audit'], cpu['postgres'], digits=0)
    row('audit.append() alone, one connection', n / 4 / seconds, '', '', '', '', digits=0)
    head('from commit to checkpoint, ms', 'median', 'p99', 'most')
    row('50 a second', *quiet, digits=0)
    row('the same, beside the events above', *busy, digits=0)


if __name__ == '__main__':
    main()
