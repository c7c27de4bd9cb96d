"""What travels with a request from service to service: its trace, its deadline, its end.

The request is a new user, for whom provisioning asks auth. The gateway of this module waits five seconds for an answer.
"""

import http.client
import json
import signal
import ssl
import time
import unittest
from contextlib import contextmanager

import base
from base import FlowTest, eventually

WAIT_MS = 5000
UNSAID_MS = 10_000  # how long provisioning would wait for auth if it did not know the deadline
ROUNDS = 5


def setUpModule():
    base.world = base.World()
    unittest.addModuleCleanup(base.world.close, 'travel_flow')
    base.world.stack.extra['gateway'] = {'request-timeout-ms': WAIT_MS}
    base.world.open()


@contextmanager
def stopped(name):
    """The process is there but does nothing."""
    base.world.stack.kill(name, signal.SIGSTOP)
    try:
        yield
    finally:
        base.world.stack.kill(name, signal.SIGCONT)


def figure(name):
    """One of provisioning's, or 0 while it cannot be asked."""
    stack = base.world.stack
    link = http.client.HTTPSConnection('localhost', stack.admin_port, timeout=base.SETTLE_S,
                                       context=ssl.create_default_context(cafile=str(stack.ca)))
    try:
        link.request('GET', '/metrics')
        lines = link.getresponse().read().decode().splitlines()
    finally:
        link.close()
    return next((float(line.split()[1]) for line in lines if line.startswith(f'{name}{{service="provisioning"}}')), 0)


def is_soon(condition):
    end = time.monotonic() + base.SOON_S
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


class Travel(FlowTest):
    def setUp(self):
        self.admin = base.world.tenant('sumire').admin
        self.wait_well()

    def wait_well(self):
        eventually(lambda: self.admin.send('GET', '/v1/users?limit=1').status == 200, 'everybody answers')

    def user(self, username):
        return {'username': username, 'role': 'instructor', 'familyName': '朝霧', 'givenName': '渚',
                'kanaFamilyName': 'アサギリ', 'kanaGivenName': 'ナギサ'}

    def test_all_that_one_request_did_is_found_by_one_id(self):
        made = self.admin.send('POST', '/v1/users', self.user('sensei7'))
        self.assertEqual(made.status, 201)

        def done():
            lines = [json.loads(event['line']) for event in base.events(self.admin)]
            return {line['api']['operation'] for line in lines
                    if line['api']['request']['uid'] == made.headers['X-Request-Id']}
        eventually(lambda: {'provisioning.user_create', 'auth.account_put'} <= done(), 'the events of both services')

    def log_line(self, call_id):
        lines = (base.world.stack.logs / 'provisioning.log').read_text().splitlines()
        lines = [json.loads(line) for line in lines if line.startswith('{') and line.endswith('}')]
        return next((line for line in lines if line.get('call_id') == call_id), None)

    def gave_up(self, username):
        """A service that waits for another which does nothing: what it says of that, unless it was not asked."""
        self.wait_well()  # so that the session is known
        with stopped('auth'):
            answer = self.admin.send('POST', '/v1/users', self.user(username))
            self.assertIn(answer.status, (503, 504))  # provisioning's word or the gateway's own: both gave up at once
            return is_soon(lambda: self.log_line(answer.headers['X-Request-Id']))

    def test_a_service_waits_no_longer_than_the_gateway_for_it(self):
        lines = []
        for i in range(ROUNDS):  # the session may be known no more, and the machine may have slept
            lines.append(self.gave_up(f'sensei8{i}'))
            if lines[-1] and lines[-1]['us'] / 1000 < UNSAID_MS:
                return
        self.fail(f'it waited longer: {lines}')

    def leave(self):
        """A browser that leaves while provisioning waits for auth: what was cancelled for it there."""
        before = figure('manabiya_bus_cancelled_total')
        link = self.admin.connect()
        link.connect()
        self.wait_well()  # so that the session is known
        with stopped('auth'):
            link.request('POST', '/v1/users', json.dumps(self.user('sensei9')),
                         self.admin.headers('POST', {'Content-Type': 'application/json'}))
            is_soon(lambda: figure('manabiya_bus_outstanding'))
            link.close()
            is_soon(lambda: figure('manabiya_bus_cancelled_total') - before >= 2)
        self.wait_well()
        return figure('manabiya_bus_cancelled_total') - before

    def test_what_nobody_waits_for_is_cancelled_two_services_away(self):
        for _ in range(ROUNDS):  # it may have left too early
            cancelled = self.leave()
            if cancelled >= 2:  # what provisioning worked on, and what it had asked auth for
                return
        self.fail(f'{cancelled} cancelled')


if __name__ == '__main__':
    unittest.main()
