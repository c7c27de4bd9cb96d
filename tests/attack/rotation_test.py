"""Keys are replaced while a lesson goes on: a tenant's, and the root of all. Nobody notices; what the old root opens is nothing."""

import secrets
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'flow'))
import base  # noqa: E402
from base import FlowTest  # noqa: E402
from api import Problem  # noqa: E402
from stack import Stack  # noqa: E402

CTL = base.BUILD / 'ctl/manabiyactl'
HOLDERS = ('provisioning', 'learning', 'notification')
TEXT = '鍵をかえても読める'
KILLS = 20  # of a program that runs some milliseconds: some of them hit it half way


def stack_with_two_roots(directory):
    before = directory / 'root-before.key'
    return Stack(directory, base.BUILD, extra={name: {'keyring-root-before': before} for name in HOLDERS})


def new_world(directory):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / 'root-before.key').write_text('')
    return stack_with_two_roots(directory)


def setUpModule():
    base.open_world(new_world)


class Lesson(threading.Thread):
    """A teacher who writes and reads, all the time."""

    def __init__(self, client, path):
        super().__init__()
        self.client, self.path, self.wrong, self.done, self.stopping = client, path, [], 0, threading.Event()

    def run(self):
        while not self.stopping.is_set():
            try:
                self.client.post(self.path, positionMs=self.done, text=TEXT)
                texts = {comment['text'] for comment in self.client.get(self.path)['items']}
                if texts != {TEXT}:
                    self.wrong.append(texts)
            except (Problem, OSError) as problem:
                self.wrong.append(problem)
            self.done += 1
            time.sleep(0.05)  # a try has room for some hundred comments


class RotationTest(FlowTest):
    def setUp(self):
        self.stack = base.world.stack
        self.tenants = [base.world.tenant(code) for code in ('kagi', 'jomae')]
        lesson = self.tenants[0].lesson()
        self.teacher = lesson.teacher
        self.path = f'/v1/tries/{lesson.sent_try(self.tenants[0].enter("jido1"))["id"]}/comments'
        self.root, self.before = self.stack.keys / 'keyring-root.key', base.world.directory / 'root-before.key'

    def ctl(self, *words):
        return [CTL, 'keyring', *words, '--keyring', base.world.directory / 'keyring', '--keyring-root', self.root]

    def restart(self):
        for name in HOLDERS:
            self.stack.processes[name].stop()
            self.stack.restart(name)
        self.stack.wait_ready()

    def comment(self):
        base.eventually(lambda: self.teacher.send('GET', self.path).status == 200, 'learning is back')
        self.teacher.post(self.path, positionMs=1, text=TEXT)
        return {comment['text'] for comment in self.teacher.get(self.path)['items']}

    def test_every_key_is_replaced_while_a_lesson_goes_on(self):
        self.assertEqual(self.comment(), {TEXT})
        old = self.root.read_text()
        self.before.write_text(old)
        self.root.write_text(secrets.token_hex(32) + '\n')
        self.restart()  # each knows both roots now
        lesson = Lesson(self.teacher, self.path)
        lesson.start()
        try:
            self.replace_the_root()
            for _ in range(3):
                subprocess.run([*self.ctl('rotate'), '--tenant', self.tenants[0].contract['tenantId']], check=True,
                               stdout=subprocess.DEVNULL)
                self.go_on(lesson)
        finally:
            lesson.stopping.set()
            lesson.join()
        self.assertEqual(lesson.wrong, [])
        self.before.write_text('')
        self.restart()  # and only the new one
        self.assertEqual(self.comment(), {TEXT})
        self.root.write_text(old)
        refused = subprocess.run(self.ctl('reseal'), check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.assertEqual(refused.returncode, 1)
        self.assertIn('made with another root key', refused.stderr)

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

    def go_on(self, lesson):
        before = lesson.done
        base.eventually(lambda: lesson.done > before + 1 or lesson.wrong, 'the lesson goes on')


if __name__ == '__main__':
    unittest.main()
