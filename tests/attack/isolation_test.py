"""Every operation of the API, called by tenant A with ids of tenant B.

Each answer must be byte-identical to the answer for an id that does not exist: whether another
tenant's thing is there must not be told, neither by status nor by text nor by headers. The list of
operations is the published contract itself, and a place for an id that this file knows no thing for
fails, so a new operation is attacked from its first day.
"""

import json
import sys
import unittest
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'flow'))
import base  # noqa: E402
from base import FlowTest  # noqa: E402

CHANGING = {'date', 'ratelimit', 'ratelimit-policy', 'traceparent', 'x-request-id', 'server-timing'}  # headers that differ by nature
ROLES = {'contractor': 'admin', 'instructor': 'teacher', 'student': 'pupil'}
# Operations that take no id of a tenant's thing, or whose ids are not checked against anything by design.
OWN_IDS_ONLY = {'notification_notice_read'}  # marks own notices; others' ids are silently none of mine


def setUpModule():
    base.open_world()
    open_sides()


def open_sides():
    """Two tenants with a thing of every kind; and the contract itself, the list of what can be asked."""
    global document, here, there
    document = json.loads((base.BUILD / 'proto/openapi.json').read_text())
    here, there = Side('minato'), Side('tonari')


class Side:
    """One tenant with a thing of every kind, and a client of each role."""

    def __init__(self, code):
        tenant = base.world.tenant(code)
        lesson = tenant.lesson()
        self.tenant, self.admin, self.teacher, self.pupil = tenant, tenant.admin, lesson.teacher, tenant.enter('jido1')
        made = lesson.sent_try(self.pupil)
        lesson.teacher.put(f'/v1/tries/{made["id"]}/sharing', shared=True)
        enrolled = self.admin.get(f'/v1/classes/{lesson.class_id}/enrollments')['items']
        self.ids = {
            'userId': made['userId'], 'actorId': made['userId'], 'ownerId': made['userId'], 'classId': lesson.class_id,
            'orgId': self.admin.get('/v1/orgs')['items'][0]['id'],
            'enrollmentId': next(row['id'] for row in enrolled if row['userId'] == made['userId']),
            'sessionId': self.pupil.get('/v1/sessions')['items'][0]['id'],
            'skillId': lesson.skill['id'], 'skillIds': [lesson.skill['id']], 'unitId': lesson.unit['id'],
            'assignmentId': lesson.assignment['id'], 'tryId': made['id'], 'mediaId': made['mediaId'],
            'announcementId': self.admin.post('/v1/announcements', title='行事', body='あした', audience='instructor')['id'],
            'eventId': self.signed_event(), 'anomalyId': self.anomaly(), 'importId': self.archive(), 'ids': [self.notice()],
            'exportId': self.admin.post('/v1/exports')['id'], 'requestId': self.request(),
            'erasureId': self.erasure(),
        }

    def erasure(self):
        self.admin.call('DELETE', f'/v1/users/{self.tenant.user_id("jido4")}')
        return self.admin.get('/v1/erasures')['items'][0]['id']

    def archive(self):
        """One that is being sent; nothing of it has arrived."""
        answer = self.admin.call('POST', '/v1/imports', headers={'Tus-Resumable': '1.0.0', 'Upload-Length': '1000'})
        return answer.headers['Location'].rpartition('/')[2]

    def signed_event(self):
        def found():
            rows = base.events(self.admin)
            return rows and self.admin.send('GET', f'/v1/audit/events/{rows[-1]["id"]}/proof').status == 200 and rows[-1]['id']
        return base.eventually(found, 'an event is in the log and signed')

    def request(self):
        made = self.admin.send('GET', '/v1/session').headers['X-Request-Id']
        base.eventually(lambda: base.events(self.admin, requestId=made, kind='all'), 'the request is in the log')
        return made

    def anomaly(self):
        for number in range(2 * base.ANOMALY_FAILURES - 1):  # as many as it takes lie in one window; a name each: nobody waits
            base.world.client().send('POST', '/v1/sessions', {
                'tenantCode': self.tenant.code, 'username': f'dare{number}', 'password': 'chigau-kotoba', 'delivery': 'bearer'})
        rows = base.eventually(lambda: self.admin.get('/v1/audit/anomalies')['items'], 'something unusual is in the log')
        return rows[0]['id']

    def notice(self):
        return base.eventually(lambda: self.pupil.get('/v1/notices')['items'], 'the pupil has a notice')[0]['id']


def missing(value):
    return [str(uuid.uuid4())] if isinstance(value, list) else str(uuid.uuid4())


def resolve(schema):
    while '$ref' in schema:
        schema = document['components']['schemas'][schema['$ref'].rpartition('/')[2]]
    return schema


def sample(name, schema, ids):
    """A valid value: ids of things by their name, else the least that the schema allows."""
    if name in ids:
        return ids[name]
    schema = resolve(schema)
    if 'enum' in schema:
        return schema['enum'][0]
    kind = schema['type']
    if kind == 'object':
        needed = schema.get('required') or list(schema['properties'])
        return {member: sample(member, schema['properties'][member], ids) for member in needed}
    if kind == 'array':
        return [sample('', schema['items'], ids)] * schema.get('minItems', 0)
    if kind == 'integer':
        return schema.get('minimum', 0)
    if kind == 'boolean':
        return True
    return '"1"' if name == 'If-Match' else 'x' * max(1, schema.get('minLength', 1))


def id_places(name, schema):
    """Where a schema takes ids, at any depth: names with dots between."""
    schema = resolve(schema)
    if schema.get('format') == 'uuid':
        return [name]
    if 'items' in schema:
        return id_places(name, schema['items'])
    members = schema.get('properties', {}).items()
    return [f'{name}.{place}'.lstrip('.') for member, inner in members for place in id_places(member, inner)]


class Operation:
    def __init__(self, path, method, node):
        self.path, self.method, self.node, self.name = path, method.upper(), node, node['operationId']
        self.parameters = node.get('parameters', [])
        content = node.get('requestBody', {}).get('content', {})
        self.body_type = next(iter(content), None)
        self.body_schema = content.get('application/json', {}).get('schema')

    def slots(self):
        """Where an id of a thing goes: (place, name)."""
        found = [(p['in'], p['name']) for p in self.parameters if p['name'] in here.ids]
        if self.body_schema:
            found += [('body', name) for name in resolve(self.body_schema).get('properties', {}) if name in here.ids]
        return found

    def id_slots(self):
        """Every place that takes an id, as the contract says, whether anything is known for it or not."""
        named = [(p['in'], place) for p in self.parameters for place in id_places(p['name'], p['schema'])]
        return named + [('body', place) for place in id_places('', self.body_schema or {})]

    def call(self, client, place, slot, value):
        """Call with valid ids of the caller's own everywhere but in one slot."""
        path, query, headers = self.path, [], {'Idempotency-Key': str(uuid.uuid4())}
        for p in self.parameters:
            is_slot = (p['in'], p['name']) == (place, slot)
            if not (p.get('required') or is_slot):
                continue
            filled = value if is_slot else sample(p['name'], p['schema'], here.ids)
            filled = str(filled).lower() if isinstance(filled, bool) else str(filled)
            if p['in'] == 'path':
                path = path.replace('{' + p['name'] + '}', filled)
            elif p['in'] == 'query':
                query.append(f'{p["name"]}={filled}')
            elif p['name'] != 'Idempotency-Key':
                headers[p['name']] = filled
        body = self.body(slot if place == 'body' else None, value)
        if self.body_type:
            headers['Content-Type'] = self.body_type
        return client.send(self.method, path + ('?' + '&'.join(query) if query else ''), body, headers)

    def body(self, slot, value):
        if not self.body_type:
            return None
        if not self.body_schema:
            return b'x'
        made = sample('', self.body_schema, here.ids)
        return {**made, slot: value} if slot else made


def operations():
    for path, methods in document['paths'].items():
        for method, node in methods.items():
            yield Operation(path, method, node)


def normal(answer, value):
    """Everything that a client can tell two answers apart by, without the id that was asked for."""
    ids = value if isinstance(value, list) else [value]
    text = answer.body.decode(errors='replace')
    if answer.status >= 400 and text:
        text = json.dumps({k: v for k, v in json.loads(text).items() if k != 'traceId'}, ensure_ascii=False)
    for one in ids:
        text = text.replace(one, 'ID')
    headers = sorted((k.lower(), v) for k, v in answer.headers.items() if k.lower() not in CHANGING)
    return answer.status, [(k, v) for k, v in headers if k != 'content-length'], text


class Isolation(FlowTest):
    def test_ids_of_another_tenant_are_as_good_as_none(self):
        attacked = 0
        for operation in operations():
            for role in set(operation.node['x-allow']) & set(ROLES):
                for place, slot in operation.slots():
                    with self.subTest(operation=operation.name, role=role, slot=slot):
                        self.attack(operation, getattr(here, ROLES[role]), place, slot)
                        attacked += 1
        self.assertGreater(attacked, 50)

    def test_every_id_that_a_tenant_may_send_is_attacked(self):
        for operation in operations():
            if set(operation.node['x-allow']) & set(ROLES):
                with self.subTest(operation=operation.name):
                    self.assertEqual(set(operation.id_slots()) - set(operation.slots()), set())

    def attack(self, operation, client, place, slot):
        theirs, nobodys = there.ids[slot], missing(there.ids[slot])
        answer = operation.call(client, place, slot, theirs)
        control = operation.call(client, place, slot, nobodys)
        self.assertEqual(normal(answer, theirs), normal(control, nobodys))
        if place != 'query' and operation.name not in OWN_IDS_ONLY:
            self.assertIn(answer.status, (404,) if place == 'path' else (400, 403, 404, 409))

    def test_answers_hold_nothing_of_another_tenant(self):
        theirs = {one for value in there.ids.values() for one in (value if isinstance(value, list) else [value])}
        theirs.add(there.tenant.contract['tenantId'])
        for operation in operations():
            if operation.method != 'GET' or operation.path.endswith('/events') and 'audit' not in operation.path:
                continue
            for role in set(operation.node['x-allow']) & set(ROLES):
                answer = operation.call(getattr(here, ROLES[role]), None, None, None)
                text = answer.body.decode(errors='replace')
                with self.subTest(operation=operation.name, role=role):
                    self.assertEqual([one for one in theirs if one in text], [])

    def test_another_role_of_the_same_tenant_is_refused(self):
        clients = {'operator': base.world.operator, **{role: getattr(here, name) for role, name in ROLES.items()}}
        for operation in operations():
            if 'anonymous' in operation.node['x-allow']:
                continue
            for role in set(clients) - set(operation.node['x-allow']):
                with self.subTest(operation=operation.name, role=role):
                    self.assertEqual(operation.call(clients[role], None, None, None).status, 403)

    def test_nothing_but_the_login_is_open_to_strangers(self):
        stranger = base.world.client()
        for operation in operations():
            if 'anonymous' not in operation.node['x-allow']:
                with self.subTest(operation=operation.name):
                    self.assertEqual(operation.call(stranger, None, None, None).status, 401)

    def test_internal_operations_are_not_reachable(self):
        for path in ('/internal/auth/capabilities', '/internal/audit/events', '/internal/learning/home'):
            for method in ('GET', 'POST', 'PUT'):
                self.assertIn(here.admin.send(method, path, {'token': 'x'}).status, (404, 405))

    def test_the_database_is_still_whole(self):
        """The attacks changed nothing of the other tenant."""
        self.assertEqual(there.pupil.get(f'/v1/tries/{there.ids["tryId"]}')['try']['id'], there.ids['tryId'])
        self.assertEqual(len(there.tenant.lesson().board()), there.tenant.PUPILS)
        self.assertEqual(there.tenant.admin.get('/v1/audit/anomalies')['unseenCount'], 1)
        notices = there.pupil.get('/v1/notices')['items']
        self.assertEqual([notice['read'] for notice in notices if notice['id'] in there.ids['ids']], [False])


if __name__ == '__main__':
    unittest.main()
