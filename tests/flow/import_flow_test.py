"""An archive of another installation comes in: sent, checked, applied, and used by the people who moved with it."""

import time
from contextlib import contextmanager

import base
import seed
from archives import School, Signer
from base import FlowTest, clip, erase_user, eventually

LONG_S = 120


def setUpModule():
    global signer
    base.open_world()
    signer = Signer('audit.elsewhere.example/log/school')


def tearDownModule():
    signer.close()


def empty(code):
    """A contract that nobody is in but its first administrator, who has a name that no school uses."""
    contract = base.world.operator.post('/v1/contracts', name=f'{code}教育委員会(架空)', code=code, administratorUsername='hikkoshi')
    admin = base.world.client()
    base.world.arrive(admin, code, 'hikkoshi', contract['initialSecret'], is_staff=True)
    return admin


def send(admin, archive, piece=3_000_000):
    headers = {'Tus-Resumable': '1.0.0', 'Upload-Length': str(len(archive))}
    answer = admin.send('POST', '/v1/imports', headers=headers)
    if answer.status != 201:
        raise AssertionError(answer.body)
    path = answer.headers['Location']
    for at in range(0, len(archive), piece):
        admin.upload_piece(path, at, archive[at:at + piece])
    return path


def wait(admin, path, *states):
    def report():
        got = admin.get(path)
        return got if got['state'] in states else None
    return eventually(report, f'the import is {states}', LONG_S)


def check(admin, path, **body):
    admin.call('POST', f'{path}/check', body)
    return wait(admin, path, 'checked', 'refused')


def apply(admin, path):
    admin.post(f'{path}/apply')
    return wait(admin, path, 'applied', 'stopped', 'refused')


def create(admin, username):
    """Somebody of that login name, made by hand."""
    return admin.post('/v1/users', username=username, role='student', familyName='別', givenName='人', kanaFamilyName='べつ',
                      kanaGivenName='じん')['user']['id']


def holds():
    """How many rosters are held for archives."""
    return base.world.stack.sql('SELECT count(*) FROM provisioning.roster_hold')


@contextmanager
def broken(what, does="RAISE 'broken'"):
    """Meanwhile the database refuses this, `INSERT ON table` say, or does something else before."""
    sql = base.world.stack.sql
    sql(f'CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does}; RETURN NULL; END $$;'
        f' CREATE TRIGGER refuse BEFORE {what} EXECUTE FUNCTION public.refuse()')
    try:
        yield
    finally:
        sql('DROP FUNCTION public.refuse() CASCADE')


def secrets(admin):
    """One-time secrets by login name."""
    found, cursor = {}, None
    while True:
        page = admin.call('POST', '/v1/users/arrival-secrets' + (f'?cursor={cursor}' if cursor else ''))
        found.update((row['username'], row['secret']) for row in page['items'])
        cursor = page.get('nextCursor')
        if not cursor:
            return found


class Import(FlowTest):
    def test_a_school_moves_with_all_that_its_people_made(self):
        admin, school = empty('umi'), School(clip('cartwheel', 1), clip('cartwheel'))
        path = send(admin, school.archive(signer))
        report = check(admin, path, verifierKey=signer.verifier())
        self.assertEqual((report['state'], report['faults'], report['signature']), ('checked', [], 'valid'))
        self.assertEqual((report['sourceTenantId'], report['sourceLog']), (school.tenant, signer.name))
        counts = {row['type']: (row['lines'], row['written']) for row in report['counts']}
        self.assertEqual(counts, {type_: (len(lines), 0) for type_, lines in school.data.items()})
        self.assertEqual([row['username'] for row in admin.pages('/v1/users')], ['hikkoshi'])
        self.assertEqual(apply(admin, path)['state'], 'applied')

        issued = secrets(admin)
        self.assertEqual(set(issued), {'kancho', 'teacher', 'mai'})
        people = {}
        for who in issued:
            people[who] = base.world.client()
            base.world.arrive(people[who], 'umi', who, issued[who], is_staff=who != 'mai')
        self.assertEqual(set(secrets(admin)), set(), 'who has a password needs no secret')
        self.as_the_pupil(people['mai'], school)
        self.as_the_teacher(people['teacher'], school)
        ids = {row['username']: (row['id'], row['status']) for row in people['kancho'].pages('/v1/users')}
        self.assertEqual(ids['mai'], (school.ids['mai'], 'active'))
        self.assertEqual(ids['ken'], (school.ids['ken'], 'suspended'))
        self.assertEqual([row['title'] for row in people['mai'].get('/v1/announcements')['items']], ['運動会'])
        self.recorded(admin, path)

    def as_the_pupil(self, mai, school):
        ids = school.ids
        eventually(lambda: mai.get('/v1/assignments')['items'], 'the pupil is in the class')
        seen = mai.get(f'/v1/tries/{ids["try"]}')
        self.assertEqual((seen['try']['id'], seen['try']['state'], seen['try']['mediaId']), (ids['try'], 'reflected', ids['video']))
        self.assertEqual((seen['goal']['goal'], seen['reflection']['text'], seen['modelMediaId']), ('まっすぐ回る', 'できた', ids['model']))
        [comment] = mai.get(f'/v1/tries/{ids["try"]}/comments')['items']
        self.assertEqual((comment['positionMs'], comment['text']), (1500, '手のつき方がよい'))
        for id_, data in school.videos.items():
            self.assertEqual(mai.send('GET', f'/v1/media/{id_}/content').body, data)

    def as_the_teacher(self, teacher, school):
        seen = seed.patiently(lambda: teacher.get(f'/v1/tries/{school.ids["try"]}'))
        self.assertEqual((seen['evaluation']['knowledgeAndSkills'], seen['evaluation']['note']), ('A', 'よく考えた'))

        def names():
            return {row['familyName'] for row in teacher.get(f'/v1/assignments/{school.ids["assignment"]}/board')['items']}
        eventually(lambda: names() == {'磯部', '沖'}, 'the class stands on the board')

    def recorded(self, admin, path):
        """One event says which archive it was, and the rows tell of one that is gone."""
        manifest = admin.get(path)['manifestHash']
        rows = eventually(lambda: base.events(admin, operation='learning.archive_applied'), 'the event is in the log')
        self.assertEqual(rows[0]['objectId'], path.rpartition('/')[2])

        def lines():
            size = int(admin.send('GET', '/v1/audit/log/checkpoint').body.split(b'\n')[1])
            return [line for line in admin.send('GET', f'/v1/audit/log/export?first=0&end={size}').body.decode().splitlines()
                    if f'"manifest" : "{manifest}", "checkpoint" : "7:' in line]
        [line] = eventually(lines, 'the log names the manifest and the checkpoint')
        self.assertIn('learning.archive_applied', line)

    def test_kill_9_in_the_middle_loses_and_doubles_nothing(self):
        admin, stack = empty('tochuu'), base.world.stack
        video = clip('cartwheel', 2)
        video += bytes(40_000_000)  # a box that players pass over: enough for many steps
        school = School(video, clip('cartwheel'))
        path = send(admin, school.archive(signer), piece=20_000_000)
        admin.call('POST', f'{path}/check', {})
        self.killing(admin, path, stack, ('checked', 'refused'))
        report = admin.get(path)
        self.assertEqual((report['state'], report['faults'], report['signature']), ('checked', [], 'unchecked'))
        admin.post(f'{path}/apply')
        self.killing(admin, path, stack, ('applied', 'stopped'))
        self.assertEqual(admin.get(path)['state'], 'applied')
        self.assertEqual(holds(), '0', 'the roster is let go')
        tenant = f"(SELECT customer_tenant_id FROM provisioning.contract WHERE code = 'tochuu')"
        for table, n in (('learning.try', 1), ('learning.media', 2), ('provisioning.person', 5), ('learning.comment', 1)):
            self.assertEqual(stack.sql(f'SELECT count(*) FROM {table} WHERE tenant_id = {tenant}'), str(n), table)
        mai = base.world.client()
        base.world.arrive(mai, 'tochuu', 'mai', secrets(admin)['mai'], is_staff=False)
        self.assertEqual(mai.send('GET', f'/v1/media/{school.ids["video"]}/content').body, video)
        eventually(lambda: stack.sql("SELECT (SELECT count(*) FROM learning.ledger) + (SELECT count(*) FROM provisioning.ledger)"
                                     " + (SELECT count(*) FROM audit.untold)") == '0', 'the log is compared', LONG_S)
        self.assertEqual(list(admin.pages('/v1/audit/completeness')), [], 'every change has its event')

    def killing(self, admin, path, stack, states):
        """Kill learning while it works, three times at most, then let it finish."""
        for _ in range(3):
            time.sleep(0.3)
            stack.kill('learning')
            stack.restart('learning')
            stack.wait_ready(['learning'])
            if admin.get(path)['state'] in states:
                return
        wait(admin, path, *states)

    def test_an_upload_that_was_cut_goes_on(self):
        admin, archive = empty('kireta'), School(clip('cartwheel', 1), clip('cartwheel')).archive(signer)
        path = admin.send('POST', '/v1/imports', headers={'Tus-Resumable': '1.0.0', 'Upload-Length': str(len(archive))}).headers['Location']
        admin.upload_piece(path, 0, archive[:70_000])
        self.assertEqual(admin.upload_offset(path), 70_000)
        self.assertRefused(409, lambda: admin.call('POST', f'{path}/check', {}), 'import_wrong_state')
        admin.upload_piece(path, 70_000, archive[70_000:])
        self.assertEqual(check(admin, path)['state'], 'checked')

    def test_what_is_taken_after_the_check_is_told_before_the_first_line(self):
        admin, school = empty('tomari'), School(clip('cartwheel', 1), clip('cartwheel'))
        path = send(admin, school.archive(signer))
        self.assertEqual(check(admin, path)['state'], 'checked')
        taken = create(admin, 'mai')
        admin.post('/v1/orgs', name='うみ小学校')
        report = apply(admin, path)
        self.assertEqual((report['state'], [(row['code'], row['entry'], row['line'], row['pointer']) for row in report['faults']]),
                         ('refused', [('org_name_taken', 'data/org.jsonl', 2, '/name'), ('username_taken', 'data/user.jsonl', 3, '/username')]))
        self.assertEqual([row['written'] for row in report['counts'] if row['written']], [])
        self.assertEqual({row['username'] for row in admin.pages('/v1/users')}, {'hikkoshi', 'mai'})
        self.assertEqual([row['id'] for row in admin.pages('/v1/orgs') if row['id'] in school.ids.values()], [])
        self.assertEqual(holds(), '0')
        erase_user(admin, taken)
        school.data['org'][1]['name'] = 'おき小学校'
        eventually(lambda: admin.send('GET', path).status == 404, 'the archive from before a deletion is gone')
        path = send(admin, school.archive(signer))
        self.assertEqual(check(admin, path)['state'], 'checked')
        self.assertEqual((apply(admin, path)['state'], holds()), ('applied', '0'))
        self.assertEqual({row['username'] for row in admin.pages('/v1/users')}, {'hikkoshi', 'kancho', 'teacher', 'mai', 'ken'})

    def test_what_stopped_holds_the_roster_until_it_goes_on_or_is_given_up(self):
        admin, school = empty('aida'), School(clip('cartwheel', 1), clip('cartwheel'))
        path = send(admin, school.archive(signer))
        self.assertEqual(check(admin, path)['state'], 'checked')
        [lost] = [file for file in (base.world.directory / 'media').rglob('*') if file.name == path.rpartition('/')[2]]
        aside = base.world.directory / 'aside'
        lost.rename(aside)
        for _ in range(2):
            report = apply(admin, path)
            self.assertEqual((report['state'], [row['code'] for row in report['faults']]), ('stopped', ['stopped']))
            self.assertRefused(409, lambda: create(admin, 'mai'), 'roster_held')
            self.assertRefused(409, lambda: admin.post('/v1/orgs', name='うみ小学校'), 'roster_held')
        aside.rename(lost)
        self.assertEqual(admin.send('DELETE', path).status, 204)
        create(admin, 'mai')
        admin.post('/v1/orgs', name='うみ小学校')

    def test_what_stopped_goes_on_when_the_cause_is_mended(self):
        admin, school = empty('tsuzuki'), School(clip('cartwheel', 1), clip('cartwheel'))
        path = send(admin, school.archive(signer))
        self.assertEqual(check(admin, path)['state'], 'checked')
        with broken('INSERT ON learning.goal'):
            self.assertEqual(apply(admin, path)['state'], 'stopped')
        self.assertEqual({row['username'] for row in admin.pages('/v1/users')}, {'hikkoshi', 'kancho', 'teacher', 'mai', 'ken'})
        self.assertRefused(409, lambda: admin.call('DELETE', f'/v1/users/{school.ids["mai"]}'), 'roster_held')
        report = apply(admin, path)
        self.assertEqual((report['state'], report['faults'], holds()), ('applied', [], '0'))
        mai = base.world.client()
        base.world.arrive(mai, 'tsuzuki', 'mai', secrets(admin)['mai'], is_staff=False)
        self.as_the_pupil(mai, school)

    def test_kill_9_while_the_roster_is_held(self):
        admin, school, stack = empty('nigiri'), School(clip('cartwheel', 1), clip('cartwheel')), base.world.stack
        path = send(admin, school.archive(signer))
        self.assertEqual(check(admin, path)['state'], 'checked')
        with broken('INSERT ON provisioning.class', does=f'PERFORM pg_sleep({LONG_S})'):
            admin.post(f'{path}/apply')
            written = f"SELECT count(*) FROM provisioning.person WHERE id = '{school.ids['mai']}'"
            eventually(lambda: stack.sql(written) == '1', 'half of the roster is written')
            asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            eventually(lambda: stack.sql(asleep) != '0', 'and the next line is under way')  # or it slept on behind our backs
            for name in ('learning', 'provisioning'):
                stack.kill(name)
            stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        self.assertEqual(holds(), '1', 'nobody let go of it')
        for name in ('learning', 'provisioning'):
            stack.restart(name)
        stack.wait_ready(['learning', 'provisioning'])
        self.assertEqual((wait(admin, path, 'applied', 'stopped')['state'], holds()), ('applied', '0'))
        self.assertEqual({row['username'] for row in admin.pages('/v1/users')}, {'hikkoshi', 'kancho', 'teacher', 'mai', 'ken'})

    def test_a_pupil_who_is_deleted_while_videos_are_written_holds_up_nothing(self):
        admin, school = empty('saigo'), School(clip('cartwheel', 1), clip('cartwheel'))
        path = send(admin, school.archive(signer))
        self.assertEqual(check(admin, path)['state'], 'checked')
        with broken('UPDATE ON learning.media'):
            self.assertEqual((apply(admin, path)['state'], holds()), ('stopped', '0'))
        erase_user(admin, school.ids['mai'])
        media = f"SELECT count(*) FROM learning.media WHERE id = '{school.ids['video']}'"
        eventually(lambda: base.world.stack.sql(media) == '0', 'learning knows it')
        self.assertEqual(apply(admin, path)['state'], 'applied')
        self.assertEqual(base.world.stack.sql(media.replace(school.ids['video'], school.ids['model'])), '1')

    def test_who_is_erased_is_in_no_archive_that_lies_here(self):
        tenant = base.world.tenant('kesu')
        path = send(tenant.admin, School(clip('cartwheel', 1), clip('cartwheel')).archive(signer))
        erase_user(tenant.admin, tenant.user_id('jido1'))
        eventually(lambda: tenant.admin.send('GET', path).status == 404, 'the archive is gone')
        file = base.world.directory / 'media' / tenant.contract['tenantId']
        self.assertEqual([each for each in file.rglob('*') if each.name == path.rpartition('/')[2]], [])

    def test_one_at_a_time_and_removed_when_it_is_not_wanted(self):
        admin, archive = empty('hitotsu'), School(clip('cartwheel', 1), clip('cartwheel')).archive(signer)
        path, headers = send(admin, archive), {'Tus-Resumable': '1.0.0', 'Upload-Length': '5'}
        self.assertEqual(admin.send('POST', '/v1/imports', headers=headers).json['code'], 'import_exists')
        self.assertRefused(409, lambda: admin.post(f'{path}/apply'), 'import_wrong_state')
        self.assertEqual(admin.send('DELETE', path).status, 204)
        self.assertRefused(404, lambda: admin.get(path))
        self.assertEqual(admin.get('/v1/imports')['items'], [])

    def test_nobody_else_has_a_part_in_it(self):
        tenant, other = base.world.tenant('hoka'), empty('yoso')
        path = send(other, School(clip('cartwheel', 1), clip('cartwheel')).archive(signer))
        for client in (base.world.operator, tenant.enter('sensei'), tenant.enter('jido1')):
            self.assertRefused(403, lambda who=client: who.get('/v1/imports'))
            self.assertRefused(403, lambda who=client: who.get(path))
            self.assertRefused(403, lambda who=client: who.post(f'{path}/apply'))
        self.assertRefused(404, lambda: tenant.admin.get(path))
        self.assertRefused(404, lambda: tenant.admin.call('POST', f'{path}/check', {}))
        self.assertEqual(tenant.admin.get('/v1/imports')['items'], [])


class WrongImport(FlowTest):
    """What is wrong is named, with its place, and nothing is written."""

    @classmethod
    def setUpClass(cls):
        cls.admin = empty('machigai')

    def tearDown(self):
        for row in self.admin.get('/v1/imports')['items']:
            wait(self.admin, f'/v1/imports/{row["id"]}', 'uploading', 'uploaded', 'checked', 'refused')
            self.admin.send('DELETE', f'/v1/imports/{row["id"]}')

    def school(self):
        return School(clip('cartwheel', 1), clip('cartwheel'))

    def faults(self, archive, **body):
        path = send(self.admin, archive)
        report = check(self.admin, path, **body)
        self.assertEqual(self.admin.send('DELETE', path).status, 204)
        self.assertEqual([row['username'] for row in self.admin.pages('/v1/users')], ['hikkoshi'])
        if report['state'] != 'refused':
            self.fail(report)
        return [(row['code'], row['entry'], row.get('line'), row.get('pointer')) for row in report['faults']]

    def test_bytes_that_are_not_those_of_the_manifest(self):
        school = self.school()
        whole = school.archive(signer)
        at = whole.index('まっすぐ'.encode())
        flipped = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:]
        self.assertEqual(self.faults(flipped), [('changed', 'data/goal.jsonl', None, None)])
        self.assertEqual(self.faults(whole[:at])[0][0], 'truncated')
        at = whole.index(b' data/goal.jsonl')
        flipped = whole[:at - 70] + bytes([whole[at - 70] ^ 1]) + whole[at - 69:]
        self.assertEqual(self.faults(flipped), [('changed', 'files', None, None)])
        self.assertEqual(self.faults(whole[:-1024])[0][0], 'truncated')
        self.assertEqual(self.faults(whole + bytes(512))[0][0], 'surplus')
        at = whole.index(b'data/goal.jsonl', 5000)
        self.assertEqual(self.faults(whole[:at + 200] + b'x' + whole[at + 201:])[0][:2], ('damaged', 'data/goal.jsonl'))

    def test_an_archive_of_another_format(self):
        school = self.school()
        whole = school.archive(signer)
        self.assertEqual(self.faults(whole.replace(b'manabiya-archive/v2', b'manabiya-archive/v1', 1)), [('other_format', 'manifest', None, None)])
        entries = [*school.entries(), ('oneroster/pupils.csv', b'')]
        entries.sort(key=lambda entry: ('data', 'oneroster', 'log', 'media').index(entry[0].partition('/')[0]))
        self.assertEqual(self.faults(school.archive(signer, entries)), [('unknown_entry', 'oneroster/pupils.csv', None, None)])

    def test_a_manifest_that_others_signed(self):
        stranger = Signer(signer.name)
        archive = self.school().archive(signer)
        self.assertEqual(self.faults(archive, verifierKey=stranger.verifier())[0][0], 'not_signed')
        stranger.close()
        path = send(self.admin, archive)
        self.assertRefused(422, lambda: self.admin.post(f'{path}/check', verifierKey='kagi'))
        self.admin.send('DELETE', path)

    def test_entries_that_are_missing_or_out_of_order(self):
        school = self.school()
        entries = list(school.entries())
        swapped = [entries[1], entries[0], *entries[2:]]
        self.assertEqual(self.faults(school.archive(signer, swapped))[0][:2], ('wrong_order', 'data/org.jsonl'))
        self.assertEqual(self.faults(school.archive(signer, entries[1:], listed=entries))[0][0], 'not_as_listed')
        unknown = [('data/grade.jsonl', b''), *entries]
        self.assertEqual(self.faults(school.archive(signer, unknown))[0][:2], ('unknown_entry', 'data/grade.jsonl'))
        outside = [*entries, ('../etc/passwd', b'x')]
        self.assertEqual(self.faults(school.archive(signer, outside))[0][0], 'unknown_entry')
        self.assertEqual(self.faults(b'no tar at all' * 100)[0][0], 'damaged')

    def test_lines_that_are_wrong(self):
        school = self.school()
        school.data['try'][0]['assignmentId'] = school.tenant
        school.data['user'][1]['role'] = 'kocho'
        school.data['comment'].append(dict(school.data['comment'][0]))
        school.data['skill'][0]['name'] = 'な' * 101
        found = self.faults(school.archive(signer))
        self.assertIn(('invalid', 'data/user.jsonl', 2, '/role'), found)
        self.assertIn(('invalid', 'data/skill.jsonl', 1, '/name'), found)
        self.assertIn(('dangling', 'data/try.jsonl', 1, '/assignmentId'), found)
        self.assertIn(('duplicate', 'data/comment.jsonl', 2, '/id'), found)

    def test_lines_that_cannot_be_read(self):
        school = self.school()
        for data, fault in ((b'{"id":\n', ('not_json', 1)), (b'\n', ('not_json', 1)), (b'[]\n', ('not_json', 1)), (b'{}', ('unfinished_line', 1)),
                            (b'{"id":"' + b'x' * 40_000 + b'"}\n', ('line_too_long', 1)), (b'{}\n', ('invalid', 1))):
            entries = [(name, data if name == 'data/org.jsonl' else old) for name, old in school.entries()]
            found = self.faults(school.archive(signer, entries))
            self.assertIn((fault[0], 'data/org.jsonl', fault[1]), [row[:3] for row in found], data[:20])

    def test_videos_and_their_lines_that_do_not_belong_together(self):
        school = self.school()
        lost = school.data['media'].pop(0)
        school.data['unit'][0]['skills'][0].pop('modelMediaId')
        self.assertEqual(self.faults(school.archive(signer)), [('file_without_line', f'media/{lost["id"]}', None, None)])
        school = self.school()
        school.data['media'][1]['size'] += 1
        self.assertEqual(self.faults(school.archive(signer))[0][:3], ('dangling', 'data/media.jsonl', 2))

    def test_what_clashes_with_people_who_are_here(self):
        school = self.school()
        school.data['user'][2]['username'] = 'Hikkoshi'
        self.assertEqual(self.faults(school.archive(signer)), [('username_taken', 'data/user.jsonl', 3, '/username')])
