"""docs/access-matrix.md is what the contract says."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tools'))
import access_matrix  # noqa: E402


class Page(unittest.TestCase):
    def test_the_committed_page_is_what_the_contract_says(self):
        self.assertEqual(access_matrix.PAGE.read_text(), access_matrix.text(), 'run tools/access_matrix.py')

    def test_every_published_operation_has_a_class_but_what_is_open_to_all(self):
        self.assertEqual([row.name for row in access_matrix.rows() if not row.label and not row.is_open], [])


if __name__ == '__main__':
    unittest.main()
