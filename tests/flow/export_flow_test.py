"""Everything of a contract as one archive: made, fetched in pieces, and checked with nothing of ours but its form."""

import hashlib
import io
import json
import tarfile
import unittest

import base
from base import FlowTest, clip, eventually

setUpModule = base.open_world

MADE_WITHIN_S = 120  # a few seconds on an idle machine
DATA = ('org', 'user', 'class', 'enrollment', 'feature', 'skill', 'media', 'unit', 'assignment', 'goal', 'try', 'comment',
        'evaluation', 'reflection', 'announcement')
ROSTERS = ('manifest', 'orgs', 'users', 'classes', 'enrollments')
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
        self.assertEqual(manifest[:2], ['manabiya-archive/v1', self.tenant.contract['tenantId']])
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
        def told():
            events = [row['operation'] for row in self.admin.get('/v1/audit/events')['items']]
            return {'learning.export_create', 'learning.export_archive'} <= set(events)
        eventually(told, 'the log tells of it')


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
        tenant.admin.call('DELETE', f'/v1/users/{tenant.user_id("jido1")}')
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
