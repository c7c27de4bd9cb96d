"""What a witness is told of the log's keys (tools/witness.py)."""

import secrets
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tools'))
import witness  # noqa: E402


class Logs(unittest.TestCase):
    def setUp(self):
        self.keys = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.keys / 'witness').mkdir()
        (self.keys / 'witness/verifier').write_text('w+00000000+BA==\n')  # so that no program is asked

    def trusted_after_a_new_key(self):
        (self.keys / 'checkpoint.pub').write_text(secrets.token_hex(32) + '\n')
        witness.make('false', self.keys, self.keys / 'state', 'w')
        return (self.keys / 'witness/logs').read_text().splitlines()

    def test_a_key_that_replaces_another_stands_beside_it(self):
        first = self.trusted_after_a_new_key()
        second = self.trusted_after_a_new_key()
        self.assertEqual((len(first), len(second)), (1, 2))
        self.assertEqual(second[:1], first)

    def test_a_second_run_adds_nothing(self):
        first = self.trusted_after_a_new_key()
        witness.make('false', self.keys, self.keys / 'state', 'w')
        self.assertEqual((self.keys / 'witness/logs').read_text().splitlines(), first)


if __name__ == '__main__':
    unittest.main()
