"""A school whose keys are kept by a key management service, spoken to from within the services' fences."""

import subprocess
import unittest

import base
from base import ROOT, FlowTest

CREDENTIALS = '[default]\naws_access_key_id = AKIDTEST\naws_secret_access_key = secret-of-the-environment\n'
FORMAT_KMS = 2  # the first byte of a key's file


def setUpModule():
    global keeper
    keeper = subprocess.Popen(['/usr/bin/python3', ROOT / 'tests/kms/server.py'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    unittest.addModuleCleanup(end_keeper)
    options = {'keyring-provider': 'aws-kms', 'kms-key-id': 'alias/manabiya', 'kms-region': 'ap-northeast-1',
               'kms-endpoint': f'http://127.0.0.1:{keeper.stdout.readline().decode().strip()}/', 'regions-allowed': 'ap-northeast-1'}
    base.world = base.World()
    unittest.addModuleCleanup(base.world.close, __name__)
    options['kms-credentials'] = str(base.world.directory / 'credentials')
    (base.world.directory / 'credentials').write_text(CREDENTIALS)
    base.world.stack.extra.update(provisioning=options, learning=options, notification=options)
    base.world.open()


def end_keeper():
    if keeper.poll() is None:
        keeper.communicate()


class KeyServiceTest(FlowTest):
    def opened(self):
        try:
            return base.world.tenant('kagi')
        except base.Problem as problem:
            self.assertEqual(problem.answer.status, 503)

    def test_a_region_that_is_not_allowed_stops_the_process(self):
        base.eventually(self.opened, 'provisioning has found auth')
        stack, process = base.world.stack, base.world.stack.processes['notification']
        log, kept = stack.logs / 'notification.log', process.command
        process.stop()
        before = log.stat().st_size
        process.command = [word.replace('=ap-northeast-1', '=eu-west-1') if word.startswith('--regions-allowed') else word for word in kept]
        process.start()
        base.eventually(lambda: not process.is_alive(), 'it has ended')
        self.assertIn('the key management service cannot be used', log.read_bytes()[before:].decode())
        process.command = kept
        process.start()
        stack.wait_ready(['notification'])

    def test_lessons_go_on_with_keys_that_only_the_service_opens(self):
        tenant = base.eventually(self.opened, 'provisioning has found auth')
        lesson, pupil = tenant.lesson(), tenant.enter('jido1')
        files = list((base.world.directory / 'keyring').glob(f'{tenant.contract["tenantId"]}.1.key'))
        self.assertEqual([path.read_bytes()[0] for path in files], [FORMAT_KMS])
        pupil.put(f'{lesson.path}/goal', goal='まっすぐ回る', condition=4)
        self.assertEqual(lesson.board_row('jido1')['goal'], 'まっすぐ回る')
        self.assertRegex(base.world.operator.get('/v1/keys/roots')['items'][0]['name'], '^aws-kms:[0-9a-f]{32}$')
        keeper.communicate()  # it is away: what is open stays open, and a destroyed key is destroyed all the same
        self.assertEqual(pupil.get(f'{lesson.path}/goal')['goal'], 'まっすぐ回る')
        again = base.world.client()
        again.login('kagi', 'jido1', base.PASSWORD)  # a login needs no key of the service's
        again.step_up()
        self.assertEqual(again.get('/v1/session')['userId'], pupil.get('/v1/session')['userId'])
        files[0].unlink()
        base.eventually(lambda: pupil.send('GET', f'{lesson.path}/goal').status == 500, 'the key is gone')


if __name__ == '__main__':
    unittest.main()
