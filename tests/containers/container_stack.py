"""Manabiya in containers, for tests: an engine of its own in namespaces of its own, and what docker-compose.yml starts in it.

A test module runs as `python3 tests/containers/run.py MODULE`, which makes the namespaces: the published port of 127.0.0.1,
bridges, firewall rules and mounts exist only there and end with it, however it ends.
"""

import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
from engine import NEXT, SERVICES, WORK, Engine, image  # noqa: E402
from stack import NO_SECOND_FACTOR  # noqa: E402

PORTS, ADMIN_PORTS = (8443, 8444), (9443, 9444)  # of the gateway, and of the one that takes over from it
READY_WITHIN_S = 120
COMPOSE_FILES = ('--file=docker-compose.yml', '--file=tests/containers/compose-tests.yml')


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


class ContainerStack:
    """The same questions as tools/stack.py answers, for the flow tests, and faults that only containers have."""

    def __init__(self, work=WORK):
        self.engine, self.work, self.version = Engine(work), Path(work), 'dev'
        self.keys, self.mail, self.pipeline = (self.work / name for name in ('keys', 'mail', 'pipeline'))
        self.logs, self.ca, self.ndjson = self.work / 'logs', self.keys / 'tls/ca.pem', self.pipeline / 'audit.ndjson'

    @property
    def address(self):
        return f'https://localhost:{PORTS[0]}'

    # ---- up and down ----

    def start(self):
        subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
        self._forget()
        self.engine.__enter__()
        self._make_directories()
        self.compose('run', '--rm', 'keys')
        self.compose('up', '-d', '--no-build')
        self.wait_ready()
        return self

    def _make_directories(self):
        """What tests look into lies outside of the engine, with the owners that the images give their own."""
        self.logs.mkdir(exist_ok=True)
        for directory, uid in ((self.mail, 10008), (self.pipeline, 10006)):
            directory.mkdir()
            shutil.chown(directory, uid, uid)

    def take_down(self):
        """Containers, volumes and networks that are there all the same. Their logs are kept."""
        for name in self.instances(all=True):
            (self.logs / f'{name}.log').write_text(self.engine.docker('logs', name))
        self.compose('down', '--volumes', '--timeout', '20')
        return [line for what in (('ps', '--all'), ('volume', 'ls'), ('network', 'ls', '--filter', 'type=custom'))
                for line in self.engine.docker(*what, '--quiet').splitlines()]

    def stop(self):
        self.take_down()
        self.engine.stop()

    def remove(self):
        self._forget()

    def _forget(self):
        for directory in (self.keys, self.mail, self.pipeline, self.logs):
            shutil.rmtree(directory, ignore_errors=True)

    def compose(self, *arguments, version=None):
        environment = {'MANABIYA_VERSION': version or self.version, 'MANABIYA_KEYS': str(self.keys),
                       'MANABIYA_SECOND_FACTOR': NO_SECOND_FACTOR,
                       'MANABIYA_MAIL': str(self.mail), 'MANABIYA_PIPELINE': str(self.pipeline),
                       'MANABIYA_PORT': '-'.join(map(str, PORTS)), 'MANABIYA_ADMIN_PORT': '-'.join(map(str, ADMIN_PORTS)),
                       'COMPOSE_PROFILES': 'demo', 'COMPOSE_PROJECT_NAME': 'manabiya'}
        return self.engine.run('docker-compose', *COMPOSE_FILES, *arguments, environment=environment)

    # ---- what others ask ----

    def logged(self, call_id):
        """Lines of the logs about one call."""
        return '\n'.join(line for name in self.instances(all=True)
                         for line in self.engine.docker('logs', name).splitlines() if call_id in line)

    def readiness(self):
        """(status, body) of the gateway's /readyz; (0, reason) when it does not answer."""
        return self.admin('/readyz')

    def figure(self, name, **labels):
        """One figure of /metrics."""
        text = ','.join(f'{label}="{value}"' for label, value in labels.items())
        found = re.search(rf'^{name}{{{text}}} (\S+)$', self.admin('/metrics')[1], re.M)
        return float(found[1]) if found else None

    def admin(self, path):
        tls = ssl.create_default_context(cafile=self.ca)
        port = next((port for port in ADMIN_PORTS if is_open(port)), ADMIN_PORTS[0])
        link = http.client.HTTPSConnection('localhost', port, timeout=5, context=tls)
        try:
            link.request('GET', path)
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            link.close()

    def wait_ready(self):
        self.wait(lambda: self.readiness()[0] == 200, lambda: f'not ready: {self.readiness()[1]}\n{self.states()}')

    def wait(self, condition, what, seconds=READY_WITHIN_S):
        end = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > end:
                raise AssertionError(what() if callable(what) else what)
            time.sleep(0.2)
        return value

    def sanitizer_findings(self):
        return []  # these are the programs as they are delivered

    def sql(self, text, database='manabiya'):
        return self.engine.docker('exec', '--user', 'postgres', self.instances('database')[0], 'psql', '-X', '-q', '-A', '-t',
                                  '-v', 'ON_ERROR_STOP=1', '-h', '/tmp', '-d', database, '-c', text)

    # ---- containers ----

    def instances(self, service=None, all=False):
        """Names of the containers, oldest first."""
        filters = ['--filter', 'label=com.docker.compose.project=manabiya', '--filter', 'label=com.docker.compose.oneoff=False']
        filters += ['--filter', f'label=com.docker.compose.service={service}'] if service else []
        filters += ['--all'] if all else []
        return self.engine.docker('ps', '--format={{.Names}}', *filters).splitlines()[::-1]

    def inspect(self, name):
        return json.loads(self.engine.docker('inspect', name))[0]

    def states(self):
        return self.engine.docker('ps', '--all', '--format={{.Names}} {{.Status}}')

    def is_healthy(self, name):
        return self.inspect(name)['State'].get('Health', {}).get('Status') == 'healthy'

    def wait_healthy(self, *names):
        self.wait(lambda: all(map(self.is_healthy, names)), self.states)

    def scale(self, service, n, version=None):
        """Instances that run already stay as they are; new ones are of the version."""
        self.compose('up', '-d', '--no-build', '--no-recreate', '--no-deps', '--scale', f'{service}={n}', service,
                     version=version)
        return self.wait(lambda: (names := self.instances(service)) and len(names) == n and names, f'{n} of {service}')

    def roll_over(self, service, version=NEXT):
        """New instances beside the old ones; when they are well, the old ones are told to stop."""
        old = self.instances(service)
        both = self.scale(service, 2 * len(old), version)
        self.wait_healthy(*both)
        for name in old:
            self.engine.docker('stop', '--time', '20', name)
            self.engine.docker('rm', name)
        return [name for name in both if name not in old]

    def image_of(self, name):
        return self.inspect(name)['Config']['Image']
