"""The end of a contract, as its people and the operator see it."""

import re
import subprocess
import time
import unittest
import uuid

import base
import export_flow_test as exports
from base import FlowTest, erase_user, eventually
from stack import Stack


def setUpModule():
    base.open_world(lambda directory: Stack(directory, base.BUILD, extra={
        'provisioning': {'contract-export-days': 0, 'contract-grace-days': 0}}, replicas=('nas', 'vault')))


def act(contract_id, what, **body):
    """What an operator does to a contract, having read it."""
    operator = base.world.operator
    read = operator.send('GET', f'/v1/contracts/{contract_id}')
    method = 'PUT' if what == 'hold' else 'POST'
    return operator.call(method, f'/v1/contracts/{contract_id}/{what}', {'reason': '契約終了のため', **body},
                         {'If-Match': read.headers['ETag']})


class ContractFlow(FlowTest):
    def test_a_suspended_contract_is_shut_until_it_is_restored(self):
        tenant, other = base.world.tenant('yasumi'), base.world.tenant('tonari')
        contract, pupil = tenant.contract['id'], tenant.enter('jido1')
        pupil.get('/v1/home')
        act(contract, 'suspend')
        eventually(lambda: pupil.send('GET', '/v1/home').status == 401, 'the session is over', base.SOON_S)
        self.assertRefused(401, lambda: base.world.client().login('yasumi', 'jido1', base.PASSWORD), 'login_failed')
        other.enter('jido1').get('/v1/home')
        act(contract, 'restore')
        base.world.client().login('yasumi', 'jido1', base.PASSWORD)

    def test_the_customer_reads_in_the_own_log_what_was_done(self):
        tenant = base.world.tenant('kiroku')
        act(tenant.contract['id'], 'hold', held=True)
        row = eventually(lambda: base.events(tenant.admin, operation='provisioning.contract_hold_put'), 'the event is in the log')[0]
        self.assertEqual(row['objectId'], tenant.contract['id'])

    def test_what_has_changed_meanwhile_is_read_again_first(self):
        contract = base.world.tenant('dare').contract['id']
        operator = base.world.operator
        old = operator.send('GET', f'/v1/contracts/{contract}').headers['ETag']
        act(contract, 'suspend')
        self.assertRefused(412, lambda: operator.call('POST', f'/v1/contracts/{contract}/restore', {'reason': 'x'}, {'If-Match': old}),
                           'stale')

    def test_a_purge_removes_everything_of_one_tenant_and_nothing_of_another(self):
        gone, stays = base.world.tenant('owari'), base.world.tenant('nokori')
        for tenant in (gone, stays):
            tenant.lesson().sent_try(tenant.enter('jido1'))
        for tenant in (gone, stays):
            exports.begin(tenant.admin)
            exports.made(tenant.admin)
        self.assertGreater(sum(rows(gone).values()), 20)
        eventually(lambda: nothing_waits(stays), 'what happened is told everywhere')
        before = rows(stays)
        act(gone.contract['id'], 'close')
        contract = eventually(lambda: erased(gone), 'the contract is erased', 90)
        self.assertEqual({table: n for table, n in rows(gone).items() if n}, {})
        self.assertEqual(folder(gone), [])
        self.assertEqual(keys(gone), [])
        self.assertEqual((rows(stays), bool(folder(stays)), bool(keys(stays))), (before, True, True))
        stores = {row['store']: row['removed'] for row in contract['stores']}
        self.assertEqual((stores['learning.try'], stores['learning.export'], stores['auth.account']), (1, 1, 6))
        self.assertGreater(stores['learning.files'], 2)  # two videos, and what the export has written
        self.assertEqual(contract['stepsDone'], contract['steps'])
        self.assertIn(gone.contract['tenantId'], (base.world.directory / 'keyring/erased.ledger').read_text())

    def test_a_purge_goes_on_where_kill_9_left_it(self):
        stack, tenant = base.world.stack, base.world.tenant('tochu')
        tenant.lesson().sent_try(tenant.enter('jido1'))
        stack.kill('learning')
        act(tenant.contract['id'], 'close')
        for stopped, following, step in (('learning', 'audit', 1), ('audit', None, 4)):
            eventually(lambda at=step: contract_of(tenant).get('stepsDone') == at, f'it waits for {stopped}', 60)
            if step == 1:  # before anything is gone even the administrators are out
                self.assertRefused(401, lambda: base.world.client().login('tochu', 'kanri', base.PASSWORD), 'login_failed')
            stack.kill('provisioning')
            if following:
                stack.kill(following)
            for name in (stopped, 'provisioning'):
                stack.restart(name)
        stack.wait_ready(['learning', 'provisioning', 'audit'])
        contract = eventually(lambda: erased(tenant), 'the contract is erased', 90)
        self.assertEqual({table: n for table, n in rows(tenant).items() if n}, {})
        stores = {row['store']: row['removed'] for row in contract['stores']}
        self.assertEqual((stores['learning.try'], stores['provisioning.person'], stores['auth.account']), (1, 6, 6))

    def test_a_pupil_who_is_deleted_leaves_nothing_behind(self):
        tenant = base.world.tenant('tenkou')
        lesson, sql, leaves, stays = tenant.lesson(), base.world.stack.sql, tenant.enter('jido1'), tenant.enter('jido2')
        for pupil in (leaves, stays):
            pupil.put(f'{lesson.path}/goal', goal='めあて', condition=4)
            made = lesson.sent_try(pupil)
            lesson.teacher.post(f'/v1/tries/{made["id"]}/comments', positionMs=1, text='よい')
            pupil.put(f'/v1/tries/{made["id"]}/reflection', feeling=2)
        gone, videos = tenant.user_id('jido1'), len([path for path in folder(tenant) if path.is_file()])
        erase_user(tenant.admin, gone)
        eventually(lambda: sql(f"SELECT count(*) FROM learning.media WHERE uploader_id = '{gone}'") == '0', 'the videos are gone')
        for table in ('try', 'goal'):
            self.assertEqual(sql(f"SELECT count(*) FROM learning.{table} WHERE user_id = '{gone}'"), '0')
        self.assertEqual(len([path for path in folder(tenant) if path.is_file()]), videos - 1)
        own = stays.get(f'/v1/tries/{made["id"]}')
        self.assertEqual((own['try']['id'], len(stays.get(f'/v1/tries/{made["id"]}/comments')['items'])), (made['id'], 1))
        self.assertNotIn(gone, [row['userId'] for row in lesson.board()])

    def test_who_is_deleted_comes_back_until_the_day_and_then_is_erased_with_a_certificate(self):
        tenant, stack = base.world.tenant('kaeru'), base.world.stack
        admin, lesson, pupil, gone = tenant.admin, tenant.lesson(), tenant.enter('jido1'), tenant.user_id('jido1')
        pupil.put(f'{lesson.path}/goal', goal='めあて', condition=4)
        made = lesson.sent_try(pupil)
        lesson.teacher.post(f'/v1/tries/{made["id"]}/comments', positionMs=1, text='よい')
        admin.call('DELETE', f'/v1/users/{gone}')
        self.assertEqual(admin.get(f'/v1/users/{gone}')['status'], 'tobedeleted')
        eventually(lambda: pupil.send('GET', '/v1/home').status == 401, 'the session is over', base.SOON_S)
        self.assertRefused(401, lambda: base.world.client().login('kaeru', 'jido1', base.PASSWORD), 'login_failed')
        admin.post(f'/v1/users/{gone}/restore')
        pupil = base.world.client()
        pupil.login('kaeru', 'jido1', base.PASSWORD)
        self.assertEqual(pupil.get(f'/v1/tries/{made["id"]}')['try']['id'], made['id'])

        admin.call('DELETE', f'/v1/users/{gone}')
        stack.kill('learning')  # the first step asks it
        stack.sql(f"UPDATE provisioning.user_erasure SET due_at = now() WHERE user_id = '{gone}'")
        self.assertEqual(admin.get('/v1/erasures')['items'][0]['state'], 'erasing')
        stack.kill('provisioning')
        for name in ('provisioning', 'learning'):
            stack.restart(name)
        stack.wait_ready(['learning', 'provisioning'])
        erasure = eventually(lambda: certified_erasure(admin, gone), 'it is certified', 90)
        self.assertEqual(admin.send('GET', f'/v1/users/{gone}').status, 404)
        text = admin.send('GET', f'/v1/erasures/{erasure["id"]}/certificate').body.decode()
        for line in (f'tenant {tenant.contract["tenantId"]}', f'user {gone}', 'removed 1 learning.try', 'removed 1 learning.comment',
                     'removed 1 learning.media', 'removed 1 provisioning.person'):
            self.assertIn(f'\n{line}\n', text)
        self.assertRegex(text, r'\nkey user=[0-9a-f]{32}\n')
        self.assertRegex(text, r'\nremoved [1-9][0-9]* notification.notice\n')
        own, stranger = (of.get('/v1/audit/log/key')['keys'][0] for of in (admin, base.world.tenant('tonari').admin))
        self.assertEqual([verify(text, own), verify(text, stranger)], ['GOOD', 'UNSIGNED'])
        self.assertEqual(verify(text.replace('removed 1 learning.try', 'removed 0 learning.try'), own), 'UNSIGNED')
        self.assertEqual(base.world.tenant('tonari').admin.get('/v1/erasures')['items'], [])

    def test_nothing_is_certified_while_a_service_has_something_left(self):
        """Here because the database does not let go of it."""
        tenant, stack = base.world.tenant('tomeru'), base.world.stack
        admin, gone = tenant.admin, tenant.user_id('jido1')
        tenant.enter('jido1').put(f'{tenant.lesson().path}/goal', goal='めあて', condition=4)
        stack.sql("""CREATE FUNCTION learning.keeps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
            CREATE TRIGGER keeps BEFORE DELETE ON learning.goal FOR EACH ROW EXECUTE FUNCTION learning.keeps()""")
        self.addCleanup(stack.sql, 'DROP FUNCTION IF EXISTS learning.keeps CASCADE')
        erase_user(admin, gone)
        found = eventually(lambda: base.events(admin, operation='provisioning.user_erase'), 'the event is in the log')
        eventually(lambda: admin.send('GET', f'/v1/audit/events/{found[0]["id"]}/proof').status == 200, 'it is proven')
        stack.restart('provisioning')  # jobs run when it starts
        stack.wait_ready(['provisioning'])
        time.sleep(5)
        self.assertEqual(erasure_of(admin, gone)['state'], 'erasing')
        self.assertEqual(stack.sql(f"SELECT count(*) FROM learning.goal WHERE user_id = '{gone}'"), '1')
        stack.sql('DROP FUNCTION learning.keeps CASCADE')
        stack.sql(f"SET session_replication_role = replica; DELETE FROM learning.goal WHERE user_id = '{gone}'")
        eventually(lambda: certified_erasure(admin, gone), 'it is certified', 90)

    def test_a_certificate_is_checked_with_the_key_that_the_customer_kept(self):
        tenant, operator = base.world.tenant('shoumei'), base.world.operator
        own, others = (client.get('/v1/audit/log/key')['keys'][0] for client in (tenant.admin, operator))
        stranger = base.world.tenant('tonari').admin.get('/v1/audit/log/key')['keys'][0]
        path = f'/v1/contracts/{tenant.contract["id"]}/certificate'
        self.assertRefused(404, lambda: operator.get(path), 'certificate_not_ready')
        act(tenant.contract['id'], 'close')
        eventually(lambda: contract_of(tenant).get('certified'), 'it is certified', 90)
        text = operator.send('GET', path).body.decode()
        for line in (f'tenant {tenant.contract["tenantId"]}', 'removed 6 auth.account', 'code shoumei'):
            self.assertIn(f'\n{line}\n', text)
        self.assertRegex(text, r'\nkey 1\.key=[0-9a-f]{32}\n')
        for key in (own, others):
            self.assertEqual(verify(text, key), 'GOOD')
        self.assertEqual(verify(text, stranger), 'UNSIGNED')
        self.assertEqual(verify(text.replace('removed 6', 'removed 5'), own), 'UNSIGNED')

    def test_and_the_log_agrees_with_all_of_it(self):
        """Alone or behind the others: what a suspension, a purge and the kill within one have changed has its events."""
        tenant = base.world.tenant('seiri')
        tenant.enter('jido1')
        act(tenant.contract['id'], 'close')
        eventually(lambda: contract_of(tenant).get('certified'), 'it is certified', 90)
        eventually(base.ledgers_agree, 'the ledgers agree', 120)
        self.assertEqual(base.world.stack.sql('SELECT * FROM audit.gap'), '')


class Replicas(FlowTest):
    """Of the keyring: while one is away nobody but the end of keys waits for it."""

    def setUp(self):
        self.stack, self.keyring = base.world.stack, base.world.stack.keyring
        self.nas, self.vault = self.stack.replicas.values()
        self.away = base.world.directory / 'away'

    def are_level(self):
        try:
            ours, *theirs = ({path.name: path.read_bytes() for path in place.iterdir()}
                             for place in (self.keyring, self.nas, self.vault))
        except FileNotFoundError:  # temporary ones come and go
            return False
        return all(files == ours for files in theirs)

    def behind(self):
        figures = self.stack._ask_admin('/metrics')[1]
        return dict(re.findall(r'^manabiya_keyring_replica_behind{replica="(\w+)"} (\d)', figures, re.M))

    def holds(self, directory, tenant, slot):
        """Whether there is still anything of the tenant's keys, and of the user's."""
        users = [path.read_bytes() for path in directory.glob('*.users')]
        return bool(list(directory.glob(f'{tenant.contract["tenantId"]}.*'))), any(slot in content for content in users)

    def test_1_what_is_destroyed_is_destroyed_in_each_and_nothing_is_certified_before(self):
        gone, stays, operator = base.world.tenant('utsusu'), base.world.tenant('nokosu'), base.world.operator
        gone.enter('jido1')
        child, path = stays.user_id('jido2'), f'/v1/contracts/{gone.contract["id"]}'
        lesson = stays.lesson()
        stays.enter('jido2').put(f'{lesson.path}/goal', goal='めあて', condition=4)
        eventually(self.are_level, 'the replicas are level')
        users = (self.keyring / f'{stays.contract["tenantId"]}.users').read_bytes()
        at = users.index(uuid.UUID(child).bytes)
        slot = users[at + 16:at + 48]
        files = len(keys(gone))
        self.assertEqual([self.holds(place, gone, slot) for place in (self.keyring, self.nas, self.vault)], [(True, True)] * 3)

        self.nas.rename(self.away)
        act(gone.contract['id'], 'close')
        erase_user(stays.admin, child)
        contract = eventually(lambda: contract_of(gone).get('waitsFor') and contract_of(gone), 'the purge waits for it', 60)
        self.assertEqual((contract['waitsFor'], contract['state'], contract['stepsDone']), ('nas', 'purging', 6))
        eventually(lambda: erasure_of(stays.admin, child).get('waitsFor') == 'nas', 'the end of the child too')
        self.assertEqual(erasure_of(stays.admin, child)['state'], 'erasing')
        self.assertEqual([self.holds(place, gone, slot) for place in (self.keyring, self.away, self.vault)],
                         [(False, False), (True, True), (False, False)])
        # Nobody else waits, and who looks is told.
        stays.admin.post('/v1/users', username='atarashii', role='student', familyName='新', givenName='人', kanaFamilyName='あたらしい',
                         kanaGivenName='ひと', grade='P3')
        eventually(lambda: self.behind() == {'nas': '1', 'vault': '0'}, 'the figures say it')
        self.assertEqual(self.stack.readiness()[0], 200)
        self.assertIn('"message":"keyring replica is behind","replica":"nas"', (self.stack.logs / 'provisioning.log').read_text())

        self.stack.kill('provisioning')  # -9, between the keyring and the replica
        self.nas.write_text('where a disk should be')
        self.stack.restart('provisioning')
        self.stack.wait_ready(['provisioning'])
        eventually(lambda: contract_of(gone).get('waitsFor') == 'nas', 'it waits for it again')
        self.assertEqual(operator.send('GET', f'{path}/certificate').status, 404)
        self.nas.unlink()
        self.away.rename(self.nas)
        self.stack.restart('provisioning')  # which sees no directory that was not there at its start
        eventually(lambda: contract_of(gone).get('certified'), 'it is certified', 90)
        erasure = eventually(lambda: certified_erasure(stays.admin, child), 'the end of the child too', 90)
        self.assertEqual([self.holds(place, gone, slot) for place in (self.keyring, self.nas, self.vault)], [(False, False)] * 3)
        for place in (self.nas, self.vault):
            self.assertEqual((place / f'receipt.{gone.contract["tenantId"]}').read_bytes(),
                             (self.keyring / f'receipt.{gone.contract["tenantId"]}').read_bytes())
            self.assertIn(child, (place / 'erased.ledger').read_text())
        self.assertNotIn('waitsFor', contract_of(gone))
        self.assertNotIn('waitsFor', erasure_of(stays.admin, child))

        text = operator.send('GET', f'{path}/certificate').body.decode()
        childs = stays.admin.send('GET', f'/v1/erasures/{erasure["id"]}/certificate').body.decode()
        for verb, store in (('removed', 'keyring'), ('gone', 'keyring.nas'), ('gone', 'keyring.vault')):
            self.assertIn(f'\n{verb} {files} {store}\n', text)
            self.assertIn(f'\n{verb} 1 {store}\n', childs)
        self.assertEqual(verify(text, operator.get('/v1/audit/log/key')['keys'][0]), 'GOOD')
        self.assertEqual(verify(childs, stays.admin.get('/v1/audit/log/key')['keys'][0]), 'GOOD')
        eventually(self.are_level, 'the replicas are level')

    def test_2_a_replica_takes_the_place_of_a_keyring_that_is_lost(self):
        tenant, lost, log = base.world.tenant('ushinau'), base.world.directory / 'lost', self.stack.logs / 'provisioning.log'
        lesson, pupil, child = tenant.lesson(), tenant.enter('jido1'), tenant.user_id('jido2')
        pupil.put(f'{lesson.path}/goal', goal='さかだち', condition=4)
        erase_user(tenant.admin, child)
        eventually(lambda: certified_erasure(tenant.admin, child), 'the child is erased', 60)
        eventually(self.are_level, 'the replicas are level')
        holders = ('auth', 'provisioning', 'learning', 'notification')
        for name in holders:
            self.stack.processes[name].stop()
        self.keyring.rename(lost)
        self.keyring.mkdir(mode=0o700)
        before = len(log.read_text())
        self.stack.processes['provisioning'].start()
        eventually(lambda: not self.stack.processes['provisioning'].is_alive(), 'it does not start with an empty one')
        self.assertIn('it belongs to a keyring, and --keyring to none', log.read_text()[before:])
        self.assertEqual(list(self.keyring.iterdir()), [])
        self.assertTrue(list(self.nas.glob(f'{tenant.contract["tenantId"]}.*')))

        subprocess.run(['cp', '-a', f'{self.nas}/.', self.keyring], check=True)  # as docs/operations.md says
        for name in holders:
            self.stack.restart(name)
        self.stack.wait_ready(holders)
        pupil = base.world.client()
        pupil.login('ushinau', 'jido1', base.PASSWORD)
        self.assertEqual(pupil.get(f'{lesson.path}/goal')['goal'], 'さかだち')
        self.assertEqual(tenant.admin.send('GET', f'/v1/users/{child}').status, 404)
        self.assertIn(child, (self.keyring / 'erased.ledger').read_text())
        tenant.admin.post('/v1/users', username='atarashii', role='student', familyName='新', givenName='人', kanaFamilyName='あたらしい',
                          kanaGivenName='ひと', grade='P3')
        eventually(lambda: self.are_level() and self.behind() == {'nas': '0', 'vault': '0'}, 'the replicas are level')


def erasure_of(admin, user_id):
    answer = admin.send('GET', '/v1/erasures')  # provisioning may be away
    return answer.status == 200 and next((row for row in answer.json['items'] if row['userId'] == user_id), None) or {}


def certified_erasure(admin, user_id):
    erasure = erasure_of(admin, user_id)
    return erasure if erasure.get('state') == 'certified' else None


def verify(text, key):
    """What the program says that customers are given."""
    file = base.world.directory / 'certificate.txt'
    file.write_text(text)
    return subprocess.run([base.BUILD / 'verify/manabiya-verify', 'certificate', '--key', key, file], check=False,
                          stdout=subprocess.PIPE, text=True).stdout.partition(':')[0]


# What stays of a tenant: the log, which holds ids and no names, its way there, and what is compared with it.
KEPT = ('audit.', 'tenancy.purged', '.outbox', '.ledger')


def rows(tenant):
    """How many rows each table has of a tenant."""
    sql, found = base.world.stack.sql, {}
    tables = sql("SELECT c.oid::regclass FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
                 " WHERE c.relkind = 'r' ORDER BY 1").split()
    counts = ', '.join(f"(SELECT count(*) FROM {table} WHERE tenant_id = '{tenant.contract['tenantId']}')" for table in tables)
    for table, n in zip(tables, sql(f'SELECT {counts}').split('|'), strict=True):
        if not any(name in table for name in KEPT):
            found[table] = int(n)
    return found


def nothing_waits(tenant):
    """Neither an event nor a mail of it: they go by themselves."""
    queues = ('auth.outbox', 'provisioning.outbox', 'learning.outbox', 'notification.outbox', 'notification.mail')
    return all(base.world.stack.sql(f"SELECT count(*) FROM {queue} WHERE tenant_id = '{tenant.contract['tenantId']}'") == '0'
               for queue in queues)


def folder(tenant):
    return list((base.world.directory / 'media' / tenant.contract['tenantId']).rglob('*'))


def keys(tenant):
    return list((base.world.directory / 'keyring').glob(tenant.contract['tenantId'] + '.*'))


def contract_of(tenant):
    answer = base.world.operator.send('GET', f'/v1/contracts/{tenant.contract["id"]}')
    return answer.json if answer.status == 200 else {}  # provisioning may be away


def erased(tenant):
    contract = contract_of(tenant)
    return contract.get('state') == 'erased' and contract


if __name__ == '__main__':
    unittest.main()
