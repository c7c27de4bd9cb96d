"""A small client of Manabiya's HTTP API, for the demo's seed, the tests and the benchmark."""

import base64
import hashlib
import hmac
import http.client
import json
import ssl
import struct
import time
import urllib.parse
import uuid

TIMEOUT_S = 90  # a roster import may take a minute on a busy machine
UPLOAD_PIECE = 256 * 1024


class Problem(Exception):
    """An answer from 400 up. What the services logged about it says more than the answer may."""

    def __init__(self, method, path, answer, logged=''):
        super().__init__(f'{method} {path}: {answer.status} {answer.body[:600].decode(errors="replace")}\n{logged}'.rstrip())
        self.answer = answer


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body) if self.body else None


class Authenticator:
    """Somebody's app: six digits every thirty seconds (RFC 6238), each of them given once."""

    STEP_S, ASIDE = 30, 1

    def __init__(self, secret):
        self.secret, self.given = base64.b32decode(secret), 0

    def code_of(self, step):
        mac = hmac.new(self.secret, struct.pack('>Q', step), hashlib.sha1).digest()
        at = mac[-1] & 15
        return f'{(int.from_bytes(mac[at:at + 4], "big") & 0x7fffffff) % 10**6:06}'

    def code(self):
        """The next one that is good; waits when those around now have been used."""
        self.given = max(self.given + 1, int(time.time()) // self.STEP_S)
        time.sleep(max(0, (self.given - self.ASIDE) * self.STEP_S - time.time()))
        return self.code_of(self.given)


class Client:
    """One person (or nobody yet) talking to the gateway over one kept connection."""

    def __init__(self, address, ca, logged=None):
        self.url, self.logged = urllib.parse.urlsplit(address), logged or (lambda call_id: '')
        self.origin = f'{self.url.scheme}://{self.url.netloc}'
        self.tls = ssl.create_default_context(cafile=str(ca))
        self.token, self.password, self.link, self.app = None, None, None, None

    def connect(self):
        return http.client.HTTPSConnection(self.url.hostname, self.url.port, timeout=TIMEOUT_S, context=self.tls)

    def close(self):
        if self.link:
            self.link.close()
            self.link = None

    def headers(self, method, extra):
        headers = {'Origin': self.origin, 'Accept-Language': 'ja'}
        if self.token:
            headers['Authorization'] = f'Bearer {self.token}'
        if method == 'POST':
            headers['Idempotency-Key'] = str(uuid.uuid4())
        return {**headers, **(extra or {})}

    def send(self, method, path, body=None, headers=None):
        """One exchange; any status is an answer. A dict body travels as JSON."""
        headers = self.headers(method, headers)
        if isinstance(body, dict):
            body = json.dumps(body, ensure_ascii=False).encode()
            headers.setdefault('Content-Type', 'application/json')
        for attempt in (0, 1):
            is_reused = self.link is not None
            self.link = self.link or self.connect()
            try:
                self.link.request(method, path, body, headers)
                answer = self.link.getresponse()
                return Answer(answer.status, answer.headers, answer.read())
            except (http.client.RemoteDisconnected, ConnectionError, http.client.CannotSendRequest, ssl.SSLEOFError):
                self.close()
                if attempt or not is_reused:  # only a connection that had been idle may be stale
                    raise
        return None

    def call(self, method, path, body=None, headers=None):
        """The same, but the answer's JSON, and a Problem from 400 up. What asks for the password once more gets it."""
        answer = self.send(method, path, body, headers)
        if answer.status == 403 and answer.json['code'] == 'step_up_required':
            self.step_up()
            answer = self.send(method, path, body, headers)
        if answer.status >= 500:
            raise Problem(method, path, answer, self.logged(answer.headers['X-Request-Id']))
        if answer.status >= 400:
            raise Problem(method, path, answer)
        return answer.json if 'json' in answer.headers.get('Content-Type', '') else answer

    def get(self, path, **query):
        query = {name: value for name, value in query.items() if value is not None}
        return self.call('GET', path + ('?' + urllib.parse.urlencode(query) if query else ''))

    def pages(self, path, **query):
        """Every item of a list, page by page."""
        cursor = None
        while True:
            page = self.get(path, **query, cursor=cursor)
            yield from page['items']
            cursor = page.get('nextCursor')
            if not cursor:
                return

    def post(self, path, **body):
        return self.call('POST', path, body or None)

    def put(self, path, **body):
        return self.call('PUT', path, body)

    # ---- sessions ----

    def login(self, tenant_code, username, password):
        self.token = None
        answer = self.post('/v1/sessions', tenantCode=tenant_code, username=username, password=password,
                           delivery='bearer')
        if 'challenge' in answer:
            answer = self.post('/v1/sessions/second-factor', challenge=answer['challenge'], code=self.app.code())
        self.token, self.username, self.password = answer['token'], username, password
        return answer

    def step_up(self):
        self.token = self.post('/v1/session/step-up', password=self.password).get('token') or self.token

    def change_password(self, current, new):
        self.token = self.put('/v1/password', currentPassword=current, newPassword=new).get('token') or self.token
        self.password = new

    def login_first(self, tenant_code, username, secret, password):
        """Log in with a one-time secret and change it, as everybody must."""
        self.login(tenant_code, username, secret)
        self.change_password(secret, password)

    def enrol(self):
        """Set a second factor up; returns the recovery codes."""
        self.app = Authenticator(self.post('/v1/second-factor', username=self.username)['secret'])
        answer = self.put('/v1/second-factor', code=self.app.code())
        self.token = answer['token']
        return answer['recoveryCodes']

    # ---- media (tus 1.0) ----

    def upload_begin(self, size, kind='video/mp4'):
        metadata = 'filetype ' + base64.b64encode(kind.encode()).decode()
        answer = self.call('POST', '/v1/media', b'', {'Tus-Resumable': '1.0.0', 'Upload-Length': str(size),
                                                     'Upload-Metadata': metadata})
        return urllib.parse.urlsplit(answer.headers['Location']).path

    def upload_piece(self, location, offset, data):
        answer = self.call('PATCH', location, data, {
            'Tus-Resumable': '1.0.0', 'Upload-Offset': str(offset), 'Content-Type': 'application/offset+octet-stream'})
        return int(answer.headers['Upload-Offset'])

    def upload_offset(self, location):
        return int(self.call('HEAD', location, headers={'Tus-Resumable': '1.0.0'}).headers['Upload-Offset'])

    def upload(self, data):
        """A whole video; returns its id."""
        location, offset = self.upload_begin(len(data)), 0
        while offset < len(data):
            offset = self.upload_piece(location, offset, data[offset:offset + UPLOAD_PIECE])
        return location.rpartition('/')[2]

    # ---- server-sent events ----

    def events(self, seconds):
        """(event, data) as they arrive, on a connection of its own, for at most `seconds` of silence."""
        link = self.connect()
        link.request('GET', '/v1/events', headers=self.headers('GET', {'Accept': 'text/event-stream'}))
        line, answer = link.sock, link.getresponse()
        if answer.status != 200:
            raise Problem('GET', '/v1/events', Answer(answer.status, answer.headers, answer.read()))
        line.settimeout(seconds)  # a gateway that is long about the answer is not silent
        return _parse_events(link, answer)


def _parse_events(link, answer):
    event, data = 'message', []
    try:
        while line := answer.readline():
            name, _, value = line.decode().rstrip('\r\n').partition(':')
            value = value.removeprefix(' ')
            if name == 'event':
                event = value
            elif name == 'data':
                data.append(value)
            elif not name and not value and data:
                yield event, '\n'.join(data)
                event, data = 'message', []
    except TimeoutError:
        return
    finally:
        link.close()
