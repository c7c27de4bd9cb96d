#!/usr/bin/python3
"""manabiyactl migrate: once, in order, all or nothing, and never over an edited file."""
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from database import Database, server

ROOT = Path(__file__).resolve().parent.parent


class Migrate(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="migrate-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.migrations = self.directory / "migrations"
        self.migrations.mkdir()
        shutil.copy(ROOT / "migrations" / "0001_tenancy.sql", self.migrations)
        self.key = self.directory / "mac.key"
        self.key.write_text("ab" * 32 + "\n")
        self.database = Database(template=None)

    def write(self, name, text):
        (self.migrations / name).write_text(text)

    def command(self):
        return [os.environ["MANABIYA_TEST_CTL"], "migrate", "--database", self.database.conninfo(),
                "--migrations", str(self.migrations), "--tenant-mac-key", str(self.key)]

    def migrate(self):
        done = subprocess.run(self.command(), capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def applied(self):
        return self.database.sql("SELECT number FROM tenancy.migration ORDER BY 1").split()

    def test_again_is_nothing(self):
        self.write("0900_one.sql", "CREATE TABLE tenancy.one (a int);")
        self.assertIn("2 applied", self.migrate()[1])
        self.assertEqual(self.migrate(), (0, "0 applied, the database is up to date\n"))
        self.assertEqual(self.applied(), ["1", "900"])
        self.assertEqual(self.database.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'one'"),
                         "manabiya_owner")

    def test_an_edited_old_file_is_refused(self):
        self.write("0900_one.sql", "CREATE TABLE tenancy.one (a int);")
        self.migrate()
        self.write("0900_one.sql", "CREATE TABLE tenancy.one (a int, b int);")
        self.write("0800_two.sql", "CREATE TABLE tenancy.two (a int);")
        self.write("0901_three.sql", "CREATE TABLE tenancy.three (a int);")
        status, said = self.migrate()
        self.assertEqual(status, 1)
        self.assertIn("0900_one.sql: was applied before and has changed", said)
        self.assertIn("nothing was changed: this database was made by another version", said)
        self.assertEqual(self.applied(), ["1", "900"])

    def test_a_database_of_another_set_of_files_is_refused(self):
        self.write("0900_one.sql", "CREATE TABLE tenancy.one (a int);")
        self.migrate()
        (self.migrations / "0900_one.sql").unlink()
        self.write("0800_other.sql", "CREATE TABLE tenancy.other (a int);")
        status, said = self.migrate()
        self.assertEqual(status, 1)
        self.assertIn("0900_one.sql: was applied before and is not among the files", said)
        self.assertIn("begin with an empty database", said)
        self.assertEqual(self.applied(), ["1", "900"])

    def test_a_broken_file_leaves_nothing_behind(self):
        self.write("0900_one.sql", "CREATE TABLE tenancy.one (a int); SELECT broken;")
        status, said = self.migrate()
        self.assertEqual(status, 1)
        self.assertIn("0900_one.sql was not applied", said)
        self.assertEqual(self.database.sql("SELECT to_regclass('tenancy.one') IS NULL"), "t")
        self.write("0900_one.sql", "CREATE TABLE tenancy.one (a int);")
        self.assertEqual(self.migrate()[0], 0)

    def test_a_file_that_ends_its_transaction_is_refused(self):
        self.write("0900_one.sql", "COMMIT;")
        self.assertIn("ends its transaction", self.migrate()[1])
        self.assertEqual(self.applied(), ["1"])

    def test_two_files_with_one_number_are_refused(self):
        self.write("0900_one.sql", "SELECT 1;")
        self.write("0900_two.sql", "SELECT 1;")
        self.assertIn("has the number of another", self.migrate()[1])

    def test_two_runners_at_once_apply_once(self):
        self.write("0900_slow.sql", "CREATE TABLE tenancy.one (a int); SELECT pg_sleep(0.5);")
        runners = [subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                   for _ in range(3)]
        said = sorted(runner.communicate()[0].splitlines()[-1] for runner in runners)
        self.assertEqual([runner.returncode for runner in runners], [0, 0, 0])
        self.assertEqual([line.split()[0] for line in said], ["0", "0", "2"])

    def test_a_later_file_with_a_lower_number_is_applied(self):
        self.write("0900_one.sql", "SELECT 1;")
        self.migrate()
        self.write("0800_other_service.sql", "SELECT 1;")
        self.assertEqual(self.migrate()[0], 0)
        self.assertEqual(self.applied(), ["1", "800", "900"])

    def test_a_bad_key_is_refused(self):
        self.key.write_text("ab" * 31)
        self.assertIn("64 hexadecimal digits", self.migrate()[1])

    def test_no_server_is_status_6(self):
        command = self.command()
        command[3] = "host=/nowhere user=postgres"
        self.assertEqual(subprocess.run(command, capture_output=True).returncode, 6)


if __name__ == "__main__":
    server()
    unittest.main()
