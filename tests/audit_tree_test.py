#!/usr/bin/python3
"""The trees that the database grows over the logs are those of RFC 6962, leaf by leaf."""
import hashlib
import unittest

from database import OTHER_TENANT, TENANT, Database


def root(lines):
    """RFC 6962, 2.1."""
    if len(lines) == 1:
        return hashlib.sha256(b'\0' + lines[0].encode()).digest()
    split = 1 << (len(lines) - 1).bit_length() - 1
    return hashlib.sha256(b'\1' + root(lines[:split]) + root(lines[split:])).digest()


class AuditTree(unittest.TestCase):
    def setUp(self):
        self.database = Database()

    def append(self, tenant, n):
        self.database.sql(f"""SELECT audit.append(array_agg('{tenant}'::uuid), array_agg(gen_random_uuid()), array_agg(i::bigint),
            array_agg('a.b'::text), array_agg('success'::text), array_agg(''::text), array_agg(''::text), array_agg(NULL::text),
            array_agg(NULL::text), array_agg('{{"name":"学校 ' || i || '","metadata":{{"a":1}}}}')) FROM generate_series(1, {n}) i""")

    def peaks_root(self, tenant):
        peaks = [bytes.fromhex(p) for p in self.database.sql(
            f"SELECT encode(p, 'hex') FROM audit.head, unnest(peaks) p WHERE tenant_id = '{tenant}'").split()]
        node = peaks.pop()
        while peaks:
            node = hashlib.sha256(b'\1' + peaks.pop() + node).digest()
        return node

    def lines(self, tenant):
        return self.database.sql(f"SELECT line FROM audit.event WHERE tenant_id = '{tenant}' ORDER BY sequence").split('\n')

    def test_each_log_has_its_tree(self):
        for tenant, n in ((TENANT, 700), (OTHER_TENANT, 1), (TENANT, 400)):
            self.append(tenant, n)
            self.assertEqual(self.peaks_root(tenant), root(self.lines(tenant)))
        lines = self.lines(TENANT)
        self.assertEqual(self.database.sql("SELECT encode(hash, 'hex'), ends FROM audit.node ORDER BY level, place").split('\n'),
                         [f'{root(lines[at:at + 256]).hex()}|{sum(len(line.encode()) + 1 for line in lines[:at + 256])}'
                          for at in range(0, 1024, 256)])


if __name__ == '__main__':
    unittest.main()
