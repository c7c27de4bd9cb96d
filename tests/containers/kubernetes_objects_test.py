"""Every object of deploy/kubernetes fits the schemas of Kubernetes, and the check sees one that does not."""

import json
import subprocess
import unittest
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
BASE = HERE.parents[1] / 'deploy/kubernetes/base'


def objects():
    files = [BASE / name for name in yaml.safe_load((BASE / 'kustomization.yaml').read_text())['resources']]
    return [item for file in files for item in yaml.safe_load_all(file.read_text())]


def findings(items):
    return subprocess.run(['node', HERE / 'kubernetes.js'], input=json.dumps(items), stdout=subprocess.PIPE, text=True,
                          check=False).stdout


class KubernetesObjects(unittest.TestCase):
    def broken(self, change):
        items = [item for item in objects() if item['kind'] == 'Service'][:1]
        change(items[0]['spec'])
        return findings(items)

    def test_all_are_well(self):
        self.assertEqual(findings(objects()), '')

    def test_a_wrong_value_is_seen(self):
        self.assertIn('must be integer', self.broken(lambda spec: spec['ports'][0].update(port='bus')))

    def test_a_wrong_name_is_seen(self):
        self.assertIn('selectors', self.broken(lambda spec: spec.update(selectors={})))


if __name__ == '__main__':
    unittest.main()
