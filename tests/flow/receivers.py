"""Receivers of the log pipeline that tests start, kill and start again: real programs, on ports of their own; and what hangs
in their place."""

import json
import secrets
import shutil
import socket
import ssl
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tools'))
import certificates  # noqa: E402
from processes import Process  # noqa: E402
from stack import free_port  # noqa: E402

# `direct` queues: what rsyslog has read is written before it reads on, so a kill loses nothing that it took.
RSYSLOG = '''
global(workDirectory="{directory}" defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{tls}/ca.pem"
    defaultNetstreamDriverCertFile="{tls}/server.pem" defaultNetstreamDriverKeyFile="{tls}/server.key")
main_queue(queue.type="direct")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer="{peer}")
template(name="message" type="string" string="%syslogfacility-text% %syslogseverity-text% %hostname% %app-name% %msgid% %msg%\\n")
ruleset(name="audit" queue.type="direct") {{ action(type="omfile" file="{file}" template="message") }}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="audit")
'''


class Receiver:
    def start(self):
        """What a kill cut off in the middle stays a line by itself."""
        if self.file.exists() and not self.file.read_bytes().endswith(b'\n'):
            with open(self.file, 'ab') as file:
                file.write(b'\n')
        self.process.start()

    def greet(self, link):
        """What comes before anything is sent: here TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.tls / 'server.pem', self.tls / 'server.key')
        return context.wrap_socket(link, server_side=True)


class Hanging:
    """In a receiver's place, on its port: whoever connects waits for something, until close()."""

    WAYS = ('accepts nobody', 'greets nobody', 'takes nothing', 'answers without end')

    def __init__(self, receiver, way):
        self.receiver, self.way, self.is_over = receiver, way, threading.Event()
        self.links, self.held, self.threads = [], 0, []
        self.listener = socket.create_server(('127.0.0.1', receiver.port), backlog=0 if way == self.WAYS[0] else 16)
        if way == self.WAYS[0]:
            self.links.append(socket.create_connection(('127.0.0.1', receiver.port)))  # the one that waits for accept(): others wait for it
        else:
            self._start(self._accept)

    def _start(self, run, *arguments):
        self.threads.append(threading.Thread(target=run, args=arguments, daemon=True))
        self.threads[-1].start()

    def _accept(self):
        while not self.is_over.is_set():
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            self._start(self._hold, link)

    def _hold(self, link):
        self.links.append(link)
        try:
            if self.way != self.WAYS[1]:
                link = self.receiver.greet(link)
                self.links.append(link)
            self.held += 1
            if self.way == self.WAYS[3]:
                link.sendall(self.receiver.BEGINNING)
                while not self.is_over.wait(self.receiver.PAUSE_S):
                    link.sendall(self.receiver.MORE)
        except OSError:
            pass  # whoever waited has gone

    def holds(self):
        """Whether somebody waits, or has waited."""
        if self.way == self.WAYS[0]:
            return self._connecting()
        return self.held > 0

    def _connecting(self):
        rows = [line.split() for line in Path('/proc/net/tcp').read_text().splitlines()[1:]]
        return any(row[2] == f'0100007F:{self.receiver.port:04X}' and row[3] == '02' for row in rows)  # SYN_SENT

    def close(self):
        self.is_over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:  # that which accepts is the first, so all are there by its end
            thread.join()
        for link in self.links:
            link.close()  # with what was not read: a reset, as when it is killed


def is_json(line):
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


class Rsyslog(Receiver):
    """Debian's rsyslogd with GnuTLS, which listens only to who has the certificate in `client`."""

    PEER = 'audit.example.jp'
    BEGINNING, MORE, PAUSE_S = b'', b'x' * 16384, 0  # faster than it is read, in what has no answers

    def __init__(self, directory):
        self.directory, self.port = Path(directory), free_port()
        self.tls, self.client, self.file = (self.directory / name for name in ('tls', 'client', 'messages'))
        certificates.make(self.tls, ('localhost', '127.0.0.1'))
        self.client.mkdir()
        for name in ('ca.pem', 'ca.key'):
            shutil.copy(self.tls / name, self.client)
        certificates.make_server(self.client, (self.PEER,))
        conf = self.directory / 'rsyslog.conf'
        conf.write_text(RSYSLOG.format(directory=self.directory, tls=self.tls, file=self.file, port=self.port, peer=self.PEER))
        program = shutil.which('rsyslogd') or '/usr/sbin/rsyslogd'
        # Without a file of its pid, which after a kill keeps it from starting when the number is somebody's again.
        self.process = Process('rsyslogd', [program, '-n', '-f', conf, '-iNONE'], self.directory / 'rsyslogd.log')

    def messages(self):
        """(facility, severity, host, application, message id, message) of each; one cut by a kill is none."""
        if not self.file.exists():
            return []
        whole = self.file.read_bytes().rpartition(b'\n')[0].decode()
        fields = [tuple(line.split(' ', 5)) for line in whole.split('\n')]
        return [each for each in fields if len(each) == 6 and is_json(each[5])]

    def lines(self):
        return [message[5] for message in self.messages()]


class Collector(Receiver):
    """otlp_receiver.py, over TLS."""

    BEGINNING, MORE, PAUSE_S = b'HTTP/1.1 200 OK\r\n', b'a: b\r\n', 0.1

    def __init__(self, directory):
        self.directory, self.port, self.token = Path(directory), free_port(), secrets.token_hex(16)
        self.tls, self.file, self.header = self.directory / 'tls', self.directory / 'records', self.directory / 'header'
        certificates.make(self.tls, ('localhost', '127.0.0.1'))
        self.header.write_text(f'Authorization: Bearer {self.token}\n')
        self.process = Process('collector', ['/usr/bin/python3', Path(__file__).parent / 'otlp_receiver.py', '--port', self.port,
                                             '--tls', self.tls, '--token', self.token, '--file', self.file],
                               self.directory / 'collector.log')

    def records(self):
        """(resource attributes, scope, record); a line cut by a kill is none."""
        if not self.file.exists():
            return []
        whole = self.file.read_bytes().rpartition(b'\n')[0].decode()
        return [json.loads(line) for line in whole.split('\n') if line and is_json(line)]

    def lines(self):
        return [record['body'] for _, _, record in self.records()]


class RedisError(Exception):
    pass


class RedisLink:
    """As much of Redis's protocol (RESP 2) as a consumer needs."""

    def __init__(self, port, password):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=30)
        self.file = self.socket.makefile('rb')
        self.ask('AUTH', password)

    def ask(self, *words):
        self.say(*words)
        return self.answer()

    def say(self, *words):
        parts = [str(word).encode() for word in words]
        self.socket.sendall(b'*%d\r\n' % len(parts) + b''.join(b'$%d\r\n%s\r\n' % (len(part), part) for part in parts))

    def answer(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError('Redis ended the connection')
        kind, rest = line[:1], line[1:-2]
        if kind == b'-':
            raise RedisError(rest.decode())
        if kind == b'$':
            return None if rest == b'-1' else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b'*':
            return None if rest == b'-1' else [self.answer() for _ in range(int(rest))]
        return int(rest) if kind == b':' else rest.decode()

    def close(self):
        self.file.close()
        self.socket.close()


class Redis(Receiver):
    """Debian's redis-server, which keeps everything it has acknowledged; and a group of one consumer that reads all."""

    STREAM, GROUP, USER = 'manabiya:audit', 'collector', 'manabiya'
    BEGINNING, MORE, PAUSE_S = b'+', b'x', 0.1

    def __init__(self, directory):
        self.directory, self.port, self.read = Path(directory), free_port(), []
        self.file = self.directory / 'nothing'  # Redis mends its own
        self.password, self.own_password = secrets.token_hex(16), self.directory / 'password'
        self.own_password.write_text(secrets.token_hex(16))
        users = self.directory / 'users.acl'
        users.write_text(f'user default on >{self.password} ~* &* +@all\n'
                         f'user {self.USER} on >{self.own_password.read_text()} ~{self.STREAM} resetchannels -@all +multi +xadd +exec\n')
        program = shutil.which('redis-server') or '/usr/bin/redis-server'
        self.process = Process('redis-sink', [program, '--port', self.port, '--bind', '127.0.0.1', '--dir', self.directory,
                                              '--appendonly', 'yes', '--appendfsync', 'always', '--save', '',
                                              '--lua-time-limit', 100,  # ms, until it says that it is busy
                                              '--aclfile', users], self.directory / 'redis.log')

    def greet(self, link):
        link.recv(1000)
        link.sendall(b'+OK\r\n')
        return link

    def link(self):
        return RedisLink(self.port, self.password)

    def make_group(self, name):
        link = self.link()
        try:
            link.ask('XGROUP', 'CREATE', self.STREAM, name, '0', 'MKSTREAM')
        except RedisError as error:
            if 'BUSYGROUP' not in str(error):
                raise
        return link

    def lines(self):
        """All that the collector has ever read."""
        link = self.make_group(self.GROUP)
        while entries := read_group(link, self.GROUP, 'one', 100):
            self.read += [fields['line'] for _, fields in entries]
            link.ask('XACK', self.STREAM, self.GROUP, *(number for number, _ in entries))
        link.close()
        return self.read


def read_group(link, group, consumer, most, start='>'):
    """The next entries for this consumer, as (id, fields)."""
    streams = link.ask('XREADGROUP', 'GROUP', group, consumer, 'COUNT', most, 'STREAMS', Redis.STREAM, start)
    return as_entries(streams[0][1]) if streams else []


def as_entries(rows):
    return [(number, dict(zip(fields[::2], fields[1::2]))) for number, fields in rows]
