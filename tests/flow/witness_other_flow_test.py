"""Two installations: the witness of one signs for the logs of the other, as docs/operations.md says how."""

import json
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import base
import witness
from base import eventually
from stack import Stack


def setUpModule():
    """The one that watches first: what it tells is what the other one's audit is started with."""
    global watching
    directory = Path(tempfile.mkdtemp(prefix='manabiya-flow-', dir='/tmp'))
    watching = Stack(directory / 'watching', base.BUILD, has_witness=True)
    watching.directory.mkdir()
    directory.chmod(0o711)
    unittest.addModuleCleanup(shutil.rmtree, directory)
    unittest.addModuleCleanup(watching.remove)
    watching.start()
    base.open_world(lambda place: Stack(place, base.BUILD, extra={'audit': {
        'witness-url': f'https://localhost:{watching.witness_port}', 'witness-key': watching.witness_key,
        'witness-ca': watching.ca}}))


def verifier_of_all_logs():
    """What audit writes at start for whoever is asked to be a witness."""
    lines = (base.world.stack.logs / 'audit.log').read_text().splitlines()
    return next(json.loads(line)['verifier'] for line in lines if 'a witness of these logs needs this key' in line)


def checked(text, admin, *options):
    """The first word of the program that customers have."""
    file = base.world.directory / 'checkpoint'
    file.write_bytes(text)
    keys = [f'--key={key}' for key in admin.get('/v1/audit/log/key')['keys']]
    return subprocess.run([base.BUILD / 'verify/manabiya-verify', 'checkpoint', *keys, *options, file], check=False,
                          stdout=subprocess.PIPE, text=True).stdout.partition(':')[0]


class OtherWitness(unittest.TestCase):
    def test_it_signs_when_it_was_told_the_key_and_not_before(self):
        admin = base.world.tenant('kawa').admin
        asked = f'--witness={watching.witness_key}'
        log = base.world.stack.logs / 'audit.log'
        eventually(lambda: 'a witness does not sign' in log.read_text(), 'it was asked, and does not know this log')
        alone = eventually(lambda: (got := admin.send('GET', '/v1/audit/log/checkpoint')).status == 200 and got.body, 'a checkpoint')
        self.assertEqual((checked(alone, admin), checked(alone, admin, asked)), ('GOOD', 'UNWITNESSED'))

        witness.trust(watching.keys / 'witness/logs', verifier_of_all_logs())
        watching.restart('witness')
        signed = eventually(lambda: (got := admin.send('GET', '/v1/audit/log/checkpoint?witnessed=true')).status == 200 and got.body,
                            'the other installation has signed')
        self.assertEqual(checked(signed, admin, asked), 'GOOD')
        self.assertNotEqual(watching.keys.joinpath('checkpoint.pub').read_text(), base.world.stack.keys.joinpath('checkpoint.pub').read_text())


if __name__ == '__main__':
    unittest.main()
