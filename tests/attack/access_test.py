"""docs/access-matrix.md, cell by cell against a running gateway that wants two factors of all staff.

Every operation is asked for with a query that nobody declared, so that what is let through ends right behind the checks
(422, sometimes 400 or 404) and changes nothing. Refusals of access are told apart by their code.
"""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'flow'))
import base  # noqa: E402
import isolation_test  # noqa: E402
from base import FlowTest  # noqa: E402

sys.path.insert(0, str(base.ROOT / 'tools'))
import access_matrix  # noqa: E402
from api import Answer  # noqa: E402

STALE_S = 30  # a capability lives for ten seconds in auth's cache
LIMITED = ('instructor', 'student')  # whose functions a contract can switch off


def setUpModule():
    base.open_world(base.armed_stack)
    isolation_test.open_sides()
    global clients
    here = isolation_test.here
    clients = {'operator': base.world.operator, 'contractor': here.admin, 'instructor': here.teacher, 'student': here.pupil}
    stay_fresh()


def stay_fresh():
    """No password grows old meanwhile, however long the sweeps take: every session that there is proved its own in an hour."""
    base.world.stack.sql("UPDATE auth.session SET authenticated_at = now() + interval '1 hour'")


def lose_factor(client):
    client.call('DELETE', '/v1/second-factor')
    base.eventually(lambda: client.get('/v1/session')['factors'] == 1, 'the gateway knows of it')


def operation_of(row):
    return next(o for o in isolation_test.operations() if o.name == f'{row.service}_{row.name}')


def code_of(answer):
    """Why access was refused; '' when it was not."""
    if answer.status not in (401, 403):
        return ''
    return answer.json['code'] if answer.body else {401: 'unauthenticated', 403: 'forbidden'}[answer.status]  # HEAD


def begun(client):
    """The answer of the stream of events, which does not end by itself."""
    link = client.connect()
    link.request('GET', '/v1/events', headers=client.headers('GET', None))
    answer = link.getresponse()
    body = answer.read() if answer.status != 200 else b''
    link.close()
    return Answer(answer.status, answer.headers, body)


def probe(row, client):
    """The code of a refusal of access, or '' when it was let through."""
    if row.name == 'events':
        return code_of(begun(client))
    operation = operation_of(row)
    operation.path += '?probe=1'
    return code_of(operation.call(client, None, None, None))


class Access(FlowTest):
    """The tests run in the order of their names: each takes something away from the sessions."""

    def sweep(self, expected, rows=None, roles=access_matrix.ROLES):
        asked = 0
        for row in rows or access_matrix.rows():
            for role in roles:
                with self.subTest(operation=row.name, role=role):
                    self.assertEqual(probe(row, clients[role]), expected(row, row.cell(role), role))
                    asked += 1
        return asked

    def test_1_two_factors_and_a_fresh_password(self):
        asked = self.sweep(lambda row, cell, role: 'forbidden' if cell == '–' else '')
        self.assertGreater(asked, 400)

    def test_2_strangers(self):
        stranger = base.world.client()
        for row in access_matrix.rows():
            with self.subTest(operation=row.name):
                self.assertEqual(probe(row, stranger), '' if row.is_open else 'unauthenticated')

    def test_3_a_function_that_is_switched_off(self):
        admin = clients['contractor']
        rows = [row for row in access_matrix.rows() if row.feature]
        denied = sorted({row.feature for row in rows})
        self.assertEqual(len(denied), 2)
        admin.put('/v1/features', denied=denied)
        for role in LIMITED:
            base.eventually(lambda: not clients[role].get('/v1/session')['features'], f'the limit has arrived at the {role}')

        def expected(row, cell, role):
            return 'forbidden' if cell == '–' else 'feature_denied'
        self.sweep(expected, rows, LIMITED)
        admin.put('/v1/features', denied=[])
        for role in LIMITED:
            base.eventually(lambda: clients[role].get('/v1/session')['features'], f'it has gone from the {role}')

    def test_4_one_factor(self):
        for role in access_matrix.STAFF:
            lose_factor(clients[role])

        def expected(row, cell, role):
            return 'forbidden' if cell == '–' else 'second_factor_required' if '2' in cell else ''
        self.sweep(expected)

    def test_5_a_password_that_was_proven_a_while_ago(self):
        base.world.stack.sql("UPDATE auth.session SET authenticated_at = now() - interval '6 minutes'")
        enrol = next(row for row in access_matrix.rows() if row.name == 'second_factor_enrol')
        for role in access_matrix.STAFF:
            base.eventually(lambda: probe(enrol, clients[role]) == 'step_up_required', f'the session of the {role} is stale', STALE_S)

        def expected(row, cell, role):
            if cell == '–':
                return 'forbidden'
            return 'second_factor_required' if '2' in cell else 'step_up_required' if 'p' in cell else ''
        self.sweep(expected)

    def test_6_a_contract_that_is_closed(self):
        base.world.stack.sql("UPDATE auth.tenant SET shut_at = now(), is_closed = true"
                             f" WHERE tenant_id = '{isolation_test.here.tenant.contract['tenantId']}'")
        for role in access_matrix.ROLES[2:]:
            base.eventually(lambda: clients[role].send('GET', '/v1/session').status == 401, f'the {role} is out', STALE_S)
        base.eventually(lambda: code_of(clients['contractor'].send('GET', '/v1/home')) == 'contract_closed', 'it is closed', STALE_S)

        def expected(row, cell, role):
            if cell != '–' and row.closed_cell() == '–':
                return 'forbidden' if row.method == 'HEAD' else 'contract_closed'  # without a body there is no code
            return 'forbidden' if cell == '–' else 'second_factor_required' if '2' in cell else 'step_up_required' if 'p' in cell else ''
        self.sweep(expected, roles=('contractor',))


if __name__ == '__main__':
    unittest.main()
