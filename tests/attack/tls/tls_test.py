"""TLS as clients and operators see it: names, certificates that change, tickets, the admin's door.

Plays against the protocol side of the gateway (wire.py), which reads its files like the gateway does.
"""
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))
import certificates  # noqa: E402
from wire import TIMEOUT, Probe  # noqa: E402

GET = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
SOON_S = 30  # for what the server does by itself; it takes milliseconds on an idle machine


def self_signed(directory, stem, *names):
    """stem.pem and stem.key for the names; the first is its subject."""
    alternatives = ",".join(f"DNS:{name}" for name in names)
    certificates.openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-keyout", directory / f"{stem}.key.new", "-out", directory / f"{stem}.pem.new",
        "-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={alternatives}")
    for end in ("key", "pem"):
        (directory / f"{stem}.{end}.new").replace(directory / f"{stem}.{end}")


def client_certificate(directory, authority, name):
    """name.pem and name.key in `directory`, signed by the CA that lies in `authority`."""
    key, request, certificate = (directory / f"{name}.{end}" for end in ("key", "csr", "pem"))
    extensions = directory / f"{name}.ext"
    extensions.write_text("extendedKeyUsage=clientAuth\n")
    certificates.make_key(key)
    certificates.openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
    certificates.openssl("x509", "-req", "-in", request, "-CA", authority / "ca.pem", "-CAkey", authority / "ca.key",
                         "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certificate)
    return certificate, key


class Server(Probe):
    """A probe whose files are made before it starts: `make(directory)` makes them and gives the options."""

    def __init__(self, make):
        self.process, self.is_own = None, True
        self.directory = tempfile.mkdtemp(prefix="tls-probe-")
        self.files = Path(self.directory)
        self.certificate = self.make_certificate("default.example")
        self.start(make(self.files))

    def admin_port(self):
        end = time.monotonic() + SOON_S
        while time.monotonic() < end:
            found = [json.loads(line) for line in list(self.lines) if '"listening"' in line]
            if len(found) > 1:
                return int(found[1]["port"])
            time.sleep(0.01)
        raise AssertionError("no admin listener")

    def open(self, name=None, port=None, context=None, session=None):
        plain = socket.create_connection((self.host, port or self.port), timeout=TIMEOUT)
        return (context or self.context("http/1.1")).wrap_socket(plain, server_hostname=name, session=session)

    def subject(self, name=None, port=None, context=None):
        """The common name of the certificate that a client gets who asks for `name`."""
        with self.open(name, port, context) as link:
            pem = ssl.DER_cert_to_PEM_cert(link.getpeercert(binary_form=True))
        text = subprocess.run(["openssl", "x509", "-noout", "-subject", "-nameopt", "multiline"], input=pem.encode(),
                              check=True, capture_output=True).stdout.decode()
        return text.rpartition("commonName")[2].strip(" =\n")

    def log(self, text):
        return [line for line in list(self.lines) if text in line]


def ask(link):
    link.sendall(GET)
    answer = b""
    while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < 1024:
        part = link.recv(65536)
        if not part:
            raise ConnectionError("closed")
        answer += part
    return answer


def eventually(condition, what):
    end = time.monotonic() + SOON_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {SOON_S} s: {what}")
        time.sleep(0.05)


class Case(unittest.TestCase):
    """One server for a class; `make` says what it is like."""

    @staticmethod
    def make(directory):
        return ()

    @classmethod
    def setUpClass(cls):
        if os.environ.get("HTTP_TARGET"):
            raise unittest.SkipTest("plays against another server")
        cls.server = Server(cls.make)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()


class Names(Case):
    @staticmethod
    def make(directory):
        more = directory / "more"
        more.mkdir()
        self_signed(more, "school", "school.example", "www.school.example")
        self_signed(more, "cities", "*.city.example")
        (more / "notes.txt").write_text("not a certificate")
        return ("--tls-directory", str(more))

    def test_each_name_gets_its_certificate(self):
        for name, subject in (("school.example", "school.example"), ("WWW.School.Example", "school.example"),
                              ("a.city.example", "*.city.example"), ("b.city.example", "*.city.example")):
            with self.subTest(name):
                self.assertEqual(self.server.subject(name), subject)

    def test_strangers_get_the_default(self):
        for name in (None, "localhost", "city.example", "a.b.city.example", "other.example"):
            with self.subTest(name):
                self.assertEqual(self.server.subject(name), "default.example")

    def test_everything_else_is_the_same_for_each(self):
        context = self.server.context("h2", "http/1.1")
        for name in ("school.example", "localhost"):
            with self.server.open(name, context=context) as link:
                self.assertEqual((link.version(), link.selected_alpn_protocol()), ("TLSv1.3", "h2"))
            context12 = self.server.context("http/1.1")
            context12.maximum_version = ssl.TLSVersion.TLSv1_2
            with self.assertRaises(ssl.SSLError):
                self.server.open(name, context=context12)

    def test_a_new_file_is_a_new_name(self):
        self_signed(self.server.files / "more", "late", "late.example")
        self.server.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.server.subject("late.example") == "late.example", "the new name is served")
        self.assertEqual(self.server.subject("school.example"), "school.example")


class Reload(Case):
    @staticmethod
    def make(directory):
        return ("--tls-check-ms", "50")

    def replace(self, name):
        self.server.make_certificate(name)
        eventually(lambda: self.server.subject() == name, f"{name} is served")

    def test_no_connection_is_lost_while_certificates_change(self):
        done, counts, failures = threading.Event(), [], []

        def client():
            try:
                with self.server.open() as link:
                    n = 0
                    while not done.is_set():
                        ask(link)
                        n += 1
                counts.append(n)
            except Exception as error:  # noqa: BLE001 whatever it is, it is a lost connection
                failures.append(error)

        def newcomer():
            try:
                while not done.is_set():
                    with self.server.open() as link:
                        ask(link)
            except Exception as error:  # noqa: BLE001
                failures.append(error)

        threads = [threading.Thread(target=kind) for kind in (client, client, client, newcomer)]
        for thread in threads:
            thread.start()
        try:
            for i in range(5):
                self.replace(f"number{i}.example")
        finally:
            done.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(len(counts), 3)
        self.assertGreater(min(counts), 0)

    def test_a_broken_pair_changes_nothing_and_is_told_once(self):
        self.replace("before.example")
        path = self.server.files / "tls.key"
        good = path.read_bytes()
        before = len(self.server.log("the TLS key cannot be used"))  # a look between the two files of a new pair says so too
        path.write_text("no key")
        eventually(lambda: len(self.server.log("the TLS key cannot be used")) > before, "the key is refused")
        time.sleep(0.5)  # several more looks
        lines = len(self.server.log("the TLS key cannot be used")) - before
        self.assertLessEqual(lines, 2 * 2)  # both listeners, and once more for a file seen half-written
        self.assertEqual(self.server.subject(), "before.example")
        path.write_bytes(good)
        self.replace("after.example")

    def test_a_key_of_another_certificate_is_refused(self):
        self.replace("mine.example")
        other = Path(tempfile.mkdtemp(dir=self.server.directory))
        self_signed(other, "other", "other.example")
        path = self.server.files / "tls.key"
        good = path.read_bytes()
        before = len(self.server.log("the old TLS certificate stays in use"))
        path.write_bytes((other / "other.key").read_bytes())
        eventually(lambda: len(self.server.log("the old TLS certificate stays in use")) > before, "refused")
        self.assertEqual(self.server.subject(), "mine.example")
        path.write_bytes(good)


class Admin(Case):
    @staticmethod
    def make(directory):
        for name in ("own", "foreign"):
            certificates.make(directory / name, ("admin.example", "127.0.0.1"))
        client_certificate(directory, directory / "own", "operator")
        client_certificate(directory, directory / "foreign", "stranger")
        own = directory / "own"
        return ("--admin-listen", "127.0.0.1:0", "--admin-tls-certificate", str(own / "server.pem"),
                "--admin-tls-key", str(own / "server.key"), "--admin-client-ca", str(own / "ca.pem"))

    def visitor(self, name=None):
        context = self.server.context("http/1.1")
        if name:
            context.load_cert_chain(self.server.files / f"{name}.pem", self.server.files / f"{name}.key")
        return context

    def test_only_a_client_with_a_certificate_is_served(self):
        with self.server.open(port=self.server.admin_port(), context=self.visitor("operator")) as link:
            self.assertIn(b"HTTP/1.1 200 ", ask(link))

    def test_health_can_show_one(self):
        own = self.server.files / "own"
        command = [os.environ["MANABIYACTL"], "health", "--ca", own / "ca.pem",
                   "--url", f"https://127.0.0.1:{self.server.admin_port()}/hello"]
        shown = ["--certificate", self.server.files / "operator.pem", "--key", self.server.files / "operator.key"]
        self.assertEqual(subprocess.run([*command, *shown], check=False, capture_output=True).returncode, 0)
        self.assertEqual(subprocess.run(command, check=False, capture_output=True).returncode, 6)

    def test_others_are_refused(self):
        for name in (None, "stranger"):
            with self.subTest(name), self.assertRaises((ssl.SSLError, ConnectionError)):
                with self.server.open(port=self.server.admin_port(), context=self.visitor(name)) as link:
                    ask(link)

    def test_the_admin_has_its_own_certificate(self):
        operator = self.visitor("operator")
        self.assertEqual(self.server.subject(port=self.server.admin_port(), context=operator), "admin.example")
        self.assertEqual(self.server.subject(), "default.example")

    def test_browsers_need_none(self):
        with self.server.open() as link:
            self.assertIn(b"HTTP/1.1 200 ", ask(link))

    def test_a_ticket_of_the_front_opens_no_back_door(self):
        context = self.visitor()
        with self.server.open(context=context) as link:
            ask(link)
            session = link.session
        self.assertTrue(session.has_ticket)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            with self.server.open(port=self.server.admin_port(), context=context, session=session) as link:
                ask(link)

    def test_the_admin_gives_no_tickets(self):
        """A client that comes back shows its certificate again: one that was revoked meanwhile is out."""
        with self.server.open(port=self.server.admin_port(), context=self.visitor("operator")) as link:
            ask(link)
            self.assertFalse(link.session and link.session.has_ticket)


class Tickets(Case):
    @staticmethod
    def make(directory):
        return ("--tls-ticket-lifetime-s", "1", "--tls-check-ms", "50")

    def session(self, server, context):
        with server.open("localhost", context=context) as link:
            ask(link)
            return link.session

    def is_resumed(self, server, context, session):
        with server.open("localhost", context=context, session=session) as link:
            ask(link)
            return link.session_reused

    def test_a_ticket_outlives_no_two_keys(self):
        context = self.server.context("http/1.1")
        session = self.session(self.server, context)
        time.sleep(2.1)
        self.assertFalse(self.is_resumed(self.server, context, session))
        self.assertFalse(self.is_resumed(self.server, context, session))

    def test_a_ticket_survives_another_certificate(self):
        server = Server(lambda directory: ("--tls-check-ms", "50"))
        try:
            context = server.context("http/1.1")
            session = self.session(server, context)
            self.assertTrue(self.is_resumed(server, context, session))
            server.make_certificate("next.example")
            eventually(lambda: server.subject() == "next.example", "the new certificate is served")
            self.assertTrue(self.is_resumed(server, context, session))
        finally:
            server.stop()

    def test_a_ticket_of_another_instance_costs_a_handshake_and_nothing_else(self):
        other = Server(lambda directory: ())
        try:
            context = self.server.context("http/1.1")
            session = self.session(other, context)
            self.assertTrue(self.is_resumed(other, context, session))
            self.assertFalse(self.is_resumed(self.server, context, session))
        finally:
            other.stop()

    def test_no_early_data(self):
        text = subprocess.run(
            ["openssl", "s_client", "-connect", self.server.authority, "-servername", "localhost", "-ign_eof"],
            input=b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", capture_output=True, check=False,
            timeout=60).stdout.decode(errors="replace")
        self.assertEqual(text.count("New Session Ticket arrived"), 1)
        self.assertIn("Max Early Data: 0", text)


class Older(Case):
    @staticmethod
    def make(directory):
        return ("--tls12", "true")

    def context12(self, suites):
        context = self.server.context("h2", "http/1.1")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(suites)
        return context

    def test_1_2_with_forward_secrecy_and_aead(self):
        for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"):
            with self.subTest(suite), self.server.open(context=self.context12(suite)) as link:
                self.assertEqual((link.version(), link.cipher()[0]), ("TLSv1.2", suite))
                self.assertEqual(link.selected_alpn_protocol(), "h2")

    def test_nothing_weaker(self):
        for suites in ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256"):
            with self.subTest(suites), self.assertRaises((ssl.SSLError, ConnectionError)):
                self.server.open(context=self.context12(suites))

    def test_1_3_goes_first(self):
        with self.server.open() as link:
            self.assertEqual(link.version(), "TLSv1.3")


if __name__ == "__main__":
    unittest.main()
