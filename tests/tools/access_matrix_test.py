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

    def test_what_is_followed_can_be_raised_or_follows_in_its_turn(self):
        """And its class is asked for somewhere: what nobody can raise and nothing leads to would be followed in vain."""
        own = {node['x-object']: node for _, _, node in access_matrix.types() if 'x-object' in node}
        asked = {row.object for row in access_matrix.rows()}
        for _, schema, node in access_matrix.types():
            for kind in node.get('x-follows', []):
                with self.subTest(type=schema, kind=kind):
                    self.assertIn(kind, own)
                    self.assertIn(kind, asked)
                    self.assertTrue(set(own[kind].get('x-follows', [])) <= set(own))


if __name__ == '__main__':
    unittest.main()
