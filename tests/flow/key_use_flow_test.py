"""Unusual use of tenants' keys is an event: many of them opened, and one that was altered, told to those whom it concerns. And
which keys a process is given at all."""

import json
import time
import unittest

import base
from base import FlowTest, eventually
from stack import Stack

TOLD_S = 60  # a look every ten seconds, a look of audit's every five


def takes_one_key_for_many(directory):
    return Stack(directory, base.BUILD, extra={'learning': {'keys-opened-max': 1}})


def setUpModule():
    base.open_world(takes_one_key_for_many)


def this_hour():
    return int(time.time()) // 3600


def events(client, operation):
    return client.get(f'/v1/audit/events?operation={operation}&objectId=keyring&limit=200')['items']


def anomalies(client, kind):
    return [row for row in client.get('/v1/audit/anomalies?limit=200')['items'] if row['kind'] == kind]


EVERY = {'outbox', 'index idempotency.key'}  # what waits, and answers that are kept
DOMAINS = {'learning': EVERY | {'text', 'name', 'media'}, 'notification': EVERY | {'text'},
           'provisioning': EVERY | {'name', 'index person.login_index'}}


class KeyUse(FlowTest):
    def test_a_process_is_bound_to_what_it_keeps(self):
        for service, domains in DOMAINS.items():
            lines = [json.loads(line) for line in (base.world.stack.logs / f'{service}.log').read_text().splitlines()]
            self.assertEqual({line['domain'] for line in lines if line['message'] == 'keyring gives keys of a domain'}, domains)

    def test_many_are_told_the_operator_and_one_that_was_altered_its_tenant_too(self):
        begun, operator, tenant, other = this_hour(), base.world.operator, base.world.tenant('minato'), base.world.tenant('yama')
        lesson = tenant.lesson()
        path = f'/v1/tries/{lesson.sent_try(tenant.enter("jido1"))["id"]}/comments'
        tenant.enter('sensei').post(path, positionMs=100, text='たかい')
        other.lesson()
        if this_hour() != begun:  # one key was opened in each, which is not many
            self.restart_learning()
            for school in (tenant, other):
                school.enter('sensei').get(f'{school.lesson().path}/board')
        eventually(lambda: events(operator, 'learning.keys_opened'), 'the operator is told', TOLD_S)
        self.assertGreater(eventually(lambda: anomalies(operator, 'many_keys'), 'and shown', TOLD_S)[0]['count'], 1)
        self.assertEqual(events(tenant.admin, 'learning.keys_opened'), [])

        self.alter(base.world.directory / 'keyring' / f'{tenant.contract["tenantId"]}.1.key')
        self.restart_learning()  # it knew the key
        self.assertEqual(tenant.enter('sensei').send('GET', path).status, 503)
        for client in (operator, tenant.admin):
            eventually(lambda who=client: events(who, 'learning.keys_refused'), 'who it concerns is told', TOLD_S)
            eventually(lambda who=client: anomalies(who, 'refused_keys'), 'and shown', TOLD_S)
        self.assertIn(tenant.contract['tenantId'], events(operator, 'learning.keys_refused')[0]['line'])
        self.assertEqual(anomalies(other.admin, 'refused_keys'), [])

    def restart_learning(self):
        base.world.stack.restart('learning')
        base.world.stack.wait_ready(['learning'])

    def alter(self, file):
        before = file.read_bytes()
        self.addCleanup(file.write_bytes, before)
        file.write_bytes(before[:20] + bytes([before[20] ^ 1]) + before[21:])


if __name__ == '__main__':
    unittest.main()
