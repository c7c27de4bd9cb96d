#!/usr/bin/python3
"""The migration that gives logs their trees: what was there before gets one too, and nothing moves."""
import hashlib
import os
import shutil
import subprocess
import tempfile
import unittest
import uuid
from pathlib import Path

from database import OTHER_TENANT, TENANT, Database

ROOT = Path(__file__).resolve().parent.parent
TREE = '0070_audit_tree.sql'


def root(lines):
    """RFC 6962, 2.1."""
    if len(lines) == 1:
        return hashlib.sha256(b'\0' + lines[0].encode()).digest()
    split = 1 << (len(lines) - 1).bit_length() - 1
    return hashlib.sha256(b'\1' + root(lines[:split]) + root(lines[split:])).digest()


class AuditTree(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix='tree-'))
        self.addCleanup(shutil.rmtree, self.directory)
        (self.directory / 'mac.key').write_text('ab' * 32 + '\n')
        self.database = Database(template=None)

    def migrate(self, wanted):
        folder = self.directory / uuid.uuid4().hex
        folder.mkdir()
        for path in (ROOT / 'migrations').glob('*.sql'):
            if wanted(path.name):
                shutil.copy(path, folder)
        subprocess.run([os.environ['MANABIYA_TEST_CTL'], 'migrate', '--database', self.database.conninfo(), '--migrations',
                        folder, '--tenant-mac-key', self.directory / 'mac.key'], check=True, stdout=subprocess.DEVNULL)

    def append(self, tenant, n):
        self.database.sql(f"""SELECT audit.append(array_agg('{tenant}'::uuid), array_agg(gen_random_uuid()), array_agg(i::bigint),
            array_agg('a.b'::text), array_agg('success'::text), array_agg(''::text), array_agg(''::text),
            array_agg('{{"name":"学校 ' || i || '","metadata":{{"a":1}}}}')) FROM generate_series(1, {n}) i""")

    def peaks_root(self, tenant):
        peaks = [bytes.fromhex(p) for p in self.database.sql(
            f"SELECT encode(p, 'hex') FROM audit.head, unnest(peaks) p WHERE tenant_id = '{tenant}'").split()]
        node = peaks.pop()
        while peaks:
            node = hashlib.sha256(b'\1' + peaks.pop() + node).digest()
        return node

    def lines(self, tenant):
        return self.database.sql(f"SELECT line FROM audit.event WHERE tenant_id = '{tenant}' ORDER BY sequence").split('\n')

    def test_old_logs_get_their_trees(self):
        self.migrate(lambda name: name < TREE)
        self.append(TENANT, 700)
        self.append(OTHER_TENANT, 1)
        self.database.sql("UPDATE audit.head SET exported = 300 WHERE sequence = 700")
        self.migrate(lambda name: True)
        self.assertEqual(self.database.sql('SELECT sequence, exported FROM audit.head ORDER BY tenant_id'), '700|300\n1|0')
        for tenant in (TENANT, OTHER_TENANT):
            self.assertEqual(self.peaks_root(tenant), root(self.lines(tenant)))
        self.append(TENANT, 400)
        self.assertEqual(self.peaks_root(TENANT), root(self.lines(TENANT)))
        lines = self.lines(TENANT)
        self.assertEqual(self.database.sql("SELECT encode(hash, 'hex'), ends FROM audit.node ORDER BY level, place").split('\n'),
                         [f'{root(lines[at:at + 256]).hex()}|{sum(len(line.encode()) + 1 for line in lines[:at + 256])}'
                          for at in range(0, 1024, 256)])


if __name__ == '__main__':
    unittest.main()
