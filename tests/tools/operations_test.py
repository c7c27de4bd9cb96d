"""docs/operations.md tells the truth about options; docs/security.md about algorithms; docker-compose.yml about who has which keys."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('MANABIYA_BUILD', ROOT / 'build'))


class Operations(unittest.TestCase):
    def test_the_page_of_options_is_what_the_programs_say(self):
        done = subprocess.run(['/usr/bin/python3', '-B', ROOT / 'tools/options.py', BUILD, '--check'], check=False)
        self.assertEqual(done.returncode, 0, 'run tools/options.py BUILD')


    def test_the_table_of_algorithms_is_what_the_code_uses(self):
        done = subprocess.run(['/usr/bin/python3', '-B', ROOT / 'tools/algorithms.py', BUILD, '--check'], check=False)
        self.assertEqual(done.returncode, 0, 'run tools/algorithms.py BUILD')


class Compose(unittest.TestCase):
    def setUp(self):
        self.services = yaml.safe_load((ROOT / 'docker-compose.yml').read_text())['services']

    def peers(self, name):
        option = next(part for part in self.services[name]['command'] if part.startswith('--peers='))
        return set(re.findall(r'(\w+)=tcp', option))

    def test_each_process_calls_those_it_has_a_key_for(self):
        with tempfile.TemporaryDirectory() as directory:
            subprocess.run([BUILD / 'ctl/manabiyactl', 'keys', '--directory', f'{directory}/keys'], check=True,
                           stdout=subprocess.DEVNULL)
            for name in ('gateway', 'auth', 'provisioning', 'learning', 'notification', 'audit'):
                keys = {path.stem.partition('-')[2] for path in Path(directory, 'keys/bus', name).glob(f'{name}-*.key')}
                self.assertEqual(self.peers(name), keys, name)

    def test_the_database_and_the_bus_are_not_reachable_from_outside(self):
        published = {name for name, service in self.services.items() if 'ports' in service}
        self.assertEqual(published, {'gateway'})

    def test_only_provisioning_may_write_the_keyring(self):
        mounts = {(name, *volume.partition(':/keyring')[1:]) for name, service in self.services.items()
                  for volume in service.get('volumes', ()) if ':/keyring' in volume}
        self.assertEqual(mounts, {('provisioning', ':/keyring', '')} |
                         {(name, ':/keyring', ':ro') for name in ('auth', 'learning', 'notification')})

    def test_only_provisioning_sees_replicas_of_the_keyring(self):
        """A process sees no files but those that its options name (libcommon/view.h)."""
        known = {name for name in ('gateway', 'auth', 'provisioning', 'learning', 'notification', 'audit') if '--keyring-replica' in
                 subprocess.run([BUILD / 'services' / f'manabiya-{name}', '--help'], check=True, stdout=subprocess.PIPE, text=True).stdout}
        self.assertEqual(known, {'provisioning'})

    def test_every_option_is_one_that_the_program_knows(self):
        for name in ('gateway', 'auth', 'provisioning', 'learning', 'notification', 'audit', 'witness'):
            program = BUILD / ('witness' if name == 'witness' else 'services') / f'manabiya-{name}'
            told = subprocess.run([program, '--help'], check=True, stdout=subprocess.PIPE,
                                  text=True).stdout
            known = {'conf', *re.findall(r'^  --(\S+)', told, re.M)}
            given = {part[2:].partition('=')[0] for part in self.services[name]['command'][1:]}
            self.assertLessEqual(given, known, name)


if __name__ == '__main__':
    unittest.main()
