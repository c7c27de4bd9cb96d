"""A school whose root key lies sealed under a passphrase: with it everything goes on, without it nothing opens."""

import os
import secrets
import subprocess
import unittest

import base
from base import FlowTest, eventually
from stack import Stack, run

HOLDERS = ('provisioning', 'learning', 'notification')
CTL = base.BUILD / 'ctl/manabiyactl'


class SealedStack(Stack):
    """As an operator makes it: the key is made, sealed, and put in the place of the open one."""

    def __init__(self, directory):
        self.passphrase = directory / 'passphrase'
        super().__init__(directory, base.BUILD, extra={name: {'keyring-passphrase': self.passphrase} for name in HOLDERS})

    def _prepare(self):
        super()._prepare()
        root = self.keys / 'keyring-root.key'
        if root.read_text().startswith('manabiya-root'):
            return
        self.open_root = root.read_text().strip()
        self.passphrase.touch(mode=0o600)
        self.passphrase.write_text(secrets.token_hex(32) + '\n')
        sealed = run(CTL, 'keyring', 'seal', '--keyring-root', root, '--keyring-passphrase', self.passphrase)
        root.write_text(sealed)


def setUpModule():
    base.open_world(SealedStack)
    global stack, tenant, lesson, pupil
    stack, tenant = base.world.stack, base.world.tenant('fuuin')
    lesson, pupil = tenant.lesson(), tenant.enter('jido1')
    pupil.put(f'{lesson.path}/goal', goal='まっすぐ回る', condition=4)


class SealedRoot(FlowTest):
    def test_1_lessons_go_on_and_the_key_lies_nowhere(self):
        lesson.sent_try(pupil)
        self.assertEqual(pupil.get(f'{lesson.path}/goal')['goal'], 'まっすぐ回る')
        files = [path for path in base.world.directory.rglob('*') if path.is_file()]
        self.assertEqual([path for path in files if self.holds(path, stack.open_root.encode(), bytes.fromhex(stack.open_root))], [])

    def holds(self, path, *needles):
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # temporary ones come and go
            return False
        return any(needle in data for needle in needles)

    def test_2_a_tenants_key_is_replaced_with_the_passphrase_alone(self):
        rotate = [CTL, 'keyring', 'rotate', '--keyring', base.world.directory / 'keyring', '--keyring-root',
                  stack.keys / 'keyring-root.key', '--tenant', tenant.contract['tenantId']]
        refused = subprocess.run(rotate, check=False, stderr=subprocess.PIPE, text=True)
        self.assertEqual(refused.returncode, 1)
        self.assertIn('there is no passphrase', refused.stderr)
        self.assertIn('version 2', run(*rotate, '--keyring-passphrase', stack.passphrase))

    def test_3_without_it_no_service_starts(self):
        kept = stack.passphrase.read_text()
        stack.kill('learning')
        stack.passphrase.write_text('a passphrase that is another\n')
        log = stack.logs / 'learning.log'
        before = os.path.getsize(log)
        stack.processes['learning'].start()
        eventually(lambda: not stack.processes['learning'].is_alive(), 'it has ended')
        self.assertIn('does not open with this passphrase', log.read_text()[before:])
        stack.passphrase.write_text(kept)
        stack.restart('learning')
        stack.wait_ready(['learning'])
        self.assertEqual(pupil.get(f'{lesson.path}/goal')['goal'], 'まっすぐ回る')


if __name__ == '__main__':
    unittest.main()
