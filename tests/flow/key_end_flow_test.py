"""Old versions of a tenant's key: kept while anything needs them or nobody can say, then destroyed with a receipt, once."""

import os
import re
import subprocess
import time
import unittest

import base
from base import FlowTest, eventually
from stack import Stack

COMMENT = 'まえより高くなった'
AN_HOUR = 3600

# The statement that says that a version is destroyed waits for whoever holds this lock.
HOLD = """
    CREATE FUNCTION provisioning.hold() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END $$;
    CREATE TRIGGER hold BEFORE UPDATE ON provisioning.key_version FOR EACH ROW
        WHEN (NEW.fingerprint IS NOT NULL) EXECUTE FUNCTION provisioning.hold();
"""


def destroys_at_once(directory):
    return Stack(directory, base.BUILD, extra={'provisioning': {'key-version-days': 0}}, replicas=('nas',))


def setUpModule():
    base.open_world(destroys_at_once)


class KeyEndFlow(FlowTest):
    def setUp(self):
        self.stack = base.world.stack
        self.tenant = base.world.tenant(self._testMethodName.replace('_', '-')[-20:].strip('-'))
        self.id = self.tenant.contract['tenantId']
        self.keyring, self.replica = self.stack.keyring, self.stack.replicas['nas']
        lesson = self.tenant.lesson()
        self.path = f'/v1/tries/{lesson.sent_try(self.tenant.enter("jido1"))["id"]}/comments'
        self.tenant.enter('sensei').post(self.path, positionMs=100, text=COMMENT)

    def rotate(self, age=AN_HOUR):
        """As if it had been an hour ago, and a day since anybody asked for anything that may be asked again: no request holds
        the old version any more, and no answer lies under it."""
        for service in ('provisioning', 'learning', 'notification'):
            self.stack.sql(f"UPDATE {service}.idempotency SET created_at = now() - interval '25 hours' WHERE keys_of = '{self.id}'")
        said = subprocess.run([base.BUILD / 'ctl/manabiyactl', 'keyring', 'rotate', '--keyring', self.keyring, '--keyring-root',
                               self.stack.keys / 'keyring-root.key', '--tenant', self.id],
                              check=True, stdout=subprocess.PIPE, text=True).stdout
        version = int(re.search(r'version (\d+)', said)[1])
        past = time.time() - age
        os.utime(self.file(version), (past, past))
        return version

    def file(self, version):
        return self.keyring / f'{self.id}.{version}.key'

    def row(self, column, version=1):
        return self.stack.sql(f"SELECT {column} FROM provisioning.key_version WHERE customer_tenant_id = '{self.id}'"
                              f' AND version = {version}')

    def look_again(self, *services):
        """Jobs run when a service starts; what was tried a moment ago is tried again."""
        self.stack.sql(f"UPDATE provisioning.key_version SET tried_at = '-infinity' WHERE customer_tenant_id = '{self.id}'")
        for name in (*services, 'provisioning'):
            self.stack.restart(name)
        if services:
            self.stack.wait_ready()

    def until(self, condition, what):
        """Rounds are a minute apart; here the next begins when provisioning has tried and that showed nothing, or tries nothing."""
        end = time.monotonic() + 2 * base.SETTLE_S
        while time.monotonic() < end:
            self.look_again('learning', 'notification')
            try:
                eventually(lambda: condition() or self.has_tried(), what, seconds=5)
            except AssertionError:
                continue
            if value := condition():
                return value
        raise AssertionError(what)

    def has_tried(self):
        """Since look_again()."""
        return self.row('tried_at') not in ('', '-infinity')

    def events(self, client, operation, version):
        found = client.get(f'/v1/audit/events?operation=provisioning.{operation}&limit=200')['items']
        return [event for event in found if event['objectId'] == f'{self.id}.{version}']

    def assert_over(self):
        self.assertEqual(self.row('fingerprint'), self.receipt()[1])
        self.assertFalse(self.file(1).exists() or (self.replica / self.file(1).name).exists())
        self.assertEqual((self.replica / f'receipt.{self.id}.1').read_text(), (self.keyring / f'receipt.{self.id}.1').read_text())
        for client in (self.tenant.admin, base.world.operator):
            for event in (('key_version_create', 2), ('key_version_destroy', 1)):
                eventually(lambda client=client, event=event: self.events(client, *event), 'the event in the log')
                self.assertEqual(len(self.events(client, *event)), 1)
            self.assertEqual(self.events(client, 'key_version_create', 1), [])
        teacher = self.tenant.enter('sensei')
        self.assertEqual(teacher.get(self.path)['items'][0]['text'], COMMENT)
        self.assertEqual([version['version'] for version in self.tenant.admin.get('/v1/keys')['provisioning']['versions']], [2])

    def receipt(self):
        text = (self.keyring / f'receipt.{self.id}.1').read_text()
        return re.fullmatch(r'destroyed (\S+)\nkey (1\.key=[0-9a-f]{32})\n', text).groups()

    def told(self):
        rows = base.world.operator.pages('/v1/keys/versions')
        return next(row for row in rows if row['tenantId'] == self.id)['versions']

    def test_what_is_empty_ends_and_all_is_read_as_before(self):
        eventually((self.replica / self.file(1).name).exists, 'the key is in the replica')
        self.rotate()
        away = self.replica.rename(base.world.directory / 'away')
        self.until(lambda: not self.file(1).exists(), 'version 1 is gone from the keyring')
        eventually(lambda: f'the end of version 1 of {self.id} waits for replicas of the keyring: nas' in
                   (self.stack.logs / 'provisioning.log').read_text(), 'it waits for the replica')
        self.assertEqual(self.row("coalesce(destroyed_at::text, 'not yet')"), 'not yet')
        first = eventually(lambda: self.told()[0].get('waitsFor') and self.told()[0], 'the operator is told for which')
        self.assertEqual((first['version'], first['waitsFor']), (1, 'nas'))
        self.assertNotIn('destroyedAt', first)
        self.assertTrue((away / self.file(1).name).exists())
        away.rename(self.replica)
        self.until(lambda: self.row('destroyed_at'), 'version 1 is destroyed')
        self.assert_over()
        versions = self.told()
        self.assertIn('destroyedAt', versions[0])
        self.assertNotIn('waitsFor', versions[0])
        self.assertNotIn('madeAt', versions[0])
        self.assertNotIn('destroyedAt', versions[1])
        self.assertGreater(versions[1]['sealed'], 0)

    def test_who_still_has_the_old_one_is_waited_for(self):
        """A request may have looked the key up before the rotation, and seal with it minutes later."""
        newest = self.file(self.rotate(age=0))
        for _ in range(3):  # as many rounds as it takes to count, decide and destroy
            self.look_again('learning', 'notification')
            eventually(lambda: self.tenant.enter('sensei').get(self.path)['items'], 'all are back')
            time.sleep(2)
        self.assertTrue(self.file(1).exists())
        self.assertEqual(self.row('count(empty_since)'), '0')
        past = time.time() - AN_HOUR
        os.utime(newest, (past, past))
        self.until(lambda: self.row('destroyed_at'), 'version 1 is destroyed')
        self.assert_over()

    def test_a_service_that_is_away_is_no_zero(self):
        self.rotate()
        self.stack.kill('learning')
        self.addCleanup(self.stack.wait_ready)
        self.addCleanup(self.stack.restart, 'learning')
        self.look_again()
        eventually(lambda: self.said() and self.has_tried(), 'it was tried')
        self.assertEqual(self.row("coalesce(empty_since::text, 'not empty')"), 'not empty')
        self.assertTrue(self.file(1).exists())
        self.until(lambda: self.row('destroyed_at'), 'version 1 is destroyed when all have said so')
        self.assert_over()

    def said(self):
        lines = (self.stack.logs / 'provisioning.log').read_text().splitlines()
        return next((line for line in lines if f'version 1 of {self.id} cannot be counted' in line), None)

    def test_kill_9_between_the_key_and_its_record(self):
        self.rotate()
        self.stack.sql(HOLD)
        self.addCleanup(self.stack.sql, 'DROP FUNCTION provisioning.hold CASCADE')
        with subprocess.Popen(['psql', '-XqAt', self.stack.conninfo()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as psql:
            psql.stdin.write("SELECT 'held' || pg_advisory_lock(4711);\n")
            psql.stdin.flush()
            self.assertEqual(psql.stdout.readline(), 'held\n')
            self.until(lambda: not self.file(1).exists(), 'the key is gone, its record waits')
            self.stack.kill('provisioning')
            psql.stdin.close()
        self.assertEqual(self.row("coalesce(destroyed_at::text, 'not yet')"), 'not yet')
        at = self.receipt()[0]
        self.until(lambda: self.row('destroyed_at'), 'the record is there')
        self.assertEqual(self.row('tenancy.stamp(destroyed_at)'), at)
        self.assert_over()

    def test_what_waits_for_delivery_keeps_its_key(self):
        """A dead letter under the old version: until it is redriven or removed."""
        self.stack.sql("INSERT INTO learning.outbox (tenant_id, consumer, kind, type, event_id, body, dead_reason)"
                       f" VALUES ('{self.id}', 'notification', 'event', 'x', gen_random_uuid(), 'AQAAAAABxxxx', 'test')")
        self.rotate()
        self.until(lambda: self.row('sealed') == '1', 'all but the letter is sealed anew')
        self.assertEqual(self.row("coalesce(empty_since::text, 'not empty')"), 'not empty')
        # Even if it was decided already: somebody may have redriven it, or restored a backup, meanwhile.
        self.stack.sql("UPDATE provisioning.key_version SET empty_since = now(), destroying_at = now(), tried_at = '-infinity'"
                       f" WHERE customer_tenant_id = '{self.id}' AND version = 1")
        self.until(lambda: self.row('destroying_at') == '' or not self.file(1).exists(), 'everybody is asked again')
        self.assertTrue(self.file(1).exists())
        self.assertEqual(self.row("coalesce(empty_since::text, 'not empty')"), 'not empty')
        self.stack.sql("DELETE FROM learning.outbox WHERE dead_reason = 'test'")
        self.until(lambda: self.row('destroyed_at'), 'version 1 is destroyed')
        self.assert_over()


if __name__ == '__main__':
    unittest.main()
