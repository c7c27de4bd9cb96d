"""The gateway against requests that a browser would not send, over real TLS.

Cross-site requests, confused hosts, paths out of the tree, tunnelled methods, bodies too large,
sessions that are missing, foreign or doubled. What must hold: the answer is a refusal, it is
problem+json, and nothing behind the gateway has seen the request.
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
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'flow'))
sys.path.insert(0, str(Path(__file__).resolve().parent / 'http2'))
import base  # noqa: E402
import seed  # noqa: E402
from base import PASSWORD  # noqa: E402
from frames import DATA, END_HEADERS, HEADERS, INITIAL_WINDOW_SIZE, WINDOW_UPDATE, Http2, data, window_update  # noqa: E402
from stack import free_port  # noqa: E402

TOKEN = re.compile(r'__Host-sid=([A-Za-z0-9_-]{43})')
STRANGER = 'A' * 43
JSON = {'Content-Type': 'application/json'}
EVIL = 'https://evil.example'
UNSAFE = ('POST', 'PUT', 'PATCH', 'DELETE')


def setUpModule():
    global document, host
    base.world = base.World()
    unittest.addModuleCleanup(base.world.close, 'gateway')
    stack = base.world.stack
    stack.preferred_port = free_port()
    # What a service that is stopped holds up is not answered before the test goes on, however slow that is.
    stack.extra['gateway'] = {'authorities': f'localhost:{stack.preferred_port},manabiya.example',
                              'request-timeout-ms': 60000, 'fanout-timeout-ms': 30000}
    base.world.open()
    document = json.loads((base.BUILD / 'proto/openapi.json').read_text())
    host = urllib.parse.urlsplit(stack.address).netloc


def origin():
    return base.world.stack.address


class Answer:
    """One HTTP/1.1 answer, as it came."""

    def __init__(self, data):
        head, _, self.body = data.partition(b'\r\n\r\n')
        lines = head.decode('latin-1').split('\r\n')
        self.status = int(lines[0].split()[1]) if data else 0  # 0: closed without a word
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(':')
            self.headers.setdefault(name.lower(), []).append(value.strip())

    def __repr__(self):
        return f'{self.status} {self.headers} {self.body[:200]}'


def raw(data, wait_s=60):
    """Bytes in, one answer out, on a connection of its own."""
    context = ssl.create_default_context(cafile=str(base.world.stack.ca))
    name, port = host.split(':')
    with socket.create_connection((name, int(port)), timeout=wait_s) as plain:
        with context.wrap_socket(plain, server_hostname=name) as link:
            received = b''
            try:
                link.sendall(data)
            except (ConnectionError, ssl.SSLError):
                pass  # refused before all of it was sent; the answer may still be there
            try:
                while part := link.recv(65536):
                    received += part
            except (TimeoutError, ConnectionError, ssl.SSLError):
                pass
    return Answer(received)


def send(method, target, headers=None, body=b'', authority=None):
    """A request with exactly these headers, Host and framing apart."""
    fields = {'Host': authority or host, 'Connection': 'close', **(headers or {})}
    if body and 'Transfer-Encoding' not in fields:
        fields.setdefault('Content-Length', str(len(body)))
    head = ''.join(f'{name}: {value}\r\n' for name, value in fields.items() if value is not None)
    return raw(f'{method} {target} HTTP/1.1\r\n{head}\r\n'.encode() + body)


def fresh_cookie():
    """The cookie of a new session of the operator."""
    answer = send('POST', '/v1/sessions', {**JSON, 'Origin': origin()}, json.dumps({
        'tenantCode': seed.OPERATOR_TENANT, 'username': seed.OPERATOR, 'password': PASSWORD}).encode())
    found = TOKEN.search(' '.join(answer.headers.get('set-cookie', [])))
    if not found:
        raise AssertionError(f'no cookie: {answer}')
    return f'__Host-sid={found.group(1)}'


def is_alive(cookie):
    return send('GET', '/v1/session', {'Cookie': cookie}).status == 200


class Target:
    """Where frames.py connects to."""

    def connect(self, protocol):
        context = ssl.create_default_context(cafile=str(base.world.stack.ca))
        context.set_alpn_protocols([protocol])
        name, port = host.split(':')
        plain = socket.create_connection((name, int(port)), timeout=60)
        return context.wrap_socket(plain, server_hostname=name)


class GatewayAttack(unittest.TestCase):
    def assertRefused(self, answer, *statuses, code=None):
        self.assertIn(answer.status, statuses, answer)
        if answer.status:
            self.assertEqual(answer.headers['content-type'], ['application/problem+json'], answer)
            problem = json.loads(answer.body)
            self.assertEqual(problem['status'], answer.status)
            if code:
                self.assertEqual(problem['code'], code)


class CrossSite(GatewayAttack):
    BODY = b'{"tenantCode":"abc","username":"x","password":"y"}'
    REFUSED = (
        {},
        {'Origin': EVIL},
        {'Origin': 'null'},
        {'Origin': 'http://{host}'},
        {'Origin': 'https://{host}.evil.example'},
        {'Origin': 'https://{host}/'},
        {'Sec-Fetch-Site': 'cross-site', 'Origin': 'https://{host}'},
        {'Sec-Fetch-Site': 'same-site', 'Origin': 'https://{host}'},
        {'Sec-Fetch-Site': 'SAME-ORIGIN', 'Origin': 'https://{host}'},
        {'Referer': 'https://{host}/'},
        {'X-Requested-With': 'XMLHttpRequest'},
        {'X-Forwarded-Host': 'evil.example', 'Origin': EVIL},
        {'Forwarded': 'host=evil.example', 'Origin': EVIL},
    )

    def test_login_from_another_site_is_refused(self):
        for headers in self.REFUSED:
            headers = {name: value.format(host=host) for name, value in headers.items()}
            with self.subTest(headers):
                answer = send('POST', '/v1/sessions', {**JSON, **headers}, self.BODY)
                self.assertRefused(answer, 403, code='cross_site_request')

    def test_a_cookie_does_not_make_it_ours(self):
        cookie = fresh_cookie()
        for method, path in (('DELETE', '/v1/session'), ('PUT', '/v1/password'), ('POST', '/v1/notices/read')):
            with self.subTest(path):
                answer = send(method, path, {**JSON, 'Cookie': cookie, 'Sec-Fetch-Site': 'cross-site'}, b'{}')
                self.assertRefused(answer, 403, code='cross_site_request')
        self.assertTrue(is_alive(cookie))

    def test_our_own_pages_may(self):
        for headers in ({'Origin': origin()}, {'Sec-Fetch-Site': 'same-origin'}, {'Sec-Fetch-Site': 'none'}):
            with self.subTest(headers):
                answer = send('POST', '/v1/sessions', {**JSON, **headers}, self.BODY)
                self.assertRefused(answer, 401, 429)  # as far as auth, which does not know them

    def test_every_unsafe_operation_asks(self):
        for method, path in operations():
            if method in UNSAFE:
                with self.subTest(f'{method} {path}'):
                    answer = send(method, filled(path), {'Sec-Fetch-Site': 'cross-site'})
                    self.assertRefused(answer, 403, code='cross_site_request')

    def test_no_other_site_may_read(self):
        cookie = fresh_cookie()
        answer = send('GET', '/v1/session', {'Cookie': cookie, 'Origin': EVIL, 'Sec-Fetch-Site': 'cross-site'})
        self.assertFalse([name for name in answer.headers if name.startswith('access-control-')])
        self.assertEqual(answer.headers['cross-origin-resource-policy'], ['same-origin'])
        preflight = send('OPTIONS', '/v1/session', {'Origin': EVIL, 'Access-Control-Request-Method': 'DELETE'})
        self.assertRefused(preflight, 405)
        self.assertFalse([name for name in preflight.headers if name.startswith('access-control-')])

    def test_a_form_is_not_json(self):
        for kind in ('application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x',
                     'application/json; charset=shift_jis', 'application/json, text/plain', None):
            with self.subTest(kind):
                answer = send('POST', '/v1/sessions', {'Origin': origin(), 'Content-Type': kind}, self.BODY)
                self.assertRefused(answer, 415)


class Hosts(GatewayAttack):
    def test_two_or_no_hosts_are_refused(self):
        for head in (b'', b'Host: a\r\nHost: a\r\n', b'Host: a\r\nHost: b\r\n', b'Host:\r\n', b'Host: a b\r\n',
                     b'Host: user@a\r\n', b'Host: a/b\r\n', b'Host : a\r\n'):
            with self.subTest(head):
                self.assertRefused(raw(b'GET /v1/session HTTP/1.1\r\n' + head + b'Connection: close\r\n\r\n'), 400)

    def test_a_target_with_another_host_is_refused(self):
        self.assertRefused(send('GET', f'{EVIL}/v1/session'), 400, 421)

    def test_forwarding_headers_change_nothing(self):
        for name in ('X-Forwarded-Host', 'X-Host', 'X-Original-URL', 'X-Rewrite-URL', 'X-Forwarded-Prefix'):
            with self.subTest(name):
                answer = send('GET', '/v1/session', {name: '/v1/media'})
                self.assertRefused(answer, 401)
                self.assertNotIn(b'evil', answer.body)

    def test_only_named_hosts_are_answered(self):
        self.assertRefused(send('GET', '/v1/session', authority='evil.example'), 421)
        self.assertRefused(send('GET', '/', authority=f'evil.{host}'), 421)
        self.assertRefused(send('GET', '/v1/session'), 401)
        self.assertRefused(send('GET', '/v1/session', authority='MANABIYA.example'), 401)


class Paths(GatewayAttack):
    OUT = ('/../etc/passwd', '/..%2f..%2fetc%2fpasswd', '/%2e%2e/%2e%2e/etc/passwd', '/assets/../../etc/passwd',
           '/assets/..%5c..%5cetc', '/.%2e/x', '/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd', '//etc/passwd', '/v1/../v1/session',
           '/v1//session', '/v1/session/', '/v1/%2e/session', '/v1/session%00', '/v1/session%0d%0aX: y', '/v1/%', '/%zz',
           '/v1/users/%2e%2e', '/v1/users/..%2fsession', '\\etc\\passwd')

    def test_paths_out_of_the_tree_are_refused(self):
        for path in self.OUT:
            with self.subTest(path):
                answer = send('GET', path)
                self.assertRefused(answer, 400, 404)
                self.assertNotIn(b'root:', answer.body)

    def test_what_is_inside_is_not_reachable(self):
        for path in ('/internal/auth/capabilities', '/internal/audit/events'):
            for method in ('GET', 'POST'):
                with self.subTest(f'{method} {path}'):
                    answer = send(method, path, {**JSON, 'Origin': origin()}, b'{"token":"x"}' if method == 'POST' else b'')
                    self.assertNotIn(b'capability', answer.body)
                    self.assertIn(answer.status, (200, 404, 405))  # 200: the client's own page
        for path in ('/metrics', '/readyz', '/healthz'):
            self.assertNotIn(b'manabiya_', send('GET', path).body)

    def test_a_segment_cannot_become_a_parameter(self):
        token = base.world.operator.token
        bearer = {'Authorization': f'Bearer {token}'}
        one, other = uuid.uuid4(), uuid.uuid4()
        for target in (f'/v1/users/{one}?userId={other}', f'/v1/users/{one}?user%49d={other}',
                       f'/v1/users/{one}?x=1&userId', f'/v1/users/{one}?a=%', f'/v1/users/{one}?a=%00'):
            with self.subTest(target):
                self.assertRefused(send('GET', target, bearer), 400)
        for target in (f'/v1/users/{one}&userId={other}', f'/v1/users/{one};a=b'):
            with self.subTest(target):
                self.assertRefused(send('GET', target, bearer), 403, 404, 422)

    def test_a_token_in_the_query_is_no_session(self):
        token = base.world.operator.token
        for name in ('token', 'access_token', '__Host-sid', 'sid'):
            self.assertRefused(send('GET', f'/v1/session?{name}={token}'), 401)


class Methods(GatewayAttack):
    def test_methods_cannot_be_tunnelled(self):
        cookie = fresh_cookie()
        for name in ('X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', '_method'):
            with self.subTest(name):
                headers = {'Cookie': cookie, 'Origin': origin(), name: 'DELETE'}
                self.assertEqual(send('GET', '/v1/session', headers).status, 200)
                self.assertRefused(send('POST', '/v1/session?_method=DELETE', headers), 405)
        self.assertTrue(is_alive(cookie))

    def test_methods_that_nobody_serves(self):
        for method in ('TRACE', 'CONNECT', 'TRACK', 'PROPFIND', 'get', 'DELETES'):
            with self.subTest(method):
                self.assertRefused(send(method, '/v1/session', {'Cookie': '__Host-sid=' + STRANGER}), 400, 405, 501)

    def test_405_names_the_methods(self):
        answer = send('PUT', '/v1/session', {'Origin': origin()})
        self.assertRefused(answer, 405)
        self.assertEqual(set(answer.headers['allow'][0].split(', ')), {'GET', 'HEAD', 'DELETE'})


class Bodies(GatewayAttack):
    def test_announced_bodies_over_the_limit(self):
        bearer = {'Authorization': f'Bearer {base.world.operator.token}'}
        for path, kind in (('/v1/sessions', 'application/json'), ('/v1/contracts', 'application/json')):
            for size in (1 << 21, 1 << 40, 999999999999999999):
                with self.subTest(f'{path} {size}'):
                    answer = send('POST', path, {**bearer, 'Content-Type': kind, 'Content-Length': str(size),
                                                 'Idempotency-Key': 'k' * 16}, b'{')
                    self.assertRefused(answer, 413)

    def test_bodies_that_grow_over_the_limit(self):
        headers = {**JSON, 'Origin': origin(), 'Transfer-Encoding': 'chunked'}
        chunk = b'10000\r\n' + b' ' * 65536 + b'\r\n'
        answer = send('POST', '/v1/sessions', headers, chunk * 40 + b'0\r\n\r\n')
        self.assertRefused(answer, 413, 0)

    def test_bodies_where_none_belongs(self):
        bearer = {'Authorization': f'Bearer {base.world.operator.token}'}
        self.assertRefused(send('GET', '/v1/session', {**bearer, **JSON}, b'{"a":1}'), 413)

    def test_an_upload_longer_than_any_video(self):
        bearer = {'Authorization': f'Bearer {base.world.operator.token}', 'Tus-Resumable': '1.0.0', 'Upload-Offset': '0',
                  'Content-Type': 'application/offset+octet-stream', 'Content-Length': str((256 << 20) + 1)}
        self.assertRefused(send('PATCH', f'/v1/media/{uuid.uuid4()}', bearer, b'x'), 413)


class Refusals(GatewayAttack):
    """The protocol side refuses a body while the application is still asking a service: the answer
    to that question must not become a second reply. The client opens no window, so that the refusal
    cannot leave first."""

    def refused(self, name, method, path, extra, size):
        """`name` does not answer before the refusal is out."""
        with Http2(Target(), with_settings=[(INITIAL_WINDOW_SIZE, 0)]) as http:
            base.world.stack.kill(name, signal.SIGSTOP)
            try:
                http.send(http.headers(1, http.block(method, path, extra, host), END_HEADERS))
                self.send_body(http, size)
                answer = http.wait(HEADERS, 1)
            finally:
                base.world.stack.kill(name, signal.SIGCONT)
            time.sleep(0.5)  # the service answers
            http.send(window_update(1, 1 << 16))
            problem = json.loads(http.wait(DATA, 1).payload)
        self.assertEqual((dict(answer.headers)[':status'], problem['status']), ('413', 413))
        self.assertLives()

    def assertLives(self):
        self.assertTrue(base.world.stack.processes['gateway'].is_alive())
        self.assertEqual(send('GET', '/v1/session').status, 401)

    def send_body(self, http, size):
        """As fast as the gateway's windows allow."""
        room, stream_room = 65535, 65535
        while size > 0:
            n = min(size, room, stream_room, 16384)
            if n:
                http.send(data(1, b' ' * n))
                size, room, stream_room = size - n, room - n, stream_room - n
                continue
            found = http.wait(WINDOW_UPDATE)
            step = int.from_bytes(found.payload, 'big')
            room, stream_room = (room, stream_room + step) if found.stream else (room + step, stream_room)

    def test_while_the_session_is_asked_for(self):
        stranger = [('cookie', f'__Host-sid={STRANGER}'), ('sec-fetch-site', 'none'), ('content-type', 'application/json')]
        self.refused('auth', 'PUT', '/v1/password', stranger, 16385)

    def test_while_a_service_answers(self):
        token = [('authorization', f'Bearer {base.world.operator.token}')]
        base.world.operator.get('/v1/session')  # known for a second
        for path in ('/v1/home', f'/v1/media/{uuid.uuid4()}/content'):
            self.refused('learning', 'GET', path, token, 1)

    def test_an_upload_that_breaks_while_a_window_is_under_way(self):
        for name, token in (('auth', STRANGER), ('learning', base.world.operator.token)):
            for size in (1000, 300_000):
                with self.subTest(f'{name} {size}'):
                    answer = self.broken_upload(name, token, size)
                    self.assertRefused(answer, 400, 401, 403, 404)
                    time.sleep(0.5)  # what had arrived is handed on
                    self.assertLives()

    def broken_upload(self, name, token, size):
        base.world.operator.get('/v1/session')
        headers = {'Authorization': f'Bearer {token}', 'Tus-Resumable': '1.0.0', 'Upload-Offset': '0',
                   'Content-Type': 'application/offset+octet-stream', 'Transfer-Encoding': 'chunked'}
        body = f'{size:x}\r\n'.encode() + b'x' * size + b'\r\nno chunk\r\n'
        base.world.stack.kill(name, signal.SIGSTOP)
        wake = threading.Timer(1, base.world.stack.kill, (name, signal.SIGCONT))
        wake.start()
        try:
            return send('PATCH', f'/v1/media/{uuid.uuid4()}', headers, body)
        finally:
            wake.join()


class ProtocolProblems(GatewayAttack):
    """What is refused before there is a call looks like every other problem."""

    CASES = (('PROPFIND /v1/session HTTP/1.1', '', 501, 'method_unknown'),
             ('GET /v1/session HTTP/1.1', 'Expect: a pony\r\n', 417, 'expectation_failed'),
             ('GET /v1/session HTTP/1.1', 'Host: b\r\n', 400, 'bad_request'),
             ('POST /v1/sessions HTTP/1.1', 'Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n'
              'Sec-Fetch-Site: none\r\n', 400, 'bad_request'))

    def test_they_have_type_code_and_the_readers_language(self):
        for line, header, status, code in self.CASES:
            for accepted, language in (('en', 'en'), ('ja', 'ja'), ('fr', 'ja')):
                with self.subTest(f'{line} {header} {accepted}'):
                    answer = raw(f'{line}\r\nHost: {host}\r\nAccept-Language: {accepted}\r\n{header}'
                                 f'Connection: close\r\n\r\nno chunk\r\n'.encode())
                    self.assertRefused(answer, status, code=code)
                    problem = json.loads(answer.body)
                    self.assertEqual(problem['type'], f'urn:manabiya:problem:{code}')
                    self.assertEqual(problem['title'].isascii(), language == 'en')
                    self.assertEqual(answer.headers['content-language'], [language])
                    self.assertEqual(answer.headers['cache-control'], ['no-store'])

    def test_a_head_that_cannot_be_read_is_answered_in_japanese(self):
        answer = raw(b'GET / HTTP/1.1\r\nAccept-Language: en\r\nContent-Length: x\r\n\r\n')
        self.assertRefused(answer, 400, code='bad_request')
        self.assertEqual(answer.headers['content-language'], ['ja'])


class Sessions(GatewayAttack):
    def test_every_operation_wants_a_session(self):
        for method, path in operations(anonymous=False):
            for headers in ({}, {'Cookie': f'__Host-sid={STRANGER}'}, {'Authorization': f'Bearer {STRANGER}'}):
                with self.subTest(f'{method} {path} {headers}'):
                    answer = send(method, filled(path), {'Origin': origin(), **headers})
                    if method == 'HEAD':
                        self.assertEqual(answer.status, 401)
                    else:
                        self.assertRefused(answer, 401, code='unauthenticated')

    def test_broken_and_foreign_tokens(self):
        cookie = fresh_cookie()
        token = cookie.partition('=')[2]
        other = fresh_cookie().partition('=')[2]
        for headers in (
                {'Cookie': f'__Host-sid={token[:-1]}'}, {'Cookie': f'__Host-sid={token}A'},
                {'Cookie': f'__Host-sid={token[:-1]}!'}, {'Cookie': f'sid={token}'}, {'Cookie': f'__host-sid={token}'},
                {'Cookie': f'__Host-sid={token}; __Host-sid={other}'}, {'Cookie': f'__Host-sid="{token}"'},
                {'Cookie': f'{cookie}', 'Authorization': f'Bearer {STRANGER}'},
                {'Cookie': f'{cookie}', 'Authorization': f'Basic {token}'},
                {'Authorization': f'Bearer {token}, Bearer {token}'}, {'Authorization': token},
                {'X-Session': token}, {'Cookie': f'__Host-sid={token.swapcase()}'}):
            with self.subTest(headers):
                self.assertRefused(send('GET', '/v1/session', headers), 401)
        self.assertTrue(is_alive(cookie))

    def test_an_empty_header_hides_none(self):
        for empty in (b'X-A:', b'X-A: ', b'Accept-Encoding:'):
            with self.subTest(empty):
                token = base.world.operator.token.encode()
                answer = raw(b'GET /v1/session HTTP/1.1\r\nHost: ' + host.encode() + b'\r\n' + empty +
                             b'\r\nAuthorization: Bearer ' + token + b'\r\nConnection: close\r\n\r\n')
                self.assertEqual(answer.status, 200, answer)

    def test_a_session_that_ended_is_dead_within_a_second(self):
        cookie = fresh_cookie()
        self.assertTrue(is_alive(cookie))
        self.assertEqual(send('DELETE', '/v1/session', {'Cookie': cookie, 'Origin': origin()}).status, 204)
        time.sleep(1)
        self.assertRefused(send('GET', '/v1/session', {'Cookie': cookie}), 401)

    def test_what_must_be_said_is_asked_for(self):
        bearer = {'Authorization': f'Bearer {base.world.operator.token}', **JSON}
        self.assertRefused(send('POST', '/v1/contracts', bearer, b'{}'), 400, code='idempotency_key_required')
        for key, code in (('', None), ('a b', None), ('a' * 129, None), ('ä', None), ('a' * 15, 'idempotency_key_short')):
            with self.subTest(key):
                answer = send('POST', '/v1/contracts', {**bearer, 'Idempotency-Key': key}, b'{}')
                self.assertRefused(answer, 400, code=code)
        for key in ('a' * 16, 'a' * 128):
            self.assertRefused(send('POST', '/v1/contracts', {**bearer, 'Idempotency-Key': key}, b'{}'), 422)
        self.assertRefused(send('PATCH', f'/v1/users/{uuid.uuid4()}', bearer, b'{}'), 428)


class Answers(GatewayAttack):
    def test_every_answer_carries_the_defences(self):
        for answer in (send('GET', '/'), send('GET', '/v1/session'), send('GET', '/v1/nothing'), send('PUT', '/'),
                       send('GET', '/%zz'), send('POST', '/v1/sessions', JSON, b'{}')):
            with self.subTest(answer):
                csp = answer.headers['content-security-policy'][0]
                for part in ("default-src 'none'", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'"):
                    self.assertIn(part, csp)
                self.assertNotIn('unsafe', csp)
                self.assertEqual(answer.headers['x-content-type-options'], ['nosniff'])
                self.assertEqual(answer.headers['referrer-policy'], ['no-referrer'])
                self.assertIn('max-age=63072000', answer.headers['strict-transport-security'][0])
                self.assertNotIn('server', answer.headers)

    def test_answers_of_the_api_are_not_stored(self):
        tenant = base.world.tenant('kaname')
        clients = [base.world.operator, tenant.admin, tenant.enter('sensei'), tenant.enter('jido1')]
        paths = [path for method, path in operations() if method == 'GET' and '{' not in path and path != '/v1/events']
        paths += [f'/v1/users/{tenant.user_id("jido1")}', '/v1/nothing']
        answered = set()
        for path in paths:
            for client in clients:
                with self.subTest(f'{path} {client.token[:4]}'):
                    answer = send('GET', path, {'Authorization': f'Bearer {client.token}'})
                    self.assertEqual(answer.headers['cache-control'], ['no-store'])
                    self.assertLess(answer.status, 500)
                    if answer.status == 200:
                        answered.add(path)
        self.assertIn(paths[-2], answered)
        self.assertGreater(len(answered), len(paths) // 2)

    def test_what_was_sent_is_not_sent_back(self):
        for marker in ('<script>alert(1)</script>', 'Set-Cookie'):
            answer = send('GET', '/v1/' + urllib.parse.quote(marker), {'X-Request-Id': marker, 'traceparent': marker})
            self.assertNotIn(marker.encode(), answer.body)
            self.assertNotIn(marker, str(answer.headers))


def operations(anonymous=True):
    """(method, path template) of the published contract."""
    for path, methods in document['paths'].items():
        for method, node in methods.items():
            if anonymous or 'anonymous' not in node.get('x-allow', []):
                yield method.upper(), path


def filled(path):
    return re.sub(r'\{[^}]+\}', str(uuid.uuid4()), path)


if __name__ == '__main__':
    unittest.main()
