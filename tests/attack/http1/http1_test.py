"""HTTP/1 as attackers and odd clients send it. See wire.py for the server, corpus.py for the requests."""
import os
import signal
import socket
import ssl
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from corpus import BROKEN_BODIES, END, GET, REFUSED, SERVED, SMUGGLED, chunked, post  # noqa: E402
from wire import TIMEOUT, Closed, Http1, Probe, eventually  # noqa: E402

MIB = 1024 * 1024
# The statuses by which the protocol side refuses; an application's answer is anything else.
REFUSALS = {400, 408, 417, 431, 501, 505}
SECURITY_HEADERS = {
    "content-security-policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "media-src 'self' blob:; connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'; object-src 'none'; require-trusted-types-for 'script'",
    "strict-transport-security": "max-age=63072000",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(self)",
}

probe = None


def setUpModule():
    global probe
    probe = Probe()


def tearDownModule():
    probe.stop()


def get(path):
    return b"GET " + path + b" HTTP/1.1\r\nHost: {HOST}\r\n\r\n"


class Corpus(unittest.TestCase):
    def check_headers(self, response):
        for name, value in SECURITY_HEADERS.items():
            self.assertEqual(response.headers.get(name), value)
        self.assertRegex(response.headers["date"], r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")
        self.assertIn("cache-control", response.headers)
        self.assertNotIn("server", response.headers)

    def check_refused(self, data, status):
        with Http1(probe) as http:
            http.send(data)
            response = http.response()
            self.assertEqual(response.status, status)
            self.check_headers(response)
            self.assertEqual(response.headers["connection"], "close")
            self.assertEqual(response.headers["content-type"], "application/problem+json")
            self.assertEqual(http.rest(), b"", "something follows the refusal")

    def test_corpus_is_large(self):
        self.assertGreaterEqual(len(REFUSED) + len(BROKEN_BODIES), 120)

    def test_refused(self):
        for name, data, status in REFUSED:
            with self.subTest(name):
                self.check_refused(data + SMUGGLED, status)

    def test_refused_byte_by_byte(self):
        """The refusal does not depend on how the bytes arrive."""
        for name, data, status in REFUSED:
            if len(data) > 300:
                continue
            with self.subTest(name), Http1(probe) as http:
                data = data.replace(b"{HOST}", probe.authority.encode())
                for at in range(0, len(data), 7):
                    http.send(data[at:at + 7])
                http.send(SMUGGLED)
                self.assertEqual(http.response().status, status)
                self.assertEqual(http.rest(), b"")

    def test_broken_bodies(self):
        for name, data in BROKEN_BODIES:
            with self.subTest(name), Http1(probe) as http:
                http.send(data + SMUGGLED)
                first = http.response()
                self.check_headers(first)
                self.assertEqual(first.headers["connection"], "close")
                self.assertEqual(http.rest(), b"", "what follows a broken body was answered")

    @unittest.skipUnless("HTTP_PROBE" in os.environ, "needs the probe")
    def test_broken_bodies_never_end(self):
        for name, data in BROKEN_BODIES:
            if not probe.is_own:
                return
            with self.subTest(name), Http1(probe) as http:
                http.send(data.replace(b"POST / ", b"POST /count ") + SMUGGLED)
                self.assertEqual(http.response().status, 400)
                self.assertEqual(http.rest(), b"")

    def test_served(self):
        for name, data, expected in SERVED:
            with self.subTest(name), Http1(probe) as http:
                http.send(data)
                for _ in range(expected if isinstance(expected, int) else 1):
                    response = http.response(is_head=expected == "head")
                    self.assertNotIn(response.status, REFUSALS)
                    self.assertGreaterEqual(response.status, 200)
                    self.check_headers(response)
                if expected == "close":
                    self.assertEqual(http.rest(), b"")
                else:
                    http.send(GET + END)
                    self.assertNotIn(http.response().status, REFUSALS)

    def test_nothing_switches_protocols(self):
        """RFC 9110, 7.8: what does not know the protocol answers as if it had not been asked; so never 101."""
        for protocol in (b"websocket", b"h2c", b"HTTP/2.0", b"TLS/1.2", b"websocket, h2c"):
            for method, end in ((b"GET", b"\r\n"), (b"POST", b"Content-Length: 0\r\n\r\n")):
                with self.subTest(protocol=protocol, method=method), Http1(probe) as http:
                    head = method + b" / HTTP/1.1\r\nHost: {HOST}\r\n"
                    http.send(head + end)
                    usual = http.response().status
                    http.send(head + b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\n"
                              b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" + end)
                    response = http.response()
                    self.assertEqual(response.status, usual)
                    self.assertNotEqual(response.status, 101)
                    self.assertNotIn("upgrade", response.headers)
                    http.send(GET + END)  # still HTTP/1.1
                    self.assertNotIn(http.response().status, REFUSALS)


class WithProbe(unittest.TestCase):
    """What can only be seen with the probe's own routes."""

    options = ()

    @classmethod
    def setUpClass(cls):
        if not probe.is_own:
            raise unittest.SkipTest("plays against another server")

    def ask(self, data, is_head=False):
        with Http1(probe) as http:
            http.send(data)
            return http.response(is_head)


class Requests(WithProbe):
    def test_application_hears_nothing_of_refused_requests(self):
        before = probe.settled_figures()["begun"]
        for _, data, _ in REFUSED:
            with Http1(probe) as http:
                http.send(data)
                http.rest()
        self.assertEqual(probe.figures()["begun"], before + 1)

    def test_request_is_read_exactly(self):
        response = self.ask(b"GET /inspect?a=%20b HTTP/1.1\r\nHost: Example.test:1\r\nX-One:  a  b \r\nX-Two:\r\n\r\n")
        self.assertEqual(response.body.decode(),
                         "GET /inspect?a=%20b 11\nauthority=Example.test:1\nsource=127.0.0.1\nlength=0\n"
                         "host: Example.test:1\nx-one: a  b\nx-two: \n")

    def test_head_has_length_and_no_body(self):
        with Http1(probe) as http:
            http.send(b"HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n" + get(b"/inspect"))
            self.assertEqual(http.response(is_head=True).headers["content-length"], "1024")
            self.assertEqual(http.response().body[:12], b"GET /inspect")

    def test_no_content_has_no_body(self):
        with Http1(probe) as http:
            http.send(get(b"/empty") + get(b"/inspect"))
            response = http.response()
            self.assertEqual(response.status, 204)
            self.assertNotIn("content-length", response.headers)
            self.assertNotIn("transfer-encoding", response.headers)
            self.assertEqual(http.response().status, 200)

    def test_headers_of_the_application_are_sifted(self):
        response = self.ask(get(b"/evil"))
        self.assertEqual(response.body, b"abc")
        self.assertEqual(response.headers["x-good"], "yes")
        self.assertEqual(response.headers["content-length"], "3")
        self.assertEqual(response.headers["set-cookie"], "s=1")  # its own, not the one within x-split
        for name in ("x-split", "transfer-encoding"):
            self.assertNotIn(name, response.headers)
        self.assertEqual(response.headers["content-security-policy"], SECURITY_HEADERS["content-security-policy"])

    def test_cache_control_of_the_application_stays(self):
        self.assertEqual(self.ask(get(b"/hello")).headers["cache-control"], "public, max-age=60")
        self.assertEqual(self.ask(get(b"/nothing")).headers["cache-control"], "no-store")

    def test_slow_answers_keep_their_order(self):
        with Http1(probe) as http:
            http.send(get(b"/later?ms=200") + get(b"/hello") + get(b"/later?ms=10"))
            bodies = [http.response().body for _ in range(3)]
        self.assertEqual([len(body) for body in bodies], [6, 1024, 6])

    def test_aborted_reply_is_cut(self):
        with Http1(probe) as http:
            http.send(get(b"/cut"))
            self.assertRaises(Closed, http.response)

    def test_client_that_leaves_is_noticed(self):
        pipelined = get(b"/later?ms=60000") + get(b"/hello")
        paused = b"POST /slow?ms=60000 HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 50000
        for data in (get(b"/later?ms=60000"), pipelined, paused):
            http = Http1(probe)
            http.send(data)
            time.sleep(0.1)
            http.socket.close()
            probe.settled_figures()


class Bodies(WithProbe):
    def test_lengths_and_chunks(self):
        body = os.urandom(100_000)
        in_chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 3000]), body[i:i + 3000])
                             for i in range(0, len(body), 3000)) + b"0\r\n\r\n"
        for data in (post(b"Content-Length: %d" % len(body), body=body), chunked(in_chunks)):
            response = self.ask(data.replace(b"POST / ", b"POST /echo "))
            self.assertEqual(response.body, body)

    def test_chunks_with_everything_allowed(self):
        body = (b"3;a=b\r\nabc\r\n003;" + b"x" * 256 + b"\r\ndef\r\nA\r\n0123456789\r\n00\r\n"
                b"Trailer: dropped\r\nContent-Length: 7\r\n\r\n")
        with Http1(probe) as http:
            http.send(chunked(body).replace(b"POST / ", b"POST /count ") + get(b"/hello"))
            self.assertEqual(http.response().body, b"16\n")
            self.assertEqual(len(http.response().body), 1024)

    def test_chunks_byte_by_byte(self):
        with Http1(probe) as http:
            data = chunked(b"3;a\r\nabc\r\n0\r\nA: b\r\n\r\n").replace(b"POST / ", b"POST /count ")
            for byte in data.replace(b"{HOST}", b"a"):
                http.send(bytes([byte]))
            self.assertEqual(http.response().body, b"3\n")

    def test_continue_is_sent_when_the_body_is_wanted(self):
        with Http1(probe) as http:
            http.send(b"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n")
            self.assertEqual(http.response().status, 100)
            http.send(b"abcde")
            self.assertEqual(http.response().body, b"5\n")
            http.send(get(b"/hello"))
            self.assertEqual(http.response().status, 200)

    def test_continue_is_not_sent_when_refused(self):
        for path, status in ((b"/early", 403), (b"/limited", 413), (b"/nothing", 404)):
            with Http1(probe) as http:
                http.send(b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n"
                          b"Expect: 100-continue\r\n\r\n")
                response = http.response()
                self.assertEqual(response.status, status)
                self.assertEqual(response.headers["connection"], "close")
                self.assertEqual(http.rest(), b"")

    def test_limit_of_the_body(self):
        for n, status in ((100, 200), (101, 413), (10 ** 17, 413)):
            data = post(b"Content-Length: %d" % n, body=b"x" * min(n, 101)).replace(b"POST / ", b"POST /limited ")
            self.assertEqual(self.ask(data).status, status)
        for n, status in ((100, 200), (101, 413)):
            data = chunked(b"%x\r\n%s\r\n0\r\n\r\n" % (n, b"x" * n)).replace(b"POST / ", b"POST /limited ")
            self.assertEqual(self.ask(data).status, status)

    def test_no_body_where_none_is_taken(self):
        self.assertEqual(self.ask(b"POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx").status, 413)

    def test_early_answer_to_a_short_body_keeps_the_connection(self):
        with Http1(probe) as http:
            http.send(post(b"Content-Length: 60000", body=b"x" * 60000).replace(b"POST / ", b"POST /early "))
            self.assertEqual(http.response().status, 403)
            http.send(get(b"/hello"))
            self.assertEqual(http.response().status, 200)

    def test_early_answer_to_a_long_body_closes(self):
        for framing in (b"Content-Length: 100000000", b"Transfer-Encoding: chunked"):
            with Http1(probe) as http:
                http.send(post(framing, body=b"8000\r\n" + b"x" * 32768).replace(b"POST / ", b"POST /early "))
                response = http.response()
                self.assertEqual(response.status, 403)
                self.assertEqual(response.headers["connection"], "close")
                self.assertEqual(http.rest(), b"")

    def test_early_answer_reaches_a_client_that_does_not_stop(self):
        """Closing with unread bytes resets the connection, and the reset can destroy the answer."""
        for _ in range(5):
            with Http1(probe) as http:
                http.send(post(b"Content-Length: 900000", body=b"x" * 900000).replace(b"POST / ", b"POST /early "))
                self.assertEqual(http.response().status, 403)


class Pressure(WithProbe):
    """Memory stays bounded whatever one side does."""

    def grown(self, before):
        return probe.figures()["rss"] - before

    def test_client_that_reads_nothing(self):
        before = probe.figures()["rss"]
        connections = [Http1(probe) for _ in range(8)]
        for http in connections:
            http.send(get(b"/big?bytes=200000000"))
        time.sleep(1)
        self.assertLess(self.grown(before), 8 * 4 * MIB)
        for http in connections:
            http.socket.close()
        probe.settled_figures()

    def test_client_that_pipelines_and_reads_nothing(self):
        before = probe.figures()["rss"]
        with Http1(probe) as http:
            http.socket.settimeout(1)
            try:
                for _ in range(2000):
                    http.socket.sendall(get(b"/big?bytes=100000").replace(b"{HOST}", b"a") * 10)
            except TimeoutError:
                pass
            self.assertLess(self.grown(before), 16 * MIB)

    def test_application_that_takes_the_body_slowly(self):
        before = probe.figures()["rss"]
        with Http1(probe) as http:
            http.send(b"POST /slow?ms=60000 HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
            http.socket.settimeout(1)
            sent = 0
            try:
                while sent < 100_000_000:
                    sent += http.socket.send(b"x" * 65536)
            except TimeoutError:
                pass
            self.assertLess(sent, 50_000_000)
            self.assertLess(self.grown(before), 8 * MIB)

    def test_echo_whose_answer_is_not_read(self):
        before = probe.figures()["rss"]
        with Http1(probe) as http:
            http.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
            http.socket.settimeout(1)
            sent = 0
            try:
                while sent < 100_000_000:
                    sent += http.socket.send(b"x" * 65536)
            except TimeoutError:
                pass
            self.assertLess(sent, 50_000_000)
            self.assertLess(self.grown(before), 8 * MIB)

    def test_long_bodies_come_whole(self):
        with Http1(probe) as http:
            for query in (b"", b"&chunked"):
                http.send(get(b"/big?bytes=30000000" + query))
                body = http.response().body
                self.assertEqual(len(body), 30_000_000)


class Heads(unittest.TestCase):
    """The sizes of a head are the operator's."""

    BYTES, FIELDS = 8192, 20

    def setUp(self):
        if not probe.is_own:
            raise unittest.SkipTest("plays against another server")
        self.probe = Probe("--head-max-bytes", str(self.BYTES), "--head-fields-max", str(self.FIELDS))
        self.addCleanup(self.probe.stop)

    def status(self, *fields):
        with Http1(self.probe) as http:
            http.send(b"\r\n".join([b"GET /hello HTTP/1.1", b"Host: a", *fields, b"", b""]))
            return http.response().status

    def test_fields(self):
        more = [b"A%d: b" % i for i in range(self.FIELDS)]
        self.assertEqual(self.status(*more[:-1]), 200)
        self.assertEqual(self.status(*more), 400)

    def test_bytes(self):
        rest = self.BYTES - len(b"GET /hello HTTP/1.1\r\nHost: a\r\nA: \r\nB: \r\n\r\n")
        half = b"x" * (rest // 2)
        self.assertEqual(self.status(b"A: " + half, b"B: " + b"x" * (rest - len(half))), 200)
        self.assertEqual(self.status(b"A: " + half, b"B: " + b"x" * (rest - len(half) + 1)), 400)


class Limits(unittest.TestCase):
    """Time-outs and numbers, with servers of which each has one short one: a client that is held up on a busy machine meets no
    other than the one it is about."""

    PATIENT = {"head-timeout-ms": "60000", "handshake-timeout-ms": "60000", "idle-timeout-ms": "60000"}

    @classmethod
    def setUpClass(cls):
        if not probe.is_own:
            raise unittest.SkipTest("plays against another server")
        cls.patient = cls.server({})
        cls.addClassCleanup(cls.patient.stop)

    @classmethod
    def server(cls, options):
        return Probe(*(word for name, value in (cls.PATIENT | options).items() for word in (f"--{name}", value)))

    def start(self, **options):
        self.probe = self.server({name.replace("_", "-"): str(value) for name, value in options.items()})
        self.addCleanup(self.probe.stop)

    def assertWaits(self, link, read):
        """What has come as far at the patient server is still waited for."""
        link.settimeout(0.1)
        self.assertRaises(TimeoutError, read)

    def test_slow_head(self):
        self.start(head_timeout_ms=1000)
        with Http1(self.patient) as other, Http1(self.probe) as http:
            other.send(GET)
            for byte in GET + b"A: " + b"b" * 1000:
                http.socket.settimeout(TIMEOUT)
                http.send(bytes([byte]))
                http.socket.settimeout(0.02)
                try:
                    http.fill()
                    break
                except TimeoutError:
                    pass
            self.assertEqual(http.response().status, 408)
            self.assertEqual(http.rest(), b"")
            self.assertWaits(other.socket, other.rest)

    def test_idle_connection(self):
        self.start(idle_timeout_ms=1000)
        began = time.monotonic()
        with Http1(self.probe) as http:
            self.assertEqual(http.rest(), b"")
            self.assertGreater(time.monotonic() - began, 0.9)

    def test_idle_after_a_request(self):
        self.start(idle_timeout_ms=2000)
        with Http1(self.probe) as http:
            http.send(get(b"/hello"))
            http.response()
            self.assertEqual(http.rest(), b"")

    def test_no_handshake(self):
        self.start(handshake_timeout_ms=1000)
        with socket.create_connection((self.patient.host, self.patient.port), timeout=TIMEOUT) as other, \
                socket.create_connection((self.probe.host, self.probe.port), timeout=TIMEOUT) as plain:
            self.assertEqual(plain.recv(100), b"")
            self.assertWaits(other, lambda: other.recv(100))

    def test_slow_body(self):
        self.start(body_rate_min_bytes_s=1000)
        with Http1(self.probe) as http:
            http.socket.settimeout(30)
            http.send(b"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
            began = time.monotonic()
            while time.monotonic() - began < 9:
                http.send(b"x" * 10)
                time.sleep(0.2)
            self.assertEqual(http.response().status, 408)

    def test_waiting_for_the_application_is_no_idling(self):
        self.start(idle_timeout_ms=1500)
        with Http1(self.probe) as http:
            http.send(get(b"/later?ms=2500"))
            self.assertEqual(http.response().status, 200)

    def test_one_source_does_not_get_all_connections(self):
        probe = Probe("--connections-per-source", "11", "--handshake-timeout-ms", "60000")  # none is closed for its silence
        self.addCleanup(probe.stop)
        sockets = [socket.create_connection((probe.host, probe.port), timeout=TIMEOUT) for _ in range(40)]
        try:
            eventually(lambda: sum(map(self.is_closed, sockets)) == 29, "all but eleven are refused")
        finally:
            for plain in sockets:
                plain.close()
        eventually(lambda: self.is_served(probe), "the source is served again")

    @staticmethod
    def is_closed(plain):
        plain.setblocking(False)
        try:
            return plain.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    @staticmethod
    def is_served(probe):
        try:
            with Http1(probe) as http:
                http.send(get(b"/hello"))
                return http.response().status == 200
        except (OSError, Closed):
            return False


class Tls(WithProbe):
    def test_only_version_1_3(self):
        context = probe.context("http/1.1")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.assertRaises(ssl.SSLError, probe.connect, context=context)
        with probe.connect("http/1.1") as connection:
            self.assertEqual(connection.version(), "TLSv1.3")

    def test_protocols(self):
        for offered, chosen in ((("h2", "http/1.1"), "h2"), (("http/1.1", "h2"), "h2"), (("http/1.1",), "http/1.1"),
                                ((), None)):
            with probe.connect(*offered) as connection:
                self.assertEqual(connection.selected_alpn_protocol(), chosen)
        self.assertRaises(ssl.SSLError, probe.connect, "spdy/3")

    def test_sessions_resume(self):
        context = probe.context("http/1.1")
        with probe.connect(context=context) as connection:
            connection.sendall(get(b"/hello").replace(b"{HOST}", b"a"))
            connection.recv(1)
            session = connection.session
        self.assertTrue(session.has_ticket)
        plain = socket.create_connection((probe.host, probe.port), timeout=5)
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as connection:
            self.assertTrue(connection.session_reused)

    def test_garbage_instead_of_tls(self):
        for garbage in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\0" * 2000, os.urandom(2000)):
            with socket.create_connection((probe.host, probe.port), timeout=5) as plain:
                plain.sendall(garbage)
                try:
                    while plain.recv(1000):
                        pass
                except ConnectionError:
                    pass
        self.assertEqual(self.ask(get(b"/hello")).status, 200)

    def test_certificate_is_reloaded_without_losing_connections(self):
        with Http1(probe) as http:
            http.send(get(b"/later?ms=2000"))
            old = http.socket.getpeercert(binary_form=True)
            probe.make_certificate("two")
            probe.process.send_signal(signal.SIGHUP)
            eventually(lambda: self.certificate() != old, "the new certificate is served")
            self.assertEqual(http.response().status, 200)
            http.send(get(b"/hello"))
            self.assertEqual(http.response().status, 200)

    @staticmethod
    def certificate():
        with probe.connect("http/1.1") as connection:
            return connection.getpeercert(binary_form=True)

    def test_broken_certificate_changes_nothing(self):
        path = os.path.join(probe.directory, "tls.crt")
        with open(path, encoding="ascii") as file:
            good = file.read()
        with open(path, "w", encoding="ascii") as file:
            file.write(good[:200])
        probe.process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        self.assertEqual(self.ask(get(b"/hello")).status, 200)
        with open(path, "w", encoding="ascii") as file:
            file.write(good)


class Draining(unittest.TestCase):
    def test_requests_under_way_are_finished(self):
        if not probe.is_own:
            self.skipTest("plays against another server")
        server = Probe("--drain-ms", "60000")
        idle, busy, streaming = Http1(server), Http1(server), Http1(server)
        busy.send(b"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")  # under way until we send the rest
        streaming.send(get(b"/big?bytes=30000000"))  # more than buffers hold
        server.figures_with(2)
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(idle.rest(), b"")
        busy.socket.settimeout(0.1)
        self.assertRaises(TimeoutError, busy.fill)  # who is idle did not wait for who is busy
        busy.socket.settimeout(TIMEOUT)
        with self.assertRaises(OSError):
            socket.create_connection((server.host, server.port), timeout=TIMEOUT)
        self.assertEqual(len(streaming.response().body), 30_000_000)
        busy.send(b"cde")
        self.assertEqual(busy.response().body, b"5\n")
        self.assertEqual(busy.rest(), b"")
        for http in (idle, busy, streaming):
            http.socket.close()
        server.stop()

    def test_stubborn_requests_are_cut_after_five_seconds(self):
        if not probe.is_own:
            self.skipTest("plays against another server")
        server = Probe()
        http = Http1(server)
        http.send(get(b"/later?ms=60000"))
        server.figures_with(1)
        http.socket.settimeout(30)  # half of what the answer takes
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        self.assertRaises(Closed, http.response)
        self.assertLess(4, time.monotonic() - began)
        server.stop()
        http.socket.close()


if __name__ == "__main__":
    unittest.main()
