"""Tampering with an export of everything: what was done is named by a verifier that has nothing but the public key.
Another verifier, Go's own packages, agrees about who signed it and about the log in it."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'flow'))
import base  # noqa: E402
from export_flow_test import begin, entries, fetch, made, school  # noqa: E402

BLOCK = 512


def setUpModule():
    base.open_world()


def packed(found):
    """The entries as a tar again, as Python writes it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.USTAR_FORMAT) as tar:
        for name, data in found:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o600
            tar.addfile(member, io.BytesIO(data))
    return unpadded(out.getvalue())


def unpadded(data):
    """Python fills up to records of twenty blocks; an archive ends with two."""
    return data.rstrip(b'\0') + bytes(-len(data.rstrip(b'\0')) % BLOCK) + bytes(2 * BLOCK)


class ArchiveTest(base.FlowTest):
    @classmethod
    def setUpClass(cls):
        cls.tenant, _ = school('kensho')
        admin = cls.tenant.admin
        cls.keys = admin.get('/v1/audit/log/key')['keys']
        cls.stranger = base.world.tenant('tanin').admin.get('/v1/audit/log/key')['keys']
        begin(admin)
        cls.data = fetch(admin, made(admin)).body
        cls.found = entries(cls.data)

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix='manabiya-archive-', dir='/tmp'))
        self.addCleanup(shutil.rmtree, self.folder)

    def verify(self, data, keys=None):
        path = self.folder / 'archive.tar'
        path.write_bytes(data)
        command = [base.BUILD / 'verify/manabiya-verify', 'archive']
        for key in keys or self.keys:
            command += ['--key', key]
        return subprocess.run([*command, path], check=False, stdout=subprocess.PIPE, text=True).stdout.splitlines()[0]

    def assertFound(self, word, data, about='', keys=None):
        answer = self.verify(data, keys)
        self.assertEqual(answer.partition(':')[0], word, answer)
        self.assertIn(about, answer)

    def place(self, name):
        with tarfile.open(fileobj=io.BytesIO(self.data)) as tar:
            return tar.getmember(name).offset_data

    def test_what_is_whole_is_good(self):
        self.assertFound('GOOD', self.data)

    def test_a_flipped_byte_of_any_file(self):
        for name, content in self.found[2:]:
            if content:
                at = self.place(name) + len(content) // 2
                self.assertFound('CHANGED', self.data[:at] + bytes([self.data[at] ^ 1]) + self.data[at + 1:], name)

    def test_a_flipped_byte_of_headers_and_padding(self):
        at = self.place('data/try.jsonl')
        for place in (at - BLOCK + 130, at - BLOCK + 300):
            self.assertFound('CHANGED', self.data[:place] + bytes([self.data[place] ^ 1]) + self.data[place + 1:], 'data/try.jsonl')
        end = self.place('log/log.jsonl') - BLOCK - 1
        self.assertEqual(self.data[end], 0)
        self.assertFound('CHANGED', self.data[:end] + b'x' + self.data[end + 1:])

    def test_a_changed_list_or_manifest(self):
        for name, word in (('files', 'CHANGED'), ('manifest', 'UNSIGNED')):
            at = self.place(name) + 70
            self.assertFound(word, self.data[:at] + (b'0' if self.data[at:at + 1] != b'0' else b'1') + self.data[at + 1:], name)

    def test_a_file_left_out(self):
        left = [entry for entry in self.found if entry[0] != 'data/comment.jsonl']
        self.assertFound('DROPPED', packed(left), 'data/comment.jsonl')

    def test_files_in_another_order(self):
        again = [*self.found[:5], self.found[3], *self.found[5:]]
        self.assertFound('REORDERED', packed(again), 'data/user.jsonl')
        swapped = [*self.found[:4], self.found[5], self.found[4], *self.found[6:]]
        self.assertIn(self.verify(packed(swapped)).partition(':')[0], ('DROPPED', 'REORDERED'))

    def test_a_file_too_many(self):
        self.assertFound('SURPLUS', packed([*self.found[:6], ('data/extra.jsonl', b'{}\n'), *self.found[6:]]), 'data/extra.jsonl')
        self.assertFound('SURPLUS', packed([*self.found, ('data/extra.jsonl', b'{}\n')]), 'data/extra.jsonl')
        self.assertFound('SURPLUS', self.data + b'x')

    def test_a_cut_end(self):
        for size in (len(self.data) - 1, len(self.data) - 2 * BLOCK, self.place('log/log.jsonl') + 10, self.place('files') - BLOCK):
            self.assertFound('TRUNCATED', self.data[:size])
        self.assertFound('MALFORMED', self.data[:100])
        self.assertFound('MALFORMED', b'')

    def test_an_archive_of_somebody_else(self):
        self.assertFound('UNSIGNED', self.data, keys=self.stranger)

    def test_a_log_that_was_rewritten_before_it_was_exported(self):
        """The archive is signed and whole: what is wrong is the log in it, which its own proof betrays."""
        tenant = base.world.tenant('kakikae')
        begin(tenant.admin)
        export = made(tenant.admin)
        key = tenant.admin.get('/v1/audit/log/key')['keys']
        self.assertFound('GOOD', fetch(tenant.admin, export).body, keys=key)
        tenant.admin.call('DELETE', f'/v1/exports/{export["id"]}')
        base.world.stack.sql("UPDATE audit.event SET line = replace(line, '\"time\":1', '\"time\":2')"
                             f" WHERE tenant_id = '{tenant.contract['tenantId']}' AND sequence = 2")
        begin(tenant.admin)
        self.assertFound('CHANGED', fetch(tenant.admin, made(tenant.admin)).body, keys=key)

    def test_go_agrees(self):
        files, program = dict(self.found), self.folder / 'archive'
        environment = {**os.environ, 'GO111MODULE': 'off', 'GOPATH': '/usr/share/gocode', 'GOFLAGS': '',
                       'GOCACHE': str(base.ROOT / '.manabiya/test/go')}
        subprocess.run(['go', 'build', '-o', program, HERE / 'log/archive.go'], env=environment, check=True)
        names = ('manifest', 'log/log.jsonl', 'log/proof')
        for name in names:
            (self.folder / Path(name).name).write_bytes(files[name])
        done = subprocess.run([program, self.keys[0], *(self.folder / Path(name).name for name in names)], check=False,
                              stdout=subprocess.PIPE, text=True)
        digest = hashlib.sha256(files['files']).hexdigest()
        self.assertEqual(done.stdout.split(), ['verified', digest, str(files['log/log.jsonl'].count(b'\n'))])


if __name__ == '__main__':
    unittest.main()
