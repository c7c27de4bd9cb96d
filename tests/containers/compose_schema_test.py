"""docker-compose.yml fits the Compose Specification (Compose v2), and Debian's docker-compose (1.29 in Debian 12) takes it, too."""

import json
import subprocess
import unittest
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
FILE = HERE.parents[1] / 'docker-compose.yml'


def findings(document):
    return subprocess.run(['node', HERE / 'compose.js'], input=json.dumps(document), stdout=subprocess.PIPE, text=True,
                          check=False).stdout


class ComposeFile(unittest.TestCase):
    def setUp(self):
        self.document = yaml.safe_load(FILE.read_text())

    def test_it_fits_the_specification(self):
        self.assertEqual(findings(self.document), '')

    def test_a_wrong_name_is_seen(self):
        self.document['services']['auth']['memory_limit'] = '1g'
        self.assertIn('memory_limit', findings(self.document))

    def test_each_has_limits_of_memory_and_processes(self):
        for name, service in self.document['services'].items():
            with self.subTest(name):
                self.assertLessEqual({'mem_limit', 'pids_limit'}, set(service))

    def test_the_installed_one_takes_it(self):
        done = subprocess.run(['/usr/bin/docker-compose', '-f', FILE, 'config', '-q'], check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ''))


if __name__ == '__main__':
    unittest.main()
