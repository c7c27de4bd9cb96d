"""Clients that cost connections and nothing else: churn, floods of idle ones, many slow ones.

They come from many addresses of 127.0.0.0/8, so that the budget of one source does not stop them.
"""
import os
import socket
import ssl
import struct
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from wire import TIMEOUT, Probe  # noqa: E402

GET = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
PATIENCE_S = 60  # for what the server does by itself; a second or two on an idle machine
CONNECTIONS_MAX = 60
PER_SOURCE = 20


def eventually(condition, what):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.05)


class Case(unittest.TestCase):
    options = ()

    def setUp(self):
        if os.environ.get("HTTP_TARGET"):
            raise unittest.SkipTest("plays against another server")
        self.probe = Probe(*self.options)
        self.addCleanup(self.probe.stop)  # fails on what a sanitizer found and on lost exchanges
        self.held = []
        self.addCleanup(lambda: [link.close() for link in self.held])

    def plain(self, source="127.0.0.1"):
        return socket.create_connection((self.probe.host, self.probe.port), timeout=TIMEOUT,
                                        source_address=(source, 0))

    def secure(self, source="127.0.0.1", protocol="http/1.1"):
        return self.probe.context(protocol).wrap_socket(self.plain(source), server_hostname="localhost")

    def is_served(self, source="127.0.0.1"):
        """Does somebody who comes now get an answer?"""
        try:
            with self.secure(source) as link:
                link.sendall(GET)
                return link.recv(12) == b"HTTP/1.1 200"
        except (OSError, ssl.SSLError):
            return False

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.probe.process.pid}/fd"))


class Churn(Case):
    """Connections that come and go, each at another moment, half of them with a reset."""

    options = ("--connections-max", "2000", "--connections-per-source", "1000")
    ROUNDS = 6

    def leave_before_hello(self, source):
        return self.plain(source)

    def leave_within_hello(self, source):
        link = self.plain(source)
        link.sendall(b"\x16\x03\x01\x02\x00\x01")
        return link

    def leave_after_handshake(self, source):
        return self.secure(source)

    def leave_within_head(self, source):
        link = self.secure(source)
        link.sendall(GET[:20])
        return link

    def leave_within_body(self, source):
        link = self.secure(source)
        link.sendall(POST + b"x" * 1000)
        return link

    def leave_before_answer(self, source):
        link = self.secure(source)
        link.sendall(b"GET /later?ms=500 HTTP/1.1\r\nHost: a\r\n\r\n")
        return link

    def leave_within_answer(self, source):
        link = self.secure(source)
        link.sendall(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        link.recv(1)
        return link

    def leave_within_http2(self, source):
        link = self.secure(source, "h2")
        link.sendall(HTTP2)
        return link

    def churn(self, number, failures):
        leavers = [getattr(self, name) for name in dir(self) if name.startswith("leave_")]
        try:
            for i in range(self.ROUNDS):
                for leave in leavers:
                    link = leave(f"127.0.1.{number + 1}")
                    if i % 2:  # a reset, not a farewell
                        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    link.close()
        except Exception as error:  # noqa: BLE001 whatever it is, somebody was not let in
            failures.append(error)

    def test_nothing_is_left_of_those_who_come_and_go(self):
        self.assertTrue(self.is_served())
        eventually(lambda: self.probe.settled_figures() is not None, "the first is gone")
        before, failures = self.descriptors(), []
        threads = [threading.Thread(target=self.churn, args=(i, failures)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            self.assertTrue(self.is_served())  # meanwhile
            thread.join()
        self.assertEqual(failures, [])
        eventually(lambda: self.descriptors() <= before, "every descriptor is closed")
        self.probe.settled_figures()  # every exchange is over


class Floods(Case):
    options = ("--connections-max", str(CONNECTIONS_MAX), "--connections-per-source", str(PER_SOURCE),
               "--idle-timeout-ms", "4000", "--handshake-timeout-ms", "4000", "--head-timeout-ms", "4000",
               "--admin-listen", "127.0.0.1:0")

    def fill(self, connect):
        """Twice as many as there is room for, from a hundred addresses."""
        for i in range(2 * CONNECTIONS_MAX):
            try:
                self.held.append(connect(f"127.0.2.{i % 100 + 1}"))
            except (OSError, ssl.SSLError):
                pass  # not let in

    def test_idle_ones_are_bounded_and_make_room_again(self):
        before = self.descriptors()
        self.fill(self.secure)
        self.assertGreater(len(self.held), 0)
        self.assertLessEqual(self.descriptors(), before + CONNECTIONS_MAX)
        eventually(self.is_served, "the idle ones were sent away")

    def test_silent_ones_are_bounded_and_make_room_again(self):
        """They connect and say nothing: what the kernel accepted is closed at once or after the time for a hello."""
        before = self.descriptors()
        self.fill(self.plain)
        self.assertLessEqual(self.descriptors(), before + CONNECTIONS_MAX + 1)  # one is being looked at
        eventually(self.is_served, "the silent ones were sent away")

    def test_who_is_in_goes_on(self):
        with self.secure("127.0.3.1") as inside:
            inside.sendall(GET)
            self.assertTrue(inside.recv(65536).startswith(b"HTTP/1.1 200"))
            self.fill(self.plain)
            inside.sendall(GET)
            answer = b""
            while b"HTTP/1.1 200" not in answer:
                part = inside.recv(65536)
                self.assertTrue(part, "closed")
                answer = answer[-12:] + part

    def test_slow_heads_hold_nobody_up(self):
        """A byte now and then on many connections: each ends in time, others are served meanwhile."""
        for i in range(CONNECTIONS_MAX // 2):
            self.held.append(self.secure(f"127.0.4.{i % 10 + 1}"))
            self.held[-1].sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        left, end = set(self.held), time.monotonic() + PATIENCE_S
        self.assertTrue(self.is_served())
        while left:
            self.assertLess(time.monotonic(), end, "slow heads are never ended")
            left = {link for link in left if self.goes_on(link)}
            time.sleep(0.1)
        self.assertTrue(self.is_served())

    @staticmethod
    def goes_on(link):
        """Sends one more byte; False once the server has answered or left."""
        try:
            link.sendall(b"x")
            link.settimeout(0.001)
            link.recv(100)
            return False
        except (TimeoutError, ssl.SSLWantReadError):
            link.settimeout(TIMEOUT)
            return True
        except (OSError, ssl.SSLError):
            return False


if __name__ == "__main__":
    unittest.main()
