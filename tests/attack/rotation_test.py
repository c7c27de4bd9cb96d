"""Keys are replaced while lessons go on: a tenant's, and the root of all. Nobody notices; what the old root opens is nothing.

Of each service that holds tenants' keys there are two instances, as docs/operations.md wants it for this, restarted one after the
other. Two of them are killed while they seal rows anew: nothing is lost, and it goes on to its end.
"""

import hashlib
import re
import secrets
import subprocess
import sys
import threading
import time
import unittest
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'flow'))
import base  # noqa: E402
from base import FlowTest, eventually  # noqa: E402
from api import Problem  # noqa: E402
from processes import Process  # noqa: E402
from stack import Stack  # noqa: E402

CTL = base.BUILD / 'ctl/manabiyactl'
HOLDERS = ('provisioning', 'learning', 'notification')
SECOND = '-2'
KILLS = 20  # of a program that runs some milliseconds: some of them hit it half way
ROTATIONS = 3
KEPT = ('一つめ', '二つめ', '三つめ', '四つめ', '五つめ')  # comments: the one in the middle is where learning is killed
PREFIX = 8  # characters that say under which version a text lies
# Where a service is killed while it seals rows anew: the table, the column, and the number of the lock at which it stands.
KILLED_AT = {'learning': ('comment', 'text', 4711), 'provisioning': ('person', 'name', 4712)}
HOLD = """
    CREATE FUNCTION tenancy.hold() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock(TG_ARGV[0]::bigint); RETURN NEW; END $$;
"""


class TwoOfEach(Stack):
    """Two instances of all that hold tenants' keys; both roots are read from files that may be empty."""

    def _peers(self, name):
        peers = super()._peers(name)
        called = [peer.partition('=')[0] for peer in peers.split(',')]
        return ','.join([peers, *(f'{peer}={self._url(peer + SECOND)}' for peer in called if peer in HOLDERS)])

    def _define(self):
        super()._define()
        for name in HOLDERS:
            first = self.processes[name]
            own = {'--listen=': f'--listen={self._url(name + SECOND)}',
                   '--database=': f'--database={self.conninfo(f"manabiya_{name}")} application_name={name}{SECOND}'}
            command = [own.get(part.partition('=')[0] + '=', part) for part in first.command]
            self.processes[name + SECOND] = Process(name + SECOND, command, self.logs / f'{name}{SECOND}.log',
                                                    environment=first.environment)

    def _start_one(self, name):
        super()._start_one(name)
        if name in HOLDERS:
            super()._start_one(name + SECOND)

    def _unlinked(self):
        """What a service and its second instance say is one figure, their sum."""
        _, text = self._ask_admin('/metrics')
        up = dict(re.findall(r'^manabiya_bus_instances_up{service="(\w+)"} (\S+)$', text, re.M))
        wanted = {name: len(self._peers(name).split(',')) * (2 if name in HOLDERS else 1)
                  for name in ('auth', 'audit', *HOLDERS, 'gateway')}
        return [name for name, n in wanted.items() if float(up.get(name, 0)) < n]

    def restart_all(self):
        """One instance after the other of each service, all of whose others answer meanwhile."""
        for which in ('', SECOND):
            for name in HOLDERS:
                self.processes[name + which].stop()
                self.restart(name + which)
            self.wait_ready()


def stack_with_two_roots(directory):
    before = directory / 'root-before.key'
    return TwoOfEach(directory, base.BUILD, extra={'gateway': base.PATIENT, 'audit': base.UNUSUAL,
                                                   **{name: {'keyring-root-before': before} for name in HOLDERS}})


def new_world(directory):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / 'root-before.key').write_text('')
    return stack_with_two_roots(directory)


def setUpModule():
    base.open_world(new_world)


class Load(threading.Thread):
    """Somebody who writes something and reads it, all the time, in a session of the own."""

    def __init__(self, tenant, username, wanted):
        super().__init__(daemon=True)
        self.client = base.world.client()
        self.client.login(tenant.code, username, base.PASSWORD)
        self.wanted, self.refused, self.wrong, self.done, self.stopping = wanted, [], [], 0, threading.Event()

    def run(self):
        while not self.stopping.is_set():
            try:
                self.step(f'かきこみ{self.done}')
            except (Problem, OSError, AssertionError) as problem:
                self.wrong.append(problem)
            self.done += 1
            time.sleep(0.1)

    def write(self, method, path, body, headers=None):
        """What a service that was killed had under way is asked again, with the same key: it happens once. The database may not
        have noticed yet that nobody waits for the first."""
        headers, was_refused = {'Idempotency-Key': str(uuid.uuid4()), **(headers or {})}, False
        while True:
            answer = self.client.send(method, path, body, headers)
            if answer.status == 503:
                was_refused = True
                self.refused.append(answer.json['code'])
            elif not (was_refused and answer.status == 409 and answer.json['code'] == 'request_in_progress'):
                self.see(answer.status in (200, 201, 204), f'{method} {path}: {answer.status} {answer.body[:300]}')
                return answer.json
            time.sleep(0.01)

    def read(self, path):
        answer = self.client.send('GET', path)
        while answer.status == 503:
            self.refused.append(answer.json['code'])
            answer = self.client.send('GET', path)
        self.see(answer.status == 200, f'{path}: {answer.status} {answer.body[:300]}')
        return answer

    def see(self, fact, text):
        if not fact:
            raise AssertionError(text)


class Comments(Load):
    def step(self, text):
        path = self.wanted[self.done % len(self.wanted)]
        self.written = getattr(self, 'written', {})
        made = self.write('POST', path, {'positionMs': self.done, 'text': text})
        self.written.setdefault(path, {})[made['id']] = text
        found = {comment['id']: comment['text'] for comment in self.read(path).json['items']}
        self.see(found == self.written[path], f'{found} is not {self.written[path]}')


class Goals(Load):
    def step(self, text):
        self.write('PUT', f'{self.wanted}/goal', {'goal': text, 'condition': 3})
        self.see(self.read(f'{self.wanted}/goal').json['goal'] == text, text)
        self.read('/v1/home')


class Names(Load):
    def step(self, text):
        etag = self.read(self.wanted).headers['ETag']
        answer = self.client.send('PATCH', self.wanted, {'familyName': text}, {'If-Match': etag})
        if answer.status == 503:  # it may have happened or not, and no key says which
            self.refused.append(answer.json['code'])
            return
        self.see(answer.status == 200, f'{answer.status} {answer.body[:300]}')
        self.see(self.read(self.wanted).json['familyName'] == text, text)


class Announcements(Load):
    def step(self, text):
        self.write('POST', self.wanted, {'title': text, 'body': text, 'audience': 'everyone'})
        self.see(text in [item['body'] for item in self.read(self.wanted).json['items']], text)


class RotationTest(FlowTest):
    def setUp(self):
        self.stack = base.world.stack
        self.tenant, self.other = (base.world.tenant(code) for code in ('kagi', 'jomae'))
        self.id = self.tenant.contract['tenantId']
        self.lesson = self.tenant.lesson()
        self.root, self.before = self.stack.keys / 'keyring-root.key', base.world.directory / 'root-before.key'
        self.write_what_is_kept()
        self.load = []
        self.addCleanup(self.stop_load)

    def write_what_is_kept(self):
        """What nobody changes any more: it must be read afterwards as it was."""
        made = self.lesson.sent_try(self.tenant.enter('jido1'))
        self.path, self.video = f'/v1/tries/{made["id"]}', f'/v1/media/{made["mediaId"]}/content'
        for text in KEPT:
            self.lesson.teacher.post(f'{self.path}/comments', positionMs=1, text=text)
        self.tenant.enter('jido1').put(f'{self.lesson.path}/goal', goal='こしを高く', condition=3)
        self.announced = self.tenant.admin.post('/v1/announcements', title='うんどうかい', body='てるてる', audience='everyone')['id']

    def what_is_kept(self):
        teacher, admin = self.lesson.teacher, self.tenant.admin
        return {
            'try': teacher.get(self.path), 'comments': teacher.get(f'{self.path}/comments')['items'],
            'video': hashlib.sha256(teacher.send('GET', self.video).body).hexdigest(),
            'names': [user for user in admin.pages('/v1/users') if user['id'] != self.somebody],
            'announcement': [item for item in admin.pages('/v1/announcements') if item['id'] == self.announced]}

    def start_load(self):
        """Whom Names changes has the last of the ids, so that no row is locked while a service stands before it."""
        self.somebody = self.tenant.admin.post('/v1/users', username='kawaru', role='student', familyName='川', givenName='流',
                                               kanaFamilyName='カワ', kanaGivenName='ナガレ', grade='P3')['user']['id']
        tries = {tenant: [f'/v1/tries/{tenant.lesson().sent_try(tenant.enter(pupil))["id"]}/comments'
                          for pupil in ('jido2', 'jido3', 'jido4')] for tenant in (self.tenant, self.other)}
        self.load = [Comments(self.tenant, 'sensei', tries[self.tenant]), Comments(self.other, 'sensei', tries[self.other]),
                     Goals(self.tenant, 'jido2', self.lesson.path), Names(self.tenant, 'kanri', f'/v1/users/{self.somebody}'),
                     Announcements(self.tenant, 'kanri', '/v1/announcements')]
        for somebody in self.load:
            somebody.start()

    def stop_load(self):
        for somebody in self.load:
            somebody.stopping.set()
        for somebody in self.load:
            somebody.join()

    def assert_nobody_noticed(self):
        """And that they are still at it."""
        before = [somebody.done for somebody in self.load]
        eventually(lambda: all(somebody.done > n + 1 for somebody, n in zip(self.load, before)), 'lessons go on')
        self.assertEqual([type(somebody).__name__ for somebody in self.load if somebody.refused or somebody.wrong], [],
                         [(somebody.refused[:3], somebody.wrong[:3]) for somebody in self.load])

    def assert_lost_what_was_under_way(self):
        """By each kill -9 at most one request of each, which was told so and happened once when it was repeated."""
        for somebody in self.load:
            self.assertEqual(somebody.wrong, [])
            self.assertLessEqual(set(somebody.refused), {'unavailable'})
            self.assertLessEqual(len(somebody.refused), len(KILLED_AT))

    def ctl(self, *words):
        return [CTL, 'keyring', *words, '--keyring', base.world.directory / 'keyring', '--keyring-root', self.root]

    def rotate(self):
        said = subprocess.run([*self.ctl('rotate'), '--tenant', self.id], check=True, stdout=subprocess.PIPE, text=True).stdout
        return int(re.search(r'version (\d+)', said)[1])

    def test_every_key_is_replaced_while_lessons_go_on(self):
        self.start_load()
        kept = self.what_is_kept()
        old = self.root.read_text()
        self.before.write_text(old)
        self.root.write_text(secrets.token_hex(32) + '\n')
        self.stack.restart_all()  # each knows both roots now
        self.replace_the_root()
        for _ in range(ROTATIONS - 1):
            self.rotate()
            self.assert_nobody_noticed()
        self.before.write_text('')
        self.stack.restart_all()  # and only the new one
        self.assert_nobody_noticed()
        newest = self.rotate_and_kill()
        eventually(lambda: self.versions() == {newest}, 'nothing lies under an old version')
        self.stop_load()
        self.assert_lost_what_was_under_way()
        self.assertEqual(self.what_is_kept(), kept)
        self.assert_roots_are_told(old)
        self.assert_old_root_opens_nothing(old)

    def assert_roots_are_told(self, old):
        """Each once, whichever of the two instances was first, by a name that is neither key."""
        operator = base.world.operator
        roots = operator.get('/v1/keys/roots')['items']
        self.assertEqual([root['inUse'] for root in roots], [True, False])
        told = [event['objectId'] for event in operator.get('/v1/audit/events?operation=provisioning.key_root_use')['items']]
        self.assertEqual(told, [root['name'] for root in roots])
        for root in roots:
            self.assertNotIn(root['name'].partition(':')[2], (old + self.root.read_text()).lower())

    def replace_the_root(self):
        reseal = [*self.ctl('reseal'), '--keyring-root-before', self.before]
        for i in range(KILLS):
            half = subprocess.Popen(reseal, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(i / 1000)
            half.kill()
            half.wait()
        subprocess.run(reseal, check=True, stdout=subprocess.DEVNULL)
        said = subprocess.run(reseal, check=True, stdout=subprocess.PIPE, text=True).stdout
        self.assertRegex(said, r'^resealed 0\tunchanged [1-9]')

    def assert_old_root_opens_nothing(self, old):
        self.root.write_text(old)
        refused = subprocess.run(self.ctl('reseal'), check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.assertEqual(refused.returncode, 1)
        self.assertIn('made with another root key', refused.stderr)

    # ---- kill -9 of a service that seals rows anew ----

    def rotate_and_kill(self):
        """The last rotation: an instance of each service is killed between two rows of a table. Returns the newest version."""
        self.stack.sql(HOLD)
        middle = {name: self.hold(name) for name in KILLED_AT}
        with subprocess.Popen(['psql', '-XqAt', self.stack.conninfo()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as psql:
            for _, _, lock in KILLED_AT.values():
                psql.stdin.write(f"SELECT 'held' || pg_advisory_lock({lock});\n")
                psql.stdin.flush()
                self.assertEqual(psql.stdout.readline(), 'held\n')
            newest = self.rotate()
            for name in HOLDERS:  # a round begins when a service starts
                self.stack.restart(name)
            self.stack.wait_ready()
            self.assert_nobody_noticed()
            killed = [self.kill(name) for name in KILLED_AT]
            for name, (key, text) in middle.items():
                self.assertEqual(self.sealed(name, key), text, 'it was killed before this row')
            psql.stdin.close()
        self.stack.sql('DROP FUNCTION tenancy.hold CASCADE')
        for instance in killed:
            self.stack.restart(instance)
        self.stack.wait_ready()
        return newest

    def hold(self, name):
        """Whoever seals the row in the middle of the tenant's anew waits for the lock. Returns its id, and what stands there."""
        table, column, lock = KILLED_AT[name]
        keys = self.stack.sql(f"SELECT id FROM {name}.{table} WHERE tenant_id = '{self.id}' ORDER BY id").split()
        kept = {'learning': [comment['id'] for comment in self.lesson.teacher.get(f'{self.path}/comments')['items']],
                'provisioning': keys[:-1]}[name]
        key = sorted(kept)[len(kept) // 2]
        self.stack.sql(f"CREATE TRIGGER hold BEFORE UPDATE ON {name}.{table} FOR EACH ROW WHEN (OLD.id = '{key}'"
                       f' AND left(NEW.{column}, {PREFIX}) <> left(OLD.{column}, {PREFIX})) EXECUTE FUNCTION tenancy.hold({lock})')
        return key, self.sealed(name, key)

    def sealed(self, name, key):
        table, column, _ = KILLED_AT[name]
        return self.stack.sql(f"SELECT {column} FROM {name}.{table} WHERE id = '{key}'")

    def kill(self, name):
        """The instance that stands at the lock; which one it is says how it has connected."""
        stands = ('SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)'
                  f" WHERE l.locktype = 'advisory' AND l.objid = {KILLED_AT[name][2]} AND NOT l.granted")
        instance = eventually(lambda: self.stack.sql(stands), f'{name} seals anew')
        self.stack.kill(instance)
        return instance

    def versions(self):
        """Under which versions anything lies, as the services say."""
        keys = self.tenant.admin.get('/v1/keys')
        self.assertEqual(keys['partial'], [])
        return {row['version'] for name in HOLDERS for row in keys[name]['sealed'] if row['count']}


if __name__ == '__main__':
    unittest.main()
