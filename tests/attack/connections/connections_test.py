"""Clients that cost connections and nothing else: churn, floods of idle ones, many slow ones; and who may connect.

They come from many addresses of 127.0.0.0/8, so that the budget of one source does not stop them.
"""
import json
import os
import shutil
import signal
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from wire import TIMEOUT, Probe  # noqa: E402

GET = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
PATIENCE_S = 60  # for what the server does by itself; a second or two on an idle machine
CONNECTIONS_MAX = 60
PER_SOURCE = 20
IN_PASSING = 4  # descriptors of what is being refused at this moment, on a busy machine


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


class Crowd(Case):
    ROOM = ("--connections-max", str(CONNECTIONS_MAX), "--connections-per-source", str(PER_SOURCE), "--admin-listen", "127.0.0.1:0")

    def fill(self, connect):
        """Twice as many as there is room for, from a hundred addresses."""
        for i in range(2 * CONNECTIONS_MAX):
            try:
                self.held.append(connect(f"127.0.2.{i % 100 + 1}"))
            except (OSError, ssl.SSLError):
                pass  # not let in


class Floods(Crowd):
    options = (*Crowd.ROOM, "--idle-timeout-ms", "4000", "--handshake-timeout-ms", "4000", "--head-timeout-ms", "4000")

    def test_idle_ones_are_bounded_and_make_room_again(self):
        before = self.descriptors()
        self.fill(self.secure)
        self.assertGreater(len(self.held), 0)
        self.assertLessEqual(self.descriptors(), before + CONNECTIONS_MAX + IN_PASSING)
        eventually(self.is_served, "the idle ones were sent away")

    def test_silent_ones_are_bounded_and_make_room_again(self):
        """They connect and say nothing: what the kernel accepted is closed at once or after the time for a hello."""
        before = self.descriptors()
        self.fill(self.plain)
        self.assertLessEqual(self.descriptors(), before + CONNECTIONS_MAX + IN_PASSING)
        eventually(self.is_served, "the silent ones were sent away")

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


class FullHouse(Crowd):
    options = (*Crowd.ROOM, "--idle-timeout-ms", "60000")  # who is in is never sent away for having to wait

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


class SourceRules(Case):
    """Who may connect is said by a file that is read again when it changes."""

    def setUp(self):
        self.rules = Path(tempfile.mkdtemp(prefix="source-rules-")) / "rules"
        self.addCleanup(shutil.rmtree, self.rules.parent)
        self.write("deny 127.0.5.0/24\n")
        self.options = ("--source-rules", str(self.rules), "--tls-check-ms", "50", "--admin-listen", "127.0.0.1:0")
        super().setUp()

    def write(self, text):
        fresh = self.rules.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.rules)

    def log(self, text):
        return [line for line in list(self.probe.lines) if text in line]

    def test_others_are_not_let_in(self):
        self.assertFalse(self.is_served("127.0.5.1"))
        self.assertTrue(self.is_served("127.0.6.1"))

    def test_rules_that_change_hold_at_once_for_those_who_are_in(self):
        inside, other = self.secure("127.0.6.1"), self.secure("127.0.7.1")
        self.held += [inside, other]
        self.write("deny 127.0.6.0/24 # instead\n")
        eventually(lambda: self.is_served("127.0.5.1"), "who was out is let in")
        self.assertFalse(self.is_served("127.0.6.1"))
        self.assertTrue(self.is_cut(inside))
        other.sendall(GET)
        self.assertEqual(other.recv(12), b"HTTP/1.1 200")

    @staticmethod
    def is_cut(link):
        try:
            return link.recv(1) == b""
        except (ConnectionError, ssl.SSLError):
            return True

    def test_only_who_is_listed_may_come(self):
        self.write("allow 127.0.8.0/24\nallow 127.0.9.9\ndeny 0.0.0.0/0\ndeny ::/0\n")
        self.probe.process.send_signal(signal.SIGHUP)
        eventually(lambda: not self.is_served("127.0.9.8"), "the rest is out")
        self.assertTrue(self.is_served("127.0.8.1"))
        self.assertTrue(self.is_served("127.0.9.9"))
        self.assertTrue(self.is_admin_served())

    def is_admin_served(self):
        port = next(json.loads(line)["port"] for line in reversed(self.log('"listening"')))
        self.assertNotEqual(int(port), self.probe.port)
        with socket.create_connection((self.probe.host, int(port)), timeout=TIMEOUT) as plain:
            with self.probe.context("http/1.1").wrap_socket(plain, server_hostname="localhost") as link:
                link.sendall(GET)
                return link.recv(12) == b"HTTP/1.1 200"

    def test_a_slip_changes_nothing_and_is_told(self):
        for text in ("deny 127.0.6.0/24\nallow everybody\n", "deny 127.0.6.1/24\n", "x" * 1000000):
            with self.subTest(text[:20]):
                before = len(self.log("the source rules cannot be used"))
                self.write(text)
                eventually(lambda: len(self.log("the source rules cannot be used")) > before, "it is told")  # noqa: B023
                self.assertFalse(self.is_served("127.0.5.1"))
                self.assertTrue(self.is_served("127.0.6.1"))

    def test_none_start_with_a_slip(self):
        self.write("deny all\n")
        with self.assertRaisesRegex(RuntimeError, '"line": ?"?1'):
            Probe(*self.options)


if __name__ == "__main__":
    unittest.main()
