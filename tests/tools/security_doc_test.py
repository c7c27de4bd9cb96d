"""docs/security.md names tests as proofs: each of them must be there."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / 'docs/security.md').read_text()
PROOF = re.compile(r'`([\w/.-]+_test\.(?:c|py|js))`(?::((?: `\w+`,?)+))?')
PLACE = re.compile(r'`((?:libcommon|services|migrations|proto|tests)/[\w/.*-]+)`')


class SecurityPage(unittest.TestCase):
    def test_every_proof_exists(self):
        proofs = PROOF.findall(TEXT)
        self.assertGreater(len(proofs), 30)
        for path, facts in proofs:
            file = ROOT / path
            self.assertTrue(file.is_file(), path)
            for fact in re.findall(r'`(\w+)`', facts):
                self.assertRegex(file.read_text(), rf'\b{fact}\b', f'{path}: {fact}')

    def test_every_place_exists(self):
        for path in PLACE.findall(TEXT):
            self.assertTrue(list(ROOT.glob(path.rstrip('/'))), path)


if __name__ == '__main__':
    unittest.main()
