"""A whole PE lesson through HTTPS, with nothing but the API. The tests are its scenes, in order."""

import json
import os
import queue
import re
import socket
import threading
import unittest
import urllib.parse

import base
import seed
from base import FlowTest, clip, eventually

setUpModule = base.open_world

MIB = 1024 * 1024

# What the administrator must find in the audit search afterwards.
STORY = ('provisioning.user_import', *(f'learning.{name}' for name in (
    'skill_create', 'unit_create', 'unit_model_put', 'assignment_create', 'goal_put', 'media_create', 'try_create',
    'try_submit', 'media_content', 'comment_create', 'evaluation_put', 'reflection_put')))


class Lesson1Accounts(FlowTest):
    def test_a_one_time_secret_opens_nothing_but_its_own_change(self):
        tenant = base.world.tenant('minato')
        client = base.world.client()
        self.assertTrue(client.login('minato', 'sensei', tenant.secrets['sensei'])['mustChangePassword'])
        self.assertRefused(403, lambda: client.get('/v1/skills'))
        self.assertEqual(client.get('/v1/session')['role'], 'instructor')
        self.assertRefused(422, lambda: client.change_password(tenant.secrets['sensei'], 'mijikai'))
        client.change_password(tenant.secrets['sensei'], base.PASSWORD)
        self.assertEqual(client.get('/v1/skills')['items'], [])
        tenant.people['sensei'] = client
        again = base.world.client()
        self.assertRefused(401, lambda: again.login('minato', 'sensei', tenant.secrets['sensei']))

    def test_a_wrong_password_and_an_unknown_user_look_alike(self):
        base.world.tenant('minato')
        client = base.world.client()
        answers = [client.send('POST', '/v1/sessions', {'tenantCode': code, 'username': name, 'password': 'x' * 20})
                   for code, name in (('minato', 'kanri'), ('minato', 'dare'), ('nai', 'kanri'))]
        texts = [{k: v for k, v in answer.json.items() if k not in ('traceId', 'instance')} for answer in answers]
        self.assertEqual([answer.status for answer in answers], [401] * 3)
        self.assertEqual(texts[0], texts[1])
        self.assertEqual(texts[0], texts[2])

    def test_a_bad_row_is_named_and_nothing_is_applied(self):
        admin = base.world.tenant('minato').admin
        before = len(list(admin.pages('/v1/users')))
        rows = [dict(row, username=f'atarashii{i}') for i, row in enumerate(base.world.tenant('minato').roster())]
        rows[2]['role'] = 'kocho'
        answer = admin.call('POST', '/v1/imports/users?dryRun=false', seed.roster_csv(rows), {'Content-Type': 'text/csv'})
        self.assertFalse(answer['applied'])
        self.assertEqual([(error['row'], error['column']) for error in answer['errors']], [(4, 'role')])
        self.assertEqual(len(list(admin.pages('/v1/users'))), before)

    def test_a_shift_jis_roster_with_kana_is_read(self):
        admin = base.world.tenant('minato').admin
        row = dict(base.world.tenant('minato').roster()[1], username='sjis1', familyName='髙橋', kanaFamilyName='タカハシ')
        text = seed.roster_csv([row]).decode().encode('cp932')
        answer = admin.call('POST', '/v1/imports/users?dryRun=true', text, {'Content-Type': 'text/csv'})
        self.assertEqual((answer['errors'], answer['creates'], answer['applied']), ([], 1, False))

    def test_users_are_listed_in_kana_order(self):
        rows = list(base.world.tenant('minato').admin.pages('/v1/users', limit=2, role='student'))
        kana = [row['kanaFamilyName'] + row['kanaGivenName'] for row in rows]
        self.assertEqual(len(rows), base.world.tenant('minato').PUPILS)
        self.assertEqual(kana, sorted(kana))

    def test_a_link_leads_to_the_next_page(self):
        admin, path, seen = base.world.tenant('minato').admin, '/v1/users?role=student&limit=3', []
        while path:
            answer = admin.send('GET', path)
            seen.append([row['username'] for row in answer.json['items']])
            link = re.fullmatch('<(.*)>; rel="next"', answer.headers.get('Link', ''))
            self.assertEqual(link is not None, 'nextCursor' in answer.json)
            path = link and urllib.parse.urljoin(path, link[1])
        self.assertEqual([len(page) for page in seen], [3, 1])


class Lesson2Work(FlowTest):
    def setUp(self):
        self.tenant = base.world.tenant('minato')
        self.lesson = self.tenant.lesson()
        self.teacher, self.pupil = self.tenant.enter('sensei'), self.tenant.enter('jido1')

    def test_1_the_pupil_sees_the_assignment_and_the_model_video(self):
        self.assertEqual([row['id'] for row in self.pupil.get('/v1/assignments')['items']], [self.lesson.assignment['id']])
        unit = self.pupil.get(f'/v1/units/{self.lesson.unit["id"]}')
        self.assertEqual(unit['skills'][0]['modelMediaId'], self.lesson.model)
        answer = self.pupil.send('GET', f'/v1/media/{self.lesson.model}/content')
        self.assertEqual((answer.status, answer.headers['Content-Type']), (200, 'video/mp4'))
        self.assertEqual(answer.body, clip('cartwheel'))

    def test_2_goal_and_condition_reach_the_board(self):
        self.pupil.put(f'{self.lesson.path}/goal', goal='こしを高く上げる', condition=4)
        self.assertEqual(self.pupil.get(f'{self.lesson.path}/goal')['goal'], 'こしを高く上げる')
        row = self.lesson.board_row('jido1')
        self.assertEqual((row['state'], row['condition']), ('goal', 4))

    def test_3_an_upload_that_was_cut_goes_on_where_it_stopped(self):
        data = clip('cartwheel', 3)
        location, half = self.pupil.upload_begin(len(data)), len(data) // 2
        link = self.pupil.connect()
        link.putrequest('PATCH', location)
        for name, value in {**self.pupil.headers('PATCH', None), 'Tus-Resumable': '1.0.0', 'Upload-Offset': '0',
                            'Content-Type': 'application/offset+octet-stream', 'Content-Length': str(len(data))}.items():
            link.putheader(name, value)
        link.endheaders()
        link.send(data[:half])
        self.break_off(link)
        eventually(lambda: self.pupil.upload_offset(location), 'what arrived was kept')
        eventually(lambda: self.goes_on(location, data, half), 'the rest is taken')
        answer = self.pupil.send('GET', f'{location}/content')
        self.assertEqual(answer.body, data)

    def break_off(self, link):
        """What was sent arrives; close() would have the kernel throw it away there, since nobody here has read the session tickets."""
        self.addCleanup(link.close)
        link.sock.shutdown(socket.SHUT_WR)

    def goes_on(self, location, data, sent):
        """As every client does it: more of what was cut off may arrive after it has asked, then it asks again."""
        offset = self.pupil.upload_offset(location)
        self.assertLessEqual(offset, sent)
        answer = self.pupil.send('PATCH', location, data[offset:], {
            'Tus-Resumable': '1.0.0', 'Upload-Offset': str(offset), 'Content-Type': 'application/offset+octet-stream'})
        self.assertIn(answer.status, (204, 409))
        return answer.status == 204

    def test_4_a_range_of_a_video_is_that_range(self):
        data = clip('cartwheel')
        for text, part in (('bytes=100-299', data[100:300]), ('bytes=-50', data[-50:]), ('bytes=20000-', data[20000:])):
            answer = self.pupil.send('GET', f'/v1/media/{self.lesson.model}/content', headers={'Range': text})
            self.assertEqual((answer.status, answer.body), (206, part), text)
        answer = self.pupil.send('GET', f'/v1/media/{self.lesson.model}/content', headers={'Range': 'bytes=99999999-'})
        self.assertEqual(answer.status, 416)

    def test_4_a_range_of_another_version_is_the_whole(self):
        """If-Range (RFC 9110, 13.1.5): what was begun goes on only if it is still the same; several ranges are none."""
        data, path = clip('cartwheel'), f'/v1/media/{self.lesson.model}/content'
        tag = self.pupil.send('GET', path, headers={'Range': 'bytes=0-9'}).headers['ETag']
        for ranges, known, status, part in (('bytes=100-299', tag, 206, data[100:300]), ('bytes=100-299', '"another"', 200, data),
                                            ('bytes=100-299', 'W/' + tag, 200, data), ('bytes=0-9,20-29', tag, 200, data)):
            answer = self.pupil.send('GET', path, headers={'Range': ranges, 'If-Range': known})
            self.assertEqual((answer.status, answer.body), (status, part), (ranges, known))

    def test_4_a_long_video_is_sent_and_read_in_windows(self):
        """More readers at a time than may hold large windows (window.h), none of whom reads at first."""
        data = clip('cartwheel') + os.urandom(4 * MIB + 12345)
        location = self.pupil.upload_begin(len(data))
        self.assertEqual(self.pupil.upload_piece(location, 0, data), len(data))
        for first, end in ((0, MIB), (MIB - 7, 3 * MIB + 5), (len(data) - 3 * MIB, len(data)), (0, len(data))):
            answer = self.pupil.send('GET', f'{location}/content', headers={'Range': f'bytes={first}-{end - 1}'})
            self.assertEqual((answer.status, answer.body == data[first:end]), (206, True), (first, end))
        links = [self.pupil.connect() for _ in range(40)]
        for link in links:
            link.request('GET', f'{location}/content', headers=self.pupil.headers('GET', {'Range': f'bytes=1-{len(data) - 1}'}))
        answers = [link.getresponse() for link in links]
        self.assertEqual({answer.status for answer in answers}, {206})
        self.assertEqual([i for i, answer in enumerate(answers) if answer.read() != data[1:]], [])
        for link in links:
            link.close()

    def test_4_a_long_upload_that_was_cut_keeps_what_came(self):
        data = clip('cartwheel') + os.urandom(3 * MIB)
        location, sent = self.pupil.upload_begin(len(data)), 2 * MIB + 54321
        link = self.pupil.connect()
        link.putrequest('PATCH', location)
        for name, value in {**self.pupil.headers('PATCH', None), 'Tus-Resumable': '1.0.0', 'Upload-Offset': '0',
                            'Content-Type': 'application/offset+octet-stream', 'Content-Length': str(len(data))}.items():
            link.putheader(name, value)
        link.endheaders()
        link.send(data[:sent])
        eventually(lambda: self.pupil.upload_offset(location) >= 2 * MIB, 'windows are kept while it goes on')  # and it reads on
        self.break_off(link)
        offset = eventually(lambda: (n := self.pupil.upload_offset(location)) > sent - 16 * 1024 and n, 'all but a record is kept')
        self.assertEqual(self.pupil.upload_piece(location, offset, data[offset:]), len(data))
        self.assertTrue(self.pupil.send('GET', f'{location}/content').body == data)

    def test_4_no_browser_keeps_a_video(self):
        path = f'/v1/media/{self.lesson.model}/content'
        tag = self.pupil.send('GET', path).headers['ETag']
        for status, headers in ((200, {}), (206, {'Range': 'bytes=0-9'}), (304, {'If-None-Match': tag})):
            answer = self.pupil.send('GET', path, headers=headers)
            self.assertEqual((answer.status, answer.headers['Cache-Control']), (status, 'no-store'))

    def test_5_a_sent_try_comes_to_the_board_at_once(self):
        heard = queue.Queue()
        threading.Thread(target=self.listen, args=(heard,), daemon=True).start()
        self.assertEqual(heard.get(timeout=base.SETTLE_S)['type'], 'resync')
        sent = eventually(lambda: self.lesson.sent_try(self.pupil), 'a try is sent')
        while 'tryId' not in (event := heard.get(timeout=base.SETTLE_S))['data']:
            self.assertEqual(event['type'], 'notice')  # of a goal, or a try that is not sent yet
        self.assertEqual((event['type'], event['source']), ('notice', '/notification'))
        self.assertEqual((event['data']['kind'], event['data']['tryId']), ('submission', sent['id']))
        self.assertEqual(self.lesson.board_row('jido1')['state'], 'waiting')

    def listen(self, heard):
        for _, data in self.teacher.events(base.SETTLE_S):
            heard.put(json.loads(data))

    def test_6_a_comment_at_a_moment_becomes_a_notice(self):
        latest = self.lesson.board_row('jido1')['latestTryId']
        self.teacher.post(f'/v1/tries/{latest}/comments', positionMs=2400, text='ここで足がのびています。')
        notice = self.notice('comment')
        self.notice('assignment')  # or it came while the unread ones are counted
        self.assertEqual((notice['tryId'], notice['positionMs'], notice['read']), (latest, 2400, False))
        comment = self.pupil.get(f'/v1/tries/{latest}/comments')['items'][0]
        self.assertEqual((comment['positionMs'], comment['authorRole']), (2400, 'instructor'))
        unread = self.pupil.get('/v1/notices')['unreadCount']
        self.assertEqual(self.pupil.post('/v1/notices/read', ids=[notice['id']])['unreadCount'], unread - 1)

    def notice(self, kind):
        return eventually(lambda: next((n for n in self.pupil.get('/v1/notices')['items'] if n['kind'] == kind), None),
                          f'the notice of the {kind}')

    def test_7_evaluation_and_reflection_end_the_loop(self):
        latest = self.lesson.board_row('jido1')['latestTryId']
        self.teacher.put(f'/v1/tries/{latest}/evaluation', knowledgeAndSkills='B', thinkingJudgementExpression='A',
                         proactiveAttitude='A', note='よく見て直せました。')
        self.assertEqual(self.lesson.board_row('jido1')['state'], 'evaluated')
        self.pupil.put(f'/v1/tries/{latest}/reflection', feeling=3, text='ふわっとした。')
        detail = self.teacher.get(f'/v1/tries/{latest}')
        self.assertEqual((detail['evaluation']['thinkingJudgementExpression'], detail['reflection']['feeling']), ('A', 3))
        self.assertEqual(self.lesson.board_row('jido1')['state'], 'reflected')

    def test_8_a_pupil_sees_own_work_only_and_a_contractor_no_videos(self):
        latest = self.lesson.board_row('jido1')['latestTryId']
        media = self.pupil.get(f'/v1/tries/{latest}')['try']['mediaId']
        other = self.tenant.enter('jido2')
        self.assertRefused(404, lambda: other.get(f'/v1/tries/{latest}'))
        self.assertRefused(404, lambda: other.get(f'/v1/media/{media}/content'))
        self.assertRefused(403, lambda: self.tenant.admin.get(f'/v1/media/{media}/content'))
        self.assertRefused(403, lambda: self.tenant.admin.get('/v1/tries'))
        self.assertEqual(other.get('/v1/tries')['items'], [])

    def test_9_the_home_screen_gathers_three_services(self):
        home = self.pupil.get('/v1/home')
        self.assertEqual(home['partial'], [])
        self.assertEqual(home['provisioning']['classTitle'], '3年1組')
        self.assertEqual(home['learning']['assignments'][0]['id'], self.lesson.assignment['id'])
        self.assertIn('unreadCount', home['notification'])


class Lesson3Limits(FlowTest):
    def test_a_function_that_is_denied_stops_within_a_second_or_two(self):
        tenant = base.world.tenant('minato')
        pupil = tenant.enter('jido3')
        limits = f'/v1/users/{tenant.user_id("jido3")}/features'
        pupil.upload_begin(1000)

        def begin(size):
            return pupil.send('POST', '/v1/media', b'', {'Tus-Resumable': '1.0.0', 'Upload-Length': str(size)}).status
        tenant.admin.put(limits, denied=['video_upload'])
        # One that is too large is never taken: those that are may be twenty at a time, as many as are asked for in a second.
        eventually(lambda: begin(10**12) == 403, 'the denied upload is refused', base.SOON_S)
        self.assertEqual(begin(9), 403)
        tenant.admin.put(limits, denied=[])
        eventually(lambda: begin(9) == 201, 'the allowed upload is taken again', base.SOON_S)

    def test_a_suspended_user_is_out_at_once_and_in_again_when_restored(self):
        tenant = base.world.tenant('minato')
        pupil, user = tenant.enter('jido4'), tenant.user_id('jido4')
        tenant.admin.post(f'/v1/users/{user}/suspend')
        eventually(lambda: pupil.send('GET', '/v1/session').status == 401, 'the session ends', base.SOON_S)
        self.assertRefused(401, lambda: base.world.client().login('minato', 'jido4', base.PASSWORD))
        tenant.admin.post(f'/v1/users/{user}/restore')
        self.assertFalse(pupil.login('minato', 'jido4', base.PASSWORD)['mustChangePassword'])

    def test_a_logged_out_session_is_dead_within_a_second(self):
        base.world.tenant('minato').enter('jido4')
        client = base.world.client()
        client.login('minato', 'jido4', base.PASSWORD)
        client.call('DELETE', '/v1/session')
        eventually(lambda: client.send('GET', '/v1/session').status == 401, 'the session is over', base.SOON_S)


class Lesson4Traces(FlowTest):
    def test_the_administrator_reads_the_whole_story(self):
        tenant = base.world.tenant('minato')
        operations = eventually(lambda: self.found(tenant), 'the audit search tells the story')
        self.assertLessEqual(set(STORY), operations)

    def found(self, tenant):
        seen = {event['operation'] for event in base.events(tenant.admin)}
        return seen if set(STORY) <= seen else None

    def test_the_log_has_no_gap_and_its_lines_are_ocsf(self):
        events = base.events(base.world.tenant('minato').admin, kind='all', limit=50)
        numbers = sorted(event['sequence'] for event in events)
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        line = json.loads(events[0]['line'])
        self.assertEqual(line['type_uid'], line['class_uid'] * 100 + line['activity_id'])

    def test_another_tenant_sees_none_of_it(self):
        mine = base.world.tenant('minato').contract['tenantId']
        other = base.world.tenant('tonari').admin
        events = base.events(other)
        self.assertNotIn(mine, json.dumps(events))
        self.assertNotIn('learning.try_create', {event['operation'] for event in events})

    def test_the_pipeline_gets_the_same_events(self):
        minato = base.world.tenant('minato').contract['tenantId']

        def tenants():
            whole = base.world.stack.ndjson.read_text().rpartition('\n')[0]  # the last line may be half written
            return {json.loads(line)['metadata'].get('tenant_uid') for line in whole.splitlines()}
        eventually(lambda: minato in tenants(), 'the pipeline file has lines of this tenant')

    def test_mail_tells_of_privileged_logins_and_of_no_others(self):
        base.world.tenant('minato').enter('sensei')
        mails = eventually(lambda: self.has_both(base.world.mails()), 'mail of the operator and the administrator')
        self.assertTrue(all('system-administrators@example.jp' in mail for mail in mails))
        teacher = base.world.tenant('minato').user_id('sensei')
        self.assertFalse(any(teacher in mail for mail in mails))

    def has_both(self, mails):
        """People stand in mail by their ids alone."""
        roles = ('運営管理者', '契約管理者')
        return mails if all(any(role in mail for mail in mails) for role in roles) else None


class WholeClass(base.Tenant):
    PUPILS = 499  # with its teacher as many as a class may hold


class Lesson5WholeClass(FlowTest):
    def test_an_assignment_reaches_a_class_of_500(self):
        tenant = WholeClass(base.world, 'ookii')
        lesson = tenant.lesson()
        stack = base.world.stack
        count = f"SELECT count(*) FROM notification.notice WHERE assignment_id = '{lesson.assignment['id']}'"
        eventually(lambda: stack.sql(count) == str(tenant.PUPILS), 'everybody has the notice')
        self.assertEqual([n['kind'] for n in tenant.enter('jido499').get('/v1/notices')['items']], ['assignment'])
        eventually(lambda: stack.sql('SELECT count(*) FROM learning.outbox WHERE attempts > 0') == '0',
                   'nothing is refused; what was answered too late goes once more')


class Lesson6Suspension(FlowTest):
    def test_a_suspended_class_rests_until_it_is_restored(self):
        tenant = base.world.tenant('kyuka')
        lesson, teacher, pupil = tenant.lesson(), tenant.enter('sensei'), tenant.enter('jido1')
        pupil.put(f'{lesson.path}/goal', goal='こしを高く上げる', condition=4)
        another = teacher.post('/v1/units', title='跳び箱運動', skillIds=[lesson.skill['id']])

        def assign():
            return teacher.post('/v1/assignments', unitId=another['id'], classId=lesson.class_id)

        tenant.admin.post(f'/v1/classes/{lesson.class_id}/suspend')
        self.assertEqual(teacher.get('/v1/classes')['items'], [])
        eventually(lambda: pupil.get('/v1/assignments')['items'] == [], 'the pupil no longer sees the class')
        self.assertRefused(404, lambda: pupil.get(f'{lesson.path}/goal'))
        self.assertRefused(404, lesson.board)
        self.assertRefused(404, assign)
        newcomer = seed.roster_csv([dict(tenant.roster()[1], username='tennyu')])
        answer = tenant.admin.call('POST', '/v1/imports/users?dryRun=false', newcomer, {'Content-Type': 'text/csv'})
        self.assertEqual([(error['column'], error['code']) for error in answer['errors']], [('class', 'class_suspended')])

        tenant.admin.post(f'/v1/classes/{lesson.class_id}/restore')
        eventually(lambda: [row['id'] for row in pupil.get('/v1/assignments')['items']] == [lesson.assignment['id']],
                   'the pupil sees the class again')
        self.assertEqual(pupil.get(f'{lesson.path}/goal')['goal'], 'こしを高く上げる')
        made = assign()
        self.assertIn(made['id'], [row['id'] for row in pupil.get('/v1/assignments')['items']])


OTHER_IDS = """
SELECT coalesce(string_agg(id.at, ' '), '') FROM (
    SELECT format('%I.%I.%I', n.nspname, c.relname, a.attname) AS at, query_to_xml(format(
        'SELECT 1 FROM %I.%I WHERE substr(%I::text, 15, 1) <> 7::text AND %3$I::text ~ ''[1-9a-f]''', -- the nil one is no id
        n.nspname, c.relname, a.attname), false, true, '')::text AS others
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE n.nspname !~ '^(pg_|information_schema)' AND c.relkind = 'r' AND a.atttypid = 'uuid'::regtype) AS id
WHERE id.others <> ''"""


class Lesson9Unusual(FlowTest):
    FAILURES = 2 * base.ANOMALY_FAILURES - 1  # so that as many as it takes lie in one window

    def test_many_failed_logins_are_told_to_the_administrator(self):
        tenant = base.world.tenant('yuunagi')
        for number in range(self.FAILURES):  # a name of its own each: nobody waits
            self.assertRefused(401, lambda: base.world.client().login(tenant.code, f'dare{number}', 'chigau-kotoba'))

        def told():
            return [row for row in tenant.admin.get('/v1/audit/anomalies')['items'] if row['kind'] == 'many_failures']
        first = base.eventually(told, 'the administrator is told')[0]
        self.assertFalse(first['seen'])
        tenant.admin.post(f'/v1/audit/anomalies/{first["id"]}/see')
        self.assertEqual([row['seen'] for row in told() if row['id'] == first['id']], [True])


class Lesson8Search(FlowTest):
    @classmethod
    def setUpClass(cls):
        cls.tenant = base.world.tenant('mikazuki')
        cls.lesson = cls.tenant.lesson()
        cls.pupil = next(row for row in cls.tenant.admin.pages('/v1/users') if row['username'] == 'jido1')

    def found(self, client, q):
        answer = client.get('/v1/search', q=q)
        self.assertEqual(answer['partial'], [])
        return answer

    def test_staff_find_people_classes_and_what_they_teach(self):
        for client in (self.tenant.admin, self.lesson.teacher):
            people = self.found(client, self.pupil['kanaFamilyName'])['provisioning']['users']
            self.assertIn(self.pupil['id'], [row['id'] for row in people])
            self.assertEqual([row['title'] for row in self.found(client, '3年')['provisioning']['classes']], ['3年1組'])
            self.assertEqual([row['title'] for row in self.found(client, 'マット')['learning']['units']], ['マット運動'])
            self.assertEqual(self.found(client, '倒立')['learning']['skills'][0]['id'], self.lesson.skill['id'])
        self.tenant.admin.post('/v1/announcements', title='三日月の朝', body='早く来ます。', audience='instructor')
        told = self.found(self.lesson.teacher, '三日月')['notification']['announcements']
        self.assertEqual([row['title'] for row in told], ['三日月の朝'])

    def test_a_teacher_finds_no_pupil_of_others_and_a_pupil_nobody(self):
        stranger = base.world.tenant('kaminari').admin
        self.assertNotIn(self.pupil['id'], str(self.found(stranger, self.pupil['kanaFamilyName'])))
        other = self.other_teacher()
        for q in (self.pupil['kanaFamilyName'], '3年'):
            self.assertEqual(self.found(other, q)['provisioning'], {'users': [], 'classes': []})
        self.assertEqual(self.found(self.lesson.teacher, 'kanri')['provisioning']['users'], [])
        self.assertRefused(403, lambda: self.tenant.enter('jido1').get('/v1/search', q='x'))

    def other_teacher(self):
        """Of the same school, with no class."""
        made = self.tenant.admin.post('/v1/users', username='sensei2', role='instructor', familyName='朝霧', givenName='渚',
                                      kanaFamilyName='あさぎり', kanaGivenName='なぎさ')
        client = base.world.client()
        client.login_first(self.tenant.code, 'sensei2', made['initialSecret'], base.PASSWORD)
        return client

    def test_letters_that_mean_something_to_databases_are_letters(self):
        for q in ('%', '_', "'", '\\', '<script>'):
            self.assertEqual(self.found(self.tenant.admin, q)['provisioning']['users'], [], q)
        self.assertRefused(422, lambda: self.tenant.admin.get('/v1/search', q=''))


class Lesson7Ids(FlowTest):
    def test_every_id_of_every_table_is_of_version_7(self):
        base.world.tenant('minato').lesson()
        self.assertEqual(base.world.stack.sql(OTHER_IDS), '')


if __name__ == '__main__':
    unittest.main()
