#!/usr/bin/python3
"""The audit log: events a second through outbox, bus and tree beside the database alone; how soon they are signed after audit
stored them, and after the gateway answered the change; how long it takes to check a million of them, beside Go's tlog; size and
time of proofs; how soon a change is refused while audit hangs.

    ./dev bench audit, or tests/bench/audit.py [--events 20000] [--leaves 1000000] [--trees 10000,100000] [--pruned 1000000,10000000]
        [--refused 4000]

Trees of --pruned are computed: of their lines, which are gone as after the time that they are kept, only hashes are there.
So ten million leaves take 320 MB and some seconds.
"""

import argparse
import base64
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from load import ROOT, cpu_us  # noqa: E402
from sides import CODE, PASSWORD, School, folder, head, median, row, running  # noqa: E402
from stack import postgres_bin  # noqa: E402

TELLERS = ('auth', 'provisioning', 'learning', 'notification')
TENANTS = 20
APPEND_ROWS = 500  # as many as the relay ships at once
TILE = 256
PROBE_EVERY_MS, PROBES = 20, 150
PROBERS = 4  # clients that make changes in turn: one that waits for its answer holds up no other's
PROOFS = 50  # asked for each tree
ROOM = 500  # lines that may wait for audit while changes are refused
ED25519_PKCS8 = bytes.fromhex('302e020100300506032b657004220420')

# As libcommon/ocsf.c writes one, but for the ids.
LINE = """'{{"class_uid":3004,"category_uid":3,"activity_id":1,"type_uid":300401,"time":1775608200000,"severity_id":1,"status_id":1,'
    || '"actor":{{"user":{{"uid":"' || gen_random_uuid() || '","type":"instructor"}},"session":{{"uid":"' || gen_random_uuid() || '"}}}},'
    || '"entity":{{"uid":"' || gen_random_uuid() || '"}},"api":{{"operation":"{operation}","request":{{"uid":"' || gen_random_uuid()
    || '"}}}},"src_endpoint":{{"ip":"192.0.2.77"}},"metadata":{{"version":"1.8.0","product":{{"name":"Manabiya","vendor_name":"Manabiya"}},'
    || '"labels":["III"],"tenant_uid":"' || {tenant} || '","uid":"' || id || '"}}}}'"""


# Ids as the services make them, UUIDv7; what the probes note.
PREPARE = """CREATE SCHEMA bench; CREATE TABLE bench.told (size bigint, at timestamptz); CREATE TABLE bench.signed (size bigint, at timestamptz);
    CREATE TABLE bench.plain (tenant_id uuid, sequence bigint, line text, PRIMARY KEY (tenant_id, sequence));
    CREATE TABLE bench.batch (id uuid, line text); CREATE TABLE bench.cost (ours numeric, plain numeric); ALTER TABLE audit.pruned_tile ALTER hashes SET STORAGE EXTERNAL;
    CREATE FUNCTION bench.cpu_us() RETURNS numeric LANGUAGE sql VOLATILE AS $$ SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::numeric / 1000 $$;
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

    def stored(self):
        return int(self.stack.sql('SELECT coalesce(sum(sequence), 0) FROM audit.head'))

    def append(self, tenant, n):
        """By the function that the service calls, from one connection; returns CPU µs an event, and of a plain insert of the same lines."""
        line = LINE.format(operation='learning.try_create', tenant=f"'{tenant}'")
        self.stack.sql(f"""DO $$ DECLARE began numeric; ours numeric := 0; plain numeric := 0; BEGIN FOR i IN 1..{max(1, n // APPEND_ROWS)} LOOP
            TRUNCATE bench.batch;
            INSERT INTO bench.batch SELECT id, {line} FROM (SELECT bench.id() AS id FROM generate_series(1, {APPEND_ROWS})) t;
            began := bench.cpu_us();
            PERFORM audit.append(array_agg('{tenant}'::uuid), array_agg(id), array_agg(1775608200000::bigint), array_agg('learning.try_create'::text),
                array_agg('success'::text), array_agg(gen_random_uuid()::text), array_agg(gen_random_uuid()::text), array_agg(NULL::text), array_agg(NULL::text), array_agg(line)) FROM bench.batch;
            COMMIT;
            ours := ours + bench.cpu_us() - began; began := bench.cpu_us();
            INSERT INTO bench.plain SELECT '{tenant}', i * {APPEND_ROWS} + row_number() OVER (), line FROM bench.batch;
            COMMIT;
            plain := plain + bench.cpu_us() - began;
            END LOOP;
            TRUNCATE bench.plain; TRUNCATE bench.cost; INSERT INTO bench.cost VALUES (ours / {max(n, APPEND_ROWS)}, plain / {max(n, APPEND_ROWS)}); END $$""")
        return [float(word) for word in self.stack.sql('SELECT ours, plain FROM bench.cost').split('|')]

    def tell(self, n):
        """Events into the outboxes of four services, all at once; returns how many audit acknowledges a second, and CPU."""
        pids = {name: pid for name, pid in self.school.pids().items() if name in (*TELLERS, 'audit', 'postgres')}
        tenant = f"'00000000-0000-7000-8000-0000000001' || lpad((i % {TENANTS})::text, 2, '0')"
        for name in TELLERS:
            os.kill(pids[name], signal.SIGSTOP)  # they begin together
        for name in TELLERS:
            line = LINE.format(operation=f'{name}.bench', tenant='tenant')
            self.stack.sql(f"""INSERT INTO {name}.outbox (tenant_id, consumer, kind, type, event_id, body)
                SELECT tenant::uuid, 'audit', 'audit', 'audit.line', id, {line}
                FROM (SELECT bench.id() AS id, {tenant} AS tenant FROM generate_series(1, {n // len(TELLERS)}) i) t""")
        there, before, began = self.stored(), cpu_us(pids), time.monotonic()
        watcher = self.psql(f"""DO $$ BEGIN WHILE (SELECT coalesce(sum(sequence), 0) FROM audit.head) < {there + n} LOOP
            COMMIT; PERFORM pg_sleep(0.02); END LOOP; END $$""")  # what others tell meanwhile are a few
        for name in TELLERS:
            os.kill(pids[name], signal.SIGCONT)
        if watcher.wait():
            raise RuntimeError('psql failed')
        seconds, after = time.monotonic() - began, cpu_us(pids)
        return n / seconds, {name: (after[name] - before[name]) / n for name in pids}

    def prune_to(self, tenant, size):
        """A log of so many leaves, all alike, of which only hashes are left; so every complete subtree of a height has one hash.
        Returns the leaf's and the root's."""
        heights = [hashlib.sha256(b'\0gone').digest()]
        while 1 << len(heights) <= size:
            heights.append(hashlib.sha256(b'\1' + heights[-1] * 2).digest())
        edge = [heights[bit] for bit in reversed(range(len(heights))) if size >> bit & 1]
        peaks = ','.join(f"'\\x{peak.hex()}'" for peak in edge)
        nodes = '; '.join(f"""INSERT INTO audit.node (tenant_id, level, place, hash, ends) SELECT '{tenant}', {level}, place, '\\x{heights[8 * level].hex()}',
            {'(place + 1) * 256' if level == 1 else 'NULL'} FROM generate_series(0, {(size >> 8 * level) - 1}) place""" for level in range(1, (len(heights) - 1) // 8 + 1))
        self.stack.sql(f"""BEGIN; SELECT FROM audit.head WHERE tenant_id = '{tenant}' FOR UPDATE; DELETE FROM audit.node WHERE tenant_id = '{tenant}'; DELETE FROM audit.pruned_tile WHERE tenant_id = '{tenant}';
            DELETE FROM audit.checkpoint WHERE tenant_id = '{tenant}'; DELETE FROM audit.event WHERE tenant_id = '{tenant}'; {nodes};
            INSERT INTO audit.pruned_tile (tenant_id, place, hashes) SELECT '{tenant}', place, decode(repeat('{heights[0].hex()}', {TILE}), 'hex')
                FROM generate_series(0, {size // TILE - 1}) place;
            UPDATE audit.head SET sequence = {size}, pruned = {size}, bytes = {size}, peaks = ARRAY[{peaks}]::bytea[], signed = 0, looked = {size} WHERE tenant_id = '{tenant}';
            COMMIT; ANALYZE audit.node, audit.pruned_tile""")
        while len(edge) > 1:
            edge[-2:] = [hashlib.sha256(b'\1' + edge[-2] + edge[-1]).digest()]
        return heights[0], edge[0]


def signed_after(log, tenant, probe):
    """Milliseconds from what the probe notes to a checkpoint that holds it: (median, p99, the most)."""
    log.stack.sql('TRUNCATE bench.told, bench.signed')
    watcher = log.psql(f"""DO $$ DECLARE last bigint := -1; now_signed bigint; BEGIN LOOP
        SELECT coalesce(max(signed), 0) INTO now_signed FROM audit.head WHERE tenant_id = '{tenant}';
        IF now_signed <> last THEN INSERT INTO bench.signed VALUES (now_signed, clock_timestamp()); last := now_signed; END IF;
        EXIT WHEN (SELECT count(*) FROM bench.told) = {PROBES} AND now_signed >= (SELECT max(size) FROM bench.told);
        COMMIT;
        PERFORM pg_sleep(0.002); END LOOP; END $$""")
    probe(log, tenant)
    if watcher.wait():
        raise RuntimeError('psql failed')
    text = log.stack.sql("""SELECT json_build_array(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms), percentile_cont(0.99) WITHIN GROUP (ORDER BY ms), max(ms))
        FROM (SELECT greatest(0, 1000 * extract(epoch FROM (SELECT min(s.at) FROM bench.signed s WHERE s.size >= t.size) - t.at)) AS ms FROM bench.told t) d""")
    return json.loads(text)


def commits(log, tenant):
    """Events put into the log by its own function, noted when that has committed, by the database itself."""
    line = LINE.format(operation='learning.try_create', tenant=f"'{tenant}'")
    teller = log.psql(f"""DO $$ BEGIN FOR i IN 1..{PROBES} LOOP
        PERFORM audit.append(array_agg('{tenant}'::uuid), array_agg(id), array_agg(1775608200000::bigint), array_agg('learning.try_create'::text),
            array_agg('success'::text), array_agg(''::text), array_agg(''::text), array_agg(NULL::text), array_agg(NULL::text), array_agg({line})) FROM (SELECT bench.id() AS id) t;
        COMMIT;
        INSERT INTO bench.told SELECT sequence, clock_timestamp() FROM audit.head WHERE tenant_id = '{tenant}';
        COMMIT;
        PERFORM pg_sleep({PROBE_EVERY_MS / 1000}); END LOOP; END $$""")
    if teller.wait():
        raise RuntimeError('psql failed')


def answers(log, tenant):
    """Changes through the gateway, noted when the client has the answer: the outbox, the relay, the bus and audit come after it."""
    skill = log.school.teacher.get('/v1/skills')['items'][0]['id']
    began = time.monotonic()

    def make(some):
        client = log.school.client()
        client.token = log.school.teacher.token
        noted = []
        for i in some:
            time.sleep(max(0, began + i * PROBE_EVERY_MS / 1000 - time.monotonic()))
            answer = change(client, skill)
            noted.append((answer.headers['X-Request-Id'], time.time()))
            if answer.status != 201:
                raise RuntimeError((answer.status, answer.body))
        client.close()
        return noted

    with ThreadPoolExecutor(PROBERS) as pool:
        noted = sum(pool.map(make, (range(first, PROBES, PROBERS) for first in range(PROBERS))), [])
    rows = ','.join(f"('{request}', {at})" for request, at in noted)
    while True:  # what was acknowledged comes
        found = log.stack.sql(f"""WITH noted (request, at) AS (VALUES {rows}), told AS (SELECT line::jsonb #>> '{{api,request,uid}}' AS request, sequence
            FROM audit.event WHERE tenant_id = '{tenant}' AND operation = 'learning.unit_create')
            SELECT sequence || ',' || at FROM noted JOIN told USING (request)""").splitlines()
        if len(found) >= PROBES:
            break
        time.sleep(0.1)
    log.stack.sql('INSERT INTO bench.told VALUES ' + ','.join(f"({pair.split(',')[0]}, to_timestamp({pair.split(',')[1]}))" for pair in found))


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


def inclusion_root(hash_, index, size, hashes):
    """RFC 9162, 2.1.3.2."""
    node, last = index, size - 1
    for sibling in hashes:
        if node & 1 or node == last:
            hash_ = hashlib.sha256(b'\1' + sibling + hash_).digest()
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            hash_ = hashlib.sha256(b'\1' + hash_ + sibling).digest()
        node, last = node >> 1, last >> 1
    return hash_


def ask_proofs(log, size, leaf_hash=None, root=None):
    """Inclusion and consistency at places all over the tree of a size: a row."""
    figures = {}
    for kind, query in (('inclusion', 'index={at}&size={size}'), ('consistency', 'from={at}&to={size}')):
        times, counts, lengths = [], [], []
        for i in range(PROOFS):
            at, began = 1 + i * (size - 2) // PROOFS, time.monotonic()
            answer = log.admin.send('GET', f'/v1/audit/log/{kind}?' + query.format(at=at, size=size))
            times.append(1000 * (time.monotonic() - began))
            counts.append(len(answer.json['hashes']))
            lengths.append(len(answer.body))
            if leaf_hash and kind == 'inclusion' and inclusion_root(leaf_hash, at, size, map(base64.b64decode, answer.json['hashes'])) != root:
                raise RuntimeError(f'the proof of leaf {at} of {size} is wrong')
        figures[kind] = max(counts), max(lengths), median(times)
    return *figures['inclusion'], figures['consistency'][0], figures['consistency'][2]


def wait_signed(log, size):
    while True:
        answer = log.admin.send('GET', '/v1/audit/log/checkpoint')
        if answer.status == 200 and int(answer.body.split(b'\n')[1]) >= size:
            return
        time.sleep(0.1)


def prove(log, sizes, pruned_sizes):
    """Inclusion and consistency from trees that grow."""
    head('proofs', 'inclusion, hashes', 'bytes', 'ms', 'consistency, hashes', 'ms')
    tenant = log.school.tenant
    for size in sizes:
        there = int(log.stack.sql(f"SELECT sequence FROM audit.head WHERE tenant_id = '{tenant}'"))
        log.append(tenant, max(0, size - there) // APPEND_ROWS * APPEND_ROWS + APPEND_ROWS)
        wait_signed(log, size)
        row(f'{size:,} leaves', *ask_proofs(log, size), digits=1)
    for wanted in pruned_sizes:
        size = wanted // TILE * TILE
        made = log.prune_to(tenant, size)
        wait_signed(log, size)
        row(f'{size:,} leaves, lines pruned', *ask_proofs(log, size, *made), digits=1)


# ---- refusing ----

def change(client, skill):
    return client.send('POST', '/v1/units', {'title': 'マット運動', 'skillIds': [skill]}, {'Idempotency-Key': str(uuid.uuid4())})


def ask_all(school, clients, n, ask):
    """Milliseconds of n requests by so many at once, sorted."""
    def ask_some(client):
        times = []
        for _ in range(n // clients):
            began = time.monotonic()
            ask(client)
            times.append(1000 * (time.monotonic() - began))
        client.close()
        return times
    some = [school.client() for _ in range(clients)]
    for client in some:
        client.token = school.teacher.token
    with ThreadPoolExecutor(clients) as pool:
        return sorted(ms for times in pool.map(ask_some, some) for ms in times)


def refuse(school, n):
    """While audit hangs and no more may wait: changes, from the first that is refused on, and reads."""
    skill = school.teacher.get('/v1/skills')['items'][0]['id']

    def change_in_vain(client):
        answer = change(client, skill)
        if (answer.status, answer.json['code']) != (503, 'audit_unavailable'):
            raise RuntimeError((answer.status, answer.body))

    os.kill(school.pids()['audit'], signal.SIGSTOP)
    try:
        while change(school.teacher, skill).status == 201:
            pass
        head('while audit hangs, ms', 'p50', 'p99', 'most')
        for clients in (1, 8):
            times = ask_all(school, clients, n, change_in_vain)
            row(f'changes refused, {clients} at once', times[n // 2], times[n * 99 // 100], times[-1])
        times = ask_all(school, 8, n, lambda client: client.get('/v1/skills'))
        row('reads answered, 8 at once', times[n // 2], times[n * 99 // 100], times[-1])
    finally:
        os.kill(school.pids()['audit'], signal.SIGCONT)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--events', type=int, default=20000)
    parser.add_argument('--leaves', type=int, default=1000000)
    parser.add_argument('--trees', default='10000,100000')
    parser.add_argument('--pruned', default='1000000,10000000')
    parser.add_argument('--refused', type=int, default=4000)
    arguments = parser.parse_args()
    with folder() as directory:
        full = School(directory / 'full', extra={'learning': {'audit-spool-rows': ROOM}})
        with running(full):
            refuse(full, arguments.refused)
        school = School(directory / 'stack')
        with running(school):
            log = Log(school)
            flood(log, arguments.events)
            prove(log, *([int(size) for size in sizes.split(',') if size] for sizes in (arguments.trees, arguments.pruned)))
            check(directory / 'peer', school.stack, arguments.leaves)


def flood(log, n):
    quiet = signed_after(log, '00000000-0000-7000-8000-000000000199', commits), signed_after(log, log.school.tenant, answers)
    ours, plain = log.append('00000000-0000-7000-8000-000000000198', n // 4)
    with ThreadPoolExecutor(1) as beside:
        told = beside.submit(log.tell, n)
        busy = [signed_after(log, '00000000-0000-7000-8000-000000000197', commits)]
        rate, cpu = told.result()
        told = beside.submit(log.tell, n)
        busy.append(signed_after(log, log.school.tenant, answers))
        told.result()
    head('acknowledged events', 'a second', 'CPU µs each', 'services', 'audit', 'PostgreSQL')
    services = sum(cpu[name] for name in TELLERS)
    row('outbox → bus → tree', rate, sum(cpu.values()), services, cpu['audit'], cpu['postgres'], digits=0)
    head('storing them, CPU µs each', 'audit.append()', 'plain insert', 'ratio')
    row(f'{APPEND_ROWS} at a time, one connection', ours, plain, ours / plain)
    for i, what in enumerate(("audit's commit", "a change's answer")):
        head(f'from {what} to checkpoint, ms', 'median', 'p99', 'most')
        row('50 a second', *quiet[i], digits=0)
        row('the same, beside the events above', *busy[i], digits=0)


if __name__ == '__main__':
    main()
