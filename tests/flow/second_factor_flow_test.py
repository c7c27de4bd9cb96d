"""The second factor, on a stack that wants one of all staff: what is shut without it, and how one comes to it."""

import subprocess
import unittest

import base
import contract_flow_test as contracts
from base import FlowTest

GRADES = {'knowledgeAndSkills': 'A', 'thinkingJudgementExpression': 'B', 'proactiveAttitude': 'A'}


def setUpModule():
    base.open_world(base.armed_stack)
    global tenant, lesson
    tenant = base.world.tenant('minato')
    lesson = tenant.lesson()


def password_step(client, username, **more):
    return client.send('POST', '/v1/sessions', {'tenantCode': 'minato', 'username': username, 'password': base.PASSWORD, **more})


class SecondFactor(FlowTest):
    def test_what_is_of_class_two_opens_with_it_and_nothing_else(self):
        """A teacher's way: works, is told what is missing, sets it up, goes on."""
        teacher = lesson.teacher
        evaluation = f'/v1/tries/{lesson.sent_try(tenant.enter("jido1"))["id"]}/evaluation'
        teacher.call('DELETE', '/v1/second-factor')
        base.eventually(lambda: teacher.get('/v1/session')['factors'] == 1, 'the gateway knows of it')
        self.assertTrue(teacher.get('/v1/session')['secondFactorRequired'])
        self.assertEqual(teacher.send('GET', '/v1/units').status, 200)
        problem = self.assertRefused(403, lambda: teacher.put(evaluation, **GRADES), 'second_factor_required')
        self.assertIn('二段階認証', problem['title'] + problem.get('detail', ''))
        english = teacher.send('PUT', evaluation, GRADES, {'Accept-Language': 'en'}).json
        self.assertIn('two-step login', english['title'] + english.get('detail', ''))
        secret = teacher.post('/v1/second-factor', username=teacher.username)['secret']
        code = subprocess.run(['oathtool', '--totp', '--base32', secret], capture_output=True, text=True, check=True).stdout.strip()
        confirmed = teacher.put('/v1/second-factor', code=code)  # not from our own arithmetic
        teacher.token, codes = confirmed['token'], confirmed['recoveryCodes']
        self.assertEqual((len(codes), len(set(codes))), (10, 10))
        self.assertEqual(teacher.get('/v1/session')['factors'], 2)
        self.assertEqual(teacher.put(evaluation, **GRADES)['knowledgeAndSkills'], 'A')

    def test_a_password_alone_gets_no_cookie(self):
        stranger = base.world.client()
        answer = password_step(stranger, 'kanri')
        self.assertEqual(answer.status, 200)
        self.assertNotIn('Set-Cookie', answer.headers)
        self.assertNotIn('token', answer.json)
        self.assertEqual(stranger.send('GET', '/v1/session', headers={
            'Cookie': f'__Host-sid={answer.json["challenge"][:43]}'}).status, 401)
        code = tenant.admin.app.code()
        body = {'challenge': answer.json['challenge'], 'code': code}
        second = stranger.send('POST', '/v1/sessions/second-factor', body)
        self.assertEqual(second.status, 200)
        self.assertTrue(second.headers['Set-Cookie'].startswith('__Host-sid='))
        body['challenge'] = password_step(stranger, 'kanri').json['challenge']
        again = stranger.send('POST', '/v1/sessions/second-factor', body)
        self.assertEqual((again.status, again.json['code']), (401, 'code_wrong'))

    def test_a_recovery_code_stands_in_for_a_lost_telephone(self):
        operator = base.world.operator
        codes = operator.call('POST', '/v1/second-factor/recovery-codes')['recoveryCodes']
        other = base.world.client()
        challenge = other.post('/v1/sessions', tenantCode='manabiya', username='operator', password=base.PASSWORD,
                               delivery='bearer')['challenge']
        other.token = other.post('/v1/sessions/second-factor', challenge=challenge, code=codes[0].upper())['token']
        self.assertEqual(other.get('/v1/second-factor'), {'enrolled': True, 'required': True, 'recoveryCodesLeft': 9})

    def test_the_export_of_a_closed_contract_wants_it_too(self):
        ended = base.world.tenant('sotsugyo')
        admin = ended.admin
        admin.call('DELETE', '/v1/second-factor')
        contracts.act(ended.contract['id'], 'close')
        admin.login('sotsugyo', 'kanri', base.PASSWORD)
        self.assertRefused(403, lambda: admin.post('/v1/exports'), 'second_factor_required')
        admin.enrol()
        admin.login('sotsugyo', 'kanri', base.PASSWORD)
        self.assertEqual((admin.get('/v1/session')['factors'], admin.get('/v1/session')['contractClosed']), (2, True))
        admin.post('/v1/exports')
        self.assertRefused(403, lambda: admin.get('/v1/users'), 'contract_closed')

    def test_an_administrator_resets_it_and_the_log_knows(self):
        made = tenant.admin.post('/v1/users', username='sensei2', role='instructor', familyName='朝霧', givenName='渚',
                                 kanaFamilyName='あさぎり', kanaGivenName='なぎさ')
        user_id, teacher = made['user']['id'], base.world.client()
        base.world.arrive(teacher, 'minato', 'sensei2', made['initialSecret'], is_staff=True)
        path = f'/v1/users/{user_id}/second-factor'
        self.assertRefused(403, lambda: lesson.teacher.call('DELETE', path), 'forbidden')
        tenant.admin.call('DELETE', path)
        base.eventually(lambda: teacher.send('GET', '/v1/session').status == 401, 'the session is over')
        self.assertIn('token', password_step(base.world.client(), 'sensei2', delivery='bearer').json)

        def recorded():
            lines = base.world.stack.ndjson.read_text().splitlines()
            return [line for line in lines if 'auth.second_factor_reset' in line and user_id in line and '"is_mfa":true' in line]
        base.eventually(recorded, 'the log knows of the reset, and that two factors stood behind it')


if __name__ == '__main__':
    unittest.main()
