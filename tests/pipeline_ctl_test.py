#!/usr/bin/python3
"""manabiyactl pipeline: how far each sink is, and setting one back."""
import os
import subprocess
import unittest

from database import OTHER_TENANT, TENANT, Database, server


class Pipeline(unittest.TestCase):
    def setUp(self):
        self.database = Database()
        self.database.sql(f"""
            INSERT INTO audit.head (tenant_id, sequence) VALUES ('{TENANT}', 100), ('{OTHER_TENANT}', 30);
            INSERT INTO audit.sink (name) VALUES ('syslog');
            INSERT INTO audit.sink_position (sink, tenant_id, sequence)
            VALUES ('syslog', '{TENANT}', 90), ('syslog', '{OTHER_TENANT}', 30), ('file', '{TENANT}', 100)""")

    def pipeline(self, verb, *options):
        done = subprocess.run([os.environ["MANABIYA_TEST_CTL"], "pipeline", verb, "--database",
                               self.database.conninfo(), *options], capture_output=True, text=True)
        return done.returncode, done.stdout

    def positions(self):
        return self.database.sql("SELECT sequence FROM audit.sink_position WHERE sink = 'syslog' ORDER BY tenant_id").split()

    def test_what_waits_is_counted(self):
        self.assertEqual(self.pipeline("list"),
                         (0, "file\t30 waiting\t1 tenants\nsyslog\t10 waiting\t1 tenants\n"))

    def test_a_sink_is_set_back(self):
        before = sorted(self.positions())
        self.assertEqual(self.pipeline("rewind", "--sink", "syslog", "--tenant", TENANT, "--sequence", "41"),
                         (0, "syslog\t1 tenants set back\n"))
        self.assertEqual(sorted(self.positions()), ["30", "40"])
        self.assertNotEqual(sorted(self.positions()), before)
        self.assertEqual(self.pipeline("rewind", "--sink", "syslog"), (0, "syslog\t2 tenants set back\n"))
        self.assertEqual(self.positions(), ["0", "0"])
        self.assertEqual(self.database.sql("SELECT sequence FROM audit.sink_position WHERE sink = 'file'"), "100")

    def test_nothing_is_set_forward(self):
        self.assertEqual(self.pipeline("rewind", "--sink", "syslog", "--sequence", "95"), (0, "syslog\t0 tenants set back\n"))
        self.assertEqual(sorted(self.positions()), ["30", "90"])

    def test_what_it_does_not_know_is_usage(self):
        self.assertEqual(self.pipeline("skip")[0], 2)
        self.assertEqual(self.pipeline("rewind", "--sink", "nobody")[0], 1)


if __name__ == "__main__":
    server()
    unittest.main()
