"""Every change has its event in the log, and every event its change: what a lesson does agrees to the last transaction,
also when processes die in the middle; what somebody does behind the services' backs is named."""

import json
import subprocess
import sys
import unittest
import uuid

import base
from api import Problem
from base import ROOT, FlowTest, eventually
from stack import postgres_bin

sys.path.insert(0, str(ROOT / 'tests'))
from database import tenant_key  # noqa: E402

setUpModule = base.open_world

AGREE_S = 120  # two turns of five seconds each, and a machine that does other things


class CompletenessFlow(FlowTest):
    def setUp(self):
        self.stack, self.tenant = base.world.stack, base.world.tenant('minato')
        self.lesson = self.tenant.lesson()
        self.admin, self.teacher, self.pupil = self.tenant.admin, self.tenant.enter('sensei'), self.tenant.enter('jido1')
        self.tenant_id = self.tenant.contract['tenantId']
        self.made = self.lesson.sent_try(self.pupil)
        self.path = f'/v1/tries/{self.made["id"]}/comments'
        self.settled()
        self.before = {gap['id'] for gap in self.gaps()}

    # ---- what it says ----

    def gaps(self):
        return list(self.admin.pages('/v1/audit/completeness'))

    def new_gaps(self):
        return [gap for gap in self.gaps() if gap['id'] not in self.before]

    def named(self, **what):
        """The one new gap, which must say all of this."""
        def found():
            return [gap for gap in self.new_gaps() if what.items() <= gap.items()]
        gap, = eventually(found, f'a gap that says {what}', AGREE_S)
        return gap

    def settled(self):
        """Until every ledger is empty: whatever was written has been told and compared."""
        eventually(base.ledgers_agree, 'the ledgers agree', AGREE_S)

    def comment(self):
        body = {'positionMs': 1, 'text': f'コメント{uuid.uuid4()}'}
        return self.teacher.send('POST', self.path, body, {'Idempotency-Key': str(uuid.uuid4())})

    def patiently(self):
        """A comment, however long the services take to come back."""
        return eventually(lambda: self.comment().status == 201, 'a change is taken again', AGREE_S)

    def as_service(self, service, text):
        """As somebody who can inject a statement into a handler: the service's role, in the tenant that it has entered."""
        key = (self.stack.keys / 'tenant-mac.key').read_text().strip()
        subprocess.run([postgres_bin() / 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1',
                        '-d', self.stack.conninfo(user=f'manabiya_{service}')], check=True, text=True, capture_output=True,
                       input=f"SET app.tenant = '{tenant_key(self.tenant_id, key=key)}';\n{text};\n")

    # ---- nothing is named without a reason ----

    def test_1_a_lesson_agrees(self):
        self.assertEqual(self.gaps(), [])
        answer = self.admin.get('/v1/audit/completeness')
        self.assertEqual(answer['gapCount'], 0)
        told = {row['service']: row for row in answer['services']}
        self.assertEqual(set(told), set(base.LEDGERS))
        for service in ('auth', 'learning', 'provisioning'):
            self.assertGreater(told[service]['effects'], 0, service)
        stored = self.stack.sql("SELECT count(*) FROM audit.event WHERE operation LIKE 'learning.%'"
                                f" AND tenant_id = '{self.tenant_id}'")
        self.assertEqual(told['learning']['events'], int(stored))

    def test_2_whatever_dies_in_the_middle_nothing_is_named(self):
        for name in ('learning', 'audit', 'auth', 'notification'):
            for _ in range(5):
                self.comment()
            self.stack.kill(name)
            self.stack.restart(name)
            self.patiently()
        self.settled()
        self.assertEqual(self.new_gaps(), [])
        self.assertEqual(self.stack.sql('SELECT count(*) FROM audit.gap'), '0')

    def test_2_neither_is_what_goes_by_the_clock(self):
        self.stack.sql("UPDATE auth.session SET idle_expires_at = idle_expires_at, last_seen_at = now()")
        self.stack.sql("BEGIN; SET ROLE manabiya_owner; SELECT auth.expire(); COMMIT")
        self.settled()
        self.assertEqual(self.new_gaps(), [])

    # ---- what somebody does behind their backs ----

    def test_3_a_hand_in_psql_is_named(self):
        self.comment()
        self.stack.sql(f"UPDATE learning.comment SET position_ms = 7 WHERE try_id = '{self.made['id']}'")
        gap = self.named(kind='effect_without_event', service='learning', relation='comment', verb='UPDATE')
        self.assertGreaterEqual(gap['changed'], 1)
        self.assertEqual(gap['byWhom'], 'postgres psql')
        with self.assertRaisesRegex(Exception, 'TRUNCATE of learning.comment is refused'):
            self.stack.sql('TRUNCATE learning.comment CASCADE')

    def test_3_so_is_an_injected_statement(self):
        self.as_service('learning', 'DELETE FROM learning.goal')
        self.comment()
        self.settled()
        self.assertEqual(self.new_gaps(), [], 'nothing was there to delete')
        self.pupil.put(f'{self.lesson.path}/goal', goal='こしを高く上げる', condition=4)
        self.as_service('learning', 'DELETE FROM learning.goal')
        self.named(kind='effect_without_event', service='learning', relation='goal', verb='DELETE', changed=1, byWhom='psql')
        self.as_service('auth', f"UPDATE auth.account SET status = 'suspended' WHERE id = '{self.tenant.user_id('jido4')}'")
        self.named(kind='effect_without_event', service='auth', relation='account', verb='UPDATE', changed=1)

    def test_3_and_one_that_claims_to_copy_an_event(self):
        taken = self.stack.sql(f"SELECT event_id FROM learning.inbox WHERE tenant_id = '{self.tenant_id}' LIMIT 1")
        invented = "INSERT INTO learning.inbox (event_id, proof) VALUES (gen_random_uuid(), encode(sha256('x'), 'hex'))"
        repeated = f"DELETE FROM learning.inbox WHERE event_id = '{taken}'; INSERT INTO learning.inbox (event_id) VALUES ('{taken}')"
        for condition, claim in enumerate((invented, repeated), 1):
            self.pupil.put(f'{self.lesson.path}/goal', goal='こしを高く上げる', condition=condition)
            self.settled()
            self.before = {gap['id'] for gap in self.gaps()}
            self.as_service('learning', f'BEGIN; {claim}; DELETE FROM learning.goal; COMMIT')
            self.named(kind='effect_without_event', service='learning', relation='goal', verb='DELETE', changed=1)

    def test_3_but_nobody_reads_or_clears_the_ledger(self):
        for text in ('SELECT * FROM learning.ledger', 'DELETE FROM learning.ledger', 'SELECT learning.ledger_take(1)',
                     "SELECT learning.ledger_done('{1}', '{}', '{}')", 'ALTER TABLE learning.try DISABLE TRIGGER ALL',
                     "SELECT tenancy.upkeep('learning', '*', NULL)", 'SET session_replication_role = replica'):
            with self.subTest(text=text), self.assertRaises(subprocess.CalledProcessError) as caught:
                self.as_service('learning', text)
            self.assertRegex(caught.exception.stderr, 'permission denied|must be owner|for the relay')

    def test_4_an_event_that_is_taken_from_the_outbox_is_named(self):
        self.stack.kill('audit')
        try:
            self.assertEqual(self.comment().status, 201)
            event = self.stack.sql("DELETE FROM learning.outbox WHERE type = 'learning.comment_create' RETURNING event_id")
        finally:
            self.stack.restart('audit')
        eventually(lambda: self.admin.send('GET', '/v1/audit/completeness').status == 200, 'audit answers again', AGREE_S)
        self.named(kind='event_missing', service='learning', operation='learning.comment_create', eventId=event)

    def test_4_an_event_that_is_taken_out_of_the_log_later_is_named(self):
        self.comment()
        self.settled()
        last = f"tenant_id = '{self.tenant_id}' AND operation = 'learning.comment_create' ORDER BY sequence DESC LIMIT 1"
        gone = int(self.stack.sql(f"DELETE FROM audit.event WHERE id = (SELECT id FROM audit.event WHERE {last}) RETURNING sequence"))
        self.named(kind='event_removed', service='audit', firstSequence=gone, lastSequence=gone)

    def test_5_an_event_that_nobody_wrote_is_named(self):
        """Under whatever name: of one that is no service's, audit is asked."""
        asked = {'learning.try_submit': 'learning', 'audit.log_gap': 'audit', 'gateway.requests': 'audit',
                 'learningx.try_submit': 'audit', 'Learning.try_submit': 'audit', 'x' * 80: 'audit'}
        forged = {operation: self.forge(operation) for operation in asked}
        for operation, service in asked.items():
            self.named(kind='event_unknown', service=service, operation=operation[:64], eventId=forged[operation])

    def forge(self, operation):
        """As somebody who has audit's database. The id of the event."""
        event = str(uuid.uuid4())
        line = json.dumps({'api': {'operation': operation}, 'status_id': 1, 'time': 1767225600000,
                           'metadata': {'tenant_uid': self.tenant_id, 'uid': event}}, separators=(',', ':'))
        self.stack.sql("SELECT audit.append("
                       f"ARRAY['{self.tenant_id}']::uuid[], ARRAY['{event}']::uuid[], ARRAY[1767225600000], "
                       f"ARRAY['{operation}'], ARRAY['success'], ARRAY[''], ARRAY[''], ARRAY[NULL], ARRAY[NULL], ARRAY['{line}'])")
        return event

    def test_6_the_administrators_and_the_operator_are_told(self):
        self.stack.sql(f"UPDATE learning.try SET shared = shared WHERE id = '{self.made['id']}'")
        self.named(kind='effect_without_event', relation='try')
        for client in (self.admin, base.world.operator):
            eventually(lambda: any(row['kind'] == 'incomplete_log' for row in client.get('/v1/audit/anomalies')['items']),
                       'it is shown among what is unusual', AGREE_S)
        eventually(lambda: base.events(self.admin, operation='audit.log_gap'), 'the log says so itself', AGREE_S)
        self.assertNotIn('learning', json.dumps(base.world.operator.get('/v1/audit/completeness')['items']), 'to their own only')
        with self.assertRaises(Problem):
            self.teacher.get('/v1/audit/completeness')


if __name__ == '__main__':
    unittest.main()
