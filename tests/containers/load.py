"""People at work while the containers change under them: readers whose every answer is kept, one who writes, and an open page.

They do what a load balancer and a browser do: one connection is kept while it lasts, a new one goes to whichever of the gateway's
ports is open, and a request that a closed connection took nothing of is sent again.
"""

import http.client
import json
import socket
import ssl
import threading
import time
import uuid
from collections import Counter

from container_stack import PORTS

PATH = '/v1/units'  # answered by learning from its tables
PAUSE_S = 0.04  # between two requests of one reader: 25 a second, a quarter of what a session may
TIMEOUT_S = 30
CONNECT_WITHIN_S = 10  # somebody must be there
WRITE_PAUSE_S, WRITES_MAX = 0.5, 450  # the list that is read in the end holds 500
COMES_BACK_S = 0.5  # sooner than a browser, which is told how long to wait
AGAIN = (409, 429, 503)  # not done, or still being done: the same request may be sent again


def connect(tls):
    """A connection to a gateway that shakes hands: the port of one that has stopped may still be open."""
    end = time.monotonic() + CONNECT_WITHIN_S
    while True:
        for port in PORTS:
            link = http.client.HTTPSConnection('localhost', port, timeout=TIMEOUT_S, context=tls)
            try:
                link.connect()
                return link
            except OSError:
                link.close()
        if time.monotonic() > end:
            raise ConnectionRefusedError('no gateway')
        time.sleep(0.02)


class Load:
    """with Load(ca, tokens) as load: …          one reader for each token"""

    def __init__(self, ca, tokens):
        self.tls = ssl.create_default_context(cafile=str(ca))
        self.answers = []  # (when it was there, status or the exception's name, body)
        self.is_over = threading.Event()
        self.readers = [threading.Thread(target=self.read, args=(token,), daemon=True) for token in tokens]

    def __enter__(self):
        for reader in self.readers:
            reader.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for reader in self.readers:
            reader.join(TIMEOUT_S + CONNECT_WITHIN_S)

    def ask(self, link, token):
        link.request('GET', PATH, headers={'Authorization': f'Bearer {token}'})
        answer = link.getresponse()
        return answer.status, answer.read()

    def read(self, token):
        link, has_served = None, False
        while not self.is_over.is_set():
            try:
                link = link or connect(self.tls)
                status, body = self.ask(link, token)
                has_served = link.sock is not None  # else the answer said that it was the last
            except (OSError, http.client.HTTPException) as error:
                was_idle = has_served and isinstance(error, (http.client.RemoteDisconnected, ConnectionError, ssl.SSLError))
                link, has_served = self.close(link), False
                if was_idle:
                    continue  # it was closed meanwhile, as idle ones are: the request is sent on another
                status, body = type(error).__name__, b''
            self.answers.append((time.monotonic(), status, body))
            link = link if has_served else self.close(link)
            time.sleep(PAUSE_S)
        self.close(link)

    @staticmethod
    def close(link):
        if link:
            link.close()

    # ---- what came of it ----

    def since(self, moment):
        return [(status, body) for at, status, body in list(self.answers) if at >= moment]

    def failed(self, moment=0.0):
        return [status for status, _ in self.since(moment) if status != 200]

    def settle(self, n=200, within_s=60):
        """Wait until the last n answers were all well; the moment from which they count."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            last = list(self.answers)[-n:]
            if len(last) == n and all(status == 200 for _, status, _ in last):
                return last[0][0]
            time.sleep(0.2)
        raise AssertionError(f'not well again within {within_s} s: {[status for _, status, _ in list(self.answers)[-n:]]}')


class Writer:
    """with Writer(ca, token, try_id) as writer: …      comments one after the other, each sent until it is acknowledged"""

    def __init__(self, ca, token, try_id):
        self.tls, self.token, self.path = ssl.create_default_context(cafile=str(ca)), token, f'/v1/tries/{try_id}/comments'
        self.acknowledged, self.refused, self.sent_again = [], [], 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.write, daemon=True)
        self.link = None

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join(TIMEOUT_S + CONNECT_WITHIN_S)

    def ask(self, method, body=None, **headers):
        """(status, body); status 0 when there was no answer, so that nobody knows whether it was done."""
        try:
            self.link = self.link or connect(self.tls)
            self.link.request(method, self.path, body, {'Authorization': f'Bearer {self.token}', **headers})
            answer = self.link.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.drop()
            return 0, b''

    def drop(self):
        self.link = self.link and self.link.close()

    def write(self):
        for number in range(WRITES_MAX):
            self.put(f'ことば {number}')
            if self.is_over.wait(WRITE_PAUSE_S):
                return

    def put(self, text):
        """With one Idempotency-Key however often it is sent; also after the end, so that nothing stays open."""
        body, key = json.dumps({'positionMs': 0, 'text': text}).encode(), str(uuid.uuid4())
        while True:
            status, answer = self.ask('POST', body, **{'Content-Type': 'application/json', 'Idempotency-Key': key})
            if status == 201:
                self.acknowledged.append(text)
            elif not status or status in AGAIN:
                self.sent_again += 1
                time.sleep(PAUSE_S)
                continue
            else:
                self.refused.append((status, answer))
            return

    def missing_or_doubled(self):
        """Texts that do not stand there exactly as often as they were acknowledged."""
        self.drop()  # it may have been closed meanwhile
        status, body = self.ask('GET')
        self.drop()
        assert status == 200, (status, body)
        there = Counter(item['text'] for item in json.loads(body)['items'])
        wanted = Counter(self.acknowledged)
        return {text: (there[text], wanted[text]) for text in there | wanted if there[text] != wanted[text]}


class Page:
    """with Page(ca, token, path) as page: …      what one shows that reads a list anew whenever it is told to, and never else"""

    def __init__(self, ca, token, path):
        self.tls, self.token, self.path = ssl.create_default_context(cafile=str(ca)), token, path
        self.shown, self.last_id, self.stream = [], None, None
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.stay_open, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.hang_up()
        self.thread.join(TIMEOUT_S + CONNECT_WITHIN_S)

    def hang_up(self):
        """What waits for the next line gets the end of the stream."""
        link = self.stream
        if link and link.sock:
            link.sock.shutdown(socket.SHUT_RDWR)

    def request(self, link, path, **headers):
        link.request('GET', path, headers={'Authorization': f'Bearer {self.token}', **headers})
        return link.getresponse()

    def stay_open(self):
        while not self.is_over.is_set():
            try:
                self.listen()
            except (OSError, http.client.HTTPException):
                pass  # a line may break; the page comes back
            self.is_over.wait(COMES_BACK_S)

    def listen(self):
        self.stream = link = connect(self.tls)
        answer = self.request(link, '/v1/events', **({'Last-Event-ID': self.last_id} if self.last_id else {}))
        while answer.status == 200 and (line := answer.readline()):
            field, _, value = line.decode().strip().partition(': ')
            if field == 'id':
                told = value
            elif field == 'data':
                self.read()
                self.last_id = told
        link.close()

    def read(self):
        link = connect(self.tls)
        answer = self.request(link, self.path)
        while answer.status in AGAIN:
            answer.read()
            time.sleep(PAUSE_S)
            answer = self.request(link, self.path)
        self.shown = [item['text'] for item in json.loads(answer.read())['items']]
        link.close()
