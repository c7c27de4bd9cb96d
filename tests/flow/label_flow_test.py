"""A shared video is raised to class II: gone for classmates and for a teacher with one factor, wherever it was; back after.
So it is with the pupil whose it is, and all that the pupil made and said."""

import json
import queue
import threading
import unittest
from urllib.parse import quote

import access_flow_test
import base
from base import FlowTest, eventually

QUIET_S = 5  # without an event: then what was heard is all
REASON = 'no_longer_sensitive'


def setUpModule():
    base.open_world(base.armed_stack)
    global tenant, lesson, pupil, classmate, teacher, made
    tenant = base.world.tenant('minato')
    lesson = tenant.lesson()
    pupil, classmate, teacher = tenant.enter('jido1'), tenant.enter('jido2'), lesson.teacher
    made = lesson.sent_try(pupil)
    teacher.put(f'/v1/tries/{made["id"]}/sharing', shared=True)
    teacher.post(f'/v1/tries/{made["id"]}/comments', positionMs=100, text='よくできました。')


def places(client):
    """Where the try can be seen: each place, and whether it is there."""
    one, video = f'/v1/tries/{made["id"]}', f'/v1/media/{made["mediaId"]}/content'
    ranges = ('bytes=0-9', 'bytes=-5', 'bytes=1000-')
    return {'direct': client.send('GET', one).status == 200, 'comments': client.send('GET', one + '/comments').status == 200,
            'video': client.send('GET', video).status == 200,
            **{f'video {text}': client.send('GET', video, headers={'Range': text}).status == 206 for text in ranges},
            'list': made['id'] in client.send('GET', '/v1/tries').body.decode(),
            'list of the lesson': made['id'] in client.send('GET', f'/v1/tries?assignmentId={lesson.assignment["id"]}').body.decode()}


def unit_places(client, is_staff):
    found = {path: 'マット' in client.send('GET', path).body.decode() for path in (
        '/v1/home', '/v1/assignments', lesson.path, f'/v1/units/{lesson.unit["id"]}')}
    if is_staff:
        found |= {path: 'マット' in client.send('GET', path).body.decode()
                  for path in ('/v1/units', '/v1/search?q=%E3%83%9E%E3%83%83%E3%83%88', lesson.path + '/board')}
    return found


LISTS = ('/v1/home', '/v1/tries', '/v1/assignments')


def told(client, *paths):
    """What the answers say would show more."""
    return {client.send('GET', path).headers.get('Manabiya-Withheld') for path in paths}


def every(found):
    return set(found.values())


def heard_by(client, quiet_s=QUIET_S):
    """What an open page hears from now on; None is its silence."""
    heard = queue.Queue()

    def listen():
        for event, data in client.events(quiet_s):
            heard.put((event, data))
        heard.put(None)
    threading.Thread(target=listen, daemon=True).start()
    return heard


class Label(FlowTest):
    """The scenes follow each other."""

    def label(self, label, client=None, path=None, **more):
        return (client or teacher).put((path or f'/v1/tries/{made["id"]}') + '/label', label=label, **more)

    def test_1_shared_it_is_everywhere(self):
        for client in (pupil, classmate, teacher):
            self.assertEqual(every(places(client)), {True})

    def test_2_raised_it_is_nowhere_for_a_classmate(self):
        """Open pages hear that something changed, and of the classmate's no more than that."""
        heard = [heard_by(client, base.SETTLE_S) for client in (classmate, pupil)]
        for page in heard:
            page.get(timeout=base.SETTLE_S)  # the line is up
        self.assertEqual(self.label('II'), {'label': 'II'})
        for page in heard:
            events = iter(lambda: page.get(timeout=base.SETTLE_S), None)
            change = next(data for _, data in events if '"change"' in data)
            self.assertEqual(json.loads(change)['data'], {'kind': 'change'})
        self.assertEqual(every(places(classmate)), {False})
        for client in (pupil, teacher):
            self.assertEqual(every(places(client)), {True})
        self.assertEqual(pupil.get(f'/v1/tries/{made["id"]}')['try']['label'], 'II')
        for client in (pupil, classmate, teacher):
            self.assertEqual(told(client, *LISTS), {None})

    def test_3_open_pages_hear_ids_and_a_classmate_nothing(self):
        """The last event of a page is a silence of its own, so what was not heard by then does not come."""
        mate, own = heard_by(classmate), heard_by(pupil, base.SETTLE_S)
        for page in (mate, own):
            page.get(timeout=base.SETTLE_S)  # the line is up
        teacher.post(f'/v1/tries/{made["id"]}/comments', positionMs=200, text='ひみつのことば')
        events = [own.get(timeout=base.SETTLE_S)]
        while made['id'] not in events[-1][1]:
            events.append(own.get(timeout=base.SETTLE_S))
        self.assertNotIn('ひみつ', json.dumps(events, ensure_ascii=False))
        self.assertLessEqual(set(json.loads(events[-1][1])['data']), {'kind', 'assignmentId', 'tryId'})
        told = list(iter(lambda: mate.get(timeout=base.SETTLE_S), None))
        self.assertEqual([event for event in told if made['id'] in event[1]], [])
        self.assertNotIn(made['id'], json.dumps(classmate.get('/v1/notices')))
        self.assertNotIn('ひみつ', json.dumps(pupil.get('/v1/notices'), ensure_ascii=False))

    def test_4_a_unit_is_gone_for_pupils(self):
        unit = f'/v1/units/{lesson.unit["id"]}'
        for client, is_staff in ((pupil, False), (teacher, True)):
            self.assertEqual(every(unit_places(client, is_staff)), {True})
        self.label('II', path=unit)
        self.assertEqual(every(unit_places(pupil, False)), {False})
        self.assertEqual(pupil.send('GET', f'/v1/media/{lesson.model}/content').status, 404)
        self.assertEqual(every(unit_places(teacher, True)), {True})
        self.assertEqual(every(places(pupil)), {True})  # what a pupil made stays the pupil's

    def test_4_what_is_read_is_found_by_its_class(self):
        """With the detail of that class: of an object that was raised, of what follows it, and of a list that holds it."""
        one, unit, user = f'/v1/tries/{made["id"]}', f'/v1/units/{lesson.unit["id"]}', f'/v1/users/{tenant.user_id("jido3")}'
        for client in (teacher, tenant.admin):
            client.step_up()
        self.label('I', path=unit)
        self.label('I', tenant.admin, user)
        read = {path: (client.send('GET', path), label, object_id) for client, label, rows in (
            (teacher, 'II', ((one, made['id']), (one + '/comments', made['id']), ('/v1/tries', None),
                             (f'/v1/media/{made["mediaId"]}/content', made['mediaId']))),
            (teacher, 'I', ((unit, lesson.unit['id']), (lesson.path, lesson.assignment['id']), ('/v1/home', None))),
            (tenant.admin, 'I', ((user, user.rpartition('/')[2]), ('/v1/users', None))),
            (tenant.admin, 'IV', ((f'/v1/classes/{lesson.class_id}', None),))) for path, object_id in rows}
        for path, (answer, label, object_id) in read.items():
            self.assertEqual(answer.status, 200, path)
            request = self.read_as(answer, label)
            proof = request['actor'].get('proof', {})
            self.assertEqual(request.get('object'), object_id, path)
            self.assertEqual(set(proof), {'I': {'at', 'by', 'factors'}, 'II': {'at'}, 'IV': set()}[label], path)
            self.assertEqual({'session', 'ip'} <= set(request['actor']), label != 'IV', path)
        self.label('II', path=unit, reason=REASON)
        self.label('III', tenant.admin, user, reason=REASON)

    def test_5_with_one_factor_the_teacher_is_told_what_is_missing(self):
        teacher.call('DELETE', '/v1/second-factor')
        eventually(lambda: told(teacher, '/v1/tries') == {'second-factor'}, 'the session is no more than one factor', base.SOON_S)
        self.assertEqual(every(places(teacher)), {False})
        refused = teacher.send('GET', f'/v1/media/{made["mediaId"]}/content')
        self.assertEqual((refused.status, self.read_as(refused, 'II')['object']), (403, made['mediaId']))
        self.assertEqual(every(unit_places(teacher, True)), {False})
        for path in (f'/v1/tries/{made["id"]}', f'/v1/media/{made["mediaId"]}/content', lesson.path + '/board'):
            self.assertRefused(403, lambda: teacher.get(path), 'second_factor_required')
        self.assertEqual(told(teacher, *LISTS, '/v1/units'), {'second-factor'})
        self.assertEqual(told(teacher, '/v1/notices', '/v1/announcements', '/v1/skills'), {None})
        self.assertNotIn(made['id'], json.dumps(teacher.get('/v1/notices')))  # nor of what came before it was raised
        for text in ('%E3%83%9E%E3%83%83%E3%83%88', 'zzz'):  # no word of what is shut can be guessed
            self.assertEqual(told(teacher, f'/v1/search?q={text}'), {'second-factor'})
        for client in (pupil, classmate):
            self.assertEqual(told(client, *LISTS), {None})
        teacher.enrol()
        self.assertEqual(told(teacher, *LISTS, '/v1/units'), {None})
        self.assertEqual(every(places(teacher)), {True})

    def test_6_lowered_it_is_back_and_the_log_says_why(self):
        self.label('III', reason=REASON)
        self.label('IV', path=f'/v1/units/{lesson.unit["id"]}', reason=REASON)
        self.assertEqual(every(places(classmate)), {True})
        self.assertEqual(every(unit_places(pupil, False)), {True})
        rows = eventually(lambda: self.changes('III'), 'the log has the change')
        proven = rows[0]['unmapped'].pop('proof')['at']  # class II: when the password was
        self.assertTrue(0 < proven <= rows[0]['time'], proven)
        self.assertEqual(rows[0]['unmapped'], {'label': 'III', 'reason': REASON})
        self.assertEqual(rows[0]['metadata']['labels'], ['II'])
        self.assertEqual(rows[0]['actor']['session']['is_mfa'], True)

    def test_7_a_raised_pupil_is_nowhere_for_a_classmate(self):
        """Nor is what the pupil said under the classmate's own video; open pages hear that something changed, and no id."""
        theirs, page = lesson.sent_try(classmate), heard_by(classmate, base.SETTLE_S)
        changes = (data for _, data in iter(lambda: page.get(timeout=base.SETTLE_S), None) if '"change"' in data)
        page.get(timeout=base.SETTLE_S)  # the line is up
        teacher.put(f'/v1/tries/{theirs["id"]}/sharing', shared=True)
        next(changes)
        pupil.post(f'/v1/tries/{theirs["id"]}/peer-comments', positionMs=100, text='がんばったね。')
        said = f'/v1/tries/{theirs["id"]}/comments'
        self.assertIn(made['userId'], classmate.send('GET', said).body.decode())
        self.assertEqual(self.label('II', tenant.admin, f'/v1/users/{made["userId"]}'), {'label': 'II'})
        self.assertEqual(json.loads(next(changes))['data'], {'kind': 'change'})
        self.assertEqual(every(places(classmate)), {False})
        for path in (said, '/v1/tries', '/v1/home', '/v1/notices', '/v1/assignments'):
            self.assertNotIn(made['userId'], classmate.send('GET', path).body.decode())
        self.assertEqual(told(classmate, *LISTS, said), {None})
        for client in (pupil, teacher):
            self.assertEqual(every(places(client)), {True})
            self.assertIn(made['userId'], client.send('GET', said).body.decode())
        self.assertEqual(pupil.get('/v1/self')['username'], 'jido1')

    def test_8_with_one_factor_the_staff_is_told_that_somebody_is_missing(self):
        name, board = next(row for row in tenant.admin.pages('/v1/users') if row['id'] == made['userId']), lesson.path + '/board'
        search = f'/v1/search?q={quote(name["familyName"])}'
        class_list = f'/v1/classes/{lesson.class_id}/enrollments'
        shown = {tenant.admin: ('/v1/users', f'/v1/users?classId={lesson.class_id}', class_list, search), teacher: (class_list, board, search)}
        for client, paths in shown.items():
            for path in paths:
                self.assertIn(made['userId'], client.send('GET', path).body.decode(), path)
            client.call('DELETE', '/v1/second-factor')
        for client, paths in shown.items():
            eventually(lambda: told(client, class_list) == {'second-factor'}, 'the session is no more than one factor', base.SOON_S)
            for path in paths:
                self.assertNotIn(made['userId'], client.send('GET', path).body.decode(), path)
            self.assertEqual(told(client, *paths), {'second-factor'})
            self.assertEqual(told(client, '/v1/skills' if client is teacher else '/v1/orgs'), {None})
        for path in ('', '/features'):
            self.assertRefused(403, lambda: tenant.admin.get(f'/v1/users/{made["userId"]}{path}'), 'second_factor_required')
        self.assertRefused(403, lambda: teacher.get(f'/v1/tries/{made["id"]}'), 'second_factor_required')
        for client in shown:
            client.enrol()

    def test_9_lowered_the_pupil_is_back_and_the_log_says_why(self):
        path = f'/v1/users/{made["userId"]}'
        self.assertRefused(422, lambda: self.label('III', tenant.admin, path), 'label_reason_required')
        self.assertRefused(409, lambda: self.label('III', path=f'/v1/tries/{made["id"]}'), 'label_followed')
        self.label('III', tenant.admin, path, reason=REASON)
        eventually(lambda: every(places(classmate)) == {True}, 'the pupil is back', base.SETTLE_S)

        def lines():
            rows = base.events(tenant.admin, objectId=made['userId'], label='II', operation='provisioning.user_label_put')
            found = [json.loads(row['line']) for row in rows]
            return [line for line in found if line['unmapped']['label'] == 'III']
        line = eventually(lines, 'the log has the change')[0]
        self.assertEqual((line['unmapped']['reason'], line['metadata']['labels']), (REASON, ['II']))

    def read_as(self, answer, label):
        """The access as the log has it, which is of this class and no other."""
        request, = eventually(lambda: access_flow_test.told(access_flow_test.accesses(tenant.admin, label=label), answer.headers['X-Request-Id']),
                              f'it is found as what is of class {label}')
        self.assertEqual(request['line']['metadata']['labels'], [label])
        return request

    def test_a_raised_class_is_seen_by_who_is_in_it(self):
        """And by staff with two factors; with one, neither the class nor what is done in it is anywhere."""
        path, title = f'/v1/classes/{lesson.class_id}', '3年1組'
        shown = {teacher: ('/v1/home', '/v1/assignments', '/v1/classes', f'/v1/search?q={quote(title)}', '/v1/tries'),
                 tenant.admin: ('/v1/users', '/v1/classes', f'/v1/search?q={quote(title)}')}
        self.assertEqual(self.label('II', tenant.admin, path), {'label': 'II'})
        eventually(lambda: teacher.get(lesson.path).get('label') == 'II', 'the lessons of the class have followed', base.SETTLE_S)
        for client in (pupil, classmate):
            self.assertEqual(every(places(client)), {True})
            self.assertIn(title, client.send('GET', '/v1/home').body.decode())
            self.assertEqual(told(client, *LISTS), {None})
        self.assertEqual(every(places(teacher)), {True})
        for client in shown:
            client.call('DELETE', '/v1/second-factor')
        for client, paths in shown.items():
            eventually(lambda: told(client, '/v1/classes') == {'second-factor'}, 'the session is no more than one factor', base.SOON_S)
            for one in paths:
                self.assertNotIn(title, client.send('GET', one).body.decode(), one)
            self.assertRefused(403, lambda: client.get(path), 'second_factor_required')
        self.assertEqual(every(places(teacher)), {False})
        for client in shown:
            client.enrol()
        self.label('IV', tenant.admin, path, reason=REASON)
        eventually(lambda: 'label' not in teacher.get(lesson.path), 'the lessons of the class are as before', base.SETTLE_S)

    def changes(self, label):
        """Found as what is of class II, though it is no more."""
        rows = base.events(tenant.admin, objectId=made['id'], label='II', operation='learning.try_label_put')
        lines = [json.loads(row['line']) for row in rows]
        return [line for line in lines if line['unmapped']['label'] == label]


if __name__ == '__main__':
    unittest.main()
