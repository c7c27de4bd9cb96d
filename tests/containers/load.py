"""People at work while the containers change under them: readers whose every answer is kept.

They do what a load balancer and a browser do: one connection is kept while it lasts, a new one goes to whichever of the gateway's
ports is open, and a request that a closed connection took nothing of is sent again.
"""

import http.client
import ssl
import threading
import time

from container_stack import PORTS

PATH = '/v1/units'  # answered by learning from its tables
PAUSE_S = 0.04  # between two requests of one reader: 25 a second, a quarter of what a session may
TIMEOUT_S = 30
CONNECT_WITHIN_S = 10  # somebody must be there


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

    def connect(self):
        """A connection to a gateway that shakes hands: the port of one that has stopped may still be open."""
        end = time.monotonic() + CONNECT_WITHIN_S
        while True:
            for port in PORTS:
                link = http.client.HTTPSConnection('localhost', port, timeout=TIMEOUT_S, context=self.tls)
                try:
                    link.connect()
                    return link
                except OSError:
                    link.close()
            if time.monotonic() > end:
                raise ConnectionRefusedError('no gateway')
            time.sleep(0.02)

    def ask(self, link, token):
        link.request('GET', PATH, headers={'Authorization': f'Bearer {token}'})
        answer = link.getresponse()
        return answer.status, answer.read()

    def read(self, token):
        link, has_served = None, False
        while not self.is_over.is_set():
            try:
                link = link or self.connect()
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
