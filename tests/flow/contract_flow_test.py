"""The end of a contract, as its people and the operator see it."""

import unittest

import base
from base import FlowTest, eventually

setUpModule = base.open_world

OUT_WITHIN_S = 5  # two on a machine of our own; the gateway asks anew every second


def act(contract_id, what, **body):
    """What an operator does to a contract, having read it."""
    operator = base.world.operator
    read = operator.send('GET', f'/v1/contracts/{contract_id}')
    method = 'PUT' if what == 'hold' else 'POST'
    answer = operator.send(method, f'/v1/contracts/{contract_id}/{what}', {'reason': '契約終了のため', **body},
                           {'If-Match': read.headers['ETag']})
    if answer.status != 200:
        raise AssertionError((answer.status, answer.body))
    return answer.json


class ContractFlow(FlowTest):
    def test_a_suspended_contract_is_shut_until_it_is_restored(self):
        tenant, other = base.world.tenant('yasumi'), base.world.tenant('tonari')
        contract, pupil = tenant.contract['id'], tenant.enter('jido1')
        pupil.get('/v1/home')
        act(contract, 'suspend')
        eventually(lambda: pupil.send('GET', '/v1/home').status == 401, 'the session is over', OUT_WITHIN_S)
        self.assertRefused(401, lambda: base.world.client().login('yasumi', 'jido1', base.PASSWORD), 'login_failed')
        other.enter('jido1').get('/v1/home')
        act(contract, 'restore')
        base.world.client().login('yasumi', 'jido1', base.PASSWORD)

    def test_the_customer_reads_in_the_own_log_what_was_done(self):
        tenant = base.world.tenant('kiroku')
        act(tenant.contract['id'], 'hold', held=True)

        def rows():
            return [row for row in tenant.admin.get('/v1/audit/events')['items']
                    if row['operation'] == 'provisioning.contract_hold_put']
        row = eventually(rows, 'the event is in the log')[0]
        self.assertEqual(row['objectId'], tenant.contract['id'])

    def test_what_has_changed_meanwhile_is_read_again_first(self):
        contract = base.world.tenant('dare').contract['id']
        operator = base.world.operator
        old = operator.send('GET', f'/v1/contracts/{contract}').headers['ETag']
        act(contract, 'suspend')
        answer = operator.send('POST', f'/v1/contracts/{contract}/restore', {'reason': 'x'}, {'If-Match': old})
        self.assertEqual((answer.status, answer.json['code']), (412, 'stale'))


if __name__ == '__main__':
    unittest.main()
