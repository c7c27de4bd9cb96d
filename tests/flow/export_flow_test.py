"""Everything of a contract as one archive: made, fetched in pieces, and checked with nothing of ours but its form."""

import hashlib
import io
import json
import tarfile
import time
import unittest

import base
import oneroster
from base import FlowTest, clip, erase_user, eventually

setUpModule = base.open_world

MADE_WITHIN_S = 120  # a few seconds on an idle machine
DATA = ('org', 'user', 'class', 'enrollment', 'feature', 'skill', 'media', 'unit', 'assignment', 'goal', 'try', 'comment',
        'evaluation', 'reflection', 'announcement')
ROSTERS = ('manifest', 'academicSessions', 'orgs', 'courses', 'users', 'roles', 'classes', 'enrollments')
LOG = ('log.jsonl', 'checkpoint', 'proof')


def begin(client):
    return client.post('/v1/exports')


def made(client):
    """The export, once it can be fetched."""
    def ready():
        item = client.get('/v1/exports')['items'][0]
        return item['state'] == 'ready' and item
    return eventually(ready, 'the export is made', MADE_WITHIN_S)


def fetch(client, export, **headers):
    return client.call('GET', f'/v1/exports/{export["id"]}/archive', headers=headers)


def entries(data):
    """(name, bytes) in their order, as Python's own reader finds them."""
    with tarfile.open(fileobj=io.BytesIO(data), mode='r:', format=tarfile.USTAR_FORMAT) as tar:
        return [(member.name, tar.extractfile(member).read()) for member in tar]


def listed_in(found):
    """[hash, size, name] as the list of files has them; it ends with an empty line."""
    lines = dict(found)['files'].decode().split('\n')
    if lines[-2:] != ['', '']:
        raise AssertionError('the list of files does not end')
    return [line.split(' ', 2) for line in lines[:-2]]


def lines_of(found, kind):
    return [json.loads(line) for line in dict(found)[f'data/{kind}.jsonl'].splitlines()]


def school(code):
    """A contract in which a lesson was held: a try with all that is said about it."""
    tenant = base.world.tenant(code)
    lesson, pupil = tenant.lesson(), tenant.enter('jido1')
    pupil.put(f'{lesson.path}/goal', goal='ひざをのばす', condition=4)
    made_try = lesson.sent_try(pupil)
    path = f'/v1/tries/{made_try["id"]}'
    lesson.teacher.post(f'{path}/comments', positionMs=1500, text='きれい,"とても"\nよい')
    lesson.teacher.put(f'{path}/evaluation', knowledgeAndSkills='A', thinkingJudgementExpression='B', proactiveAttitude='A',
                       note='よくできました')
    pupil.put(f'{path}/reflection', feeling=3, text='うまくできた')
    tenant.admin.post('/v1/announcements', title='夏休み', body='7月から', audience='everyone')
    return tenant, made_try


class ExportFlow(FlowTest):
    @classmethod
    def setUpClass(cls):
        cls.tenant, cls.made_try = school('kakidashi')
        cls.admin = cls.tenant.admin
        begin(cls.admin)
        cls.export = made(cls.admin)
        cls.data = fetch(cls.admin, cls.export).body
        cls.found = entries(cls.data)

    def test_it_holds_everything_in_the_order_that_is_promised(self):
        names = [name for name, _ in self.found]
        media = [row['id'] for row in lines_of(self.found, 'media')]
        self.assertEqual(names, ['manifest', 'files', *(f'data/{kind}.jsonl' for kind in DATA),
                                 *(f'oneroster/{name}.csv' for name in ROSTERS), *(f'log/{name}' for name in LOG),
                                 *(f'media/{id}' for id in media)])
        self.assertEqual(len(self.data), self.export['size'])
        counts = {kind: len(lines_of(self.found, kind)) for kind in DATA}
        self.assertEqual(counts, {**dict.fromkeys(DATA, 1), 'org': 2, 'user': 6, 'enrollment': 5, 'feature': 0, 'media': 2})

    def test_every_hash_is_right(self):
        listed = listed_in(self.found)
        self.assertEqual(listed, [[hashlib.sha256(data).hexdigest(), str(len(data)), name] for name, data in self.found[2:]])
        files, manifest = dict(self.found)['files'], dict(self.found)['manifest'].decode().split('\n')
        self.assertEqual(manifest[:2], ['manabiya-archive/v2', self.tenant.contract['tenantId']])
        self.assertEqual(manifest[4:6], [f'{hashlib.sha256(files).hexdigest()} {len(files)} files', ''])

    def test_texts_are_in_clear_and_videos_as_they_were(self):
        self.assertEqual(lines_of(self.found, 'comment')[0]['text'], 'きれい,"とても"\nよい')
        self.assertEqual(lines_of(self.found, 'goal')[0]['goal'], 'ひざをのばす')
        self.assertEqual(dict(self.found)[f'media/{self.made_try["mediaId"]}'], clip('cartwheel', 3))
        self.assertIn('sensei', [user['username'] for user in lines_of(self.found, 'user')])
        self.assertNotIn(base.PASSWORD.encode(), self.data)

    def test_every_line_refers_to_what_came_before(self):
        seen = set()
        for kind in DATA:
            for row in lines_of(self.found, kind):
                refers = {value for name, value in row.items() if name.endswith('Id') and name != 'id'}
                refers |= {value for skill in row.get('skills', ()) for value in skill.values()}
                self.assertLessEqual(refers, seen, (kind, row))
                seen.add(row.get('id') or row.get('tryId'))

    def test_any_range_is_that_range(self):
        size = len(self.data)
        for first, last in ((0, 0), (511, 512), (0, 1023), (size - 1, size - 1), (size - 1025, size - 1), (1000, 700000),
                            *((at - 1, at + 1) for at in range(512, size, size // 40))):
            answer = fetch(self.admin, self.export, Range=f'bytes={first}-{last}')
            self.assertEqual(answer.status, 206)
            self.assertEqual(answer.body, self.data[first:last + 1], (first, last))

    def test_a_download_that_was_cut_goes_on_where_it_stopped(self):
        path, half = f'/v1/exports/{self.export["id"]}/archive', len(self.data) // 2
        link = self.admin.connect()
        link.request('GET', path, headers=self.admin.headers('GET', None))
        answer = link.getresponse()
        etag, begun = answer.headers['ETag'], answer.read(half)
        link.close()
        rest = fetch(self.admin, self.export, Range=f'bytes={half}-', **{'If-Range': etag})
        self.assertEqual((rest.status, begun + rest.body == self.data), (206, True))

    def test_nobody_else_gets_it(self):
        path, stranger = f'/v1/exports/{self.export["id"]}/archive', base.world.tenant('yoso').admin
        stranger.step_up()
        self.assertRefused(404, lambda: stranger.get(path))
        self.assertRefused(404, lambda: stranger.call('DELETE', f'/v1/exports/{self.export["id"]}'))
        self.assertEqual(stranger.get('/v1/exports')['items'], [])
        for other in (self.tenant.enter('sensei'), self.tenant.enter('jido1'), base.world.operator):
            self.assertRefused(403, lambda client=other: client.get(path))
            self.assertRefused(403, lambda client=other: begin(client))

    def test_there_is_one_at_a_time(self):
        self.assertRefused(409, lambda: begin(self.admin), 'export_exists')

    def test_it_is_recorded(self):
        for operation in ('learning.export_create', 'learning.export_archive'):
            eventually(lambda name=operation: base.events(self.admin, operation=name), f'the log tells of {operation}')

        def unusual():
            return [row for row in self.admin.get('/v1/audit/anomalies')['items'] if row['kind'] == 'bulk_download']
        for found in eventually(unusual, 'and it is worth a look'):  # two when an hour has begun meanwhile
            query = {'actorId': found['userId'], 'from': found['beganAt'], 'operation': 'learning.export_archive', 'outcome': 'success'}
            self.assertGreaterEqual(len(base.events(self.admin, **query)), found['count'])


class Rosters(FlowTest):
    """What other systems are given."""

    @classmethod
    def setUpClass(cls):
        cls.tenant, _ = school('meibo')
        admin = cls.tenant.admin
        admin.post('/v1/orgs', name='となり小学校, "分校"')
        other = next(row['id'] for row in admin.pages('/v1/orgs') if row['name'].startswith('となり'))
        new = admin.post('/v1/classes', orgId=other, title='4年2組', grade='P4')['id']
        admin.post(f'/v1/classes/{new}/enrollments', userId=cls.tenant.user_id('sensei'))
        admin.post(f'/v1/users/{cls.tenant.user_id("jido4")}/suspend')
        begin(admin)
        found = entries(fetch(admin, made(admin)).body)
        cls.files = {name.removeprefix('oneroster/'): data for name, data in found if name.startswith('oneroster/')}

    def rows(self, name):
        return [dict(zip(oneroster.header_of(name), row)) for row in oneroster.rows_of(self.files[f'{name}.csv'])[1:]]

    def test_it_is_a_bulk_file_set_of_oneroster(self):
        self.assertEqual(oneroster.findings(self.files), [])

    def test_everybody_has_a_role_where_they_are(self):
        names = {row['sourcedId']: row['username'] for row in self.rows('users')}
        orgs = {row['sourcedId']: row['name'] for row in self.rows('orgs')}
        roles = {(names[row['userSourcedId']], row['role'], orgs[row['orgSourcedId']]) for row in self.rows('roles')}
        self.assertEqual(roles, {('kanri', 'districtAdministrator', 'meibo教育委員会(架空)'), ('sensei', 'teacher', 'meibo小学校'),
                                 ('sensei', 'teacher', 'となり小学校, "分校"'),
                                 *((f'jido{i}', 'student', 'meibo小学校') for i in range(1, 5))})
        self.assertEqual(sorted(row['roleType'] for row in self.rows('roles') if names[row['userSourcedId']] == 'sensei'),
                         ['primary', 'secondary'])
        self.assertEqual([row['username'] for row in self.rows('users') if row['enabledUser'] == 'false'], ['jido4'])

    def test_classes_are_of_their_school_s_course_of_this_year(self):
        [year] = self.rows('academicSessions')
        self.assertLessEqual(year['startDate'], time.strftime('%Y-%m-%d', time.gmtime(time.time() + 9 * 3600)))
        self.assertEqual(len(self.rows('courses')), 2)
        schools = {row['sourcedId']: row['orgSourcedId'] for row in self.rows('courses')}
        for row in self.rows('classes'):
            self.assertEqual((schools[row['courseSourcedId']], row['termSourcedIds']), (row['schoolSourcedId'], year['sourcedId']))

    def test_what_is_made_up_has_the_same_ids_in_the_next_export(self):
        admin, before = self.tenant.admin, {name: self.rows(name) for name in ('academicSessions', 'courses', 'roles')}
        admin.call('DELETE', f'/v1/exports/{made(admin)["id"]}')
        begin(admin)
        found = dict(entries(fetch(admin, made(admin)).body))
        for name, rows in before.items():
            self.assertEqual(oneroster.rows_of(found[f'oneroster/{name}.csv'])[1:], [list(row.values()) for row in rows])

    def test_who_checks_sees_what_is_wrong(self):
        """Each change is one that some exporter was seen to make."""
        for name, old, new, about in (
                ('roles', b'primary', b'first', "roleType 'first'"), ('roles', b'userSourcedId', b'userSourceId', 'header'),
                ('classes', b'homeroom', b'', 'has no classType'), ('orgs', b',district,', b',board,', "type 'board'"),
                ('users', b'true', b'1', "enabledUser '1'"), ('academicSessions', b'-04-01', b'-04-02', 'academicSessions'),
                ('manifest', b'roles,bulk', b'roles,absent', 'roles is not absent'), ('users', b'sourcedId', b'\xef\xbb\xbfsourcedId', 'byte order'),
                ('courses', b'\r\n', b'\r\n\r\n', 'cells'), ('enrollments', b'student,false', b'student,true', 'student and primary')):
            changed = {**self.files, f'{name}.csv': self.files[f'{name}.csv'].replace(old, new, 1)}
            self.assertTrue([line for line in oneroster.findings(changed) if about in line], (name, about))
        for name in oneroster.REQUIRED:
            less = {file: data for file, data in self.files.items() if file != f'{name}.csv'}
            self.assertIn(f'{name}.csv is missing', oneroster.findings(less))


class ExportEnds(FlowTest):
    def files(self, tenant, export):
        return list((base.world.directory / 'media' / tenant.contract['tenantId']).rglob(f'{export["id"]}*'))

    def test_it_is_deleted_with_its_file(self):
        tenant = base.world.tenant('kesu')
        export = begin(tenant.admin)
        made(tenant.admin)
        self.assertTrue(self.files(tenant, export))
        self.assertEqual(tenant.admin.send('DELETE', f'/v1/exports/{export["id"]}').status, 204)
        self.assertEqual((tenant.admin.get('/v1/exports')['items'], self.files(tenant, export)), ([], []))

    def test_it_goes_by_itself(self):
        tenant = base.world.tenant('kigen')
        export = begin(tenant.admin)
        made(tenant.admin)
        base.world.stack.sql(f"UPDATE learning.export SET expires_at = now() - interval '1 second' WHERE id = '{export['id']}'")
        eventually(lambda: not tenant.admin.get('/v1/exports')['items'], 'its time is over')
        self.assertEqual(self.files(tenant, export), [])

    def test_whoever_is_erased_is_in_no_export_any_more(self):
        tenant, _ = school('shoukyo')
        export = begin(tenant.admin)
        made(tenant.admin)
        erase_user(tenant.admin, tenant.user_id('jido1'))
        eventually(lambda: tenant.admin.get('/v1/exports')['items'][0]['state'] == 'invalid', 'it is not valid any more')
        self.assertRefused(410, lambda: fetch(tenant.admin, export), 'export_outdated')
        eventually(lambda: not self.files(tenant, export), 'its file is gone')
        again = begin(tenant.admin)
        self.assertEqual([item['id'] for item in tenant.admin.get('/v1/exports')['items']], [again['id']])
        made(tenant.admin)
        found = entries(fetch(tenant.admin, again).body)
        self.assertEqual((len(lines_of(found, 'user')), lines_of(found, 'try')), (5, []))


class ExportAfterKill(FlowTest):
    """Each step is cut once: what was made before and what comes after fit together."""

    def test_it_goes_on_where_kill_9_left_it(self):
        tenant, _ = school('tochuu')
        stack, admin = base.world.stack, tenant.admin
        begin(admin)
        for _ in range(6):
            before = stack.sql(f"SELECT step, stored_size, videos_hashed FROM learning.export WHERE tenant_id = '{tenant.contract['tenantId']}'")
            stack.kill('learning')
            stack.restart('learning')
            eventually(lambda was=before: self.moved(tenant, was), 'it moves on')
        stack.wait_ready(['learning'])
        export = eventually(lambda: self.ready(admin), 'the export is made', MADE_WITHIN_S)
        found = entries(fetch(admin, export).body)
        listed = listed_in(found)
        self.assertEqual(listed, [[hashlib.sha256(data).hexdigest(), str(len(data)), name] for name, data in found[2:]])
        self.assertEqual(len(lines_of(found, 'comment')), 1)

    def moved(self, tenant, before):
        row = base.world.stack.sql("SELECT step, stored_size, videos_hashed, state FROM learning.export"
                                   f" WHERE tenant_id = '{tenant.contract['tenantId']}'")
        return row != before + '|working'

    def ready(self, admin):
        answer = admin.send('GET', '/v1/exports')
        return answer.status == 200 and answer.json['items'][0]['state'] == 'ready' and answer.json['items'][0]


if __name__ == '__main__':
    unittest.main()
