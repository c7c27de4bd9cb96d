"""HTTP/2 as RFC 9113 forbids it. Frames are written by hand; see frames.py and ../wire.py."""
import json
import os
import signal
import ssl
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from frames import *  # noqa: E402,F403
from wire import Probe  # noqa: E402

MIB = 1024 * 1024
REFUSALS = {400, 408, 417, 431, 501, 505}

probe = None


def setUpModule():
    global probe
    probe = Probe()


def tearDownModule():
    probe.stop()


class Case(unittest.TestCase):
    def ends(self, http, *codes):
        """The connection ends, and says one of these codes."""
        self.assertIn(http.goaway(), codes)
        self.assertTrue(http.is_closed)

    def needs_probe(self):
        if not probe.is_own:
            self.skipTest("needs a route of the probe")

    def lives(self, http, stream):
        http.request(stream, path="/")
        status, _ = http.answer(stream)
        self.assertNotIn(status, REFUSALS)

    def resets(self, http, stream, *codes):
        self.assertIn(http.reset_code(stream), codes)


class Greetings(Case):
    def test_sound(self):
        with Http2(probe) as http:
            self.lives(http, 1)

    def test_settings_of_the_server(self):
        with Http2(probe) as http:
            found = http.wait(SETTINGS)
            pairs = dict(struct.iter_unpack(">HI", found.payload))
            self.assertEqual(pairs[MAX_CONCURRENT_STREAMS], 100)
            self.assertEqual(pairs[MAX_HEADER_LIST_SIZE], 32768)
            self.assertNotIn(ENABLE_CONNECT_PROTOCOL, pairs, "no WebSocket over HTTP/2")

    def test_wrong_preface(self):
        for preface in (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\0" * 24):
            with self.subTest(preface), Http2(probe, greet=False) as http:
                http.send(preface + settings())
                http.goaway()
                self.assertTrue(http.is_closed)

    def test_no_settings_first(self):
        with Http2(probe, greet=False) as http:
            http.send(PREFACE + ping())
            self.ends(http, PROTOCOL_ERROR)

    def test_acknowledged_settings_first(self):
        with Http2(probe, greet=False) as http:
            http.send(PREFACE + settings(flags=ACK))
            self.ends(http, PROTOCOL_ERROR)


class Frames(Case):
    CONNECTION_ERRORS = [
        ("frame larger than allowed", frame(DATA, 0, 1, b"x" * 16385), {FRAME_SIZE_ERROR}),
        ("frame of 2^24-1 announced", frame(DATA, 0, 1, b"x" * 100, length=(1 << 24) - 1), {FRAME_SIZE_ERROR}),
        ("DATA on stream 0", frame(DATA, 0, 0, b"x"), {PROTOCOL_ERROR}),
        ("HEADERS on stream 0", frame(HEADERS, END_HEADERS, 0, b"\x82"), {PROTOCOL_ERROR}),
        ("HEADERS on an even stream", frame(HEADERS, END_HEADERS, 2, b"\x82"), {PROTOCOL_ERROR}),
        ("DATA on an idle stream", frame(DATA, 0, 7, b"x"), {PROTOCOL_ERROR, STREAM_CLOSED}),
        ("RST_STREAM on stream 0", reset(0), {PROTOCOL_ERROR}),
        ("RST_STREAM on an idle stream", reset(7), {PROTOCOL_ERROR}),
        ("RST_STREAM of three bytes", frame(RST_STREAM, 0, 1, b"abc"), {FRAME_SIZE_ERROR}),
        ("WINDOW_UPDATE on an idle stream", window_update(7, 10), {PROTOCOL_ERROR}),
        ("WINDOW_UPDATE of three bytes", frame(WINDOW_UPDATE, 0, 0, b"abc"), {FRAME_SIZE_ERROR}),
        ("WINDOW_UPDATE of zero", window_update(0, 0), {PROTOCOL_ERROR}),
        ("window overflow", window_update(0, (1 << 31) - 1), {FLOW_CONTROL_ERROR}),
        ("PING on a stream", frame(PING, 0, 1, b"12345678"), {PROTOCOL_ERROR}),
        ("PING of seven bytes", frame(PING, 0, 0, b"1234567"), {FRAME_SIZE_ERROR}),
        ("SETTINGS on a stream", frame(SETTINGS, 0, 1), {PROTOCOL_ERROR}),
        ("SETTINGS of five bytes", frame(SETTINGS, 0, 0, b"12345"), {FRAME_SIZE_ERROR}),
        ("SETTINGS acknowledged with a payload", frame(SETTINGS, ACK, 0, b"123456"), {FRAME_SIZE_ERROR}),
        ("SETTINGS push of two", settings((ENABLE_PUSH, 2)), {PROTOCOL_ERROR}),
        ("SETTINGS window of 2^31", settings((INITIAL_WINDOW_SIZE, 1 << 31)), {FLOW_CONTROL_ERROR}),
        ("SETTINGS frame size of 100", settings((MAX_FRAME_SIZE, 100)), {PROTOCOL_ERROR}),
        ("SETTINGS frame size of 2^24", settings((MAX_FRAME_SIZE, 1 << 24)), {PROTOCOL_ERROR}),
        ("SETTINGS of 40 entries", settings(*[(MAX_CONCURRENT_STREAMS, i) for i in range(40)]),
         {ENHANCE_YOUR_CALM, PROTOCOL_ERROR}),
        ("GOAWAY on a stream", frame(GOAWAY, 0, 1, b"\0" * 8), {PROTOCOL_ERROR}),
        ("PUSH_PROMISE from a client", frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2\x82"), {PROTOCOL_ERROR}),
        ("CONTINUATION alone", frame(CONTINUATION, END_HEADERS, 1, b"\x82"), {PROTOCOL_ERROR}),
        ("padding longer than the frame", frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff\x82"), {PROTOCOL_ERROR}),
        ("block that is no HPACK", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\xff\xff\xff\xff"),
         {COMPRESSION_ERROR}),
        ("index beyond the table", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xfe"), {COMPRESSION_ERROR}),
        ("index zero", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x80"), {COMPRESSION_ERROR}),
        ("table size beyond ours", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x3f\xe2\x7f\x82"),
         {COMPRESSION_ERROR}),
        ("PING between HEADERS and CONTINUATION", frame(HEADERS, END_STREAM, 1, b"\x82") + ping(), {PROTOCOL_ERROR}),
        ("CONTINUATION of another stream", frame(HEADERS, END_STREAM, 1, b"\x82") +
         frame(CONTINUATION, END_HEADERS, 3, b"\x82"), {PROTOCOL_ERROR}),
    ]

    def test_connection_errors(self):
        for name, data, codes in self.CONNECTION_ERRORS:
            with self.subTest(name), Http2(probe) as http:
                http.send(data)
                self.ends(http, *codes)

    def test_unknown_frames_are_ignored(self):
        with Http2(probe) as http:
            http.send(frame(0xee, 0xff, 0, b"abc") + settings((0xeeee, 7)))
            self.lives(http, 1)

    def is_ignored(self, http, stream):
        """A head on a stream that is over: the client may not know, but it is never answered."""
        http.request(stream, path="/")
        http.request(7, path="/")
        while found := http.read():
            self.assertFalse(found.stream == stream and found.kind in (HEADERS, DATA))
            if found.kind == GOAWAY or (found.stream == 7 and found.flags & END_STREAM):
                return

    def test_older_stream_number(self):
        with Http2(probe) as http:
            self.lives(http, 5)
            self.is_ignored(http, 3)

    def test_headers_on_a_closed_stream(self):
        with Http2(probe) as http:
            self.lives(http, 1)
            self.is_ignored(http, 1)

    def test_data_behind_the_end_of_a_stream(self):
        self.needs_probe()
        with Http2(probe) as http:
            http.send(http.headers(1, http.block(path="/later?ms=500")) + data(1, b"x"))
            found = http.wait(RST_STREAM, 1) or None
            self.assertTrue(found is None or int.from_bytes(found.payload, "big") == STREAM_CLOSED)

    def test_stream_window_overflow(self):
        self.needs_probe()
        with Http2(probe) as http:
            http.send(http.headers(1, http.block(path="/later?ms=500")) + window_update(1, (1 << 31) - 1))
            self.resets(http, 1, FLOW_CONTROL_ERROR)
            self.lives(http, 3)

    def test_more_data_than_the_window(self):
        self.needs_probe()
        with Http2(probe) as http:
            http.request(1, "POST", "/slow?ms=60000", is_end=False)
            for _ in range(17):
                http.send(data(1, b"x" * 16384))
            while found := http.read():
                if found.kind in (RST_STREAM, GOAWAY):
                    self.assertEqual(int.from_bytes(found.payload[-4:], "big") if found.kind == RST_STREAM else
                                     int.from_bytes(found.payload[4:8], "big"), FLOW_CONTROL_ERROR)
                    return
            self.fail("closed without a reason")


class Heads(Case):
    """Malformed requests: the stream dies or is refused, the connection lives (RFC 9113, 8.1.1)."""

    SOUND = [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "a")]

    def malformed(self):
        sound = self.SOUND
        for i, (name, _) in enumerate(sound[:3]):
            yield f"no {name}", sound[:i] + sound[i + 1:]
        for name, value in sound:
            yield f"two {name}", sound + [(name, value)]
        yield "no authority, no host", sound[:3]
        yield "empty path", [sound[0], (":path", ""), *sound[2:]]
        yield "path without slash", [sound[0], (":path", "a"), *sound[2:]]
        yield "path asterisk", [sound[0], (":path", "*"), *sound[2:]]
        yield "path with fragment", [sound[0], (":path", "/a#b"), *sound[2:]]
        yield "path with space", [sound[0], (":path", "/a b"), *sound[2:]]
        yield "path with escaped NUL", [sound[0], (":path", "/%00"), *sound[2:]]
        yield "path with high bytes", [sound[0], (":path", "/あ"), *sound[2:]]
        yield "scheme http", [*sound[:2], (":scheme", "http"), sound[3]]
        yield "authority with user", [*sound[:3], (":authority", "a@b")]
        yield "authority with slash", [*sound[:3], (":authority", "a/b")]
        yield "host that differs", [*sound, ("host", "b")]
        yield "pseudo-header behind a header", [*sound[:3], ("a", "b"), sound[3]]
        yield "unknown pseudo-header", [*sound, (":a", "b")]
        yield "status in a request", [*sound, (":status", "200")]
        yield "capital letters", [*sound, ("Abc", "d")]
        yield "empty name", [*sound, ("", "d")]
        yield "space in a name", [*sound, ("a b", "d")]
        yield "colon in a name", [*sound, ("a:b", "d")]
        yield "CR LF in a value", [*sound, ("a", "b\r\nc: d")]
        yield "NUL in a value", [*sound, ("a", "b\0c")]
        yield "connection header", [*sound, ("connection", "close")]
        yield "keep-alive", [*sound, ("keep-alive", "1")]
        yield "transfer-encoding", [*sound, ("transfer-encoding", "chunked")]
        yield "upgrade", [*sound, ("upgrade", "h2c")]
        yield "te other than trailers", [*sound, ("te", "gzip")]
        yield "length with a letter", [*sound, ("content-length", "1a")]
        yield "two lengths", [*sound, ("content-length", "1"), ("content-length", "2")]
        yield "length without a body", [*sound, ("content-length", "5")]
        yield "TRACE", [(":method", "TRACE"), *sound[1:]]
        yield "CONNECT", [(":method", "CONNECT"), sound[3]]
        yield "WebSocket by CONNECT (RFC 8441)", [(":method", "CONNECT"), (":protocol", "websocket"), *sound[1:]]
        yield ":protocol with GET", [sound[0], (":protocol", "websocket"), *sound[1:]]
        yield ":protocol that is empty", [(":method", "CONNECT"), (":protocol", ""), *sound[1:]]
        yield "method unknown", [(":method", "FETCH"), *sound[1:]]
        yield "empty method", [(":method", ""), *sound[1:]]
        yield "101 fields", [*sound, *((f"a{i}", "b") for i in range(101))]
        yield "list of 40 KiB", [*sound, *((f"a{i}", "b" * 4000) for i in range(10))]

    def test_malformed(self):
        for name, fields in self.malformed():
            with self.subTest(name), Http2(probe) as http:
                block = http.encoder.encode([(a.encode(), b.encode()) for a, b in fields])
                pieces = [block[i:i + 16000] for i in range(0, len(block), 16000)]
                http.send(frame(HEADERS, END_STREAM | (END_HEADERS if len(pieces) == 1 else 0), 1, pieces[0]))
                for piece in pieces[1:]:
                    http.send(frame(CONTINUATION, END_HEADERS if piece is pieces[-1] else 0, 1, piece))
                found = http.read()
                while found and (found.stream != 1 or found.kind not in (HEADERS, RST_STREAM)):
                    found = http.read()
                self.assertIsNotNone(found, "the connection was closed")
                if found.kind == HEADERS:
                    self.assertIn(dict(http.decoder.decode(found.payload))[":status"], ("400", "501"))
                else:
                    self.assertEqual(int.from_bytes(found.payload, "big"), PROTOCOL_ERROR)
                self.lives(http, 3)

    def test_body_that_differs_from_its_length(self):
        for length, sent in (("5", b"abc"), ("2", b"abc")):
            with self.subTest(length), Http2(probe) as http:
                http.request(1, "POST", "/count", [("content-length", length)], is_end=False)
                http.send(data(1, sent, END_STREAM))
                while found := http.read():
                    if found.stream == 1 and found.kind in (HEADERS, RST_STREAM):
                        break
                self.assertTrue(found.kind == RST_STREAM or b"200" not in found.payload)

    def test_padding_and_priority_are_accepted(self):
        with Http2(probe) as http:
            block = http.block(path="/")
            http.send(frame(HEADERS, END_STREAM | END_HEADERS | PADDED | HAS_PRIORITY, 1,
                            b"\x03" + b"\0\0\0\0\x10" + block + b"\0\0\0"))
            self.assertNotIn(http.answer(1)[0], REFUSALS)

    def test_authority_from_host(self):
        with Http2(probe) as http:
            block = http.encoder.encode([*self.SOUND[:3], ("host", "a")])
            http.send(http.headers(1, block))
            self.assertNotIn(http.answer(1)[0], REFUSALS)


class Floods(Case):
    """Each must end the connection early, and cost the server little."""

    def flood(self, make, n=20000, batch=100):
        with Http2(probe) as http:
            sent = 0
            http.socket.settimeout(10)
            while sent < n:
                http.send(b"".join(make(http, sent + i) for i in range(batch)))
                sent += batch
                http.socket.setblocking(False)
                try:
                    while more := http.socket.recv(65536):
                        http.bytes += more
                    break
                except (BlockingIOError, ssl.SSLWantReadError):
                    pass
                except (ssl.SSLError, ConnectionError):
                    break
                finally:
                    http.socket.settimeout(10)
            # Times out when the flood is never stopped; None: the reset came before the reason.
            self.assertIn(http.goaway(), (ENHANCE_YOUR_CALM, PROTOCOL_ERROR, INTERNAL_ERROR, None))
        with Http2(probe) as http:
            self.lives(http, 1)

    def test_pings(self):
        self.flood(lambda http, i: ping())

    def test_settings(self):
        self.flood(lambda http, i: settings((INITIAL_WINDOW_SIZE, 65535 + i)))

    def test_priorities(self):
        self.flood(lambda http, i: frame(PRIORITY, 0, 2 * i + 1, b"\0\0\0\0\x10"))

    def test_window_updates(self):
        self.flood(lambda http, i: window_update(0, 1))

    def test_unknown_frames(self):
        self.flood(lambda http, i: frame(0xee, 0, 0, b"x"))

    def test_resets(self):
        self.flood(lambda http, i: http.headers(2 * i + 1, http.block(path="/later?ms=500")) + reset(2 * i + 1))

    def test_resets_that_the_server_makes(self):
        """A window update of zero makes the server reset the stream (CVE-2025-8671)."""
        self.flood(lambda http, i: http.headers(2 * i + 1, http.block(path="/later?ms=500")) +
                   window_update(2 * i + 1, 0))

    def test_malformed_requests(self):
        self.flood(lambda http, i: http.headers(2 * i + 1, http.block(extra=[("connection", "x")])))

    def test_heads_of_closed_streams(self):
        self.flood(lambda http, i: http.headers(1 if i else 3, http.block(path="/empty")))

    def test_empty_data(self):
        self.flood(lambda http, i: (http.headers(1, http.block("POST", "/count"), END_HEADERS) if i == 0 else b"") +
                   data(1, b""))

    def test_continuations(self):
        self.flood(lambda http, i: frame(HEADERS, END_STREAM, 1, b"\x82") if i == 0 else frame(CONTINUATION, 0, 1, b""))

    def test_continuations_with_fields(self):
        self.flood(lambda http, i: frame(HEADERS, END_STREAM, 1, b"\x82") if i == 0 else
                   frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 100))

    def test_too_many_streams(self):
        self.needs_probe()
        with Http2(probe) as http:
            http.wait(SETTINGS)
            http.send(settings(flags=ACK))
            for i in range(150):
                http.request(2 * i + 1, path="/later?ms=3000")  # none is answered before the last is asked
            refused = answered = 0
            while refused + answered < 150:
                found = http.read()
                if found is None:
                    break
                if found.kind == RST_STREAM:
                    self.assertIn(int.from_bytes(found.payload, "big"), (REFUSED_STREAM, PROTOCOL_ERROR))
                    refused += 1
                elif found.kind == GOAWAY:
                    break
                elif found.flags & END_STREAM and found.kind in (DATA, HEADERS):
                    answered += 1
            self.assertLessEqual(answered, 100)

    def test_header_bomb(self):
        """One entry of the table, named a thousand times: small on the wire, large when unpacked."""
        before = probe.figures()["rss"] if probe.is_own else 0
        with Http2(probe) as http:
            block = http.block() + b"\x40\x01a\x7f\x81\x1e" + b"b" * 4000 + b"\xbe" * 15000
            http.send(frame(HEADERS, END_STREAM, 1, block[:16000]) +
                      frame(CONTINUATION, END_HEADERS, 1, block[16000:]))
            found = http.read()
            while found and (found.kind not in (HEADERS, RST_STREAM, GOAWAY)):
                found = http.read()
            if found and found.kind == HEADERS:
                self.assertEqual(dict(http.decoder.decode(found.payload))[":status"], "400")
        if probe.is_own:
            self.assertLess(probe.figures()["rss"] - before, 8 * MIB)


class WithProbe(Case):
    @classmethod
    def setUpClass(cls):
        if not probe.is_own:
            raise unittest.SkipTest("plays against another server")


class Streams(WithProbe):
    def test_request_is_read_exactly(self):
        with Http2(probe) as http:
            http.request(1, path="/inspect?a=b", extra=[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")])
            status, body = http.answer(1)
            self.assertEqual(body, b"GET /inspect?a=b 20\nauthority=a\nsource=127.0.0.1\nlength=0\n"
                                   b"cookie: a=1; b=2\nx: y\n")
            self.assertEqual(http.last_headers["x-content-type-options"], "nosniff")
            self.assertIn("trusted-types", http.last_headers["content-security-policy"])
            self.assertEqual(http.last_headers["cache-control"], "no-store")

    def test_head_and_no_content(self):
        with Http2(probe) as http:
            http.request(1, "HEAD")
            self.assertEqual(http.answer(1), (200, b""))
            self.assertEqual(http.last_headers["content-length"], "1024")
            http.request(3, path="/empty")
            self.assertEqual(http.answer(3), (204, b""))

    def test_headers_of_the_application_are_sifted(self):
        with Http2(probe) as http:
            http.request(1, path="/evil")
            self.assertEqual(http.answer(1), (200, b"abc"))
            self.assertEqual(http.last_headers["content-length"], "3")
            self.assertNotIn("x-split", http.last_headers)

    def test_what_is_secret_or_new_in_every_answer_is_not_indexed(self):
        with Http2(probe) as http:
            http.request(1, path="/evil")
            http.answer(1)
            indexed = {name.decode() for name, _ in http.decoder.header_table.dynamic_entries}
            self.assertIn("x-good", indexed)
            for name in ("set-cookie", "x-request-id", "ratelimit"):
                self.assertIn(name, http.last_headers)
                self.assertNotIn(name, indexed)

    def test_body_and_trailers(self):
        with Http2(probe) as http:
            http.request(1, "POST", "/count", is_end=False)
            http.send(data(1, b"abc") + frame(DATA, PADDED, 1, b"\x02de\0\0"))
            http.send(http.headers(1, http.encoder.encode([("a-trailer", "x")])))
            self.assertEqual(http.answer(1), (200, b"5\n"))

    def test_limit_of_the_body(self):
        with Http2(probe) as http:
            http.request(1, "POST", "/limited", is_end=False)
            http.send(data(1, b"x" * 101, END_STREAM))
            self.assertEqual(http.answer(1)[0], 413)
            http.request(3, "POST", "/limited", [("content-length", "101")], is_end=False)
            self.assertEqual(http.answer(3)[0], 413)
            self.lives(http, 5)

    def test_refused_while_the_answer_is_being_made(self):
        """The client opens no window, so the refusal is still on its way when the application answers."""
        for limit, path in ((0, "/later?ms=200"), (100, "/limited-later?ms=200")):
            with self.subTest(path), Http2(probe, with_settings=[(INITIAL_WINDOW_SIZE, 0)]) as http:
                # At once, or the application would be first when this client is held up between the two.
                http.send(http.headers(1, http.block("PUT", path), END_HEADERS) + data(1, b"x" * (limit + 1)))
                self.assertEqual(dict(http.wait(HEADERS, 1).headers)[":status"], "413")
                time.sleep(0.4)
                http.send(window_update(1, 1000))
                self.assertEqual(json.loads(http.wait(DATA, 1).payload)["status"], 413)
                http.request(3, path="/empty")
                self.assertEqual(http.wait(HEADERS, 3).headers[0][1], "204")

    def test_expectation(self):
        with Http2(probe) as http:
            http.request(1, "POST", "/count", [("expect", "100-continue")], is_end=False)
            self.assertEqual(dict(http.wait(HEADERS, 1).headers)[":status"], "100")
            http.send(data(1, b"abc", END_STREAM))
            self.assertEqual(http.answer(1), (200, b"3\n"))

    def test_aborted_reply_is_reset(self):
        with Http2(probe) as http:
            http.request(1, path="/cut")
            self.resets(http, 1, INTERNAL_ERROR)
            self.lives(http, 3)

    def test_reset_reaches_the_application(self):
        with Http2(probe) as http:
            http.request(1, path="/later?ms=60000")
            http.send(reset(1))
            probe.settled_figures()
            self.lives(http, 3)

    def test_one_slow_stream_holds_nobody_up(self):
        with Http2(probe) as http:
            http.request(1, path="/big?bytes=100000000")  # its window is never opened
            http.send(window_update(0, 1_000_000))
            self.lives(http, 3)

    def test_many_stuck_streams_hold_nobody_up(self):
        with Http2(probe) as http:
            http.wait(SETTINGS)
            for i in range(20):
                http.request(2 * i + 1, path="/big?bytes=100000000")
            http.send(window_update(0, 20_000_000))
            http.request(41, path="/big?bytes=3000000")
            http.send(window_update(41, 4_000_000))
            status, body = http.answer(41)
            self.assertEqual((status, len(body)), (200, 3_000_000))

    def test_malformed_head_does_not_end_the_connection_later(self):
        with Http2(probe) as http:
            http.request(1, path="/later?ms=6000")
            http.send(http.headers(3, http.block(extra=[("connection", "x")])))
            self.assertEqual(http.answer(1), (200, b"later\n"))

    def test_early_answer_then_reset(self):
        with Http2(probe) as http:
            http.request(1, "POST", "/early", is_end=False)
            http.send(data(1, b"x" * 1000))
            self.assertEqual(http.answer(1), (403, b"no\n"))
            self.resets(http, 1, NO_ERROR)
            self.lives(http, 3)


class Holds(WithProbe):
    """A connection that is held is not read, and what was read is not taken, wherever its frames were cut."""

    def order(self, http, streams):
        """The streams in the order in which their answers begin."""
        found = []
        while len(found) < streams:
            one = http.read()
            self.assertIsNotNone(one, "closed before all was answered")
            if one.kind == HEADERS:
                http.decoder.decode(one.payload)  # which remembers, for those that follow
                found.append(one.stream)
        return found

    def two(self, http, path):
        """A request and one behind it, as they travel."""
        return b"".join(http.headers(stream, http.block(path=where)) for stream, where in ((1, path), (3, "/hello")))

    def test_the_next_request_waits_until_the_hold_ends(self):
        for path in ("/hold?ms=300", "/hold-for?ms=300"):
            with self.subTest(path), Http2(probe) as http:
                before = time.monotonic()
                http.send(self.two(http, path))
                self.assertEqual(self.order(http, 2), [1, 3])
                self.assertGreaterEqual(time.monotonic() - before, 0.29)
                self.lives(http, 5)

    def test_others_go_on_meanwhile(self):
        with Http2(probe) as held, Http2(probe) as other:
            before = time.monotonic()
            held.send(self.two(held, "/hold?ms=2000"))
            self.lives(other, 1)
            self.assertEqual(self.order(held, 2), [1, 3])
            self.assertGreaterEqual(time.monotonic() - before, 1)

    def test_requests_that_come_byte_by_byte_are_held_too(self):
        with Http2(probe) as http:
            for byte in self.two(http, "/hold?ms=200"):
                http.send(bytes([byte]))
            self.assertEqual(self.order(http, 2), [1, 3])

    def test_who_leaves_while_it_is_held_is_forgotten(self):
        http = Http2(probe)
        http.send(self.two(http, "/hold?ms=30000"))
        time.sleep(0.2)
        http.socket.close()
        figures = probe.settled_figures()
        self.assertEqual(figures["begun"], figures["gone"] + 1)


class Farewells(WithProbe):
    """The client says GOAWAY: it is about streams of the server, so its own are finished (RFC 9113, 6.8)."""

    def test_streams_under_way_are_finished(self):
        with Http2(probe) as http:
            http.request(1, path="/later?ms=300")
            http.request(3, "POST", "/count", is_end=False)
            http.send(goaway())
            http.send(data(3, b"abc", END_STREAM))
            answers = {}
            while len(answers) < 2:
                found = http.read()
                self.assertIsNotNone(found, "closed before all was answered")
                self.assertNotIn(found.kind, (RST_STREAM, GOAWAY))
                if found.kind == DATA and found.payload:
                    answers[found.stream] = found.payload
            self.assertEqual(answers, {1: b"later\n", 3: b"3\n"})

    def test_it_ends_once_all_is_answered(self):
        with Http2(probe) as http:
            http.request(1)
            http.send(goaway())
            self.assertEqual(http.answer(1)[0], 200)
            self.assertIn(http.goaway(), (NO_ERROR, None))
            self.assertTrue(http.is_closed)

    def test_an_error_of_the_clients_lets_go_of_everything(self):
        with Http2(probe) as http:
            http.request(1, path="/big?bytes=100000000")  # its window is never opened
            http.send(goaway(0, INTERNAL_ERROR))
        probe.settled_figures()

    def test_one_that_names_streams_which_never_were(self):
        with Http2(probe) as http:
            http.request(1, path="/later?ms=300")
            http.send(goaway(2**31 - 1) + goaway(2**31 - 1))
            found = http.read()
            while found and found.kind not in (HEADERS, GOAWAY):
                found = http.read()
            self.assertIsNotNone(found)
        probe.settled_figures()


class Pressure(WithProbe):
    def test_windows_that_stay_shut(self):
        before = probe.figures()["rss"]
        clients = [Http2(probe, with_settings=[(INITIAL_WINDOW_SIZE, 0)]) for _ in range(4)]
        for http in clients:
            for i in range(50):
                http.request(2 * i + 1, path="/big?bytes=100000000")
        time.sleep(0.5)
        # Writers are held back by the connection's budget, plus what each had begun with.
        self.assertLess(probe.figures()["rss"] - before, 4 * 50 * 400 * 1024)
        for http in clients:
            http.socket.close()
        probe.settled_figures()

    def test_bodies_that_nobody_takes(self):
        before = probe.figures()["rss"]
        with Http2(probe) as http:
            for i in range(20):
                http.request(2 * i + 1, "POST", "/slow?ms=60000", is_end=False)
            for _ in range(3):
                for i in range(20):
                    http.send(data(2 * i + 1, b"x" * 16384))
            time.sleep(0.2)
            self.assertLess(probe.figures()["rss"] - before, 12 * MIB)


class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not probe.is_own:
            raise unittest.SkipTest("plays against another server")
        cls.probe = Probe("--head-timeout-ms", "1000", "--idle-timeout-ms", "1500")  # a client here waits for TIMEOUT
        cls.patient = Probe("--head-timeout-ms", "60000")

    @classmethod
    def tearDownClass(cls):
        cls.probe.stop()
        cls.patient.stop()

    def assertWaits(self, other):
        """What has come as far at the patient server is still waited for."""
        other.socket.settimeout(0.1)
        self.assertRaises(TimeoutError, other.goaway)

    def test_no_preface(self):
        with Http2(self.patient, greet=False) as other, Http2(self.probe, greet=False) as http:
            http.goaway()
            self.assertWaits(other)

    def test_head_without_end(self):
        with Http2(self.patient) as other, Http2(self.probe) as http:
            for one in (other, http):
                one.send(frame(HEADERS, END_STREAM, 1, b"\x82"))
            http.goaway()
            self.assertWaits(other)

    def test_idle(self):
        with Http2(self.probe) as http:
            self.assertEqual(http.goaway(), NO_ERROR)

    def test_stalled_stream_is_reset(self):
        with Http2(self.probe, with_settings=[(INITIAL_WINDOW_SIZE, 100)]) as http:
            http.socket.settimeout(15)
            http.request(1, path="/hello")
            self.assertEqual(http.reset_code(1), INTERNAL_ERROR)


class Budgets(unittest.TestCase):
    """Windows, budgets and sizes are the operator's."""

    OPTIONS = {"head-max-bytes": 8192, "head-fields-max": 20, "http2-stream-window-kib": 64,
               "http2-connection-window-kib": 128, "http2-control-burst": 64, "http2-control-rate": 1,
               "http2-reset-burst": 10, "http2-reset-rate": 1}

    @classmethod
    def setUpClass(cls):
        if not probe.is_own:
            raise unittest.SkipTest("plays against another server")
        cls.probe = Probe(*(word for name, value in cls.OPTIONS.items() for word in (f"--{name}", str(value))))

    @classmethod
    def tearDownClass(cls):
        cls.probe.stop()

    def test_settings_say_so(self):
        with Http2(self.probe) as http:
            pairs = dict(struct.iter_unpack(">HI", http.wait(SETTINGS).payload))
            self.assertEqual(pairs[MAX_HEADER_LIST_SIZE], 8192)
            self.assertEqual(pairs[INITIAL_WINDOW_SIZE], 64 * 1024)
            found = http.wait(WINDOW_UPDATE, 0)
            self.assertEqual(int.from_bytes(found.payload, "big"), 128 * 1024 - 65535)

    def test_fields_and_bytes(self):
        with Http2(self.probe) as http:
            http.request(1, extra=[(f"a{i}", "b") for i in range(20)])
            self.assertEqual(http.answer(1)[0], 200)
            http.request(3, extra=[(f"a{i}", "b") for i in range(21)])
            self.assertEqual(http.answer(3)[0], 400)
            http.request(5, extra=[("a", "b" * 4096), ("c", "d" * 4096)])
            self.assertEqual(http.answer(5)[0], 400)

    def test_a_window_that_is_overrun(self):
        with Http2(self.probe) as http:
            http.request(1, "POST", "/slow?ms=60000", is_end=False)
            for _ in range(5):
                http.send(data(1, b"x" * 16384))
            found = http.read()
            while found and found.kind not in (RST_STREAM, GOAWAY):
                found = http.read()
            self.assertEqual(int.from_bytes(found.payload[-4:], "big"), FLOW_CONTROL_ERROR)

    def flood(self, one, n, code):
        """n are borne, and a few dozen more are not."""
        with Http2(self.probe) as http:
            http.send(b"".join(one(http, i) for i in range(n)))
            http.request(2 * n + 1)
            self.assertEqual(http.answer(2 * n + 1)[0], 200)
            http.send(b"".join(one(http, n + 1 + i) for i in range(80)))
            self.assertEqual(http.goaway(), code)

    def test_control_frames(self):
        self.flood(lambda http, i: ping(), 40, ENHANCE_YOUR_CALM)

    def test_resets(self):
        self.flood(lambda http, i: http.headers(2 * i + 1, http.block(path="/later?ms=500")) + reset(2 * i + 1), 5,
                   INTERNAL_ERROR)


class Draining(unittest.TestCase):
    def test_streams_under_way_are_finished(self):
        if not probe.is_own:
            self.skipTest("plays against another server")
        server = Probe("--drain-ms", "60000")
        with Http2(server) as http:
            http.request(1, "POST", "/count", is_end=False)  # under way until we end it, however long all else takes
            server.figures_with(1)
            server.process.send_signal(signal.SIGTERM)
            found = http.wait(GOAWAY)
            self.assertEqual(struct.unpack(">II", found.payload[:8]), (1, NO_ERROR))
            http.send(data(1, b"abc", END_STREAM))
            self.assertEqual(http.answer(1), (200, b"3\n"))
            self.assertIsNone(http.goaway())
        server.stop()


if __name__ == "__main__":
    unittest.main()
