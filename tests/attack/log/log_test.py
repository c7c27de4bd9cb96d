"""Tampering with the log, in files and in the database itself: what was done is named by a verifier that has
nothing but the public key. Another verifier, Go's own packages, agrees about what was not tampered with."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / 'flow'))
import base  # noqa: E402

VERIFY = base.BUILD / 'verify/manabiya-verify'
LINES = 700  # two full tiles, a partial one, and a second level


def setUpModule():
    base.open_world()


class Log:
    """The log of one contract, through its administrator's eyes, and the database that holds it."""

    def __init__(self, code):
        self.tenant = base.world.tenant(code)
        self.admin, self.id = self.tenant.admin, self.tenant.contract['tenantId']
        self.keys = self.admin.get('/v1/audit/log/key')['keys']

    def text(self, path):
        answer = self.admin.send('GET', f'/v1/audit/log/{path}')
        if answer.status != 200:
            raise base.Problem('GET', path, answer)
        return answer.body

    def checkpoint(self):
        return self.text('checkpoint')

    def size(self):
        answer = self.admin.send('GET', '/v1/audit/log/checkpoint')
        return 0 if answer.status == 404 else int(answer.body.split(b'\n')[1])  # 404 before the first

    def grow(self, n):
        """As many events more, by the function that the service itself calls."""
        before = int(base.world.stack.sql(f"SELECT sequence FROM audit.head WHERE tenant_id = '{self.id}'") or 0)
        base.world.stack.sql(f"""
            SELECT audit.append(array_agg('{self.id}'::uuid), array_agg(id), array_agg(1775608200000::bigint), array_agg('learning.try_create'::text),
                array_agg('success'::text), array_agg(''::text), array_agg(''::text), array_agg(NULL::text), array_agg(NULL::text), array_agg('{{"time":1775608200000,"message":"なわとび ' || i
                || '","metadata":{{"tenant_uid":"{self.id}","uid":"' || id || '"}}}}'))
            FROM (SELECT i, gen_random_uuid() AS id FROM generate_series(1, {n}) i) t""")
        base.eventually(lambda: self.size() >= before + n, 'the new events are signed')

    def rewrite(self, change):
        """What an intruder with every right in the database would do: change history and make the tree fit."""
        base.world.stack.sql(f"""
            BEGIN;
            SELECT FROM audit.head WHERE tenant_id = '{self.id}' FOR UPDATE;
            {change};
            DELETE FROM audit.node WHERE tenant_id = '{self.id}';
            DELETE FROM audit.checkpoint WHERE tenant_id = '{self.id}';
            UPDATE audit.head SET signed = 0, sequence = 0, bytes = 0, peaks = '{{}}' WHERE tenant_id = '{self.id}';
            SELECT audit.grow('{self.id}', array_agg(sha256('\\x00'::bytea || convert_to(line, 'UTF8')) ORDER BY sequence),
                array_agg(octet_length(line) + 1 ORDER BY sequence)) FROM audit.event WHERE tenant_id = '{self.id}';
            COMMIT""")
        base.eventually(lambda: self.admin.send('GET', '/v1/audit/log/checkpoint').status == 200, 'the new tree is signed')


class Files(base.FlowTest):
    """A folder of what the API answered, and the verifier run over it."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix='log-', dir='/tmp'))
        self.addCleanup(shutil.rmtree, self.folder)

    def put(self, name, data):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def export(self, log, first, end):
        return (self.put('export.ndjson', log.text(f'export?first={first}&end={end}')),
                self.put('range', log.text(f'range?first={first}&end={end}')))

    def verify(self, command, keys, file, **options):
        arguments = [f'--{name}={value}' for name, value in options.items()] + [f'--key={key}' for key in keys]
        done = subprocess.run([VERIFY, command, *arguments, file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stdout

    def assertFound(self, word, command, keys, file, **options):
        status, said = self.verify(command, keys, file, **options)
        self.assertEqual(said.partition(':')[0], word, said)
        self.assertEqual(status, {'GOOD': 0, 'MALFORMED': 3, 'UNREADABLE': 3}.get(word, 1))
        self.assertEqual(len(said.strip().split('\n')), 3, 'the word, Japanese, English')


class FileTest(Files):
    """Whoever carries an export can change it."""

    @classmethod
    def setUpClass(cls):
        cls.log = Log('kawa')
        cls.log.grow(LINES)

    def setUp(self):
        super().setUp()
        self.end = self.log.size()
        self.file, self.proof = self.export(self.log, 0, self.end)
        self.lines = self.file.read_bytes().splitlines(keepends=True)

    def assertExport(self, word, lines):
        self.file.write_bytes(b''.join(lines))
        self.assertFound(word, 'export', self.log.keys, self.file, proof=self.proof)

    def test_what_is_whole_is_good(self):
        self.assertEqual(len(self.lines), self.end)
        self.assertExport('GOOD', self.lines)
        for first, end in ((0, 1), (255, 257), (256, 512), (300, self.end)):
            file, proof = self.export(self.log, first, end)
            self.assertFound('GOOD', 'export', self.log.keys, file, proof=proof)

    def test_a_flipped_byte(self):
        for at in (0, 300, self.end - 1):
            line = bytearray(self.lines[at])
            line[9] ^= 1
            self.assertExport('CHANGED', [*self.lines[:at], bytes(line), *self.lines[at + 1:]])

    def test_a_dropped_line(self):
        for at in (0, 300):
            self.assertExport('DROPPED', self.lines[:at] + self.lines[at + 1:])

    def test_lines_in_another_order(self):
        self.assertExport('DROPPED', [self.lines[1], self.lines[0], *self.lines[2:]])
        self.assertExport('REORDERED', [*self.lines[:300], self.lines[299], *self.lines[300:]])

    def test_a_cut_end(self):
        self.assertExport('TRUNCATED', self.lines[:-1])
        self.assertExport('TRUNCATED', [*self.lines[:-1], self.lines[-1][:-5]])
        self.assertExport('TRUNCATED', [])

    def test_a_line_too_many(self):
        self.assertExport('SURPLUS', [*self.lines, self.lines[-1]])

    def test_a_checkpoint_of_somebody_else(self):
        other = Log('yama')
        checkpoint = self.put('checkpoint', self.log.checkpoint())
        self.assertFound('GOOD', 'checkpoint', self.log.keys, checkpoint)
        self.assertFound('UNSIGNED', 'checkpoint', other.keys, checkpoint)
        changed = self.put('changed', self.log.checkpoint().replace(b'\n', b' \n', 1))
        self.assertFound('UNSIGNED', 'checkpoint', self.log.keys, changed)

    def test_an_event_and_its_proof(self):
        events = base.events(self.log.admin)
        proof = self.put('proof', base.eventually(lambda: self.signed_proof(events[0]['id']), 'the event is signed'))
        line = self.put('line', events[0]['line'].encode())
        self.assertFound('GOOD', 'event', self.log.keys, line, proof=proof)
        line.write_bytes(events[1]['line'].encode())
        self.assertFound('NOT-IN-LOG', 'event', self.log.keys, line, proof=proof)
        self.assertFound('MALFORMED', 'event', self.log.keys, line, proof=line)
        self.assertFound('UNREADABLE', 'event', self.log.keys, line, proof=self.folder / 'none')

    def signed_proof(self, event_id):
        answer = self.log.admin.send('GET', f'/v1/audit/events/{event_id}/proof')
        return answer.status == 200 and answer.body


class DownloadTest(Files):
    """What the page of the log gives: one file (web/src/contractor/logDownload.ts makes it so)."""

    @classmethod
    def setUpClass(cls):
        cls.log = Log('sora')
        cls.log.grow(LINES)

    def head(self, checkpoint):
        keys = ''.join(f'key {key}\n' for key in self.log.keys)
        return b'manabiya-log-download@v1\n' + keys.encode() + b'\n' + checkpoint + b'\n'

    def run_of(self, first, end):
        hashes, _, checkpoint = self.log.text(f'range?first={first}&end={end}').partition(b'\n\n')
        return self.head(checkpoint) + hashes.split(b'\n', 1)[1] + b'\n\n' + self.log.text(f'export?first={first}&end={end}')

    def found(self, **search):
        checkpoint = self.log.checkpoint()
        size = int(checkpoint.split(b'\n')[1])
        self.events = list(self.log.admin.pages('/v1/audit/events', provenIn=size, **search))
        return self.head(checkpoint) + ''.join(
            f'index {event["sequence"] - 1}\n{event["proof"]}\n{event["line"]}\n' for event in self.events).encode()

    def assertDownload(self, word, data, **options):
        self.assertFound(word, 'download', self.log.keys, self.put('download', data), **options)

    def test_the_whole_log_in_one_file(self):
        earlier = self.put('earlier', self.log.checkpoint())
        end = self.log.size()
        data = self.run_of(0, end)
        self.assertDownload('GOOD', data)
        self.assertDownload('GOOD', data, since=earlier)
        self.assertDownload('GOOD', self.run_of(300, end))
        self.assertDownload('CHANGED', data.replace('なわとび 7"'.encode(), 'なわとび 8"'.encode(), 1))
        self.assertDownload('TRUNCATED', data[:data.rindex(b'\n', 0, -1) + 1])
        self.assertDownload('SURPLUS', data + b'{}\n')
        size = data.partition(b'\n\n')[2].split(b'\n')[1]  # the log has grown meanwhile: reading it is recorded
        self.assertDownload('UNSIGNED', data.replace(b'\n' + size + b'\n', b'\n9999\n', 1))
        self.assertDownload('MALFORMED', data[1:])
        self.assertDownload('MALFORMED', b'')
        self.assertFound('UNSIGNED', 'download', Log('yama').keys, self.put('download', data))

    def test_what_a_search_has_found(self):
        data = self.found(operation='learning.try_create', limit=200)
        self.assertGreaterEqual(len(self.events), LINES)
        self.assertDownload('GOOD', data)
        self.assertDownload('NOT-IN-LOG', data.replace('なわとび 7"'.encode(), 'なわとび 8"'.encode(), 1))
        self.assertDownload('NOT-IN-LOG', data.replace(b'index 300\n', b'index 301\n', 1))
        self.assertDownload('TRUNCATED', data[:-1])
        self.assertDownload('MALFORMED', data + b'index\n')
        self.assertDownload('GOOD', self.found(operation='learning.try_create', verb='logon'))
        self.assertEqual(self.events, [])


class DatabaseTest(Files):
    """Whoever has every right in the database can change it, and still is found."""

    def test_a_line_changed_where_it_is_stored(self):
        log = Log('hoshi')
        log.grow(LINES)
        end = log.size()
        where = f"WHERE tenant_id = '{log.id}' AND sequence = 300"
        base.world.stack.sql(f"UPDATE audit.event SET line = replace(line, 'なわとび', 'なわとひ') {where}")
        file, proof = self.export(log, 0, end)
        self.assertFound('CHANGED', 'export', log.keys, file, proof=proof)

    def test_a_line_taken_out_and_the_rest_renumbered(self):
        log = Log('tsuki')
        log.grow(LINES)
        end = log.size()
        proof = self.put('kept', log.text(f'range?first=0&end={end}'))
        base.world.stack.sql(f"""
            DELETE FROM audit.event WHERE tenant_id = '{log.id}' AND sequence = 300;
            UPDATE audit.event SET sequence = -sequence WHERE tenant_id = '{log.id}' AND sequence > 300;
            UPDATE audit.event SET sequence = -sequence - 1 WHERE tenant_id = '{log.id}' AND sequence < 0""")
        file = self.put('export.ndjson', log.text(f'export?first=0&end={end - 1}'))
        self.assertFound('DROPPED', 'export', log.keys, file, proof=proof)

    def test_history_rewritten_with_its_tree(self):
        log = Log('niji')
        log.grow(LINES)
        earlier = self.put('earlier', log.checkpoint())
        size = log.size()
        log.rewrite(f"UPDATE audit.event SET line = replace(line, 'なわとび', 'とびばこ') WHERE tenant_id = '{log.id}' AND sequence = 300")
        log.grow(5)
        file, proof = self.export(log, 0, log.size())
        self.assertFound('GOOD', 'export', log.keys, file, proof=proof)  # by itself it is without fault
        self.assertFound('FORKED', 'export', log.keys, file, proof=proof, since=earlier)
        now = self.put('now', log.checkpoint())
        consistency = self.put('consistency', log.text(f'consistency?from={size}&to={int(now.read_bytes().split()[1])}'))
        self.assertFound('FORKED', 'consistency', log.keys, now, since=earlier, proof=consistency)

    def test_the_end_taken_away(self):
        log = Log('kumo')
        log.grow(LINES)
        earlier = self.put('earlier', log.checkpoint())
        log.rewrite(f"DELETE FROM audit.event WHERE tenant_id = '{log.id}' AND sequence > 600")
        now = self.put('now', log.checkpoint())
        consistency = self.put('consistency', b'{"hashes":[]}')
        self.assertFound('ROLLED-BACK', 'consistency', log.keys, now, since=earlier, proof=consistency)
        file, proof = self.export(log, 0, 500)
        self.assertFound('ROLLED-BACK', 'export', log.keys, file, proof=proof, since=earlier)


class Independent(Files):
    """golang.org/x/mod/sumdb as Debian packages it."""

    def tiles(self, log, size):
        for level in range(3):
            entries = size >> 8 * level
            widths = [256] * (entries // 256) + ([entries % 256] if entries % 256 else [])
            for n, width in enumerate(widths):
                path = f'tile/{level}/{n:03}' + (f'.p/{width}' if width < 256 else '')
                self.put(path, log.text(path))

    def collect(self, log, earlier, checkpoint):
        """Everything that Go's verifier reads, of the tree of `checkpoint`; returns its size."""
        before, size = (int(text.split(b'\n')[1]) for text in (earlier, checkpoint))
        self.put('earlier', earlier)
        self.put('checkpoint', checkpoint)
        self.put('key', log.keys[0].encode())
        self.put('consistency.json', log.text(f'consistency?from={before}&to={size}'))
        self.put('index', b'300')
        self.put('inclusion.json', log.text(f'inclusion?index=300&size={size}'))
        self.put('export.ndjson', log.text(f'export?first=0&end={size}'))
        self.tiles(log, size)
        return size

    def go(self):
        program = self.folder / 'independent'
        if not program.exists():
            environment = {**os.environ, 'GO111MODULE': 'off', 'GOPATH': '/usr/share/gocode', 'GOFLAGS': '',
                           'GOCACHE': str(base.ROOT / '.manabiya/test/go')}
            subprocess.run(['go', 'build', '-o', program, HERE / 'independent.go'], env=environment, check=True)
        done = subprocess.run([program, self.folder], stdout=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stdout


class IndependentTest(Independent):
    def test_go_verifies_what_the_service_says(self):
        log = Log('mori')
        log.grow(LINES)
        earlier = log.checkpoint()
        log.grow(300)
        size = self.collect(log, earlier, log.checkpoint())
        self.assertEqual(self.go(), (0, f'verified {size}\n'))
        export = self.folder / 'export.ndjson'
        export.write_bytes(export.read_bytes().replace('なわとび 7"'.encode(), 'なわとび 8"'.encode(), 1))
        self.assertEqual(self.go()[0], 1)


if __name__ == '__main__':
    unittest.main()
