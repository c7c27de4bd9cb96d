"""What a service that does nothing costs those who ask it: a request its time, and behind a full window no time at all. What
one costs that is only slow: a little time.

The gateway of this module waits two seconds for an answer and has at most four requests under way to one instance.
"""

import signal
import threading
import time
import unittest
from contextlib import contextmanager

import base
from api import Client
from base import FlowTest, eventually

WAIT_MS, WINDOW = 2000, 4
BRIEF = {'request-timeout-ms': WAIT_MS, 'bus-window': WINDOW, 'bus-tenant-share': 100}
UNSAID_MS = 10_000  # the default, which nobody may meet here
BOARD = '/v1/assignments'
ROUNDS = 5  # a machine that sleeps for longer than a request waits spoils one


def setUpModule():
    """Whoever asks has come before the gateway waits so short a time: a first login is a hash, which others go before, and a
    roster is more than a hash."""
    base.open_world()
    base.world.tenant('sumire').enter('sensei')
    stack = base.world.stack
    stack.processes['gateway'].command += [f'--{name}={value}' for name, value in BRIEF.items()]
    stack.restart('gateway')
    stack.wait_ready()


@contextmanager
def stopped(name):
    """The process is there but does nothing."""
    base.world.stack.kill(name, signal.SIGSTOP)
    try:
        yield
    finally:
        base.world.stack.kill(name, signal.SIGCONT)


class Asking(threading.Thread):
    """One request on a connection of its own, which is open already."""

    def __init__(self, who):
        super().__init__(daemon=True)
        self.client = base.world.client()
        self.client.token, self.client.link = who.token, self.client.connect()
        self.client.link.connect()

    def run(self):
        self.began = time.monotonic()
        answer = self.client.send('GET', BOARD)
        self.ended = time.monotonic()
        self.ms = (self.ended - self.began) * 1000
        self.status, self.retry_after = answer.status, answer.headers['Retry-After']


class Overload(FlowTest):
    def setUp(self):
        self.teacher = base.world.tenant('sumire').enter('sensei')
        self.wait_well()

    def wait_well(self):
        eventually(lambda: self.teacher.send('GET', BOARD).status == 200, 'learning answers')

    def ask(self, n):
        """n requests at once while learning does nothing."""
        asking = [Asking(self.teacher) for _ in range(n)]
        self.wait_well()  # so that the session is known
        with stopped('learning'):
            for one in asking:
                one.start()
            for one in asking:
                one.join()
        self.wait_well()
        return asking

    def test_a_request_waits_as_long_as_the_option_says(self):
        for _ in range(ROUNDS):
            [one] = self.ask(1)
            self.assertEqual(one.status, 504)
            if one.ms < UNSAID_MS:
                break
        self.assertLess(one.ms, UNSAID_MS)

    def waited(self):
        """How many requests have waited for a place so far."""
        admin = Client(f'https://localhost:{base.world.stack.admin_port}', base.world.stack.ca)
        lines = admin.send('GET', '/metrics').body.decode().splitlines()
        admin.close()
        return next(int(line.split()[-1]) for line in lines if line.startswith('manabiya_waited_for_place_total{'))

    def test_behind_a_full_window_that_moves_people_wait_for_their_turn(self):
        for _ in range(4 * ROUNDS):
            asking = [Asking(self.teacher) for _ in range(6 * WINDOW)]
            self.wait_well()
            before = self.waited()
            for one in asking:
                one.start()
            for one in asking:
                one.join()
            if self.waited() > before and {one.status for one in asking} == {200}:
                return
        self.fail(f'{self.waited() - before} waited, and the answers were {sorted(one.status for one in asking)}')

    def test_behind_a_full_window_nobody_waits(self):
        for _ in range(ROUNDS):
            asking = self.ask(2 * WINDOW)
            waited = [one for one in asking if one.status == 504]
            refused = [one for one in asking if one.status == 503]
            if waited and max(one.began for one in asking) > min(one.ended for one in waited):
                continue  # the last came when the first had gone: there was room again
            self.assertLessEqual(len(waited), WINDOW)
            if len(waited) == WINDOW:
                break
        self.assertEqual((len(waited), len(refused)), (WINDOW, WINDOW))
        self.assertLess(max(one.ended for one in refused), min(one.ended for one in waited))
        for one in refused:
            self.assertGreater(int(one.retry_after), 0)
        print(f'refused behind a full window after {", ".join(f"{one.ms:.1f}" for one in refused)} ms')


if __name__ == '__main__':
    unittest.main()
