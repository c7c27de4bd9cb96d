"""Tampering with the log, in files and in the database itself: what was done is named by a verifier that has
nothing but the public key. Another verifier, Go's own packages, agrees about what was not tampered with."""

import csv
import http.client
import io
import json
import os
import shutil
import ssl
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
FORMULA = '=1+1'
PAGE = 64 * 256  # so many events are looked at for one page (services/audit/search.c)


def setUpModule():
    base.open_world()


class Log:
    """The log of one contract, through its administrator's eyes, and the database that holds it."""

    def __init__(self, code):
        self.tenant = base.world.tenant(code)
        self.admin, self.id = self.tenant.admin, self.tenant.contract['tenantId']
        self.keys = self.admin.get('/v1/audit/log/key')['keys']

    def text(self, path, of='log', **options):
        answer = self.admin.send('GET', f'/v1/audit/{of}/{path}', **options)
        if answer.status != 200:
            raise base.Problem('GET', path, answer)
        return answer.body

    def checkpoint(self):
        return self.text('checkpoint')

    def size(self):
        answer = self.admin.send('GET', '/v1/audit/log/checkpoint')
        return 0 if answer.status == 404 else int(answer.body.split(b'\n')[1])  # 404 before the first

    def grow(self, n, more=''):
        """As many events more, by the function that the service itself calls; `more` are members of their lines. How long the log
        is with them says the transaction that appends them: others come before it and after."""
        said = base.world.stack.sql(f"""
            SELECT audit.append(array_agg('{self.id}'::uuid), array_agg(id), array_agg(1775608200000::bigint), array_agg('learning.try_create'::text),
                array_agg('success'::text), array_agg(''::text), array_agg(''::text), array_agg(NULL::text), array_agg(NULL::text), array_agg('{{"time":1775608200000,{more}"message":"なわとび ' || i
                || '","metadata":{{"tenant_uid":"{self.id}","uid":"' || id || '"}}}}'))
            FROM (SELECT i, gen_random_uuid() AS id FROM generate_series(1, {n}) i) t;
            SELECT sequence FROM audit.head WHERE tenant_id = '{self.id}'""")
        end = int(said.split()[-1])
        base.eventually(lambda: self.size() >= end, 'the new events are signed')

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
        self.said = said
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
        self.assertIn(f', {json.loads(events[0]["line"])["metadata"]["sequence"]}\n', self.said)
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


class TableTest(Files):
    """The log as a table for spreadsheets, by itself and with its proof as the last row, as the page gives it."""

    @classmethod
    def setUpClass(cls):
        cls.log = Log('hana')
        cls.log.grow(LINES)
        cls.log.grow(1, f'"entity":{{"uid":"{FORMULA}"}},')
        cls.end = cls.log.size()
        cls.proof = cls.log.text(f'range?first=0&end={cls.end}')
        cls.data = cls.log.text(f'table?first=0&end={cls.end}')
        cls.names, *cls.rows = cls.rows_of(cls.data)

    @staticmethod
    def rows_of(data):
        return list(csv.reader(io.StringIO(data.decode('utf-8-sig'), newline='')))

    def written(self, rows, **style):
        """As a spreadsheet writes it."""
        out = io.StringIO(newline='')
        csv.writer(out, **style).writerows(rows)
        return b'\xef\xbb\xbf' + out.getvalue().encode()

    def last_row(self):
        hashes, _, checkpoint = self.proof.decode().partition('\n\n')
        keys = ''.join(f'key {key}\n' for key in self.log.keys)
        head = f'manabiya-log-download@v1\n{keys}\n{checkpoint}\n' + hashes.split('\n', 1)[1] + '\n\n'
        return ['proof', *[''] * (len(self.names) - 2), head]

    def assertTable(self, word, rows, detail='', last=None):
        """Both ways of checking it say the same; `detail` is where."""
        data = self.written(rows)
        proof = self.put('range', self.proof)
        self.assertFound(word, 'export', self.log.keys, self.put('table.csv', data), proof=proof)
        self.assertIn(detail, self.said)
        self.assertFound(word, 'download', self.log.keys, self.put('download.csv', self.written([*rows, last or self.last_row()])))
        self.assertIn(detail, self.said)

    def changed(self, at, column, text):
        rows = [list(row) for row in self.rows]
        rows[at][column] = text
        return [self.names, *rows]

    def test_what_is_whole_is_good(self):
        self.assertEqual(len(self.rows), self.end)
        self.assertEqual([row[-1] for row in self.rows], self.log.text(f'export?first=0&end={self.end}').decode().splitlines())
        self.assertTrue(self.data.startswith(b'\xef\xbb\xbf"'), 'the mark by which Japanese Excel knows UTF-8')
        self.assertFound('GOOD', 'export', self.log.keys, self.put('table.csv', self.data), proof=self.put('range', self.proof))
        self.assertTable('GOOD', [self.names, *self.rows])
        self.assertFound('GOOD', 'export', self.log.keys, self.put('table.csv', self.written([self.names, *self.rows], lineterminator='\n')),
                         proof=self.put('range', self.proof))

    def test_it_is_longer_than_a_window(self):
        log = Log('mizu')
        log.grow(200, '"large":"' + 'x' * 7500 + '",')
        end = log.size()
        data, proof = log.text(f'table?first=0&end={end}'), self.put('range', log.text(f'range?first=0&end={end}'))
        self.assertGreater(len(data), 2 ** 20 + 2 ** 18)
        self.assertFound('GOOD', 'export', log.keys, self.put('table.csv', data), proof=proof)
        # What cannot be sent to its end is not taken for the whole.
        base.world.stack.sql(f"DELETE FROM audit.event WHERE tenant_id = '{log.id}' AND sequence = {end}")
        with self.assertRaises((http.client.IncompleteRead, ConnectionError, ssl.SSLError)):
            log.text(f'table?first=0&end={end}')

    def test_it_goes_on_where_it_broke_off(self):
        part = self.log.text(f'table?first=300&end={self.end}')
        self.assertEqual(self.rows_of(part), [self.names, *self.rows[300:]])
        self.assertFound('GOOD', 'export', self.log.keys, self.put('table.csv', part), proof=self.put('range', self.log.text(f'range?first=300&end={self.end}')))

    def test_its_length_is_not_known_so_there_are_no_ranges(self):
        path = f'/v1/audit/log/table?first=0&end={self.end}'
        whole = self.log.admin.send('GET', path, headers={'Range': 'bytes=5-9'})
        self.assertEqual((whole.status, whole.body), (200, self.data))
        self.assertNotIn('content-length', whole.headers)
        self.assertNotIn('accept-ranges', whole.headers)
        head = self.log.admin.send('HEAD', path)
        self.assertEqual((head.status, head.body), (200, b''))
        self.assertEqual(head.headers['content-type'], 'text/csv; charset=utf-8')

    def test_it_speaks_the_language_of_whom_it_is_for(self):
        english = self.log.text(f'table?first=0&end={self.end}', headers={'Accept-Language': 'en'})
        self.assertEqual(self.rows_of(english)[0][0], 'Sequence')
        self.assertEqual(self.rows_of(english)[1][4], 'success')
        self.assertFound('GOOD', 'export', self.log.keys, self.put('table.csv', english), proof=self.put('range', self.proof))

    def test_a_cell_that_was_changed_is_named(self):
        for column, name in enumerate(self.names[:-1]):
            for at in (0, self.end - 1):
                self.assertTable('CHANGED', self.changed(at, column, self.rows[at][column] + '1'), f'CHANGED: {at + 1}, {name}\n')
        names = [*self.names[:4], '件数', *self.names[5:]]
        self.assertTable('CHANGED', [names, *self.rows], f'CHANGED: {self.names[4]}\n')

    def test_a_flipped_byte_of_a_line(self):
        line = self.rows[300][-1]
        self.assertTable('CHANGED', self.changed(300, -1, line.replace('なわとび', 'なわとひ')))
        self.assertTable('CHANGED', self.changed(300, -1, line.replace('1775608200000', '1775608201000')), f'CHANGED: 301, {self.names[1]}\n')

    def test_a_row_dropped_moved_repeated_or_cut_off(self):
        rows = self.rows
        self.assertTable('DROPPED', [self.names, *rows[:300], *rows[301:]], 'DROPPED: 301 - 301\n')
        self.assertTable('DROPPED', [self.names, rows[1], rows[0], *rows[2:]])
        self.assertTable('REORDERED', [self.names, *rows[:300], rows[299], *rows[300:]], 'REORDERED: 300, 301\n')
        self.assertTable('TRUNCATED', [self.names, *rows[:-1]], f'TRUNCATED: {self.end} - {self.end}\n')
        self.assertTable('TRUNCATED', [self.names])
        self.assertTable('SURPLUS', [self.names, *rows, rows[-1]], f'SURPLUS: {self.end + 1}\n')
        for cut in (1, 2, 40):
            self.assertFound('TRUNCATED', 'export', self.log.keys, self.put('table.csv', self.data[:-cut]), proof=self.put('range', self.proof))
        self.assertTable('MALFORMED', rows)

    def test_a_quote_too_many_or_too_few(self):
        middle = self.data.index(b'"301"')
        whole = self.written([self.names, *self.rows, self.last_row()], quoting=csv.QUOTE_ALL)
        for data in (whole[:middle] + whole[middle + 1:], whole[:middle] + b'"' + whole[middle:]):
            self.assertFound('CHANGED', 'download', self.log.keys, self.put('download.csv', data))
            self.assertIn('CHANGED: 301', self.said)

    def test_its_last_row_is_its_proof(self):
        table, last = [self.names, *self.rows], self.last_row()
        good = self.written([*table, last])

        def found(word, data, detail=''):
            self.assertFound(word, 'download', self.log.keys, self.put('download.csv', data))
            self.assertIn(detail, self.said)
        found('GOOD', good)
        found('TRUNCATED', self.written(table), 'TRUNCATED: proof\n')
        found('TRUNCATED', good[:-3], 'TRUNCATED: proof\n')
        found('CHANGED', self.written([*table, ['Proof', *last[1:]]]), 'CHANGED: proof\n')
        found('SURPLUS', self.written([*table, last, self.rows[0]]), 'SURPLUS: proof\n')
        size = last[-1].split('\n\n')[1].split('\n')[1]
        found('UNSIGNED', self.written([*table, [*last[:-1], last[-1].replace(f'\n{size}\n', '\n9999\n', 1)]]))
        found('MALFORMED', self.written([*table, [*last[:-1], last[-1] + '{}']]))
        self.assertFound('UNSIGNED', 'download', Log('yama').keys, self.put('download.csv', good))

    def test_a_formula_is_text(self):
        at = next(i for i, row in enumerate(self.rows) if FORMULA in row[-1])
        self.assertEqual(self.rows[at][7], f"'{FORMULA}")
        self.assertIn(f'"{FORMULA}"', self.rows[at][-1])
        self.assertTable('CHANGED', self.changed(at, 7, FORMULA), f'CHANGED: {at + 1}, {self.names[7]}\n')


class FoundTableTest(Files):
    """What a search has found as a table: each row has its own proof, and the last one the checkpoint."""

    @classmethod
    def setUpClass(cls):
        cls.log = Log('tori')
        cls.log.grow(LINES)
        cls.checkpoint = cls.log.checkpoint()
        cls.size = int(cls.checkpoint.split(b'\n')[1])
        cls.names, *cls.rows = cls.found(operation='learning.try_create')

    @classmethod
    def found(cls, **search):
        query = ''.join(f'&{name}={value}' for name, value in search.items())
        data = cls.log.text(f'table?provenIn={cls.size}{query}', of='events')
        return TableTest.rows_of(data)

    def assertFile(self, word, rows, detail='', tail=''):
        keys = ''.join(f'key {key}\n' for key in self.log.keys)
        head = f'manabiya-log-download@v1\n{keys}\n{self.checkpoint.decode()}\n{tail}'
        out = io.StringIO(newline='')
        csv.writer(out).writerows([*rows, ['proof', *[''] * 9, head]])
        self.assertFound(word, 'download', self.log.keys, self.put('found.csv', b'\xef\xbb\xbf' + out.getvalue().encode()))
        self.assertIn(detail, self.said)

    def changed(self, at, column, text):
        rows = [list(row) for row in self.rows]
        rows[at][column] = text
        return [self.names, *rows]

    def test_it_is_all_that_the_search_finds(self):
        events = list(self.log.admin.pages('/v1/audit/events', provenIn=self.size, operation='learning.try_create', limit=200))
        self.assertEqual([row[-2] for row in self.rows], [event['line'] for event in events])
        self.assertEqual(len(self.rows), LINES)
        self.assertFile('GOOD', [self.names, *self.rows], f', {LINES}\n')
        self.assertFile('GOOD', [self.names, *self.rows[300:310]], ', 10\n')  # that these are all is not said
        self.assertEqual(self.found(operation='learning.try_create', verb='logon'), [self.names])
        self.assertFile('GOOD', [self.names], ', 0\n')

    def test_every_filter_is_heard(self):
        for search in ({'verb': 'logon'}, {'outcome': 'failure'}, {'actorId': base.events(self.log.admin)[0]['actorId']}, {'kind': 'access'},
                       {'label': 'II'}, {'objectId': 'x'}, {'ownerId': self.log.id}, {'requestId': self.log.id}, {'from': '2026-04-08T00:00:00.000Z', 'until': '2026-04-08T00:30:00.001Z'}):
            events = list(self.log.admin.pages('/v1/audit/events', provenIn=self.size, limit=200, **search))
            names, *rows = self.found(**search)
            self.assertEqual([row[-2] for row in rows], [event['line'] for event in events], search)
            self.assertFile('GOOD', [names, *rows])

    def test_a_window_without_a_row_is_not_the_end(self):
        first = base.events(self.log.admin)[-1]
        request = json.loads(first['line'])['api']['request']['uid']
        self.log.grow(PAGE)
        size = self.log.size()
        page = self.log.admin.get('/v1/audit/events', provenIn=size, requestId=request)
        self.assertEqual((page['items'], 'nextCursor' in page), ([], True))
        names, *rows = TableTest.rows_of(self.log.text(f'table?provenIn={size}&requestId={request}', of='events'))
        self.assertEqual([row[-2] for row in rows], [first['line']])

    def test_what_was_changed_is_named(self):
        sequence = self.rows[300][0]
        for column, name in enumerate(self.names[:-2]):
            self.assertFile('CHANGED', self.changed(300, column, self.rows[300][column] + '1'), f'CHANGED: {sequence}, {name}\n')
        self.assertFile('CHANGED', self.changed(300, -1, self.rows[300][-1][1:]), f'CHANGED: {sequence}, {self.names[-1]}\n')
        self.assertFile('NOT-IN-LOG', self.changed(300, -2, self.rows[300][-2].replace('なわとび', 'なわとひ')))
        self.assertFile('NOT-IN-LOG', self.changed(300, -1, self.rows[301][-1]))
        self.assertFile('CHANGED', [[*self.names[:-1], ''], *self.rows], f'CHANGED: {self.names[-1]}\n')
        self.assertFile('CHANGED', [self.names, self.rows[0], self.rows[1][:-1], *self.rows[2:]], 'CHANGED: 2\n')
        self.assertFile('MALFORMED', [self.names, *self.rows], tail='x')
        self.assertFile('MALFORMED', [self.names, *self.rows], tail='range 0 3\n')
        self.checkpoint = self.checkpoint.replace(f'\n{self.size}\n'.encode(), b'\n9999\n', 1)
        self.assertFile('UNSIGNED', [self.names, *self.rows])


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
