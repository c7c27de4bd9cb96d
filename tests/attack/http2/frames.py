"""HTTP/2 frames as bytes, sound or not, and a client that does nothing by itself."""
import ssl
import struct

from hpack import Decoder, Encoder


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR,
 REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM) = range(12)
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = \
    range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8  # RFC 8441


def frame(kind, flags, stream, payload=b"", length=None):
    length = len(payload) if length is None else length
    return struct.pack(">I", length)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(*pairs, flags=0):
    return frame(SETTINGS, flags, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def ping(flags=0):
    return frame(PING, flags, 0, b"12345678")


def reset(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def goaway(last_stream=0, code=NO_ERROR):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last_stream, code))


def window_update(stream, n):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", n))


def data(stream, payload, flags=0):
    return frame(DATA, flags, stream, payload)


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    def __repr__(self):
        return f"<{self.kind} {self.flags:#x} {self.stream} {self.payload[:32]!r}>"


class Http2:
    """A connection that sends what it is told and acknowledges nothing."""

    def __init__(self, probe, greet=True, with_settings=()):
        self.probe = probe
        self.socket = probe.connect("h2")
        self.encoder, self.decoder = Encoder(), Decoder()
        self.decoder.max_header_list_size = 1 << 20
        self.bytes = b""
        self.frames = []
        self.is_closed = False
        if greet:
            self.send(PREFACE + settings(*with_settings))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (ssl.SSLError, ConnectionError):
            pass  # the server has ended the connection: its frames tell why

    def block(self, method="GET", path="/hello", extra=(), authority="a", scheme="https"):
        return self.encoder.encode(
            [(":method", method), (":path", path), (":scheme", scheme), (":authority", authority), *extra])

    def headers(self, stream, block, flags=END_STREAM | END_HEADERS):
        return frame(HEADERS, flags, stream, block)

    def request(self, stream, method="GET", path="/hello", extra=(), is_end=True):
        self.send(self.headers(stream, self.block(method, path, extra), (END_STREAM if is_end else 0) | END_HEADERS))

    def read(self):
        """The next frame; None when the server has closed."""
        while True:
            if len(self.bytes) >= 9:
                length = int.from_bytes(self.bytes[:3], "big")
                if len(self.bytes) >= 9 + length:
                    kind, flags, stream = struct.unpack(">BBI", self.bytes[3:9])
                    payload, self.bytes = self.bytes[9:9 + length], self.bytes[9 + length:]
                    return Frame(kind, flags, stream, payload)
            try:
                more = self.socket.recv(65536)
            except (ssl.SSLEOFError, ConnectionError):
                more = b""
            if not more:
                self.is_closed = True
                return None
            self.bytes += more

    def wait(self, kind, stream=None, flags=0):
        """Reads on until such a frame; None when the server closes first."""
        while found := self.read():
            if found.kind == HEADERS:
                found.headers = self.decoder.decode(found.payload)
            if found.kind == kind and stream in (None, found.stream) and found.flags & flags == flags:
                return found
        return None

    def answer(self, stream):
        """Status and body of a stream."""
        body = b""
        status = None
        while found := self.read():
            if found.kind == HEADERS:
                headers = dict(self.decoder.decode(found.payload))
                if found.stream == stream:
                    status = int(headers[":status"])
                    self.last_headers = headers
            elif found.stream == stream and found.kind == DATA:
                body += found.payload
            elif found.stream == stream and found.kind == RST_STREAM:
                raise AssertionError(f"reset with {int.from_bytes(found.payload, 'big')}")
            elif found.kind == GOAWAY:
                raise AssertionError(f"goaway with {int.from_bytes(found.payload[4:8], 'big')}")
            if found.stream == stream and found.flags & END_STREAM and found.kind in (HEADERS, DATA):
                return status, body
        raise AssertionError("closed")

    def goaway(self):
        """The code of the GOAWAY that ends the connection; None when it closes without."""
        code = None
        while found := self.read():
            if found.kind == GOAWAY:
                code = int.from_bytes(found.payload[4:8], "big")
        return code

    def reset_code(self, stream):
        found = self.wait(RST_STREAM, stream)
        return found and int.from_bytes(found.payload, "big")
