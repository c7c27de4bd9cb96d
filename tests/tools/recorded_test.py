"""What services record of their own doing has a title in the contract, as calls have."""

import re
import unittest
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
JOB = re.compile(r'^static const struct op \w+ = \{\s+\.name = "(\w+)",\s+(?:\.label = \w+,\s+)?\.audit = ', re.M)


def shared(main):
    """What libcommon records by itself: in its jobs, of those that this service runs, and in the skeleton of all."""
    own = {'audit_stop'} if 'service_main(' in main else set()
    own |= {'key_use'} if '.keyring = ' in main else set()
    return {name for path in (ROOT / 'libcommon').glob('*.c') if f'{path.stem}_run' in main or path.stem in own
            for name in JOB.findall(path.read_text())}


class Jobs(unittest.TestCase):
    def test_each_has_a_title_and_each_title_a_job(self):
        found = 0
        for folder in sorted((ROOT / 'services').iterdir()):
            contract = ROOT / f'proto/{folder.name}.yaml'
            if contract.exists():
                jobs = {name for path in folder.glob('*.c') if not path.stem.endswith('_test') for name in JOB.findall(path.read_text())}
                jobs |= shared((folder / 'main.c').read_text())
                self.assertEqual(jobs, set(yaml.safe_load(contract.read_text()).get('x-jobs', {})), folder.name)
                found += len(jobs)
        self.assertGreater(found, 2)


if __name__ == '__main__':
    unittest.main()
