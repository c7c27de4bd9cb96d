"""What the flow tests share: one running stack per module, schools to act in, people to act as.

    class SomeFlow(base.FlowTest): ...      and in the module: setUpModule = base.open_world

MANABIYA_BUILD names the build directory (default: build). Logs of a module are kept under
.manabiya/test/logs/<build>. A report of a sanitizer in any log fails the module.
"""

import email
import email.policy
import os
import shutil
import sys
import tempfile
import time
import unittest
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
import clips  # noqa: E402
import people  # noqa: E402
import seed  # noqa: E402
from api import Client, Problem  # noqa: E402
from stack import Stack  # noqa: E402

BUILD = Path(os.environ.get('MANABIYA_BUILD', ROOT / 'build'))
LOGS = ROOT / '.manabiya/test/logs'
SETTLE_S = 60  # for what travels through an outbox; it takes milliseconds on an idle machine
SOON_S = 10  # for what takes a second by itself, when other modules want the machine; if it did not work it would take minutes
PASSWORD = 'fuji-no-yama-2026'
ANOMALY_FAILURES = 5  # fewer than by default: each costs a hash
# And no hour is night, or what is unusual depended on when the tests run.
UNUSUAL = {'anomaly-failures': ANOMALY_FAILURES, 'anomaly-night-from': 0, 'anomaly-night-until': 0}
# A part of a screen that is late is left out of it: not where something is missed in what it shows.
PATIENT = {'fanout-timeout-ms': 30_000}
OPERATOR_SECRET_FILE = 'bootstrap.secret'
LEDGERS = ('audit', 'auth', 'learning', 'notification', 'provisioning')

world = None


def private_stack(directory):
    return Stack(directory, BUILD, extra={'audit': UNUSUAL, 'gateway': PATIENT})


def armed_stack(directory):
    """One that wants a second factor of all staff, as the product does unless told otherwise."""
    return Stack(directory, BUILD, extra={'auth': {'second-factor-required': 'staff'},
                                          'audit': UNUSUAL, 'gateway': PATIENT})


def open_world(new_stack=private_stack):
    """setUpModule of every flow test: a fresh stack with an operator."""
    global world
    world = World(new_stack)
    caller = sys._getframe(1)  # unittest itself, which knows the module, where setUpModule is this function
    unittest.addModuleCleanup(world.close, caller.f_locals.get('currentModule') or caller.f_globals['__name__'])
    world.open()


def eventually(condition, what, seconds=SETTLE_S):
    """The first true value of condition(); fails when there is none in time."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f'not within {seconds} s: {what}')
        time.sleep(0.05)
    return value


def ledgers_agree():
    """Whether all that was written is told and compared. Of one moment: what has left one ledger may have come into another."""
    tables = [*(f'{service}.ledger' for service in LEDGERS), 'audit.untold']
    return world.stack.sql('SELECT ' + ' + '.join(f'(SELECT count(*) FROM {table})' for table in tables)) == '0'


def erase_user(admin, user_id):
    """Deleted, and erased without waiting for the day."""
    for method, path in (('DELETE', f'/v1/users/{user_id}'), ('POST', f'/v1/users/{user_id}/erase')):
        answer = admin.call(method, path)
        assert answer.status == 204, answer.body
    eventually(lambda: admin.send('GET', f'/v1/users/{user_id}').status == 404, 'the user is erased', 60)


def events(client, limit=200, **query):
    """All that the log of this administrator has of it, page by page; the newest first."""
    return list(client.pages('/v1/audit/events', limit=limit, **query))


class World:
    def __init__(self, new_stack=private_stack):
        self.directory = Path(tempfile.mkdtemp(prefix='manabiya-flow-', dir='/tmp'))
        self.stack = new_stack(self.directory)
        self.tenants, self.clients = {}, []
        self.is_armed = new_stack is armed_stack  # staff set up a second factor when they first come

    def open(self):
        self.stack.start()
        eventually(lambda: self.stack.sql('SELECT count(*) FROM auth.account') != '0', 'auth has made the first operator')
        secret = (self.stack.keys / OPERATOR_SECRET_FILE).read_text().strip()
        self.operator = self.client()
        self.arrive(self.operator, seed.OPERATOR_TENANT, seed.OPERATOR, secret, is_staff=True)

    def close(self, name):
        for client in self.clients:
            client.close()
        self.stack.stop()
        kept = LOGS / BUILD.name / name.rpartition('.')[2]
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.stack.logs, kept)
        findings = self.stack.sanitizer_findings()
        self.stack.remove()
        if findings:
            raise AssertionError('a sanitizer reported:\n' + '\n'.join(findings[:20]))

    def client(self):
        self.clients.append(Client(self.stack.address, self.stack.ca, self.stack.logged))
        return self.clients[-1]

    def arrive(self, client, code, username, secret, is_staff):
        """The first login of somebody."""
        client.login_first(code, username, secret, PASSWORD)
        if is_staff and self.is_armed:
            client.enrol()

    def tenant(self, code):
        if code not in self.tenants:
            self.tenants[code] = Tenant(self, code)
        return self.tenants[code]

    def mails(self):
        """Every mail as one text: its headers and its decoded body."""
        found = []
        for path in sorted((self.stack.mail / 'new').glob('*.eml')):
            mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            headers = '\n'.join(f'{name}: {value}' for name, value in mail.items())
            found.append(headers + '\n\n' + mail.get_body(('plain',)).get_content())
        return found


class Tenant:
    """A contract with one school of one class: teacher `sensei`, pupils `jido1`…"""

    PUPILS = 4

    def __init__(self, world, code):
        self.world, self.code = world, code
        self.contract = world.operator.post('/v1/contracts', name=f'{code}教育委員会(架空)', code=code,
                                            administratorUsername='kanri')
        self.admin = world.client()
        world.arrive(self.admin, code, 'kanri', self.contract['initialSecret'], is_staff=True)
        self.secrets = seed.import_users(self.admin, self.roster())
        self.people = {}

    def roster(self):
        pairs = people.names()
        rows = [people.person(next(pairs), 'sensei', 'instructor', f'{self.code}小学校', '3年1組', '')]
        return rows + [people.person(next(pairs), f'jido{i}', 'student', f'{self.code}小学校', '3年1組', 'P3')
                       for i in range(1, self.PUPILS + 1)]

    def enter(self, username):
        """Somebody's client; the first time with the one-time secret, as everybody must."""
        if username not in self.people:
            self.people[username] = self.world.client()
            self.world.arrive(self.people[username], self.code, username, self.secrets[username],
                              is_staff=username == 'sensei')
        return self.people[username]

    def user_id(self, username):
        return next(row['id'] for row in self.admin.pages('/v1/users') if row['username'] == username)

    def lesson(self):
        """A unit with one skill and its model video, assigned to the class. Made once."""
        if not hasattr(self, '_lesson'):
            self._lesson = Lesson(self)
        return self._lesson


class Lesson:
    def __init__(self, tenant):
        self.tenant, self.teacher = tenant, tenant.enter('sensei')
        self.skill = self.teacher.post('/v1/skills', name='側方倒立回転', area='mat', curriculumCode=seed.MAT_CODE,
                                       points='こしを高く上げる。', position=1)
        self.unit = self.teacher.post('/v1/units', title='マット運動', skillIds=[self.skill['id']])
        self.model = self.teacher.upload(clip('cartwheel'))
        self.teacher.put(f'/v1/units/{self.unit["id"]}/skills/{self.skill["id"]}/model', mediaId=self.model)
        self.class_id = self.teacher.get('/v1/classes')['items'][0]['id']
        known = f"SELECT count(*) FROM learning.enrollment WHERE class_id = '{self.class_id}' AND role = 'student'"
        eventually(lambda: tenant.world.stack.sql(known) == str(tenant.PUPILS),  # who comes later is told nothing
                   'the class is known where lessons are', seed.SETTLE_S)
        self.assignment = seed.patiently(lambda: self.teacher.post(
            '/v1/assignments', unitId=self.unit['id'], classId=self.class_id))
        self.path = f'/v1/assignments/{self.assignment["id"]}'
        eventually(lambda: len(self.board()) == tenant.PUPILS, 'the class stands on the board')

    def board(self):
        return self.teacher.get(f'{self.path}/board')['items']

    def board_row(self, username):
        user = self.tenant.user_id(username)
        return next(row for row in self.board() if row['userId'] == user)

    def make_try(self, pupil, data=None):
        media = pupil.upload(data or clip('cartwheel', 3))
        return pupil.post('/v1/tries', assignmentId=self.assignment['id'], skillId=self.skill['id'], mediaId=media)

    def sent_try(self, pupil):
        made = self.make_try(pupil)
        return pupil.post(f'/v1/tries/{made["id"]}/submit')


def clip(move, number=None):
    """The bytes of a generated video, made once."""
    folder = ROOT / '.manabiya/test/clips'
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{move}-{number or "model"}.mp4'
    if not path.exists():
        draft = clips.make(folder / f'{uuid.uuid4()}.mp4', move, number)
        draft.rename(path)
    return path.read_bytes()


class FlowTest(unittest.TestCase):
    def assertRefused(self, status, action, code=None):
        """action() must be refused with this status, as problem+json. Returns the problem."""
        with self.assertRaises(Problem) as caught:
            action()
        answer = caught.exception.answer
        self.assertEqual(answer.status, status, caught.exception)
        self.assertEqual(answer.headers['Content-Type'].partition(';')[0], 'application/problem+json')
        self.assertEqual(answer.json['status'], status)
        if code:
            self.assertEqual(answer.json['code'], code)
        return answer.json
