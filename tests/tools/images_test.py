"""What the Dockerfile copies, .dockerignore lets through: building the images to find out takes minutes."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Images(unittest.TestCase):
    def test_what_is_copied_is_let_through(self):
        let_through = set(re.findall(r'^!(\S+)$', (ROOT / '.dockerignore').read_text(), re.M))
        copied = [source for line in re.findall(r'^COPY (?!--from)(.*) \S+$', (ROOT / 'containers/Dockerfile').read_text(), re.M)
                  for source in line.split() if not source.startswith('--')]
        self.assertGreater(len(copied), 10)
        self.assertEqual([source for source in copied if source.partition('/')[0] not in let_through], [])


if __name__ == '__main__':
    unittest.main()
