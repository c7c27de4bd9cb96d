"""What the gateway does itself, over real TLS with the real services behind it: merging, events,
the web client's files, readiness and figures.
"""

import gzip
import http.client
import json
import re
import signal
import socket
import ssl
import tempfile
import threading
import time
import unittest
import uuid
from contextlib import contextmanager
from pathlib import Path

import base
import seed
from base import FlowTest, eventually

PAGE = '<!doctype html><title>学び</title>'
SCRIPT = 'console.log("long enough to be worth compressing");\n' * 20
# libcommon/bus_tasks.c knows the inside of this version only (meson.build).
RUNS_NNG_TASKS = '#define NNG_MINOR_VERSION 5\n' in Path('/usr/include/nng/nng.h').read_text()
FANOUT_MS = 2000  # time enough for parts that do answer, on a busy machine
REQUEST_MS = 60_000  # what other requests wait: nobody mistakes it for the time of a part
DRAIN_MS = 60_000  # twice what anything here is waited for
SAMPLE = re.compile(r'^([a-z_]+)(\{[^}]*\})? ([0-9.e+-]+)$')


def setUpModule():
    base.world = base.World()
    unittest.addModuleCleanup(base.world.close, 'gateway_flow')
    folder = tempfile.TemporaryDirectory(prefix='manabiya-web-', dir='/tmp')
    unittest.addModuleCleanup(folder.cleanup)
    build_web(Path(folder.name))
    base.world.stack.web_root = Path(folder.name)
    base.world.stack.extra['gateway'] = {'sse-heartbeat-ms': 500, 'sse-per-user': 3, 'fanout-timeout-ms': FANOUT_MS,
                                         'request-timeout-ms': REQUEST_MS, 'drain-ms': DRAIN_MS}
    base.world.open()


def build_web(folder):
    (folder / 'assets').mkdir()
    (folder / 'index.html').write_text(PAGE)
    (folder / 'sw.js').write_text('self.skipWaiting()')
    (folder / 'assets/app-1a2b3c.js').write_text(SCRIPT)
    (folder / 'assets/app-1a2b3c.js.gz').write_bytes(gzip.compress(SCRIPT.encode()))


@contextmanager
def stopped(name):
    """The process is there but does nothing."""
    base.world.stack.kill(name, signal.SIGSTOP)
    try:
        yield
    finally:
        base.world.stack.kill(name, signal.SIGCONT)


def admin(path):
    stack = base.world.stack
    tls = ssl.create_default_context(cafile=str(stack.ca))
    link = http.client.HTTPSConnection('localhost', stack.admin_port, timeout=10, context=tls)
    try:
        link.request('GET', path)
        answer = link.getresponse()
        return answer.status, answer.read().decode()
    finally:
        link.close()


class Page(threading.Thread):
    """An open page: its CloudEvents, where it stands, and whether the stream is still open."""

    def __init__(self, test, client, last_id=None):
        super().__init__(daemon=True)
        self.events, self.is_open, self.link = [], True, client.connect()
        self.last_id, self.retries_ms = last_id, []
        headers = client.headers('GET', None)
        self.link.request('GET', '/v1/events', headers={**headers, 'Last-Event-ID': last_id} if last_id else headers)
        self.socket, self.answer = self.link.sock, self.link.getresponse()
        self.status, self.headers = self.answer.status, self.answer.headers
        self.start()
        test.addCleanup(self.leave)

    def run(self):
        try:
            while line := self.answer.readline():
                name, _, value = line.decode().strip().partition(': ')
                if name == 'data':
                    self.events.append(json.loads(value))
                elif name == 'id':
                    self.last_id = value
                elif name == 'retry':
                    self.retries_ms.append(int(value))
        except (OSError, ValueError):
            pass
        self.is_open = False

    def leave(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other side was first
        self.join()
        self.link.close()

    def types(self):
        return [event['type'] for event in self.events]


def log_lines(name='gateway'):
    lines = (base.world.stack.logs / f'{name}.log').read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith('{') and line.endswith('}')]


def forget_cached():
    """What auth keeps in Redis, as the logout would have removed it."""
    with socket.socket(socket.AF_UNIX) as redis:
        redis.connect(str(base.world.stack.run / 'redis'))
        password = (base.world.stack.keys / 'redis/services.password').read_text()
        for command in (f'AUTH {password}', 'FLUSHALL'):
            redis.sendall(f'{command}\r\n'.encode())
            if redis.recv(64) != b'+OK\r\n':
                raise AssertionError('Redis did not forget')


def another_session():
    client = base.world.client()
    client.login(seed.OPERATOR_TENANT, seed.OPERATOR, base.PASSWORD)
    return client


class Merging(FlowTest):
    PARTS = {'learning', 'notification', 'provisioning'}

    def test_all_parts_are_there(self):
        home = base.world.operator.get('/v1/home')
        self.assertEqual(set(home), self.PARTS | {'partial'})
        self.assertEqual(home['partial'], [])
        self.assertTrue(all(home[part] is not None for part in self.PARTS))

    def test_a_slow_part_is_named_and_fails_nothing(self):
        for name in self.PARTS:
            with self.subTest(name), stopped(name):
                home = self.home_without(name)
                self.assertIsNone(home[name])
                self.assertTrue(all(home[part] is not None for part in self.PARTS - {name}))
            eventually(lambda: base.world.operator.get('/v1/home')['partial'] == [], f'{name} is back')

    def home_without(self, name):
        """The home when this part alone is missing: a machine that stands still for FANOUT_MS takes others with it."""
        def asked():
            home = base.world.operator.get('/v1/home')
            return home['partial'] == [name] and home
        begin = time.monotonic()
        home = eventually(asked, f'{name} is missing, and nobody else')
        self.assertLess(time.monotonic() - begin, REQUEST_MS / 1000)
        return home

    def test_nobody_answers_without_a_session(self):
        self.assertRefused(401, lambda: base.world.client().get('/v1/home'))


class Rights(FlowTest):
    def test_a_one_time_secret_opens_no_route_of_the_gateway(self):
        tenant = base.world.tenant('asagao')
        client = base.world.client()
        client.login('asagao', 'sensei', tenant.secrets['sensei'])
        for path in ('/v1/home', '/v1/events'):
            self.assertRefused(403, lambda: client.get(path), 'password_change_required')
        client.change_password(tenant.secrets['sensei'], base.PASSWORD)
        self.assertEqual(client.get('/v1/home')['partial'], [])
        self.assertEqual(Page(self, client).status, 200)


class Events(FlowTest):
    def open_page(self, client=None):
        page = Page(self, client or another_session())
        eventually(lambda: page.types() == ['resync'], 'the first event')
        return page

    def announce(self, audience='everyone'):
        base.world.operator.post('/v1/announcements', title='保守のお知らせ', body='今夜、止まります。', audience=audience)

    def test_a_stream_begins_with_resync_and_brings_hints(self):
        page = self.open_page()
        self.announce()
        eventually(lambda: 'announcement' in page.types(), 'the hint')
        event = page.events[-1]
        self.assertEqual(event['specversion'], '1.0')
        self.assertEqual(set(event), {'specversion', 'id', 'source', 'type', 'time', 'datacontenttype', 'data'})
        self.assertEqual(set(event['data']), {'announcementId'})
        ids = [int(event['id']) for event in page.events]
        self.assertEqual(ids, sorted(set(ids)))

    def test_the_hint_is_for_its_audience(self):
        page = self.open_page()
        self.announce('student')
        self.announce()
        eventually(lambda: 'announcement' in page.types(), 'the hint')
        self.assertEqual(page.types(), ['resync', 'announcement'])

    def test_a_page_that_comes_back_hears_what_it_missed(self):
        client = another_session()
        page, other = self.open_page(client), self.open_page()
        self.announce()
        eventually(lambda: len(page.events) == 2 and len(other.events) == 2, 'the hint')
        page.leave()
        self.announce('student')  # not for this page, then or now
        self.announce()
        eventually(lambda: len(other.events) == 3, 'the hint that nobody else hears')
        back = Page(self, client, page.last_id)
        eventually(lambda: back.events, 'what was missed')
        self.announce()
        eventually(lambda: len(back.events) == 2, 'what comes next')
        self.assertEqual(back.types(), ['announcement'] * 2)
        self.assertEqual(back.events[0], other.events[2])

    def test_a_page_that_missed_nothing_hears_nothing(self):
        client = another_session()
        page = self.open_page(client)
        page.leave()
        back = Page(self, client, page.last_id)
        eventually(lambda: back.retries_ms, 'the beginning of the stream')
        self.announce()
        eventually(lambda: back.events, 'the next hint')
        self.assertEqual(back.types(), ['announcement'])

    def test_an_id_that_is_not_in_the_log_means_resync(self):
        client = another_session()
        for last_id in ('1', '-1', 'abc', '9' * 30, str(time.time_ns())):
            page = Page(self, client, last_id)
            eventually(lambda: page.types() == ['resync'], f'the answer to {last_id}')
            page.leave()
            eventually(lambda: not page.is_open, 'the end')

    def test_the_line_shows_signs_of_life_and_where_the_log_stands(self):
        page = self.open_page()
        before = page.last_id
        base.world.operator.post('/v1/announcements', title='保守', body='止まります。', audience='student')
        eventually(lambda: page.last_id != before, 'a heartbeat behind the event of others')
        self.assertEqual(page.types(), ['resync'])

    def test_logging_out_ends_the_stream_at_once(self):
        client = another_session()
        page = self.open_page(client)
        client.call('DELETE', '/v1/session')
        eventually(lambda: not page.is_open, 'the end of the stream', base.SOON_S)

    def test_a_logout_that_nobody_was_told_of_ends_the_stream(self):
        """auth dies between the end of a session and its hint."""
        stays, page = self.open_page(), self.open_page()
        base.world.stack.kill('auth')
        base.world.stack.sql('UPDATE auth.session SET revoked_at = now() WHERE id ='
                             ' (SELECT id FROM auth.session ORDER BY created_at DESC LIMIT 1)')
        forget_cached()
        base.world.stack.restart('auth')
        base.world.stack.wait_ready()
        eventually(lambda: not page.is_open, 'the end of the stream')
        self.assertTrue(stays.is_open)

    def test_streams_of_one_user_are_counted(self):
        pages = [self.open_page() for _ in range(3)]
        refused = Page(self, another_session())
        self.assertEqual(refused.status, 429)
        self.assertIn('Retry-After', refused.headers)
        pages[0].leave()
        eventually(lambda: Page(self, another_session()).status == 200, 'room for another')

    def test_stopping_ends_streams_without_waiting(self):
        page = self.open_page()
        base.world.stack.kill('gateway', signal.SIGTERM)
        eventually(lambda: not page.is_open, 'the end of the stream')  # a drain that waits for streams takes DRAIN_MS
        eventually(lambda: not base.world.stack.processes['gateway'].is_alive(), 'its own end')
        self.assertEqual(len(page.retries_ms), 2)  # when all come back at once, later than after a cut
        self.assertTrue(3000 <= page.retries_ms[0] <= 6000 and 3000 <= page.retries_ms[1] <= 33000, page.retries_ms)
        base.world.stack.restart('gateway')
        base.world.stack.wait_ready()
        base.world.operator.close()  # its kept connection went down with the gateway

    def test_pages_resync_when_the_sender_comes_back(self):
        page = self.open_page()
        base.world.stack.kill('notification')
        base.world.stack.restart('notification')  # however soon it is back
        base.world.stack.wait_ready()
        eventually(lambda: page.types() == ['resync', 'resync'], 'the second resync')


class Files(FlowTest):
    def ask(self, path, method='GET', **headers):
        return base.world.client().send(method, path, headers={k.replace('_', '-'): v for k, v in headers.items()})

    def test_pages_of_the_client_are_its_one_page(self):
        for path in ('/', '/login', '/classes/1/board'):
            answer = self.ask(path)
            self.assertEqual((answer.status, answer.body.decode()), (200, PAGE), path)
            self.assertEqual(answer.headers['Cache-Control'], 'no-cache')
        self.assertEqual(self.ask('/missing.js').status, 404)
        self.assertEqual(self.ask('/assets/missing').status, 404)

    def test_hashed_files_are_kept_and_compressed(self):
        plain = self.ask('/assets/app-1a2b3c.js')
        packed = self.ask('/assets/app-1a2b3c.js', Accept_Encoding='gzip, br')
        self.assertEqual(plain.body.decode(), SCRIPT)
        self.assertEqual(gzip.decompress(packed.body).decode(), SCRIPT)
        self.assertEqual(packed.headers['Content-Encoding'], 'gzip')
        for answer in (plain, packed):
            self.assertEqual(answer.headers['Cache-Control'], 'public, max-age=31536000, immutable')
            self.assertEqual(answer.headers['Vary'], 'accept-encoding')
        self.assertNotEqual(plain.headers['ETag'], packed.headers['ETag'])

    def test_what_is_known_is_not_sent_again(self):
        tag = self.ask('/').headers['ETag']
        answer = self.ask('/', If_None_Match=f'"x", {tag}')
        self.assertEqual((answer.status, answer.body), (304, b''))

    def test_head_is_get_without_a_body(self):
        answer = self.ask('/sw.js', 'HEAD')
        self.assertEqual((answer.status, answer.body), (200, b''))
        self.assertEqual(answer.headers['Content-Length'], str(len('self.skipWaiting()')))

    def test_the_well_known_documents(self):
        self.assertIn(b'Disallow: /', self.ask('/robots.txt').body)
        answer = self.ask('/.well-known/change-password')
        self.assertEqual((answer.status, answer.headers['Location']), (303, '/password'))


class Answers(FlowTest):
    def test_a_trace_goes_on(self):
        trace = '0af7651916cd43dd8448eb211c80319c'
        answer = base.world.operator.send('GET', '/v1/session', headers={'traceparent': f'00-{trace}-b7ad6b7169203331-01'})
        self.assertRegex(answer.headers['traceparent'], f'^00-{trace}-[0-9a-f]{{16}}-01$')
        call = str(uuid.UUID(trace))
        self.assertEqual(answer.headers['X-Request-Id'], call)
        for name in ('gateway', 'auth'):  # one id finds the request in every log
            eventually(lambda: call in [line.get('call_id') for line in log_lines(name)], f'its line in {name}.log')

    def test_a_call_without_a_trace_begins_one(self):
        wanted = '01900000-1111-7222-8333-444444444444'
        for headers in ({}, {'X-Request-Id': wanted}, {'X-Request-Id': 'me'}):
            answer = base.world.operator.send('GET', '/v1/nothing', headers={'traceparent': 'broken', **headers})
            call = answer.headers['X-Request-Id']
            self.assertEqual(call == wanted, headers.get('X-Request-Id') == wanted)
            self.assertEqual(answer.json['traceId'], call)
        answer = base.world.operator.send('GET', '/v1/session')
        self.assertEqual(answer.headers['traceparent'][3:35], uuid.UUID(answer.headers['X-Request-Id']).hex)

    def test_problems_speak_the_readers_language(self):
        ja, en = (base.world.operator.send('GET', '/v1/nothing', headers={'Accept-Language': language}).json
                  for language in ('ja', 'en-GB,en;q=0.9,ja;q=0.1'))
        self.assertEqual((ja['title'], en['title']), ('見つかりません。', 'There is no such thing.'))

    def test_one_line_per_request_without_personal_data(self):
        call = base.world.operator.send('GET', '/v1/contracts?limit=7').headers['X-Request-Id']
        found = []
        eventually(lambda: found.extend(line for line in log_lines() if line.get('call_id') == call) or found, 'the line')
        line = found[0]
        self.assertEqual(set(line), {'time', 'level', 'service', 'message', 'method', 'route', 'to', 'status', 'ms',
                                     'session_us', 'service_us', 'bytes', 'call_id'})


class Admin(FlowTest):
    def test_readiness_names_who_is_missing(self):
        def missing():
            """Who did not answer within a second; on a busy machine that may be another for a moment."""
            status, text = admin('/readyz')
            return json.loads(text)['notReady'] if status == 503 else []
        eventually(lambda: missing() == [], 'all are ready')
        with stopped('audit'):
            eventually(lambda: missing() == ['audit'], 'audit is missing, and nobody else')
            self.assertEqual(admin('/healthz'), (200, 'ok\n'))
        eventually(lambda: admin('/readyz')[0] == 200, 'audit is back')

    def test_figures_are_prometheus_text(self):
        base.world.operator.get('/v1/home')
        status, text = admin('/metrics')
        self.assertEqual(status, 200)
        families, seen, family = set(), set(), None
        for line in text.splitlines():
            if line.startswith('# TYPE '):
                family = line.split()[2]
                self.assertNotIn(family, families, 'one group per family')
                families.add(family)
                continue
            found = SAMPLE.match(line)
            self.assertIsNotNone(found, line)
            self.assertTrue(found[1].startswith(family), line)
            self.assertNotIn((found[1], found[2]), seen)
            seen.add((found[1], found[2]))
        self.assertLessEqual({'http_server_request_duration_seconds', 'manabiya_calls_total', 'manabiya_instances',
                              'manabiya_call_duration_seconds'}, families)
        for service in ('auth', 'provisioning', 'learning', 'notification', 'audit'):
            self.assertIn(f'manabiya_instances{{service="{service}"}} 1', text)


class Processes(FlowTest):
    def pool_switches(self, name):
        """How often the threads of libnng's pool have waited for work, in a fenced process."""
        tasks = Path(f'/proc/{base.world.stack.processes[name].pid}/task').iterdir()
        pool = [task for task in tasks if (task / 'comm').read_text().strip() == 'nng:task']
        self.assertTrue(pool)
        return sum(int(re.search(r'^voluntary_ctxt_switches:\s+(\d+)', (task / 'status').read_text(), re.M)[1]) for task in pool)

    def test_the_bus_wakes_no_thread_of_the_pool_for_a_message(self):
        teacher, n = base.world.tenant('sumire').enter('sensei'), 100
        teacher.get('/v1/skills')
        began = time.monotonic()
        asked = self.switches_while(lambda: [teacher.get('/v1/skills') for _ in range(n)])
        took_s = time.monotonic() - began
        idle = self.switches_while(lambda: time.sleep(took_s))  # timers wake it too: the more, the slower the machine is
        for name, count in asked.items():
            with self.subTest(name):
                (self.assertLess if RUNS_NNG_TASKS else self.assertGreater)(count - idle[name], n)

    def switches_while(self, action):
        before = {name: self.pool_switches(name) for name in ('gateway', 'learning')}
        action()
        return {name: self.pool_switches(name) - count for name, count in before.items()}

    def test_every_process_has_given_up_gaining_privileges(self):
        for name in ('gateway', 'auth', 'provisioning', 'learning', 'notification', 'audit'):
            pid = base.world.stack.status()[name]['pid']
            status = Path(f'/proc/{pid}/status').read_text()
            self.assertIn('NoNewPrivs:\t1', status, name)


if __name__ == '__main__':
    unittest.main()
