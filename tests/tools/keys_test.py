"""manabiyactl keys: what it makes, and that it never replaces anything."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CTL = Path(os.environ.get('MANABIYA_BUILD', ROOT / 'build')) / 'ctl/manabiyactl'


class Keys(unittest.TestCase):
    def setUp(self):
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory())) / 'keys'

    def make(self):
        done = subprocess.run([CTL, 'keys', '--directory', self.directory], check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout.splitlines()

    def contents(self):
        return {path: path.read_text() for path in self.directory.rglob('*') if path.is_file()}

    def test_a_second_run_changes_nothing(self):
        self.assertTrue(self.make())
        before = self.contents()
        self.assertEqual(self.make(), [])
        self.assertEqual(self.contents(), before)

    def test_keys_are_for_their_owner_only_and_all_different(self):
        self.make()
        for path in self.directory.rglob('*'):
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)
        ends = {}
        for path, key in self.contents().items():
            ends.setdefault(key, set()).add(path.name)
        self.assertTrue(all(len(names) == 1 for names in ends.values()))

    def test_both_ends_of_a_pair_hold_the_same_key_and_nobody_else_does(self):
        self.make()
        for path in self.directory.glob('bus/*/*.key'):
            caller, _, callee = path.stem.partition('-')
            self.assertIn(path.parent.name, (caller, callee))
            for end in (caller, callee):
                self.assertEqual((self.directory / 'bus' / end / path.name).read_text(), path.read_text())

    def test_a_lost_copy_comes_back_from_the_other_end(self):
        self.make()
        lost = self.directory / 'bus/auth/gateway-auth.key'
        key = lost.read_text()
        lost.unlink()
        self.assertEqual(self.make(), [str(lost)])
        self.assertEqual(lost.read_text(), key)

    def test_the_public_key_is_that_of_the_seed(self):
        self.make()
        seed = bytes.fromhex((self.directory / 'capability.key').read_text())
        der = bytes.fromhex('302e020100300506032b657004220420') + seed
        public = subprocess.run(['openssl', 'pkey', '-inform', 'DER', '-pubout', '-outform', 'DER'], input=der, check=True,
                                stdout=subprocess.PIPE).stdout[-32:]
        self.assertEqual((self.directory / 'capability.pub').read_text().strip(), public.hex())

    def test_a_directory_that_cannot_be_made_is_said(self):
        done = subprocess.run([CTL, 'keys', '--directory', '/proc/none/keys'], stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('/proc/none/keys', done.stderr)


if __name__ == '__main__':
    unittest.main()
