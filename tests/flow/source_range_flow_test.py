"""The addresses that a school allows, through the gateway: 127.0.0.1 is at school, 127.0.0.2 is not."""

import http.client
import unittest

import base
from api import TIMEOUT_S, Client
from base import PASSWORD, FlowTest, eventually

AT_SCHOOL = ['127.0.0.1', '192.0.2.0/24', '2001:db8::/32']
PATH = '/v1/source-ranges'

setUpModule = base.open_world


class FromElsewhere(Client):
    def connect(self):
        return http.client.HTTPSConnection(self.url.hostname, self.url.port, timeout=TIMEOUT_S, context=self.tls,
                                            source_address=('127.0.0.2', 0))


def elsewhere(token=None):
    client = FromElsewhere(base.world.stack.address, base.world.stack.ca)
    client.token = token
    base.world.clients.append(client)
    return client


class SourceRange(FlowTest):
    def setUp(self):
        self.tenant = base.world.tenant('minato')
        self.admin, self.pupil = self.tenant.admin, self.tenant.enter('jido1')
        self.admin.put(PATH, ranges=[])

    def status_of(self, client):
        return client.send('GET', '/v1/session').status

    def becomes(self, client, status):
        eventually(lambda: self.status_of(client) == status, f'the session is answered {status}')

    def test_a_session_that_has_begun_ends_elsewhere_and_goes_on_at_school(self):
        away = elsewhere(self.pupil.token)
        self.assertEqual(self.status_of(away), 200)
        self.admin.put(PATH, ranges=AT_SCHOOL)
        self.becomes(away, 403)
        for _ in range(20):  # what is remembered for the one never serves the other
            self.assertEqual(self.status_of(self.pupil), 200)
            self.assertEqual(self.status_of(away), 403)
        self.admin.put(PATH, ranges=[])
        self.becomes(away, 200)

    def test_nobody_logs_in_from_elsewhere(self):
        self.admin.put(PATH, ranges=AT_SCHOOL)
        problem = self.assertRefused(403, lambda: elsewhere().login('minato', 'jido1', PASSWORD), 'source_refused')
        self.assertIn('ネットワーク', problem['title'])
        self.assertRefused(401, lambda: elsewhere().login('minato', 'jido1', 'not-the-password'), 'login_failed')
        base.world.client().login('minato', 'jido1', PASSWORD)

    def test_the_refusal_speaks_both_languages(self):
        away = elsewhere(self.pupil.token)
        self.admin.put(PATH, ranges=AT_SCHOOL)
        self.becomes(away, 403)
        for language, word in (('ja', 'ネットワーク'), ('en', 'network')):
            answer = away.send('GET', '/v1/session', headers={'Accept-Language': language})
            self.assertEqual((answer.status, answer.json['code']), (403, 'source_refused'))
            self.assertIn(word, answer.json['title'])

    def test_an_open_page_elsewhere_loses_its_events(self):
        away = elsewhere(self.pupil.token)
        link = away.connect()
        link.request('GET', '/v1/events', headers=away.headers('GET', {'Accept': 'text/event-stream'}))
        stream = link.getresponse()
        self.assertEqual(stream.status, 200)
        self.admin.put(PATH, ranges=AT_SCHOOL)
        while stream.readline():  # until the gateway ends it
            pass
        link.close()
        self.becomes(away, 403)

    def test_other_schools_and_operators_come_from_everywhere(self):
        self.admin.put(PATH, ranges=AT_SCHOOL)
        other = base.world.tenant('tonari')
        self.assertEqual(self.status_of(elsewhere(other.admin.token)), 200)
        self.assertEqual(self.status_of(elsewhere(base.world.operator.token)), 200)
        self.assertRefused(403, lambda: base.world.operator.put(PATH, ranges=['127.0.0.1']), 'forbidden')

    def test_whoever_would_lock_himself_out_is_told(self):
        self.assertRefused(409, lambda: self.admin.put(PATH, ranges=['192.0.2.0/24']), 'source_locks_out')
        self.assertRefused(422, lambda: self.admin.put(PATH, ranges=['127.0.0.1', '192.0.2.1/24']))
        self.assertEqual(self.admin.get(PATH), {'source': '127.0.0.1', 'ranges': []})

    def test_an_operator_lets_a_school_in_again(self):
        away = elsewhere(self.pupil.token)
        self.admin.put(PATH, ranges=AT_SCHOOL)
        self.becomes(away, 403)
        lift = f'/v1/tenants/{self.tenant.contract["tenantId"]}/source-ranges'
        self.assertRefused(403, lambda: self.admin.call('DELETE', lift), 'forbidden')
        self.assertEqual(base.world.operator.call('DELETE', lift).status, 204)
        self.becomes(away, 200)
        self.assertEqual(self.admin.get(PATH)['ranges'], [])

    def test_both_are_recorded(self):
        self.admin.put(PATH, ranges=AT_SCHOOL)
        tenant_id = self.tenant.contract['tenantId']
        base.world.operator.call('DELETE', f'/v1/tenants/{tenant_id}/source-ranges')
        for client, operation in ((self.admin, 'auth.source_range_put'), (base.world.operator, 'auth.source_range_lift')):
            eventually(lambda client=client, operation=operation: any(
                event['objectId'] == tenant_id for event in base.events(client, operation=operation)),
                f'{operation} is in the log')


if __name__ == '__main__':
    unittest.main()
