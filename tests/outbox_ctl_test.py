#!/usr/bin/python3
"""manabiyactl outbox: dead letters are shown without what they say, and can be sent again."""
import os
import subprocess
import unittest

from database import TENANT, Database, server


class Outbox(unittest.TestCase):
    def setUp(self):
        self.database = Database()
        self.database.sql(f"""
            SET ROLE manabiya_owner;
            INSERT INTO learning.outbox (tenant_id, consumer, kind, type, event_id, body, attempts, dead_reason)
            VALUES ('{TENANT}', 'notification', 'event', 'lesson.happened', gen_random_uuid(), 'private', 12, 'refused'),
                ('{TENANT}', 'notification', 'event', 'lesson.happened', gen_random_uuid(), 'private', 12, 'refused'),
                ('{TENANT}', 'notification', 'event', 'lesson.happened', gen_random_uuid(), 'alive', 3, NULL);
            INSERT INTO auth.outbox (consumer, kind, type, event_id, body, dead_reason)
            VALUES ('audit', 'audit', 'audit.line', gen_random_uuid(), 'private', 'refused')""")

    def outbox(self, verb, *options):
        done = subprocess.run([os.environ["MANABIYA_TEST_CTL"], "outbox", verb, "--database",
                               self.database.conninfo(), *options], capture_output=True, text=True)
        return done.returncode, done.stdout

    def dead(self):
        return self.database.sql("SELECT count(dead_reason) FROM learning.outbox")

    def test_dead_letters_are_listed_without_their_bodies(self):
        status, said = self.outbox("list")
        self.assertEqual(status, 0)
        self.assertEqual([line.split("\t")[0] for line in said.splitlines()], ["auth", "learning", "learning"])
        self.assertIn(f"notification\tlesson.happened\t{TENANT}\t", said)
        self.assertNotIn("private", said)
        self.assertNotIn("alive", said)

    def test_one_can_be_redriven(self):
        number = self.database.sql("SELECT min(id) FROM learning.outbox")
        self.assertEqual(self.outbox("redrive", "--service", "learning", "--id", number), (0, "learning\t1 redriven\n"))
        self.assertEqual(self.dead(), "1")
        self.assertEqual(self.database.sql(
            f"SELECT attempts, due_at <= now() FROM learning.outbox WHERE id = {number}"), "0|t")

    def test_all_can_be_redriven(self):
        status, said = self.outbox("redrive")
        self.assertEqual(status, 0)
        self.assertIn("auth\t1 redriven\n", said)
        self.assertIn("learning\t2 redriven\n", said)
        self.assertEqual(self.outbox("list"), (0, ""))

    def test_what_it_does_not_know_is_usage(self):
        self.assertEqual(self.outbox("delete")[0], 2)
        self.assertEqual(self.outbox("list", "--service", "nobody")[0], 1)


if __name__ == "__main__":
    server()
    unittest.main()
