"""audit is away until the bound of what may wait for it is reached, or the disk is full: changes are refused, reading goes
on, nothing that was acknowledged is missing from the log or stands in it twice, and all of it heals by itself."""

import ctypes
import json
import os
import signal
import subprocess
import unittest
import uuid

import base
from base import FlowTest, eventually

BOUND = 30
DISK_BYTES = 256 << 20  # a cluster with some WAL is 80 MB
CLONE_NEWNS, CLONE_NEWUSER, MS_REC, MS_PRIVATE = 0x20000, 0x10000000, 0x4000, 0x40000


def must(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def small_disk(directory):
    """A file system of its own for PostgreSQL. Returns what takes it away."""
    directory.mkdir()
    try:
        return hidden_disk(directory)
    except PermissionError:  # no user namespaces here, as in a chroot: by sudo, on the test's own directory
        options = f'size={DISK_BYTES},mode=0700,uid={os.geteuid()},gid={os.getegid()}'
        subprocess.run(['sudo', '-n', 'mount', '-t', 'tmpfs', '-o', options, 'tmpfs', directory], check=True)
        return lambda: subprocess.run(['sudo', '-n', 'umount', directory], check=True)


def hidden_disk(directory):
    """Seen by this process and its children alone."""
    libc, me, group = ctypes.CDLL(None, use_errno=True), os.geteuid(), os.getegid()
    must(libc.unshare(CLONE_NEWNS | (CLONE_NEWUSER if me else 0)))
    if me:
        for name, text in (('setgroups', 'deny'), ('uid_map', f'{me} {me} 1'), ('gid_map', f'{group} {group} 1')):
            with open(f'/proc/self/{name}', 'w') as file:
                file.write(text)
    must(libc.mount(None, b'/', None, MS_REC | MS_PRIVATE, None))
    must(libc.mount(b'tmpfs', bytes(directory), b'tmpfs', 0, f'size={DISK_BYTES},mode=0700'.encode()))
    return lambda: must(libc.umount(bytes(directory)))


def setUpModule():
    base.world = base.World()
    unittest.addModuleCleanup(base.world.close, __name__)
    unittest.addModuleCleanup(small_disk(base.world.directory / 'postgres'))
    unittest.addModuleCleanup(base.world.stack.stop)
    base.world.stack.extra['learning'] = {'audit-spool-rows': BOUND}
    base.world.open()


class SpoolFlow(FlowTest):
    def setUp(self):
        self.stack, self.tenant = base.world.stack, base.world.tenant('minato')
        lesson = self.tenant.lesson()
        self.teacher, self.pupil = self.tenant.enter('sensei'), self.tenant.enter('jido1')
        self.made = lesson.sent_try(self.pupil)
        self.path = f'/v1/tries/{self.made["id"]}/comments'
        self.acknowledged, self.refused = [], 0
        self.told_before = len(self.stops(self.tenant.admin))
        eventually(lambda: self.waiting() == 0, 'nothing waits for audit')
        eventually(self.write, 'and learning knows it')

    def waiting(self):
        return int(self.stack.sql("SELECT count(*) FROM learning.outbox WHERE consumer = 'audit'"))

    def send(self):
        body = {'positionMs': 1, 'text': f'コメント{uuid.uuid4()}'}
        return self.teacher.send('POST', self.path, body, {'Idempotency-Key': str(uuid.uuid4())})

    def write(self):
        """Whether a change is taken; what is refused must be refused for this reason."""
        answer = self.send()
        if answer.status == 201:
            self.acknowledged.append(answer.json['id'])
            return True
        self.assertEqual((answer.status, answer.json['code']), (503, 'audit_unavailable'))
        self.assertIn('retry-after', answer.headers)
        self.refused += 1
        return False

    def fill(self, most=2 * BOUND):
        """Write until a change is refused; returns how many were taken."""
        for taken in range(most):
            if not self.write():
                return taken
        raise AssertionError('changes are taken without end')

    def assert_reading_goes_on(self):
        self.assertEqual(self.teacher.send('GET', self.path).status, 200)
        self.assertEqual(self.pupil.send('GET', '/v1/home').status, 200)

    def watch(self):
        """The status of a look at a video, which is recorded."""
        return self.teacher.send('GET', f'/v1/media/{self.made["mediaId"]}/content').status

    def assert_recorded(self):
        """What was acknowledged has happened and is in the log once; what was refused has not happened."""
        there = [comment['id'] for comment in self.teacher.pages(self.path)]
        self.assertEqual(sorted(set(there) & set(self.acknowledged)), sorted(self.acknowledged))
        self.assertEqual(len(self.texts()), len(set(self.texts())))
        wanted = {comment: 1 for comment in there}
        eventually(lambda: self.recorded() == wanted, 'every change is in the log, once')

    def texts(self):
        return [comment['text'] for comment in self.teacher.pages(self.path)]

    def recorded(self):
        comments = set(comment['id'] for comment in self.teacher.pages(self.path))
        rows = self.stack.sql("SELECT object_id, count(*) FROM audit.event WHERE operation = 'learning.comment_create'"
                              " AND outcome = 'success' GROUP BY 1").splitlines()
        return {id: int(n) for id, n in (row.split('|') for row in rows) if id in comments}

    def stops(self, client):
        """What the log says of times in which learning could not have its events kept."""
        items = client.get('/v1/audit/events?operation=learning.audit_stop&limit=200')['items']
        return [json.loads(item['line']) for item in items]

    def unrecorded(self):
        return (self.stack.logs / 'learning.log').read_text().count('a failed call could not be recorded')

    def noted(self):
        """What would be told if learning died now."""
        return int(self.stack.sql('SELECT coalesce(max(refused), 0) FROM learning.audit_stop'))

    def assert_told(self, refused):
        """The school is told once of its own, the operator of everybody's; it is an anomaly to both."""
        admin, operator = self.tenant.admin, base.world.operator
        eventually(lambda: len(self.stops(admin)) > self.told_before, 'the school is told')
        line = self.stops(admin)[0]
        told = line['unmapped']
        self.assertEqual((told['refused'], line['actor']['user']['uid']), (refused, 'learning'))
        self.assertLess(told['from'], told['until'])
        eventually(lambda: any(stop['unmapped'] == told for stop in self.stops(operator)), 'the operator is told')
        for client in (admin, operator):
            eventually(lambda client=client: any(
                (anomaly['kind'], anomaly['beganAt'], anomaly.get('endedAt'), anomaly['count'])
                == ('audit_stopped', told['from'], told['until'], refused)
                for anomaly in client.get('/v1/audit/anomalies')['items']), 'it is an anomaly')
        self.assertEqual(len(self.stops(admin)), self.told_before + 1)
        self.assertEqual(self.noted(), 0)

    def test_audit_hangs(self):
        self.stack.kill('audit', signal.SIGSTOP)
        try:
            self.assertLessEqual(self.fill(), BOUND)
            self.assert_reading_goes_on()
            self.assertEqual(self.watch(), 200, 'and what is recorded when it is read')
            self.assertFalse(self.write(), 'nothing has gone, nothing may come')
            self.assertEqual(self.tenant.admin.send('POST', '/v1/orgs', {'name': '別の学校'}).status, 201, 'others have room yet')
        finally:
            self.stack.kill('audit', signal.SIGCONT)
        eventually(self.write, 'changes are taken again')
        self.assert_recorded()
        self.assert_told(self.refused)

    def test_audit_is_dead_and_learning_dies_too(self):
        self.stack.kill('audit')
        self.fill()
        eventually(lambda: self.noted() == self.refused, 'what was refused is noted')
        self.stack.kill('learning')
        self.stack.restart('learning')
        eventually(lambda: self.teacher.send('GET', self.path).status == 200, 'learning reads again')
        eventually(lambda: not self.write(), 'and knows how much waits')
        self.stack.restart('audit')
        eventually(self.write, 'changes are taken again')
        self.stack.kill('audit')  # in the middle of what comes now
        self.stack.restart('audit')
        eventually(self.write, 'changes are taken again')
        self.assert_recorded()
        self.assert_told(self.refused)

    def test_the_disk_is_full(self):
        filler = base.world.directory / 'postgres/filler'
        with open(filler, 'wb', buffering=0) as file:
            with self.assertRaises(OSError):
                while True:
                    file.write(bytes(1 << 16))
        try:
            self.fill(500)
            self.assert_reading_goes_on()
            self.assertIn(self.watch(), (200, 503), 'recorded while a page has room for it, or refused')
            eventually(lambda: not self.write() and self.unrecorded() > 0, 'not even a refusal is recorded any more')
            refused = self.unrecorded()
        finally:
            filler.unlink()
        eventually(self.write, 'changes are taken again')
        self.assert_recorded()
        eventually(lambda: len(self.stops(self.tenant.admin)) > self.told_before, 'the school is told')
        self.assertGreaterEqual(self.stops(self.tenant.admin)[0]['unmapped']['refused'], refused)


if __name__ == '__main__':
    unittest.main()
