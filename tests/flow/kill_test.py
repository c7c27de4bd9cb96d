"""kill -9 of each process in turn, of the database and of the mail server while a lesson runs.

What needs the dead process is answered 503 problem+json, the rest works, everything recovers by
itself when the process is back, and nothing that was acknowledged is lost.

And kill -9 at every step of one change, from its first row to the signed log: it is there once.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import unittest
import uuid
from pathlib import Path

import base
from api import Problem
from base import FlowTest, clip, eventually
from processes import start_time
from stack import Stack

MEANWHILE_MS, BEFORE_MS = 1_000_077, 1_000_088  # where the writer never comes to: its comments are numbered from 1
A_TRY, TRIES = 400, 5  # how many comments the writer gives each: it takes 500 (COMMENTS_MAX), and recovering takes as long as it does
AN_HOUR_S = 3600
RECOVER_S = 60  # reconnect back-off, breaker and start-up of a sanitizer build together; some seconds on an idle machine


class StackWithClock(Stack):
    """All processes have a wall clock that the test can set."""

    def _define(self):
        super()._define()
        self.clock = self.directory / 'clock'
        self.set_clock(0)
        for process in self.processes.values():
            process.environment = {**process.environment, 'LD_PRELOAD': str(self.build / 'tests/libclock-shift.so'), 'CLOCK_SHIFT': str(self.clock)}
            if 'ASAN_OPTIONS' in process.environment:
                process.environment['ASAN_OPTIONS'] += ':verify_asan_link_order=0'

    def set_clock(self, shift_s):
        """By so many seconds from the machine's."""
        if not self.clock.exists():
            self.clock.write_bytes(bytes(8))
            self.clock.chmod(0o644)
        with open(self.clock, 'r+b', buffering=0) as file:  # in place: it is mapped
            file.write(shift_s.to_bytes(8, sys.byteorder, signed=True))


def patient_stack(directory):
    """The home waits for whoever is alive, however slow: who is dead is known to be."""
    return StackWithClock(directory, base.BUILD, extra={'audit': base.UNUSUAL, 'gateway': {'fanout-timeout-ms': 30000}})


def setUpModule():
    base.open_world(patient_stack)


class Writer(threading.Thread):
    """A teacher who comments without pause, on one try after the other, and remembers what was acknowledged.

    A comment without an answer is sent again with its key until there is one: it must exist once.
    """

    def __init__(self, client, paths):
        super().__init__(daemon=True)
        self.client, self.paths = client, paths
        self.acknowledged, self.failed, self.stopping = [], [], threading.Event()

    def run(self):
        number = len(self.acknowledged)
        while not self.stopping.is_set():
            number += 1
            self.write(self.paths[number // A_TRY], {'positionMs': number, 'text': f'コメント{number}'},
                       {'Idempotency-Key': str(uuid.uuid4())})
            time.sleep(0.02)

    def write(self, path, body, key):
        while True:
            try:
                answer = self.client.send('POST', path, body, key)
            except OSError:
                answer = None  # the gateway itself is away
            if answer and answer.status == 201:
                return self.acknowledged.append(answer.json['id'])
            if answer and answer.status not in (409, 503):
                return self.failed.append((answer.status, answer.body[:300]))
            if self.stopping.is_set():
                return None
            time.sleep(0.1)

    def stop(self):
        self.stopping.set()
        self.join(60)
        self.client.close()


class KillFlow(FlowTest):
    def setUp(self):
        self.stack, self.tenant = base.world.stack, base.world.tenant('minato')
        self.lesson = self.tenant.lesson()
        self.teacher, self.pupil, self.admin = self.tenant.enter('sensei'), self.tenant.enter('jido1'), self.tenant.admin
        self.paths = [f'/v1/tries/{self.lesson.sent_try(self.pupil)["id"]}/comments' for _ in range(TRIES)]
        self.path = self.paths[0]
        clerk = base.world.client()
        clerk.login('minato', 'sensei', base.PASSWORD)
        self.write_on(clerk, [])

    def write_on(self, clerk, acknowledged):
        self.writer = Writer(clerk, self.paths)
        self.writer.acknowledged, n = acknowledged, len(acknowledged)
        self.writer.start()
        eventually(lambda: len(self.writer.acknowledged) > n, 'the writer writes', RECOVER_S)

    def tearDown(self):
        """Whatever died: the writer's acknowledged comments are all there, each once."""
        before = len(self.writer.acknowledged)
        eventually(lambda: len(self.writer.acknowledged) > before, 'the flow goes on after the kill', RECOVER_S)
        self.writer.stop()
        comments = [comment for path in self.paths for comment in self.teacher.get(path)['items']]
        texts = [comment['text'] for comment in comments]
        self.assertLessEqual(set(self.writer.acknowledged), {comment['id'] for comment in comments})
        self.assertEqual(len(texts), len(set(texts)), 'a repeated request took effect twice')
        self.assertEqual(self.writer.failed, [])
        self.assert_recorded(self.writer.acknowledged)

    def assert_recorded(self, comments):
        """Each of them is in the audit log, once."""
        wanted = {comment: 1 for comment in comments}
        eventually(lambda: {id: n for id, n in self.recorded().items() if id in wanted} == wanted, 'every change is in the log, once')

    def recorded(self):
        rows = self.stack.sql("SELECT object_id, count(*) FROM audit.event WHERE operation = 'learning.comment_create'"
                              " AND outcome = 'success' GROUP BY 1").splitlines()
        return {id: int(n) for id, n in (row.split('|') for row in rows)}

    # ---- questions to ask while something is dead: one of each process ----

    def probes(self):
        return {
            'learning': lambda: self.teacher.get('/v1/skills'),
            'provisioning': lambda: self.admin.get('/v1/users', limit=1),
            'notification': lambda: self.pupil.get('/v1/notices'),
            'audit': lambda: self.admin.get('/v1/audit/events', limit=1),
            'auth': lambda: self.pupil.get('/v1/sessions'),
        }

    def kill(self, name):
        self.stack.kill(name)

    def back(self, name):
        self.stack.restart(name)
        self.stack.wait_ready([name])
        probe = self.probes().get(name, self.probes()['learning'])
        eventually(lambda: self.answers(probe), f'{name} answers again', RECOVER_S)

    def answers(self, probe):
        try:
            probe()
        except (Problem, OSError):
            return False
        return True

    def assert_only_missing(self, name):
        """503 for what needs the dead process (504 would be a request that waited for it) as problem+json; all else answers."""
        eventually(lambda: not self.answers(self.probes()[name]), f'{name} is noticed to be dead', base.SOON_S)
        self.assertRefused(503, self.probes()[name])
        for other, probe in self.probes().items():
            if other != name:
                probe()

    def assert_home_names(self, *missing):
        home = self.pupil.get('/v1/home')
        self.assertEqual(sorted(home['partial']), sorted(missing))
        for name in missing:
            self.assertIsNone(home[name])

    # ---- the kills ----

    def test_learning(self):
        data = clip('cartwheel', 3)
        location = self.pupil.upload_begin(len(data))
        kept = self.pupil.upload_piece(location, 0, data[:10000])
        self.kill('learning')
        self.assert_only_missing('learning')
        self.assert_home_names('learning')
        self.assertEqual(base.world.client().login('minato', 'jido1', base.PASSWORD)['role'], 'student')
        self.back('learning')
        offset = self.pupil.upload_offset(location)
        self.assertGreaterEqual(offset, kept, 'acknowledged bytes of an upload are kept')
        self.pupil.upload_piece(location, offset, data[offset:])
        self.assertEqual(self.pupil.send('GET', f'{location}/content').body, data)

    def test_notification(self):
        self.kill('notification')
        self.assert_only_missing('notification')
        self.assert_home_names('notification')
        said = self.teacher.post(self.path, positionMs=MEANWHILE_MS, text='とどくはず')
        self.back('notification')
        eventually(lambda: MEANWHILE_MS in self.positions_noticed(), 'the notice of a comment written meanwhile')
        self.assertEqual(said['positionMs'], MEANWHILE_MS)

    def test_provisioning(self):
        self.kill('provisioning')
        self.assert_only_missing('provisioning')
        self.assert_home_names('provisioning')
        self.back('provisioning')
        self.admin.post('/v1/orgs', name='新設小学校')

    def test_audit(self):
        self.kill('audit')
        self.assert_only_missing('audit')
        self.pupil.put(f'{self.lesson.path}/goal', goal='記録が止まっても', condition=3)
        self.back('audit')
        me = self.tenant.user_id('jido1')
        eventually(lambda: base.events(self.admin, actorId=me, operation='learning.goal_put'), 'the event of a change made meanwhile')

    def test_auth(self):
        self.kill('auth')
        eventually(lambda: not self.answers(self.probes()['learning']), 'sessions are no longer believed', base.SOON_S)
        self.assertRefused(503, self.probes()['learning'])
        self.assertRefused(503, lambda: base.world.client().login('minato', 'jido1', base.PASSWORD))
        self.assertEqual(self.pupil.send('GET', '/v1/nothing-here').status, 404)
        self.back('auth')
        self.assertEqual(self.pupil.get('/v1/self')['username'], 'jido1')

    def test_gateway(self):
        self.kill('gateway')
        self.assertFalse(self.answers(self.probes()['learning']))
        self.back('gateway')
        for probe in self.probes().values():
            probe()

    def test_redis(self):
        self.kill('redis')
        client = base.world.client()
        client.login('minato', 'jido1', base.PASSWORD)
        began = time.monotonic()
        for probe in self.probes().values():
            probe()
        self.assertLess(time.monotonic() - began, 15, 'a dead cache costs little')
        client.call('DELETE', '/v1/session')
        eventually(lambda: client.send('GET', '/v1/session').status == 401, 'logout holds without the cache', base.SOON_S)
        (self.stack.run / 'redis').unlink(missing_ok=True)
        self.stack.restart('redis')
        self.assertEqual(client.send('GET', '/v1/session').status, 401)
        client.login('minato', 'jido1', base.PASSWORD)

    def test_postgres(self):
        """All of the server's processes die at once, as when the power goes."""
        key = {'Idempotency-Key': str(uuid.uuid4())}
        said = self.teacher.send('POST', self.path, {'positionMs': BEFORE_MS, 'text': '停電のまえ'}, key)
        self.assertEqual(said.status, 201)
        self.kill_cluster()
        for name, probe in self.probes().items():
            with self.subTest(name):
                self.assertRefused(503, probe)  # its own word, not the gateway's after waiting, which is 504
        self.assertRefused(503, lambda: base.world.client().login('minato', 'jido1', base.PASSWORD))
        eventually(lambda: self.stack.readiness()[0] == 503, 'readiness tells of it', RECOVER_S)
        self.stack.restart('postgres')
        for name, probe in self.probes().items():
            eventually(lambda: self.answers(probe), f'{name} has its database again', RECOVER_S)
        self.stack.wait_ready()
        again = eventually(lambda: self.repeat(said.json['text'], key), 'a worker that met it starting has rested', RECOVER_S)
        self.assertEqual((again.status, again.json), (201, said.json), 'what was acknowledged is there')
        eventually(lambda: BEFORE_MS in self.positions_noticed(), 'the notice of a comment that was acknowledged')
        self.assertEqual(self.pupil.get('/v1/self')['username'], 'jido1')

    def repeat(self, text, key):
        """What comes of the same request, but that its worker has no database yet: each has a connection of its own."""
        again = self.teacher.send('POST', self.path, {'positionMs': BEFORE_MS, 'text': text}, key)
        return again if again.status != 503 else None

    def test_the_clock_is_set_back(self):
        """Of all processes, the database's and the cache's too, and set right again. What is under way at that moment may be
        refused as if from nobody; so nothing is."""
        for shift_s in (-AN_HOUR_S, 0):
            self.writer.stop()
            self.stack.set_clock(shift_s)
            self.write_on(self.writer.client, self.writer.acknowledged)
            for probe in self.probes().values():
                probe()
            written = self.writer.acknowledged[-1]
            self.assert_recorded([written])
            unsigned = f"SELECT count(*) FROM audit.head WHERE tenant_id = '{self.tenant.contract['tenantId']}' AND signed < " \
                f"(SELECT sequence FROM audit.event WHERE object_id = '{written}')"
            eventually(lambda unsigned=unsigned: self.stack.sql(unsigned) == '0', 'it is signed')

    def kill_cluster(self):
        """kill -9 of the postmaster leaves its children to end by themselves: kill them with it."""
        postmaster = self.stack.processes['postgres'].pid
        children = Path(f'/proc/{postmaster}/task/{postmaster}/children').read_text().split()
        started = {int(child): start_time(int(child)) for child in children}
        self.kill('postgres')
        for child, since in started.items():
            if since and start_time(child) == since:
                os.kill(child, signal.SIGKILL)
        eventually(lambda: not any(since and start_time(child) == since for child, since in started.items()),
                   'the whole cluster is dead')

    def positions_noticed(self):
        """Of all notices: the writer's push every other off the first page."""
        return [notice.get('positionMs') for notice in self.pupil.pages('/v1/notices', limit=200)]

    def test_mail(self):
        self.kill('mail')
        before = len(self.mails_of_admin())
        base.world.client().login('minato', 'kanri', base.PASSWORD)
        for probe in self.probes().values():
            probe()
        eventually(lambda: self.stack.sql('SELECT max(attempts) FROM notification.mail') not in ('', '0'),
                   'the mail was tried and waits')
        self.assertEqual(len(self.mails_of_admin()), before)
        self.stack.restart('mail')
        eventually(lambda: len(self.mails_of_admin()) > before, 'the mail arrives when its server is back')
        eventually(lambda: self.stack.sql('SELECT count(*) FROM notification.mail') == '0', 'and is kept no longer')

    def mails_of_admin(self):
        me = self.admin.get('/v1/session')['userId']
        return [mail for mail in base.world.mails() if me in mail and 'minato' in mail]


# ---- one change, step by step ----

BEFORE, AFTER = 'before', 'after'  # the step has not happened; or it has, and whoever took it has not heard
COMMIT = 'CONSTRAINT'  # a trigger that fires where the transaction commits
HELD_FROM = 4711  # numbers of locks, one a step
HOLD = """
    CREATE FUNCTION tenancy.hold() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock(TG_ARGV[0]::bigint); RETURN coalesce(NEW, OLD); END $$;
"""
# What happens to a change, in this order: whom it is that stands there; the statement; when he is killed. What is in a transaction
# that goes on has not happened whenever its process dies.
STEPS = (
    ('learning', 'BEFORE INSERT ON learning.comment', '', (BEFORE,)),
    ('learning', 'BEFORE INSERT ON learning.outbox', "NEW.type = 'learning.comment_create'", (BEFORE,)),
    ('learning', f'{COMMIT} INSERT ON learning.outbox', "NEW.type = 'learning.comment_create'", (BEFORE, AFTER)),
    # it is acknowledged; the ledger counts it, and the relay takes it,
    ('learning', 'BEFORE INSERT OR UPDATE ON learning.ledger_count', '', (AFTER,)),
    ('learning', 'BEFORE UPDATE ON tenancy.relay_lease', "NEW.service = 'learning' AND NEW.held_until > '-infinity'", (BEFORE, AFTER)),
    ('audit', 'BEFORE INSERT ON audit.event', "NEW.operation = 'learning.comment_create'", (BEFORE,)),
    ('audit', f'{COMMIT} INSERT ON audit.event', "NEW.operation = 'learning.comment_create'", (BEFORE, AFTER)),
    ('audit', f'{COMMIT} INSERT ON audit.checkpoint', "NEW.tenant_id = '{tenant}'", (BEFORE, AFTER)),
    # audit has answered, the relay settles and lets go,
    ('learning', 'BEFORE DELETE ON learning.outbox', "OLD.consumer = 'audit'", (BEFORE,)),
    ('learning', 'BEFORE UPDATE ON tenancy.relay_lease', "NEW.service = 'learning' AND NEW.held_until = '-infinity'", (BEFORE,)),
    # and what the ledger holds is told.
    ('audit', f'{COMMIT} UPDATE ON audit.teller', "NEW.service = 'learning'", (BEFORE, AFTER)),
    ('learning', 'BEFORE DELETE ON learning.ledger', "OLD.kind = 'event'", (BEFORE,)),
)
RELAY = 4  # the ledger and the relay are two threads: this one waits meanwhile


class KillSteps(FlowTest):
    def setUp(self):
        self.stack, self.tenant = base.world.stack, base.world.tenant('minato')
        self.teacher, self.pupil = self.tenant.enter('sensei'), self.tenant.enter('jido1')
        self.path = f'/v1/tries/{self.tenant.lesson().sent_try(self.pupil)["id"]}/comments'
        eventually(base.ledgers_agree, 'all that was written before is told')
        self.stack.sql(HOLD)
        self.addCleanup(self.stack.sql, 'DROP FUNCTION tenancy.hold CASCADE')
        self.psql = subprocess.Popen(['psql', '-XqAt', self.stack.conninfo()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.psql.communicate)

    def test_a_change_that_is_killed_at_every_step_is_there_once(self):
        for i in (0, RELAY):
            self.hold(i)
        writer = Writer(self.teacher, [self.path])
        asking = threading.Thread(target=writer.write, args=(self.path, {'positionMs': 1, 'text': 'ひとつ'}, {'Idempotency-Key': str(uuid.uuid4())}))
        asking.start()
        for i, (victim, _, _, moments) in enumerate(STEPS):
            for moment in moments:
                self.kill_at(i, victim, moment)
                if moment == moments[-1]:
                    self.let_go(i)
                    if i + 1 < len(STEPS) and i + 1 != RELAY:
                        self.hold(i + 1)  # nothing moves while somebody is dead whom the change needs
                self.stack.restart(victim)
        self.stack.wait_ready()
        asking.join()
        self.assertEqual((len(writer.acknowledged), writer.failed), (1, []))
        self.assert_there_once(writer.acknowledged[0])

    def ask(self, sql):
        """In a session that keeps the locks."""
        self.psql.stdin.write(f"SELECT 'done' FROM {sql};\n")
        self.psql.stdin.flush()
        self.assertEqual(self.psql.stdout.readline(), 'done\n')

    def hold(self, i):
        """From now on, whoever takes the step waits."""
        _, statement, when, _ = STEPS[i]
        when = when.format(tenant=self.tenant.contract['tenantId'])
        kind, _, rest = statement.partition(' ')
        how = f'CREATE CONSTRAINT TRIGGER hold{i} AFTER {rest} DEFERRABLE INITIALLY DEFERRED' if kind == COMMIT else \
            f'CREATE TRIGGER hold{i} {statement}'
        self.ask(f'pg_advisory_lock({HELD_FROM + i})')
        self.stack.sql(f'{how} FOR EACH ROW {f"WHEN ({when})" if when else ""} EXECUTE FUNCTION tenancy.hold({HELD_FROM + i})')

    def let_go(self, i):
        """The lock, if it is still held, and the trigger, when nobody stands there any more."""
        self.ask(f'pg_advisory_unlock({HELD_FROM + i})')
        self.stack.sql(f'DROP TRIGGER hold{i} ON {STEPS[i][1].rpartition(" ")[2]}')

    def standing(self, i, what='pid'):
        return self.stack.sql(f"SELECT {what} FROM pg_locks WHERE locktype = 'advisory' AND objid = {HELD_FROM + i} AND NOT granted")

    def kill_at(self, i, victim, moment):
        """The database ends the transaction of who is dead, before the step; or it goes on without him."""
        eventually(lambda: self.standing(i), f'{victim} stands at step {i}: {STEPS[i][1]}')
        self.stack.kill(victim)
        if moment == BEFORE:
            self.standing(i, 'pg_terminate_backend(pid, 10000)')

    def assert_there_once(self, comment):
        self.assertEqual([(row['id'], row['text']) for row in self.teacher.pages(self.path)], [(comment, 'ひとつ')])
        recorded = f"SELECT count(*) FROM audit.event WHERE object_id = '{comment}' AND outcome = 'success'"
        eventually(base.ledgers_agree, 'what was written is told')
        self.assertEqual(self.stack.sql(recorded), '1', 'in the log, once')
        # That a gateway was killed in another test is named as it must be (access_flow_test.py), and of no change.
        self.assertEqual(self.stack.sql("SELECT count(*) FROM audit.gap WHERE kind <> 'accesses_missing'"), '0')
        self.assertEqual(self.stack.sql("SELECT count(*) FROM learning.outbox WHERE consumer = 'audit'"), '0')
        eventually(lambda: self.stack.sql('SELECT count(*) FROM audit.head WHERE signed < sequence') == '0', 'all of it is signed')


if __name__ == '__main__':
    unittest.main()
