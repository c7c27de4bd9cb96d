#!/usr/bin/python3
"""Many open pages: what an idle event stream costs the gateway in memory, and how a hint reaches all of them.

Real TLS 1.3 and HTTP/2 connections, one stream each, of ten users. The limit on open files is raised as far as allowed;
where it is below the number of streams, fewer are opened and the table says so.

    tests/bench/events.py [--streams 10000] [--http1]
"""

import argparse
import os
import resource
import select
import socket
import ssl
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import ROOT, cpu_us  # noqa: E402

sys.path[:0] = [str(ROOT / 'tests/flow'), str(ROOT / 'tests/attack/http2')]
import seed  # noqa: E402
from api import Client  # noqa: E402
from frames import END_HEADERS, END_STREAM, PREFACE, frame, settings, HEADERS  # noqa: E402
from hpack import Encoder  # noqa: E402
from stack import Stack  # noqa: E402

PASSWORD = 'fuji-no-yama-2026'
CODE = 'gakko'
USERS = 10
TARGET_MB = 300
SETTLE_S = 1
HINT_TIMEOUT_S = 20


def raise_file_limit():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def memory_mb(pid):
    """Resident memory that is the process's own: shared libraries are there anyway."""
    for line in Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
        if line.startswith('Private_Dirty:'):
            return int(line.split()[1]) / 1000
    raise RuntimeError('no figure')


class Pages:
    """The clients. They read only to see that something came."""

    def __init__(self, stack, tokens, is_http1):
        self.stack, self.tokens, self.is_http1 = stack, tokens, is_http1
        self.context = ssl.create_default_context(cafile=str(stack.ca))
        self.context.set_alpn_protocols(['http/1.1' if is_http1 else 'h2'])
        self.links, self.poll = {}, select.epoll()

    def request(self, token):
        if self.is_http1:
            return f'GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n'.encode()
        block = Encoder().encode([(':method', 'GET'), (':path', '/v1/events'), (':scheme', 'https'),
                                  (':authority', 'localhost'), ('authorization', f'Bearer {token}')])
        return PREFACE + settings() + frame(HEADERS, END_STREAM | END_HEADERS, 1, block)

    def open(self, number):
        # Several source addresses, as a school has: the gateway bounds what one may hold.
        source = f'127.0.{1 + number % 16}.1'
        plain = socket.create_connection(('127.0.0.1', self.stack.port), timeout=10, source_address=(source, 0))
        link = self.context.wrap_socket(plain, server_hostname='localhost')
        link.sendall(self.request(self.tokens[number % USERS]))
        self.wait_for(link, b'"resync"')
        link.setblocking(False)
        self.links[link.fileno()] = link
        self.poll.register(link.fileno(), select.EPOLLIN)

    @staticmethod
    def wait_for(link, text):
        seen = b''
        while text not in seen:
            more = link.recv(65536)
            if not more:
                raise RuntimeError(f'closed after {seen[-300:]!r}')
            seen += more

    def hear(self, text):
        """How many heard it, and after how many seconds the last of them."""
        waiting, began, last = set(self.links), time.monotonic(), 0
        while waiting and time.monotonic() - began < HINT_TIMEOUT_S:
            for number, _ in self.poll.poll(1):
                try:
                    if text in self.links[number].recv(65536):
                        waiting.discard(number)
                        last = time.monotonic() - began
                except ssl.SSLWantReadError:
                    pass
        return len(self.links) - len(waiting), last


def sign_in(stack):
    """Ten teachers: one user may not hold all streams."""
    operator, admin = Client(stack.address, stack.ca), Client(stack.address, stack.ca)
    operator.login_first(seed.OPERATOR_TENANT, seed.OPERATOR, (stack.keys / 'bootstrap.secret').read_text().strip(), PASSWORD)
    contract = operator.post('/v1/contracts', name='計測', code=CODE, administratorUsername='kanri')
    admin.login_first(CODE, 'kanri', contract['initialSecret'], PASSWORD)
    tokens = []
    for i in range(USERS):
        made = admin.post('/v1/users', username=f'sensei{i}', role='instructor', familyName='計測', givenName=str(i),
                          kanaFamilyName='ケイソク', kanaGivenName='ハジメ')
        client = Client(stack.address, stack.ca)
        client.login_first(CODE, f'sensei{i}', made['initialSecret'], PASSWORD)
        tokens.append(client.token)
    return operator, tokens


def measure(stack, wanted, is_http1):
    operator, tokens = sign_in(stack)
    pages, gateway = Pages(stack, tokens, is_http1), stack.processes['gateway'].pid
    before, began = memory_mb(gateway), time.monotonic()
    for number in range(wanted):
        pages.open(number)
    opened_s = time.monotonic() - began
    time.sleep(SETTLE_S)
    after, cpu = memory_mb(gateway), cpu_us({'gateway': gateway})['gateway']
    operator.post('/v1/announcements', title='計測', body='計測', audience='everyone')
    heard, last_s = pages.hear(b'"announcement"')
    spent = cpu_us({'gateway': gateway})['gateway'] - cpu
    print(f'{"protocol":36}{"HTTP/1.1" if is_http1 else "HTTP/2":>12}')
    print(f'{"streams":36}{wanted:>12,}')
    print(f'{"opened in, s":36}{opened_s:>12.1f}')
    print(f'{"gateway before, MB":36}{before:>12.1f}')
    print(f'{"gateway with all of them, MB":36}{after:>12.1f}   target for 10,000: {TARGET_MB}')
    print(f'{"a stream, KB":36}{(after - before) * 1000 / wanted:>12.1f}')
    print(f'{"pages that heard a hint for all":36}{heard:>12,}')
    print(f'{"the last of them after, s":36}{last_s:>12.2f}')
    print(f'{"CPU of the gateway per page, µs":36}{spent / wanted:>12.1f}')
    return heard == wanted


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--streams', type=int, default=10000)
    parser.add_argument('--http1', action='store_true')
    arguments = parser.parse_args()
    wanted = min(arguments.streams, raise_file_limit() - 100)
    if wanted < arguments.streams:
        print(f'only {wanted} descriptors are allowed here')
    with tempfile.TemporaryDirectory(prefix='manabiya-bench-') as directory:
        os.chmod(directory, 0o711)
        stack = Stack(Path(directory) / 'stack', ROOT / 'build',
                      extra={'gateway': {'sse-per-user': 1000, 'connections-max': 12000}})
        try:
            stack.start()
            return 0 if measure(stack, wanted, arguments.http1) else 1
        finally:
            stack.remove()


if __name__ == '__main__':
    sys.exit(main())
