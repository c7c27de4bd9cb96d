"""Limits of the whole: too many requests, too many instances, too much load, too many connections.

The quotas are made small, so that a test uses them up without a flood; the load is real requests that
wait for a service which does not answer.
"""

import json
import re
import signal
import socket
import ssl
import sys
import threading
import time
import unittest
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'flow'))
import base  # noqa: E402
import certificates  # noqa: E402
import seed  # noqa: E402
from api import Client  # noqa: E402
from base import PASSWORD, eventually  # noqa: E402
from processes import Process  # noqa: E402
from stack import SANITIZERS, free_port  # noqa: E402

WINDOW_S = 86400  # each subject's begins at its own moment: hardly any ends while a test counts in it
WAIT_MS = 60000  # what waits for a service that is stopped goes on to wait, however long the test takes
QUOTAS = {'limit-login': 40, 'limit-anonymous': 1000, 'limit-source': 100000, 'limit-read': 60, 'limit-write': 30,
          'limit-upload': 20, 'limit-tenant': 100000}
LAG_MS = 20
NO_MEDIA = '01890000-0000-7000-8000-000000000000'
UPLOAD_HEADERS = {'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '0', 'Tus-Resumable': '1.0.0'}
BUSY_AT = 8  # requests waiting from which on logins are shed
POLICY = re.compile(r'^"([a-z]+)";q=(\d+);w=(\d+)$')
STATE = re.compile(r'^"([a-z]+)";r=(\d+);t=(\d+)$')


def setUpModule():
    base.world = base.World()
    unittest.addModuleCleanup(base.world.close, 'limits')
    base.world.stack.extra['gateway'] = {
        **QUOTAS, 'limit-window-s': WINDOW_S, 'request-timeout-ms': WAIT_MS, 'limit-share-ms': 20, 'shed-waiting': BUSY_AT, 'shed-lag-ms': 60000,
        'connections-per-source': 60, 'tls-check-ms': 50}
    base.world.open()


def new_session():
    client = base.world.client()
    client.login(seed.OPERATOR_TENANT, seed.OPERATOR, PASSWORD)
    return client


def figures():
    """{series: value} of the gateway's admin listener."""
    client = Client(f'https://localhost:{base.world.stack.admin_port}', base.world.stack.ca)
    try:
        text = client.send('GET', '/metrics').body.decode()
    finally:
        client.close()
    rows = [line.rpartition(' ') for line in text.splitlines() if line and not line.startswith('#')]
    return {name: float(value) for name, _, value in rows}


class Instance:
    """One more gateway beside the stack's own, on the same bus and the same Redis."""

    def __init__(self, **options):
        stack = base.world.stack
        self.port = free_port()
        changed = {'listen': f'127.0.0.1:{self.port}', 'admin-listen': f'127.0.0.1:{free_port()}', **options}
        command = [part for part in stack.processes['gateway'].command
                   if part.partition('=')[0][2:] not in changed]
        command += [f'--{name}={value}' for name, value in changed.items()]
        self.process = Process('gateway-2', command, stack.logs / f'gateway-{self.port}.log', environment=SANITIZERS)

    def __enter__(self):
        self.process.start()
        eventually(lambda: '"ready"' in self.process.log.read_text(), 'the second gateway is ready')
        return self

    def __exit__(self, *_):
        self.process.stop()

    def client(self, token=None):
        client = Client(f'https://localhost:{self.port}', base.world.stack.ca)
        client.token = token
        base.world.clients.append(client)
        return client

    def is_connected(self, client):
        return client.send('GET', '/v1/session').status == 200


def left(answer):
    return int(STATE.match(answer.headers['RateLimit']).group(2))


def use_up(client, path='/v1/session', most=2000):
    """Read until refused; how many were let through."""
    for n in range(most):
        answer = client.send('GET', path)
        if answer.status == 429:
            return n, answer
        if answer.status != 200:
            raise AssertionError(f'{answer.status} {answer.body}')
    raise AssertionError('never refused')


class Quotas(unittest.TestCase):
    def test_every_answer_of_the_api_says_what_is_left(self):
        client = new_session()
        before = None
        for _ in range(3):
            answer = client.send('GET', '/v1/session')
            name, quota, window = POLICY.match(answer.headers['RateLimit-Policy']).groups()
            state = STATE.match(answer.headers['RateLimit'])
            self.assertEqual((name, int(quota), int(window)), ('read', QUOTAS['limit-read'], WINDOW_S))
            self.assertEqual(state.group(1), 'read')
            self.assertTrue(0 < int(state.group(3)) <= WINDOW_S)
            if before is not None:
                self.assertEqual(left(answer), before - 1)
            before = left(answer)
        self.assertIsNone(client.send('GET', '/').headers['RateLimit'])

    def test_a_session_that_reads_too_much_waits_and_no_other(self):
        client, other = new_session(), new_session()
        refused_before = figures()['manabiya_limited_total{limit="read"}']
        n, answer = use_up(client)
        self.assertEqual(n, QUOTAS['limit-read'])
        problem = json.loads(answer.body)
        self.assertEqual((problem['status'], problem['code']), (429, 'rate_limited'))
        self.assertEqual(answer.headers['Content-Type'], 'application/problem+json')
        reset = int(STATE.match(answer.headers['RateLimit']).group(3))
        self.assertTrue(reset <= int(answer.headers['Retry-After']) <= reset + 5)
        self.assertEqual(left(answer), 0)
        self.assertEqual(other.send('GET', '/v1/session').status, 200)
        # Another class has its own quota: who may not read may still write.
        self.assertEqual(client.send('DELETE', '/v1/session').status, 204)
        self.assertGreater(figures()['manabiya_limited_total{limit="read"}'], refused_before)

    def test_writing_has_its_own(self):
        client = new_session()
        answer = client.send('POST', '/v1/notices/read', {})
        self.assertEqual(POLICY.match(answer.headers['RateLimit-Policy']).group(1), 'write')

    def test_a_tenant_has_one_for_all_its_sessions(self):
        tenant = base.world.tenant('ooi')
        people = [tenant.admin, tenant.enter('sensei'), tenant.enter('jido1'), tenant.enter('jido2')]
        with Instance(**{'limit-tenant': 100, 'limit-cache': ''}) as instance:
            clients = [instance.client(person.token) for person in people]
            answers = [clients[i % 4].send('GET', '/v1/session') for i in range(104)]  # 26 each
            self.assertEqual([answer.status for answer in answers], [200] * 100 + [429] * 4)
            self.assertEqual(POLICY.match(answers[-1].headers['RateLimit-Policy']).group(1), 'tenant')
            other = instance.client(base.world.operator.token)
            self.assertEqual(other.send('GET', '/v1/session').status, 200)

    def test_a_source_that_logs_in_too_often_waits(self):
        """With a gateway of its own: the source is everybody's."""
        with Instance(**{'limit-login': 3, 'limit-cache': ''}) as instance:
            client = instance.client()
            statuses = []
            for _ in range(5):
                answer = client.send('POST', '/v1/sessions', {'tenantCode': 'nobody', 'username': 'often', 'password': 'y'})
                statuses.append(answer.status)
            self.assertEqual(statuses[3:], [429, 429])
            self.assertNotIn(429, statuses[:3])
            self.assertEqual(json.loads(answer.body)['code'], 'rate_limited')
            self.assertTrue(instance.is_connected(instance.client(base.world.operator.token)))

    def test_a_source_has_one_for_all_it_asks(self):
        """Whoever asks, and whatever: other sessions of the same address are no way around it."""
        with Instance(**{'limit-source': 6, 'limit-cache': ''}) as instance:
            clients = [instance.client(new_session().token), instance.client(new_session().token), instance.client()]
            answers = [clients[i % 3].send('GET', '/v1/session') for i in range(8)]
            self.assertEqual([answer.status for answer in answers], [200, 200, 401, 200, 200, 401, 429, 429])
            self.assertEqual(POLICY.match(answers[-1].headers['RateLimit-Policy']).group(1), 'source')

    def test_without_a_session_there_is_one_too(self):
        with Instance(**{'limit-anonymous': 3, 'limit-cache': ''}) as instance:
            stranger = instance.client()
            answers = [stranger.send('OPTIONS', '/v1/media') for _ in range(4)]
            self.assertEqual([answer.status for answer in answers], [204, 204, 204, 429])
            self.assertEqual(POLICY.match(answers[-1].headers['RateLimit-Policy']).group(1), 'anonymous')
            self.assertTrue(instance.is_connected(instance.client(base.world.operator.token)))

    def test_uploading_has_its_own(self):
        with Instance(**{'limit-upload': 2, 'limit-cache': ''}) as instance:
            client = instance.client(base.world.tenant('ooi').enter('sensei').token)
            answers = [client.send('PATCH', f'/v1/media/{NO_MEDIA}', b'x', UPLOAD_HEADERS) for _ in range(3)]
            self.assertNotIn(429, [answer.status for answer in answers[:2]])
            self.assertEqual(answers[2].status, 429)
            self.assertEqual(POLICY.match(answers[2].headers['RateLimit-Policy']).group(1), 'upload')
            self.assertTrue(instance.is_connected(client))


class Shared(unittest.TestCase):
    """Two gateways, one quota."""

    def setUp(self):
        self.instance = Instance()
        self.instance.__enter__()
        self.addCleanup(self.instance.__exit__)

    def test_what_one_lets_through_the_other_knows(self):
        here = new_session()
        there = self.instance.client(here.token)
        for _ in range(10):
            self.assertEqual(here.send('GET', '/v1/session').status, 200)
        eventually(lambda: left(there.send('GET', '/v1/session')) <= QUOTAS['limit-read'] - 10,
                   'the other instance has heard of them')
        use_up(there)
        eventually(lambda: here.send('GET', '/v1/session').status == 429, 'the quota is one')

    def test_without_redis_each_goes_on_alone(self):
        base.world.stack.kill('redis')
        try:
            here = new_session()
            there = self.instance.client(here.token)
            for client in (here, there):
                n, _ = use_up(client)
                self.assertEqual(n, QUOTAS['limit-read'])
        finally:
            (base.world.stack.run / 'redis').unlink(missing_ok=True)
            base.world.stack.restart('redis')
        fresh = new_session()
        there = self.instance.client(fresh.token)

        def is_shared():  # a Redis that was away is asked again after a second
            fresh.send('GET', '/v1/session')
            return figures()['manabiya_limits_shared{service="gateway"}'] == 1
        eventually(is_shared, 'counts are shared again')

    def test_the_gateway_may_do_nothing_else_in_redis(self):
        password = (base.world.stack.keys / 'redis/gateway.password').read_text()
        refused = ('GET cap:x', 'SET limit:x 1', 'INCRBY cap:x 1', 'PEXPIRE changed:x 1', 'DEL limit:x', 'FLUSHALL',
                   'KEYS *', 'CONFIG GET *', 'ACL LIST', 'EVAL return(1) 0', 'PUBLISH x y', 'SUBSCRIBE x')
        with socket.socket(socket.AF_UNIX) as redis:
            redis.connect(str(base.world.stack.run / 'redis'))

            def ask(command):
                redis.sendall(f'{command}\r\n'.encode())
                return redis.recv(4096)
            self.assertTrue(ask('INCRBY limit:test 1').startswith(b'-NOAUTH'))
            self.assertEqual(ask(f'AUTH gateway {password}'), b'+OK\r\n')
            for command in refused:
                with self.subTest(command):
                    self.assertTrue(ask(command).startswith(b'-NOPERM'))
            self.assertTrue(ask('INCRBY limit:test 1').startswith(b':'))
            self.assertEqual(ask('PEXPIRE limit:test 1'), b':1\r\n')


class Load(unittest.TestCase):
    """A service stops; what waits for it piles up; whoever comes on top is told to come later."""

    def wait_for(self, waiting, token):
        """So many requests that wait for `learning`, on threads that end when it answers."""
        def read():
            client = Client(base.world.stack.address, base.world.stack.ca)
            client.token = token
            client.send('GET', '/v1/skills')
            client.close()
        threads = [threading.Thread(target=read) for _ in range(waiting)]
        for thread in threads:
            thread.start()
        return threads

    def load(self):
        return figures()['manabiya_load_percent{service="gateway"}']

    def test_logins_are_shed_first_then_strangers_then_reading(self):
        reader, writer = new_session(), new_session()
        stranger = base.world.client()
        login = {'tenantCode': 'nobody', 'username': 'x', 'password': 'y'}
        self.assertNotEqual(stranger.send('POST', '/v1/sessions', login).status, 503)
        base.world.stack.kill('learning', signal.SIGSTOP)
        threads = []
        try:
            threads += self.wait_for(BUSY_AT, reader.token)
            eventually(lambda: self.load() >= 100, 'the load rises')
            answer = stranger.send('POST', '/v1/sessions', login)
            self.assertEqual((answer.status, json.loads(answer.body)['code']), (503, 'overloaded'))
            self.assertTrue(1 <= int(answer.headers['Retry-After']) <= 30)
            self.assertEqual(reader.send('GET', '/v1/session').status, 200)
            threads += self.wait_for(BUSY_AT, reader.token)
            eventually(lambda: self.load() >= 200, 'the load rises further')
            self.assertEqual(reader.send('GET', '/v1/session').status, 503)
            self.assertEqual(writer.send('POST', '/v1/notices/read', {}).status, 200)
        finally:
            base.world.stack.kill('learning', signal.SIGCONT)
            for thread in threads:
                thread.join()
        eventually(lambda: self.load() < 100, 'the load falls')
        self.assertNotEqual(stranger.send('POST', '/v1/sessions', login).status, 503)
        self.assertGreater(figures()['manabiya_shed_total{service="gateway"}'], 0)

    def test_a_gateway_that_is_late_itself_sheds_logins_too(self):
        """It is stopped again and again, so that each of its rounds is late; it never stands still."""
        with Instance(**{'shed-lag-ms': LAG_MS, 'shed-waiting': 1000000, 'limit-login': 0, 'limit-cache': ''}) as instance:
            stranger = instance.client()

            def status():  # without a name, so that no throttle slows it down
                return stranger.send('POST', '/v1/sessions', {}).status
            eventually(lambda: status() == 422, 'logins are admitted')
            done = threading.Event()

            def hold_up():
                while not done.is_set():
                    instance.process.signal(signal.SIGSTOP)
                    time.sleep(0.15)
                    instance.process.signal(signal.SIGCONT)
                    time.sleep(0.01)
            thread = threading.Thread(target=hold_up)
            thread.start()
            try:
                eventually(lambda: status() == 503, 'logins are shed')
            finally:
                done.set()
                thread.join()
            eventually(lambda: status() == 422, 'logins are admitted again')


class Connections(unittest.TestCase):
    def open(self):
        url = urllib.parse.urlsplit(base.world.stack.address)
        return socket.create_connection((url.hostname, url.port), timeout=10)

    def test_one_source_has_a_budget_and_gets_it_back(self):
        held = []
        try:
            with self.assertRaises((ssl.SSLError, ConnectionError, TimeoutError)):
                while len(held) < 100:
                    held.append(base.world.operator.tls.wrap_socket(self.open(), server_hostname='localhost'))
            self.assertLess(len(held), 61)
            self.assertEqual(figures()['manabiya_load_percent{service="gateway"}'], 0)  # the admin is not of them
        finally:
            for link in held:
                link.close()
        eventually(self.is_served, 'the source is served again')

    def is_served(self):
        try:
            client = base.world.client()
            return client.send('GET', '/v1/session').status == 401
        except (OSError, ssl.SSLError):
            return False


class SourceRules(unittest.TestCase):
    def test_a_fenced_gateway_reads_them_again(self):
        rules = base.world.stack.tls / 'source-rules'
        rules.write_text('deny 203.0.113.0/24\n')
        with Instance(**{'source-rules': rules, 'tls-check-ms': 50}) as instance:
            self.assertTrue(instance.is_connected(instance.client(base.world.operator.token)))
            fresh = rules.with_suffix('.new')
            fresh.write_text('deny 127.0.0.0/8\ndeny ::1\n')
            fresh.rename(rules)

            def is_out():
                try:
                    return not instance.is_connected(instance.client(base.world.operator.token))
                except (OSError, ssl.SSLError):
                    return True
            eventually(is_out, 'the new rules hold')


class Certificates(unittest.TestCase):
    def test_the_gateway_reads_a_renewed_certificate(self):
        """Replaced by renaming, as tools for certificates do, in the fenced process."""
        directory = base.world.stack.tls

        def serial():
            with socket.create_connection(('localhost', base.world.stack.port), timeout=10) as plain:
                with base.world.operator.tls.wrap_socket(plain, server_hostname='localhost') as link:
                    return link.getpeercert()['serialNumber']
        before = serial()
        fresh = directory / 'fresh'
        fresh.mkdir()
        for name in ('ca.pem', 'ca.key'):
            (fresh / name).write_bytes((directory / name).read_bytes())
        certificates.make_server(fresh, ('localhost', '127.0.0.1'))
        for name in ('server.key', 'server.pem'):
            (fresh / name).rename(directory / name)
        eventually(lambda: serial() != before, 'the renewed certificate is served')


if __name__ == '__main__':
    unittest.main()
