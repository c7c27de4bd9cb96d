"""The access log: a record of each request, without personal data, late rather than never."""

import json
import re
import unittest

import base
from base import FlowTest, eventually
from stack import Stack

TIMING = re.compile(r'session;dur=[0-9.]+, service;dur=[0-9.]+, total;dur=[0-9.]+')
ROUTE = '/v1/users/{userId}'

SILENCE_S = 5  # the shortest: what is gone is named soon


def new_stack(directory):
    return Stack(directory, base.BUILD, extra={'audit': {**base.UNUSUAL, 'access-silence-s': SILENCE_S}, 'gateway': base.PATIENT})


def setUpModule():
    base.open_world(new_stack)


def accesses(client, **query):
    return [json.loads(event['line']) for event in base.events(client, kind='access', **query)]


def requests_of(lines):
    """Each with its line, and with what it names by a place there."""
    for line in lines:
        for request in line.get('unmapped', {}).get('requests', []):
            yield {**request, 'line': line, 'actor': line['unmapped']['actors'][request['actor']], 'route': line['unmapped']['routes'][request['route']]}


def told(lines, call_id):
    return [request for request in requests_of(lines) if request['uid'] == call_id]


class Access(FlowTest):
    def setUp(self):
        self.stack, self.tenant = base.world.stack, base.world.tenant('minato')
        self.admin, self.pupil = self.tenant.admin, self.tenant.enter('jido1')

    def found(self, client, call_id):
        return eventually(lambda: told(accesses(client), call_id), 'the access is in the log')

    def test_a_request_is_found_by_its_contractor(self):
        user = self.tenant.user_id('jido1')
        answer = self.admin.send('GET', f'/v1/users/{user}?unknown=himitsu-no-kotoba')
        self.assertGreaterEqual(answer.status, 400)
        found = self.found(self.admin, answer.headers['X-Request-Id'])
        self.assertEqual(len(found), 1)
        request, line = found[0], found[0]['line']
        self.assertEqual(request['route'], {'operation': 'provisioning.user_get', 'method': 'GET', 'path': ROUTE})
        self.assertEqual(line['metadata']['labels'], ['III'])
        self.assertEqual((request['code'], request['object']), (answer.status, user))
        self.assertEqual((request['actor']['type'], request['actor']['ip']), ('contractor', '127.0.0.1'))
        self.assertEqual(line['metadata']['tenant_uid'], self.tenant.contract['tenantId'])
        self.assertEqual(line['status_id'], 2)
        self.assertGreaterEqual(request['us'][2], request['us'][1])
        for query in ({'requestId': request['uid']}, {'objectId': user}, {'actorId': request['actor']['uid']}, {'outcome': 'failure'}, {'verb': 'read'},
                      {'operation': 'provisioning.user_get'}, {'label': 'III', 'objectId': user}):
            self.assertEqual(len(told(accesses(self.admin, **query), request['uid'])), 1, query)
        for query in ({'objectId': request['actor']['uid']}, {'actorId': user}, {'outcome': 'success'}, {'verb': 'create'}, {'label': 'IV'},
                      {'operation': 'provisioning.user_list'}):
            self.assertEqual(told(accesses(self.admin, **query), request['uid']), [], query)

    def test_a_childs_video_tells_who_watched_it(self):
        made, teacher = self.tenant.lesson().sent_try(self.pupil), self.tenant.enter('sensei')
        answer = teacher.send('GET', f'/v1/media/{made["mediaId"]}/content')
        self.assertEqual(answer.status, 200)
        child, watcher = self.tenant.user_id('jido1'), self.tenant.user_id('sensei')

        def views(**query):
            return [(event['actorId'], event['objectId']) for event in base.events(self.admin, verb='read', **query)]

        eventually(lambda: (watcher, made['mediaId']) in views(ownerId=child), 'the view is found by the child')
        self.assertIn((watcher, made['mediaId']), views(ownerId=child, actorId=watcher, label='III'))
        self.assertEqual(views(ownerId=watcher), [])
        self.assertEqual(views(ownerId=child, label='I'), [])
        self.found(self.admin, answer.headers['X-Request-Id'])
        self.assertTrue(told(accesses(self.admin, objectId=made['mediaId'], operation='learning.media_content'), answer.headers['X-Request-Id']))

    def test_a_list_names_the_class_or_the_pupil_that_it_is_of(self):
        lesson, child = self.tenant.lesson(), self.tenant.user_id('jido1')
        encoded = ''.join(f'%{ord(letter):02x}' for letter in child)
        for client, path, wanted in (
                (self.admin, f'/v1/users?limit=5&classId={lesson.class_id}', lesson.class_id),
                (lesson.teacher, f'/v1/tries?assignmentId={lesson.assignment["id"]}', lesson.assignment['id']),
                (lesson.teacher, f'/v1/tries?userId={child}&assignmentId={lesson.assignment["id"]}', child),
                (lesson.teacher, f'/v1/tries?user%49d={encoded}', child),
                (self.admin, f'/v1/users/{encoded}/features', child)):
            answer = client.send('GET', path)
            self.assertEqual(answer.status, 200, path)
            request, = self.found(self.admin, answer.headers['X-Request-Id'])
            self.assertEqual((request['object'], request['line']['metadata']['labels']), (wanted, ['III']), path)
            self.assertEqual(len(told(accesses(self.admin, objectId=wanted), request['uid'])), 1, path)

    def test_the_class_says_how_much_is_told(self):
        client = base.world.client()
        client.login('minato', 'kanri', base.PASSWORD)
        known = {'session', 'ip', 'type', 'uid'}
        for path, label, fields in ((f'/v1/classes/{self.tenant.lesson().class_id}', 'IV', {'type', 'uid'}),
                                    ('/v1/session', 'III', known), ('/v1/audit/anomalies', 'II', known | {'proof'})):
            answer = client.send('GET', path)
            self.assertEqual(answer.status, 200, path)
            request, = self.found(self.admin, answer.headers['X-Request-Id'])
            self.assertEqual((request['line']['metadata']['labels'], set(request['actor']), 'object' in request), ([label], fields, False), path)
        self.assertEqual(set(request['actor']['proof']), {'at'})
        self.assertLessEqual(request['actor']['proof']['at'], request['line']['time'] + request['ms'])

    def test_many_requests_share_an_event(self):
        calls = {self.pupil.send('GET', '/v1/session').headers['X-Request-Id'] for _ in range(60)}
        self.assertEqual(len(calls), 60)
        lines = eventually(lambda: (lines := accesses(self.admin)) and calls <= {r['uid'] for r in requests_of(lines)} and lines, 'all are told')
        self.assertLess(len([line for line in lines if calls & {r['uid'] for r in requests_of([line])}]), 60)
        for line in lines:
            self.assertEqual(line['count'], len(line['unmapped']['requests']))

    def test_it_holds_no_personal_data(self):
        call = self.admin.send('GET', '/v1/users?username=jido1&limit=1').headers['X-Request-Id']
        self.found(self.admin, call)
        text = json.dumps(accesses(self.admin), ensure_ascii=False)
        for row in self.tenant.roster():
            for name in ('username', 'familyName', 'givenName'):
                if row.get(name):
                    self.assertNotIn(row[name], text)
        self.assertNotIn(base.PASSWORD, text)
        for client in (self.admin, self.pupil):
            self.assertNotIn(client.token, text)

    def test_who_does_not_ask_finds_only_what_was_done(self):
        self.found(self.admin, self.admin.send('GET', '/v1/session').headers['X-Request-Id'])
        events = eventually(lambda: base.events(self.admin, operation='audit.audit_search') and base.events(self.admin), 'a search is told')
        self.assertNotIn('gateway.request', {event['operation'] for event in events})

    def test_a_stranger_is_in_the_operators_log_and_in_no_other(self):
        call = base.world.client().send('GET', '/v1/session').headers['X-Request-Id']
        request = self.found(base.world.operator, call)[0]
        self.assertEqual(request['code'], 401)
        self.assertEqual(request['actor'], {'type': 'anonymous', 'ip': '127.0.0.1'})
        self.assertEqual(told(accesses(self.admin), call), [])

    def test_what_no_route_has_and_files_are_left_out(self):
        calls = [self.admin.send('GET', path).headers['X-Request-Id'] for path in ('/v1/nothing-here', '/nothing.html')]
        self.found(self.admin, self.admin.send('GET', '/v1/session').headers['X-Request-Id'])
        for call in calls:
            self.assertEqual(told(accesses(base.world.operator) + accesses(self.admin), call), [])

    def test_staff_sees_how_long_each_stage_took_and_a_pupil_does_not(self):
        for client in (self.admin, self.tenant.enter('sensei'), base.world.operator):
            self.assertRegex(client.send('GET', '/v1/session').headers['Server-Timing'], TIMING)
        for client in (self.pupil, base.world.client()):
            self.assertNotIn('Server-Timing', client.send('GET', '/v1/session').headers)

    def test_the_line_on_stderr_tells_the_same(self):
        call = self.admin.send('GET', '/v1/session').headers['X-Request-Id']
        def told_there():
            whole = (self.stack.logs / 'gateway.log').read_bytes().rpartition(b'\n')[0]  # the last line may be half written
            return [line for line in whole.decode().splitlines() if call in line]
        line = json.loads(eventually(told_there, 'the line is written')[0])
        self.assertEqual((line['route'], line['status']), ('/v1/session', 200))
        self.assertGreater(line['service_us'], 0)
        self.assertGreaterEqual(line['session_us'], 0)

    def test_audit_killed_makes_events_late_and_nothing_else(self):
        self.stack.kill('audit')
        calls = [self.pupil.send('GET', '/v1/session') for _ in range(150)]  # more than one batch
        self.assertEqual({answer.status for answer in calls}, {200})
        self.stack.restart('audit')
        self.stack.wait_ready(['audit'])
        wanted = {answer.headers['X-Request-Id'] for answer in calls}

        def came():
            uids = [request['uid'] for request in requests_of(accesses(self.admin, actorId=self.tenant.user_id('jido1')))]
            return uids if wanted <= set(uids) else None

        uids = eventually(came, 'the events of the meantime')
        self.assertEqual(len(uids), len(set(uids)), 'none stands twice')

    def test_stopping_loses_none(self):
        client = base.world.client()
        client.login('minato', 'jido1', base.PASSWORD)
        call = client.send('GET', '/v1/session').headers['X-Request-Id']
        client.close()
        self.stack.restart('gateway')
        self.stack.wait_ready(['gateway'])
        self.found(self.admin, call)

    def gaps(self, client, run):
        return [gap for gap in client.pages('/v1/audit/completeness') if gap['kind'] == 'accesses_missing' and gap['runId'] == run]

    def runs(self):
        """Those that read for the tenant."""
        readers = f"SELECT run_id FROM audit.access_reader WHERE tenant_id = '{self.tenant.contract['tenantId']}'"
        return self.stack.sql(readers).split()

    def test_what_a_killed_gateway_held_is_named_to_those_whom_it_concerns(self):
        other = base.world.tenant('tsubame')
        self.found(self.admin, self.pupil.send('GET', '/v1/session').headers['X-Request-Id'])
        ended, = self.runs()
        self.stack.restart('gateway')  # in good order: with its end
        self.stack.wait_ready(['gateway'])
        self.found(self.admin, self.pupil.send('GET', '/v1/session').headers['X-Request-Id'])
        killed, = self.runs()
        self.stack.kill('audit')
        lost = self.pupil.send('GET', '/v1/session')
        self.assertEqual(lost.status, 200)
        self.stack.kill('gateway')
        self.stack.restart('gateway')

        def send(client, path='/v1/session'):  # the gateway may not listen yet
            return eventually(lambda: self.unless_refused(client, path), 'the gateway answers')

        for path in ('/v1/skills', '/v1/session'):  # reading goes on, though audit cannot be told for whom
            self.assertEqual(send(self.pupil, path).status, 200)
        self.stack.restart('audit')
        self.stack.wait_ready(['gateway', 'audit'])
        eventually(lambda: send(self.pupil).status == 200 and set(self.runs()) - {ended, killed}, 'now it is')
        gap, = eventually(lambda: self.gaps(self.admin, killed), 'the administrators see what is missing')
        self.assertEqual((gap['service'], gap['operation']), ('gateway', 'gateway.request'))
        self.assertEqual(len(self.gaps(base.world.operator, killed)), 1)
        self.assertEqual(self.gaps(base.world.operator, ended), [])
        for client in (self.admin, base.world.operator):
            eventually(lambda: any(row['kind'] == 'incomplete_log' for row in client.get('/v1/audit/anomalies')['items']), 'it is shown among what is unusual')
        eventually(lambda: base.events(self.admin, operation='audit.log_gap'), 'the log says so itself')
        self.assertEqual(told(accesses(self.admin), lost.headers['X-Request-Id']), [])
        self.assertEqual(self.gaps(other.admin, killed), [], 'nothing was read for them')

    @staticmethod
    def unless_refused(client, path):
        try:
            answer = client.send('GET', path)
        except OSError:
            return None
        return answer if answer.status in (200, 503) else None


if __name__ == '__main__':
    unittest.main()
