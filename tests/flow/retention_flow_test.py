"""What a contract has kept long enough goes, by its class, from wherever it was; what was raised, what another contract has and
what is held stays. Time is made to pass in the database, with its triggers off, since it is nobody's doing."""

import json
import unittest

import base
import contract_flow_test as contracts
import export_flow_test as exports
from base import FlowTest, eventually

GONE_S = 90  # the job looks every ten seconds
AGREE_S = 120
GRADES = {'knowledgeAndSkills': 'A', 'thinkingJudgementExpression': 'B', 'proactiveAttitude': 'A'}
RULES = [{'kind': 'record', 'label': 'III', 'days': 100}, {'kind': 'record', 'label': 'II', 'days': 300},
         {'kind': 'announcement', 'label': 'IV', 'days': 100}]
OLDER = (('try', 'created_at'), ('try', 'submitted_at'), ('try', 'answered_at'), ('comment', 'created_at'),
         ('evaluation', 'evaluated_at'), ('reflection', 'written_at'), ('goal', 'written_at'), ('media', 'created_at'),
         ('media', 'completed_at'))
MANY = 300  # tries, of which fifty go at a time


def setUpModule():
    base.open_world()
    global here, there
    here, there = School('minato'), School('tonari')


class School:
    """A contract with a try of class III about which everything was said, one that its pupil raised, and an announcement."""

    def __init__(self, code):
        self.tenant = base.world.tenant(code)
        self.id, self.admin = self.tenant.contract['tenantId'], self.tenant.admin
        self.lesson, self.pupil = self.tenant.lesson(), self.tenant.enter('jido1')
        self.pupil.put(f'{self.lesson.path}/goal', goal='ひざをのばす', condition=4)
        self.plain, self.raised = (self.lesson.sent_try(self.pupil) for _ in range(2))
        path = f'/v1/tries/{self.plain["id"]}'
        self.lesson.teacher.post(f'{path}/comments', positionMs=100, text='よくできました。')
        self.lesson.teacher.put(f'{path}/evaluation', **GRADES)
        self.pupil.put(f'{path}/reflection', feeling=3)
        self.pupil.put(f'/v1/tries/{self.raised["id"]}/label', label='II')
        self.news = self.admin.post('/v1/announcements', title='行事', body='あした', audience='everyone')

    def has(self, made):
        """Whether its pupil sees a try: itself, in the list, its video; and a file of it lies there."""
        video = f'/v1/media/{made["mediaId"]}/content'
        seen = {self.pupil.send('GET', f'/v1/tries/{made["id"]}').status == 200,
                made['id'] in self.pupil.send('GET', '/v1/tries').body.decode(),
                self.pupil.send('GET', video).status == 200,
                any((base.world.stack.directory / 'media' / self.id).rglob(f'{made["mediaId"]}*'))}
        if len(seen) > 1:
            raise AssertionError(f'{made["id"]} is here and not there')
        return seen.pop()

    def let_pass(self, days):
        moved = ''.join(f"UPDATE learning.{table} SET {column} = {column} - interval '{days} days' WHERE tenant_id = '{self.id}';"
                        for table, column in OLDER)
        base.world.stack.sql(f"SET session_replication_role = replica; {moved}"
                             f"UPDATE notification.announcement SET created_at = created_at - interval '{days} days'"
                             f" WHERE tenant_id = '{self.id}'")

    def set(self, rules):
        read = self.admin.send('GET', '/v1/retention')
        return self.admin.call('PUT', '/v1/retention', {'rules': rules}, {'If-Match': read.headers['ETag']})

    def forecast(self, rules):
        items = self.admin.post('/v1/retention/forecast', rules=rules)['items']
        return {(item['kind'], item['label']): item['count'] for item in items}

    def is_done(self):
        return base.world.stack.sql(f"SELECT done_on IS NOT NULL FROM provisioning.retention WHERE tenant_id = '{self.id}'") == 't'

    def end_waiting(self):
        base.world.stack.sql(f"SET session_replication_role = replica;"
                             f"UPDATE provisioning.retention_rule SET in_force_at = now() - interval '1 second'"
                             f" WHERE tenant_id = '{self.id}';"
                             f"UPDATE provisioning.retention SET done_on = NULL WHERE tenant_id = '{self.id}'")

    def events(self, operation, **which):
        return base.events(self.admin, operation=operation, **which)

    def agrees(self):
        """Every change has its event; once what was written is told."""
        eventually(base.ledgers_agree, 'the ledgers agree', AGREE_S)
        return list(self.admin.pages('/v1/audit/completeness')) == []


class Retention(FlowTest):
    """The scenes follow each other."""

    def test_1_nothing_goes_by_itself(self):
        self.assertEqual(here.admin.get('/v1/retention'), {'held': False, 'rules': []})
        for school in (here, there):
            school.let_pass(200)
            self.assertEqual({school.has(school.plain), school.has(school.raised)}, {True})

    def test_2_what_would_go_is_told_before_it_is_saved(self):
        self.assertEqual(here.forecast(RULES), {('record', 'III'): 1, ('record', 'II'): 0, ('announcement', 'IV'): 1})
        self.assertEqual(here.forecast([{'kind': 'record', 'label': 'III', 'days': 3650}]), {('record', 'III'): 0})
        self.assertEqual(here.admin.get('/v1/retention')['rules'], [])

    def test_3_a_new_rule_waits(self):
        rules = here.set(RULES)['rules']
        self.assertEqual([('inForceAt' in rule, 'formerDays' in rule) for rule in rules], [(True, False)] * 3)
        eventually(here.is_done, 'the job has been here', GONE_S)
        self.assertTrue(here.has(here.plain))

    def test_4_a_legal_hold_stops_it(self):
        contracts.act(here.tenant.contract['id'], 'hold', held=True)
        here.end_waiting()
        self.assertTrue(here.admin.get('/v1/retention')['held'])
        person = here.tenant.user_id('jido4')
        self.assertRefused(409, lambda: here.admin.call('DELETE', f'/v1/users/{person}'), 'contract_held')
        self.assertEqual(base.world.stack.sql("SELECT count(*) FROM provisioning.retention_next("
                                              "'00000000-0000-0000-0000-000000000000')"), '0')
        exports.begin(here.admin)
        exports.made(here.admin)
        self.assertTrue(here.has(here.plain))

    def test_5_then_it_goes_from_everywhere(self):
        contracts.act(here.tenant.contract['id'], 'hold', held=False)
        eventually(here.is_done, 'what was over is gone', GONE_S)
        self.assertFalse(here.has(here.plain))
        self.assertEqual(here.admin.get('/v1/exports')['items'][0]['state'], 'invalid')
        self.assertNotIn(here.news['id'], here.pupil.send('GET', '/v1/announcements').body.decode())
        eventually(lambda: here.plain['id'] not in here.pupil.send('GET', '/v1/notices').body.decode(), 'its notices are gone')
        self.assertRefused(404, lambda: here.lesson.teacher.get(f'/v1/tries/{here.plain["id"]}'))

    def test_6_a_raised_one_goes_by_its_own_class(self):
        self.assertTrue(here.has(here.raised))
        self.assertEqual(here.pupil.get(f'{here.lesson.path}/goal')['goal'], 'ひざをのばす')  # shown with what is left
        here.let_pass(200)
        here.end_waiting()
        eventually(here.is_done, 'what was over is gone', GONE_S)
        self.assertFalse(here.has(here.raised))
        self.assertRefused(404, lambda: here.pupil.get(f'{here.lesson.path}/goal'))

    def test_7_another_contract_keeps_its_own(self):
        self.assertEqual({there.has(there.plain), there.has(there.raised)}, {True})
        self.assertIn(there.news['id'], there.pupil.send('GET', '/v1/announcements').body.decode())
        self.assertEqual(there.events('learning.record_expire'), [])

    def test_8_the_log_says_which_and_why_and_agrees(self):
        for made, label in ((here.plain, 'III'), (here.raised, 'II')):
            row, = eventually(lambda made=made: here.events('learning.record_expire', objectId=made['id']), 'the event is in the log')
            event = json.loads(row['line'])
            self.assertEqual((event['metadata']['labels'], event['unmapped']['kind']), ([label], 'try'))
        row, = eventually(lambda: here.events('notification.announcement_expire', objectId=here.news['id']), 'and the announcement\'s')
        self.assertIsNotNone(row)
        self.assertTrue(here.agrees())

    def test_9_killed_in_the_middle_it_goes_on(self):
        base.world.stack.sql(f"""SET session_replication_role = replica;
            WITH m AS (INSERT INTO learning.media (tenant_id, id, uploader_id, uploader_role, size, received, content_type,
                completed_at, sealed_key) SELECT tenant_id, gen_random_uuid(), uploader_id, uploader_role, size, received,
                content_type, completed_at, sealed_key FROM learning.media, generate_series(1, {MANY})
                WHERE id = '{there.plain["mediaId"]}' RETURNING id)
            INSERT INTO learning.try (tenant_id, id, assignment_id, skill_id, user_id, media_id, created_at)
            SELECT t.tenant_id, gen_random_uuid(), t.assignment_id, t.skill_id, t.user_id, m.id, t.created_at
            FROM learning.try t, m WHERE t.id = '{there.plain["id"]}'""")

        def left():
            return int(base.world.stack.sql(f"SELECT count(*) FROM learning.try WHERE tenant_id = '{there.id}' AND label IS NULL"))
        there.set(RULES[:1])
        eventually(there.is_done, 'the job has been here', GONE_S)  # it must not note the day behind what follows
        there.end_waiting()
        for _ in range(3):
            before = left()
            eventually(lambda before=before: left() < before or left() == 0, 'a part has gone', GONE_S)
            base.world.stack.kill('learning')
            base.world.stack.restart('learning')
        base.world.stack.wait_ready(['learning'])
        eventually(there.is_done, 'the rest has gone', GONE_S)
        self.assertEqual(left(), 0)
        self.assertFalse(there.has(there.plain))
        self.assertTrue(there.agrees())


if __name__ == '__main__':
    unittest.main()
