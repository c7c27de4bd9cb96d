"""What the HTTP attack suites share: a server to play against, and sockets that send any bytes.

HTTP_TARGET=host:port plays against a server that runs already; otherwise the probe is started (its
program is HTTP_PROBE), with a certificate made for the occasion.
"""
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time

TIMEOUT = 30.0  # for one answer
PATIENCE_S = 60  # for what the server does by itself; it takes milliseconds on an idle machine


def eventually(condition, what):
    """The first true value of condition(); fails when there is none in time."""
    end = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.05)
    return value


class Probe:
    """The protocol side of the gateway with a tiny application, or a server that runs already."""

    def __init__(self, *options):
        self.process = None
        target = os.environ.get("HTTP_TARGET")
        self.is_own = not target
        if target:
            self.host, port = target.rsplit(":", 1)
            self.port = int(port)
            return
        self.directory = tempfile.mkdtemp(prefix="http-probe-")
        self.certificate = self.make_certificate("one")
        self.start(options)

    def make_certificate(self, name):
        """A self-signed certificate and its key, installed as the probe's."""
        certificate, key = (os.path.join(self.directory, f"tls.{end}") for end in ("crt", "key"))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", key, "-out", certificate, "-days", "2", "-subj", f"/CN={name}",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
        with open(certificate, encoding="ascii") as file:
            return file.read()

    def start(self, options):
        program = os.environ.get("HTTP_PROBE")
        if not program:
            raise RuntimeError("neither HTTP_TARGET (host:port) nor HTTP_PROBE (a program) is set")
        self.process = subprocess.Popen(
            [program, "--tls-certificate", os.path.join(self.directory, "tls.crt"),
             "--tls-key", os.path.join(self.directory, "tls.key"), *options],
            stderr=subprocess.PIPE, text=True)
        self.lines = []
        for line in self.process.stderr:
            self.lines.append(line)
            if '"listening"' in line:
                entry = json.loads(line)
                self.host, self.port = entry["host"], int(entry["port"])
                break
        else:
            raise RuntimeError("the probe did not start: " + "".join(self.lines))
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def stop(self):
        """Ends the probe; raises what a sanitizer found, and if an exchange was lost."""
        if not self.process:
            return
        self.process.terminate()
        code = self.process.wait(timeout=PATIENCE_S)
        self.reader.join(timeout=PATIENCE_S)
        self.process.stderr.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        log = "".join(self.lines)
        if code != 0:
            raise RuntimeError(f"the probe ended with {code}:\n{log}")
        last = json.loads(self.lines[-1])
        if last.get("begun") != last.get("gone"):
            raise RuntimeError(f"exchanges were lost: {last}")

    @property
    def authority(self):
        return f"{self.host}:{self.port}"

    def context(self, *protocols):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def connect(self, *protocols, context=None):
        plain = socket.create_connection((self.host, self.port), timeout=TIMEOUT)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return (context or self.context(*protocols)).wrap_socket(plain, server_hostname="localhost")

    def figures(self):
        with Http1(self) as http:
            http.send(b"GET /figures HTTP/1.1\r\nHost: a\r\n\r\n")
            return json.loads(http.response().body)

    def settled_figures(self):
        """Once every exchange but the asking one is over."""
        return self.figures_with(0)

    def figures_with(self, n):
        """Once n exchanges besides the asking one are under way."""
        end = time.monotonic() + PATIENCE_S
        while (figures := self.figures())["begun"] != figures["gone"] + n + 1:
            if time.monotonic() > end:
                raise AssertionError(f"not {n} exchanges are under way: {figures}")
            time.sleep(0.05)
        return figures


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


class Closed(Exception):
    """The server closed the connection where a response was due."""


class Http1:
    """A connection that sends raw bytes and reads responses by the book."""

    def __init__(self, probe):
        self.probe = probe
        self.socket = probe.connect("http/1.1")
        self.data = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data.replace(b"{HOST}", self.probe.authority.encode()))
        except (ssl.SSLError, ConnectionError):
            pass  # refused before all was sent: the response tells

    def fill(self):
        try:
            more = self.socket.recv(65536)
        except (ssl.SSLEOFError, ConnectionError) as error:
            raise Closed(str(error)) from error
        if not more:
            raise Closed("closed")
        self.data += more

    def until(self, mark):
        while mark not in self.data:
            self.fill()
        head, self.data = self.data.split(mark, 1)
        return bytes(head)

    def take(self, n):
        while len(self.data) < n:
            self.fill()
        part = bytes(self.data[:n])
        del self.data[:n]
        return part

    def chunks(self):
        parts = []
        while True:
            size = int(self.until(b"\r\n"), 16)
            parts.append(self.take(size))
            if self.take(2) != b"\r\n":
                raise AssertionError("a chunk does not end where it says")
            if size == 0:
                return b"".join(parts)

    def response(self, is_head=False):
        lines = self.until(b"\r\n\r\n").decode("ascii").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.1 (\d{3}) [A-Za-z ]+", lines[0])
        if not match:
            raise AssertionError(f"not a status line: {lines[0]!r}")
        status = int(match[1])
        headers = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            if name in headers:
                raise AssertionError(f"{name} twice")
            headers[name] = value
        if is_head or status in (100, 204, 304):
            body = b""
        elif "content-length" in headers:
            body = self.take(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            body = self.chunks()
        else:
            body = self.rest()
        return Response(status, headers, body)

    def rest(self):
        """Everything until the server closes; TimeoutError when it does not."""
        try:
            while True:
                self.fill()
        except Closed:
            pass
        data, self.data = bytes(self.data), bytearray()
        return data
