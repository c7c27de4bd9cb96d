"""What the parts of the benchmark share: a school to ask, a server to compare with, tables with both sides."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import ROOT, children  # noqa: E402

sys.path.insert(0, str(ROOT / 'tools'))
import seed  # noqa: E402
from api import Client  # noqa: E402
from stack import LOAD_LIMITS, SERVICES, Stack, free_port  # noqa: E402

PASSWORD = 'fuji-no-yama-2026'
CODE = 'sokudo'
# As docs/operations.md wants it of a machine that is used: the stack's own settings are for several beside a build.
POSTGRES = {'shared_buffers': '512MB', 'max_wal_size': '4GB'}


class School:
    """A stack with one tenant that has one skill, and a teacher who is logged in."""

    name = 'manabiya'

    def __init__(self, directory, web_root=None, extra=None, kind=Stack):
        extra = {**(extra or {}), 'gateway': {**LOAD_LIMITS, **(extra or {}).get('gateway', {})}}
        extra = {'postgres': POSTGRES, **extra}
        self.stack = kind(directory, ROOT / 'build', web_root, extra=extra)

    def start(self):
        self.stack.start()
        operator = self.client()
        operator.login_first(seed.OPERATOR_TENANT, seed.OPERATOR, (self.stack.keys / 'bootstrap.secret').read_text().strip(), PASSWORD)
        contract = operator.post('/v1/contracts', name='計測', code=CODE, administratorUsername='kanri')
        self.tenant = contract['tenantId']
        admin, self.teacher = self.client(), self.client()
        admin.login_first(CODE, 'kanri', contract['initialSecret'], PASSWORD)
        made = admin.post('/v1/users', username='sensei', role='instructor', familyName='計測', givenName='一',
                          kanaFamilyName='ケイソク', kanaGivenName='ハジメ')
        self.teacher.login_first(CODE, 'sensei', made['initialSecret'], PASSWORD)
        self.teacher.post('/v1/skills', name='前転', area='mat', curriculumCode=seed.MAT_CODE, points='まわる。', position=1)
        return self

    def client(self):
        return Client(self.stack.address, self.stack.ca)

    def address(self, path='/v1/skills'):
        return f'https://127.0.0.1:{self.stack.port}{path}'

    @property
    def headers(self):
        return [f'authorization: Bearer {self.teacher.token}']

    def pids(self):
        return {name: self.stack.processes[name].pid for name in ('gateway', *SERVICES, 'postgres', 'redis')}

    def stop(self):
        self.stack.remove()


NGINX = '''worker_processes @WORKERS@;
pid @RUN@/nginx.pid;
error_log @RUN@/nginx.log crit;
daemon off;
events { worker_connections 8192; }
http {
	access_log off;
	types { text/html html; text/javascript js; video/mp4 mp4; }
	client_body_temp_path @RUN@/body;
	proxy_temp_path @RUN@/proxy;
	fastcgi_temp_path @RUN@/fastcgi;
	uwsgi_temp_path @RUN@/uwsgi;
	scgi_temp_path @RUN@/scgi;
	keepalive_requests 100000000;
	keepalive_timeout 600;
	server {
		listen 127.0.0.1:@PORT@ ssl http2;
		ssl_protocols TLSv1.3;
		ssl_certificate @CERTIFICATE@;
		ssl_certificate_key @KEY@;
		location / {
@LOCATION@
		}
	}
}
'''


class Nginx:
    """nginx with one location, with the same certificate as ours."""

    name = 'nginx'
    headers = ()

    def __init__(self, run, certificate, key, location, workers=1):
        self.run, self.port = Path(run), free_port()
        text = NGINX
        for name, value in {'WORKERS': workers, 'RUN': run, 'PORT': self.port, 'CERTIFICATE': certificate, 'KEY': key,
                            'LOCATION': location}.items():
            text = text.replace(f'@{name}@', str(value))
        self.configuration = Path(run) / 'nginx.conf'
        self.configuration.write_text(text)

    def start(self):
        program = shutil.which('nginx') or '/usr/sbin/nginx'
        self.process = subprocess.Popen([program, '-c', self.configuration, '-e', self.run / 'nginx.err'])
        time.sleep(0.5)
        if self.process.poll() is not None:
            raise RuntimeError(f'nginx ended with {self.process.returncode}')
        return self

    def address(self, path='/'):
        return f'https://127.0.0.1:{self.port}{path}'

    def pids(self):
        return {'nginx': self.process.pid}

    def stop(self):
        self.process.terminate()
        self.process.wait()


@contextmanager
def folder():
    """A directory that PostgreSQL's and nginx's users may walk through."""
    with tempfile.TemporaryDirectory(prefix='manabiya-bench-') as directory:
        os.chmod(directory, 0o711)
        (Path(directory) / 'peer').mkdir(mode=0o755)
        yield Path(directory)


@contextmanager
def running(*sides):
    """Start in order, stop in reverse, whatever happens between."""
    started = []
    try:
        for side in sides:
            started.append(side)
            side.start()
        yield sides
    finally:
        for side in reversed(started):
            if hasattr(side, 'stop'):
                side.stop()


def median(values):
    return statistics.median(list(values))


def head(first, *columns):
    print(f'\n{first:40}' + ''.join(f'{name:>16}' for name in columns))


def row(name, *values, digits=1):
    cells = ''.join(f'{value:>16}' if isinstance(value, str) else f'{value:>16,.{digits}f}' for value in values)
    print(f'{name:40}{cells}', flush=True)


def memory_mb(pid, field='Pss'):
    """Of a process and its children. Pss: shared pages by their share; Private_Dirty: what is its own alone."""
    total = 0
    for child in children(pid):
        for line in Path(f'/proc/{child}/smaps_rollup').read_text().splitlines():
            if line.startswith(field + ':'):
                total += int(line.split()[1])
    return total / 1000
