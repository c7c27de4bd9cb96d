"""A contract that has ended: its administrators come for the export and find everything else shut."""

import subprocess
import unittest
from datetime import datetime, timedelta

import base
import contract_flow_test as contracts
import export_flow_test as exports
from base import FlowTest, eventually

setUpModule = base.open_world

SHUT = ('/v1/home', '/v1/events', '/v1/users', '/v1/notices', '/v1/announcements', '/v1/classes', '/v1/audit/events', '/v1/features')


def pass_time(tenant):
    """The days of the present state are over."""
    base.world.stack.sql(f"UPDATE provisioning.contract SET due_at = now() WHERE id = '{tenant.contract['id']}'")


def state(tenant):
    return contracts.contract_of(tenant)['state']


def verify(data, key):
    """What the program says that customers are given."""
    file = base.world.directory / 'archive.tar'
    file.write_bytes(data)
    return subprocess.run([base.BUILD / 'verify/manabiya-verify', 'archive', '--key', key, file], check=False,
                          stdout=subprocess.PIPE, text=True).stdout.partition(':')[0]


class ClosedContract(FlowTest):
    def enter(self, code, username='kanri'):
        client = base.world.client()
        client.login(code, username, base.PASSWORD)
        return client

    def assertOut(self, client, code, username):
        eventually(lambda: client.send('GET', '/v1/session').status == 401, 'the session is over', base.SOON_S)
        self.assertRefused(401, lambda: self.enter(code, username), 'login_failed')

    def assertOnlyTheExport(self, admin):
        self.assertTrue(admin.get('/v1/session')['contractClosed'])
        self.assertEqual(admin.get('/v1/self')['username'], 'kanri')
        for path in SHUT:
            self.assertRefused(403, lambda at=path: admin.get(at), 'contract_closed')
        self.assertRefused(403, lambda: admin.post('/v1/orgs', name='新しい小学校'), 'contract_closed')
        self.assertNotEqual(admin.get('/v1/exports'), None)

    def test_its_administrator_takes_the_export_away_until_the_purge(self):
        (tenant, _), other = exports.school('sotsugyo'), base.world.tenant('zaigaku')
        key = tenant.admin.get('/v1/audit/log/key')['keys'][0]
        people = {'kanri': tenant.admin, 'sensei': tenant.enter('sensei'), 'jido1': tenant.enter('jido1')}
        contracts.act(tenant.contract['id'], 'close')
        for name in ('sensei', 'jido1'):
            self.assertOut(people[name], 'sotsugyo', name)
        eventually(lambda: people['kanri'].send('GET', '/v1/session').status == 401, 'that session is over, too', base.SOON_S)
        admin = self.enter('sotsugyo')
        self.assertOnlyTheExport(admin)
        exports.begin(admin)
        data = exports.fetch(admin, exports.made(admin)).body
        self.assertEqual(len(exports.lines_of(exports.entries(data), 'user')), 6)
        self.assertEqual(verify(data, key), 'GOOD')
        pass_time(tenant)
        eventually(lambda: state(tenant) == 'grace', 'the days of grace have begun')
        self.assertOnlyTheExport(admin)
        self.assertOut(people['sensei'], 'sotsugyo', 'sensei')
        self.assertEqual(exports.fetch(admin, exports.made(admin)).body, data)
        self.assertFalse(other.admin.get('/v1/session')['contractClosed'])
        pass_time(tenant)
        eventually(lambda: state(tenant) in ('purging', 'erased'), 'the purge has begun')
        self.assertOut(admin, 'sotsugyo', 'kanri')
        eventually(lambda: contracts.erased(tenant), 'the contract is erased', 90)
        self.assertEqual(contracts.folder(tenant), [])

    def test_a_contract_that_is_restored_is_as_it_was(self):
        tenant = base.world.tenant('modoru')
        tenant.enter('jido1')
        contracts.act(tenant.contract['id'], 'close')
        admin = self.enter('modoru')
        self.assertOnlyTheExport(admin)
        contracts.act(tenant.contract['id'], 'restore')
        eventually(lambda: admin.send('GET', '/v1/home').status == 200, 'everything is open', base.SOON_S)
        self.assertFalse(admin.get('/v1/session')['contractClosed'])
        self.enter('modoru', 'jido1').get('/v1/home')

    def test_its_administrator_is_told_when_the_data_go(self):
        tenant = base.world.tenant('itsu')
        self.assertEqual(tenant.admin.get('/v1/contract'), {'state': 'active', 'held': False})
        contracts.act(tenant.contract['id'], 'close')
        admin = self.enter('itsu')
        told = admin.get('/v1/contract')
        self.assertEqual((told['state'], told['held']), ('closed', False))
        due = datetime.fromisoformat(contracts.contract_of(tenant)['dueAt'])
        self.assertEqual(datetime.fromisoformat(told['purgeAt']) - due, timedelta(days=30))
        contracts.act(tenant.contract['id'], 'hold', held=True)
        self.assertEqual(admin.get('/v1/contract'), {'state': 'closed', 'held': True})

    def test_a_suspended_contract_lets_nobody_in(self):
        tenant = base.world.tenant('teishi')
        contracts.act(tenant.contract['id'], 'suspend')
        self.assertOut(tenant.admin, 'teishi', 'kanri')


if __name__ == '__main__':
    unittest.main()
