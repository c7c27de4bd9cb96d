#!/usr/bin/python3
"""The whole of Manabiya on one machine: PostgreSQL, Redis, a mail sink, the six processes, and a witness when asked for.

The demo, the flow tests, the browser tests and the benchmark all start it here. Everything lies in
one directory but the sockets, which need a short path (a Unix socket's path holds 107 bytes).

    python3 tools/stack.py up DIRECTORY --build build
    python3 tools/stack.py status|down DIRECTORY
"""

import argparse
import atexit
import fcntl
import hashlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import certificates  # noqa: E402
import redis_users  # noqa: E402
import witness  # noqa: E402
from processes import Process, last_lines, start_time  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ('auth', 'provisioning', 'learning', 'notification', 'audit')
BASE = ('postgres', 'redis', 'mail')
DATABASE = 'manabiya'
WITNESS_NAME = 'witness.manabiya.invalid/local'
PORTS = range(15000, 32000)  # above those that browsers refuse, below ip_local_port_range
PORT_TRIES = 50
READY_WITHIN_S = 180  # cold start is two seconds; a sanitizer build on a busy machine needs more. What ends is told at once

# Small, because several stacks may run beside a build; everything durable stays on.
POSTGRES_SETTINGS = {
    'listen_addresses': '', 'unix_socket_permissions': '0700', 'max_connections': '120',
    'shared_buffers': '96MB', 'work_mem': '4MB', 'max_wal_size': '256MB', 'log_min_messages': 'warning',
    'log_min_error_statement': 'panic',  # statements of a learning record never go to a log
    'password_encryption': 'scram-sha-256', 'jit': 'off', 'timezone': 'UTC',
}
# For loads from one address, which the gateway would take for an attack. Counted all the same: that is part of the cost.
LOAD_LIMITS = {f'limit-{name}': 10**9 for name in ('login', 'anonymous', 'source', 'read', 'write', 'upload', 'tenant')}
# The people of a demo and of tests have no telephones; nothing here is anybody's.
NO_SECOND_FACTOR = 'none: a demo or a test, with nobody\'s real data'
SANITIZERS = {
    'ASAN_OPTIONS': 'abort_on_error=0:detect_leaks=1',
    'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1',
}
SANITIZER_WORDS = ('AddressSanitizer', 'LeakSanitizer', 'ThreadSanitizer', 'runtime error:')


class StackError(Exception):
    pass


reserved = {}  # port: what keeps it


def reserve(port):
    """Until this process ends no other one takes the port by free_port(): its server may start later, or again. What keeps it is
    an abstract name, which lives as long as the process and in its network, as ports do."""
    keeper = socket.socket(socket.AF_UNIX)
    try:
        keeper.bind(f'\0manabiya-port-{port}')
    except OSError:
        keeper.close()
        return False
    atexit.register(keeper.close)
    reserved[port] = keeper
    return True


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('127.0.0.1', port))
        except OSError:
            return False
        return True


def free_port(preferred=0):
    """A loopback port for a server of this process, below those that the kernel gives to outgoing connections: a server that is
    killed and started again finds it free again."""
    if preferred and is_free(preferred) and (preferred in reserved or reserve(preferred)):
        return preferred
    for port in random.sample(PORTS, PORT_TRIES):
        if port not in reserved and is_free(port) and reserve(port):
            return port
    raise StackError('no free port')


def run(*command, **options):
    """Run a program that should succeed; its output is shown only when it does not."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        raise StackError(f'{Path(str(command[0])).name} failed ({done.returncode}):\n{done.stdout}')
    return done.stdout


def postgres_bin():
    found = sorted(Path('/usr/lib/postgresql').glob('*/bin/initdb'), key=lambda p: int(p.parts[4]))
    if not found:
        raise StackError('PostgreSQL is not installed')
    return found[-1].parent


class Stack:
    """One running Manabiya. `extra` maps a process name to more options for it.

    A witness stands beside it when asked for: it writes to the disk every second, which is no part of what others measure.
    The keyring has replicas of these names.
    """

    def __init__(self, directory, build_dir, web_root=None, port=0, extra=None, say=lambda text: None, has_witness=False,
                 replicas=()):
        self.directory = Path(directory).absolute()
        self.build = Path(build_dir).absolute()
        self.web_root = Path(web_root).absolute() if web_root else None
        self.extra, self.say, self.preferred_port, self.has_witness = extra or {}, say, port, has_witness
        digest = hashlib.sha256(str(self.directory).encode()).hexdigest()[:10]
        self.run = Path(f'/tmp/manabiya-{os.getuid()}-{digest}')
        self.keys, self.logs = self.directory / 'keys', self.directory / 'logs'
        self.mail, self.tls = self.directory / 'mail', self.directory / 'tls'
        self.ca = self.tls / 'ca.pem'
        self.ndjson = self.directory / 'audit.ndjson'
        self.keyring = self.directory / 'keyring'
        self.replicas = {name: self.directory / f'replica-{name}' for name in replicas}
        self.processes = {}
        self.database_user = 'postgres' if os.getuid() == 0 else None  # PostgreSQL refuses root

    # ---- what others ask ----

    @property
    def address(self):
        return f'https://localhost:{self.port}'

    def conninfo(self, user='postgres', database=DATABASE):
        return f'host={self.run}/pg user={user} dbname={database}'

    def start(self):
        """Start what is not running; return when everything answers. Safe to repeat."""
        with self._locked():
            self._prepare()
            self._define()
            try:
                self._start_all()
            finally:
                self._save()
        return self

    def stop(self):
        with self._locked():
            self._load()
            for name in reversed(list(self.processes)):
                if not self.processes[name].stop():
                    self.say(f'{name} did not stop by itself and was killed')
            self._save()
            shutil.rmtree(self.run, ignore_errors=True)

    def remove(self):
        """Stop, and forget everything: data, keys, mail, logs."""
        self.stop()
        shutil.rmtree(self._cluster_directory(), ignore_errors=True)
        shutil.rmtree(self.directory)

    def kill(self, name, number=signal.SIGKILL):
        self.processes[name].signal(number)
        if number == signal.SIGKILL and not self.processes[name].wait(10):
            raise StackError(f'{name} survived SIGKILL')

    def restart(self, name):
        """Start a process again (after stopping it, if it is still there)."""
        self.processes[name].stop()
        self.processes[name].start()
        self._save()

    def status(self):
        """{name: {pid, alive, died}}"""
        if not self.processes:
            self._load()
        return {name: {'pid': p.pid, 'alive': p.is_alive(), 'died': p.has_died} for name, p in self.processes.items()}

    def readiness(self):
        """(status, body) of the gateway's /readyz; (0, reason) when it does not answer."""
        return self._ask_admin('/readyz')

    def _ask_admin(self, path):
        tls = ssl.create_default_context(cafile=self.ca)
        link = http.client.HTTPSConnection('localhost', self.admin_port, timeout=5, context=tls)
        try:
            link.request('GET', path)
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        except OSError as error:
            return 0, str(error)
        finally:
            link.close()

    def _unlinked(self):
        """Services that do not yet reach all whom they call: /readyz tells of the gateway's links only, on purpose."""
        _, text = self._ask_admin('/metrics')
        up = {name: int(float(n)) for name, n in re.findall(r'^manabiya_bus_instances_up{service="(\w+)"[^}]*} (\S+)$', text, re.M)}
        return [name for name in SERVICES if up.get(name, 0) < len(self._peers(name).split(','))]

    def wait_ready(self, names=None):
        """Until all answer and reach each other; a process that ends meanwhile is an error with its last lines."""
        end, answer = time.monotonic() + READY_WITHIN_S, (0, '')
        while answer[0] != 200 or self._unlinked():
            for name in names or self.processes:
                self._check_alive(name)
            if time.monotonic() > end:
                raise StackError(f'not ready after {READY_WITHIN_S} s: {answer[1]}\n{self._all_last_lines()}')
            time.sleep(0.05)
            answer = self.readiness()

    def sanitizer_findings(self):
        """Lines of the logs that a sanitizer wrote."""
        return [f'{log.name}: {line}' for log in sorted(self.logs.glob('*.log'))
                for line in log.read_text(errors='replace').splitlines()
                if any(word in line for word in SANITIZER_WORDS)]

    def logged(self, call_id):
        """Lines of the logs about one call."""
        return '\n'.join(line for log in sorted(self.logs.glob('*.log'))
                         for line in log.read_text(errors='replace').splitlines() if call_id in line)

    def sql(self, text, database=DATABASE):
        """Run SQL as the superuser of the private cluster, for tests and set-up."""
        return run(postgres_bin() / 'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1',
                   '-d', self.conninfo(database=database), '-c', text).strip()

    # ---- preparation ----

    def _prepare(self):
        for part in (self.logs, self.mail, self.directory / 'media', self.keyring):
            part.mkdir(mode=0o700, exist_ok=True)
        self.directory.chmod(0o711 if self.database_user else 0o700)
        self._make_run_directory()
        run(self.build / 'ctl/manabiyactl', 'keys', '--directory', self.keys)
        if self.replicas and not (self.keyring / 'keyring.id').exists():
            self._join_replicas()
        certificates.make(self.tls, ('localhost', '127.0.0.1'))
        redis_users.make(self.keys / 'redis')
        if self.has_witness:
            self._prepare_witness()
        self._make_cluster()

    def _replica_list(self):
        return ','.join(f'{name}={directory}' for name, directory in self.replicas.items())

    def _join_replicas(self):
        for directory in self.replicas.values():
            directory.mkdir(mode=0o700)
        run(self.build / 'ctl/manabiyactl', 'keyring', 'join', '--keyring', self.keyring, '--keyring-root',
            self.keys / 'keyring-root.key', '--keyring-replica', self._replica_list())

    def _prepare_witness(self):
        self.witness_state = self.directory / 'witness'
        self.witness_state.mkdir(mode=0o700, exist_ok=True)
        self.witness_key = witness.make(self.build / 'witness/manabiya-witness', self.keys, self.witness_state, WITNESS_NAME)

    def _make_run_directory(self):
        self.run.mkdir(mode=0o711, exist_ok=True)
        if self.run.is_symlink() or self.run.stat().st_uid != os.getuid():
            raise StackError(f'{self.run} belongs to somebody else')
        self.run.chmod(0o711 if self.database_user else 0o700)
        (self.run / 'pg').mkdir(mode=0o700, exist_ok=True)
        if self.database_user:
            shutil.chown(self.run / 'pg', self.database_user, self.database_user)

    def _cluster_directory(self):
        """Beside everything else, unless root works where the postgres user may not go."""
        inside = self.directory / 'postgres'
        if not self.database_user:
            return inside
        may_enter = subprocess.run(['setpriv', f'--reuid={self.database_user}', '--clear-groups', 'test',
                                    '-x', str(self.directory)], check=False).returncode == 0
        return inside if may_enter else Path('/var/lib') / self.run.name

    def _make_cluster(self):
        self.cluster = self._cluster_directory()
        if (self.cluster / 'PG_VERSION').exists():
            return
        self.say('making a PostgreSQL cluster')
        self.cluster.mkdir(mode=0o700, exist_ok=True)
        options = {}
        if self.database_user:
            shutil.chown(self.cluster, self.database_user, self.database_user)
            options = {'user': self.database_user, 'group': self.database_user, 'extra_groups': []}
        # The socket directory is private to this user; that is the authentication.
        run(postgres_bin() / 'initdb', '-D', self.cluster, '--username=postgres', '--auth-local=trust',
            '--auth-host=reject', '--encoding=UTF8', '--locale=C.UTF-8', '--no-sync', cwd='/', **options)

    def _define(self):
        old = self._read_state()
        before = old.get('ports', {})
        running = {name for name, p in old.get('processes', {}).items() if start_time(p['pid']) == p['started']}
        keep = before if 'gateway' in running else {}
        self.port = keep.get('gateway') or free_port(before.get('gateway') or self.preferred_port)
        self.admin_port = keep.get('admin') or free_port(before.get('admin', 0))
        self.mail_port = before['mail'] if 'mail' in running else free_port(before.get('mail', 0))
        self.witness_port = before['witness'] if 'witness' in running else free_port(before.get('witness', 0))
        self.processes = {p.name: p for p in self._base_processes()}
        if self.has_witness:
            self.processes['witness'] = self._witness()
        for name in (*SERVICES, 'gateway'):
            self.processes[name] = self._service(name)
        for name, process in self.processes.items():
            process.adopt(old.get('processes', {}).get(name))

    def _base_processes(self):
        settings = [f'-c{name}={value}' for name, value in {**POSTGRES_SETTINGS, **self.extra.get('postgres', {})}.items()]
        yield Process('postgres', [postgres_bin() / 'postgres', '-D', self.cluster, '-k', self.run / 'pg', *settings],
                      self.logs / 'postgres.log', stop_signal=signal.SIGINT, user=self.database_user)
        yield Process('redis', [shutil.which('redis-server') or '/usr/bin/redis-server', '--port', '0',
                                '--unixsocket', self.run / 'redis', '--unixsocketperm', '700', '--save', '',
                                '--appendonly', 'no', '--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru',
                                '--aclfile', self.keys / 'redis/users.acl', '--dir', self.directory], self.logs / 'redis.log')
        yield Process('mail', ['/usr/bin/python3', ROOT / 'tools/smtp_sink.py', '--listen', f'127.0.0.1:{self.mail_port}',
                               '--directory', self.mail], self.logs / 'mail.log')

    def _witness(self):
        options = {'name': WITNESS_NAME, 'logs': self.keys / 'witness/logs', 'state': self.witness_state,
                   'listen': f'127.0.0.1:{self.witness_port}',
                   'tls-certificate': self.tls / 'server.pem', 'tls-key': self.tls / 'server.key'}
        arguments = [f'--{option}={value}' for option, value in (options | self.extra.get('witness', {})).items()]
        return Process('witness', [self.build / 'witness/manabiya-witness', *arguments], self.logs / 'witness.log',
                       environment=SANITIZERS)

    # ---- the six processes ----

    def _peers(self, name):
        """Whom a process calls: exactly those it has a key for."""
        names = sorted(key.stem.partition('-')[2] for key in (self.keys / 'bus' / name).glob(f'{name}-*.key'))
        return ','.join(f'{peer}={self._url(peer)}' for peer in names)

    def _url(self, name):
        return f'ipc://{self.run}/{name}.ipc'

    def _service(self, name):
        binary = self.build / f'services/manabiya-{name}'
        options = {'bus-keys': self.keys / 'bus' / name, 'peers': self._peers(name)}
        options |= getattr(self, f'_{name}_options')()
        if name != 'gateway':
            options |= {'listen': self._url(name), 'database': self.conninfo(f'manabiya_{name}'),
                        'cache': self.run / 'redis', 'cache-password': self.keys / 'redis/services.password'}
        options['auth-public-key'] = self.keys / 'capability.pub'
        options |= self.extra.get(name, {})
        arguments = [f'--{option}={value}' for option, value in options.items()]
        return Process(name, [binary, *arguments], self.logs / f'{name}.log', environment=SANITIZERS)

    def _auth_options(self):
        return {'capability-key': self.keys / 'capability.key', 'tenant-mac-key': self.keys / 'tenant-mac.key',
                'password-key': self.keys / 'password.key', 'bootstrap-secret': self.keys / 'bootstrap.secret',
                'keyring': self.keyring, 'second-factor-required': NO_SECOND_FACTOR}

    def _keyring_options(self):
        return {'keyring': self.keyring, 'keyring-root': self.keys / 'keyring-root.key'}

    def _provisioning_options(self):
        return self._keyring_options() | ({'keyring-replica': self._replica_list()} if self.replicas else {})

    def _learning_options(self):
        return self._keyring_options() | {'media': self.directory / 'media'}

    def _notification_options(self):
        return self._keyring_options() | {
            'smtp-url': f'smtp://127.0.0.1:{self.mail_port}', 'mail-from': 'manabiya@example.jp',
            'operator-mail': 'system-administrators@example.jp'}

    def _audit_options(self):
        options = {'pipeline-file': self.ndjson, 'checkpoint-key': self.keys / 'checkpoint.key'}
        if self.has_witness:
            options |= {'witness-url': f'https://localhost:{self.witness_port}', 'witness-key': self.witness_key,
                        'witness-ca': self.ca}
        return options

    def _gateway_options(self):
        options = {'listen': f'127.0.0.1:{self.port}', 'admin-listen': f'127.0.0.1:{self.admin_port}',
                   'tls-certificate': self.tls / 'server.pem', 'tls-key': self.tls / 'server.key',
                   'limit-cache': self.run / 'redis', 'limit-cache-password': self.keys / 'redis/gateway.password'}
        return options | ({'web-root': self.web_root} if self.web_root else {})

    # ---- starting ----

    def _start_all(self):
        for name in BASE:
            self._start_one(name)
        self._await(lambda: self._postgres_answers(), 'postgres')
        self._await(lambda: (self.run / 'redis').exists(), 'redis')
        self.say('applying migrations')
        self.migrate()
        for name in (*(['witness'] if self.has_witness else []), *SERVICES, 'gateway'):
            self._start_one(name)
        self.say('waiting until every process is ready')
        self.wait_ready()

    def migrate(self):
        if self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'", 'postgres') != '1':
            self.sql(f'CREATE DATABASE {DATABASE}', 'postgres')
        run(self.build / 'ctl/manabiyactl', 'migrate', '--database', self.conninfo(), '--migrations',
            ROOT / 'migrations', '--tenant-mac-key', self.keys / 'tenant-mac.key')

    def _start_one(self, name):
        process = self.processes[name]
        if process.is_alive() and not process.is_outdated():
            return
        process.stop()
        self.say(f'starting {name}')
        process.start()

    def _await(self, condition, name):
        end = time.monotonic() + READY_WITHIN_S
        while not condition():
            self._check_alive(name)
            if time.monotonic() > end:
                raise StackError(f'{name} does not answer\n{last_lines(self.processes[name].log)}')
            time.sleep(0.05)

    def _postgres_answers(self):
        return subprocess.run([postgres_bin() / 'pg_isready', '-q', '-h', self.run / 'pg', '-U', 'postgres'], check=False).returncode == 0

    def _check_alive(self, name):
        process = self.processes[name]
        if not process.is_alive():
            status = process.child.returncode if process.child else 'unknown'
            raise StackError(f'{name} ended (status {status}). Last lines of {process.log}:\n{last_lines(process.log)}')

    def _all_last_lines(self):
        return '\n'.join(f'== {name}\n{last_lines(p.log, 5)}' for name, p in self.processes.items())

    # ---- state ----

    @contextmanager
    def _locked(self):
        """Two runs of `up` or `down` at once must not both start things."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.directory / 'lock', 'w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read_state(self):
        try:
            return json.loads((self.directory / 'stack.json').read_text())
        except FileNotFoundError:
            return {}

    def _load(self):
        state = self._read_state()
        if not state or self.processes:
            return
        self.port, self.admin_port, self.mail_port = (state['ports'][k] for k in ('gateway', 'admin', 'mail'))
        self.witness_port = state['ports'].get('witness', 0)
        for name, record in state['processes'].items():
            stop_signal = signal.SIGINT if name == 'postgres' else signal.SIGTERM
            self.processes[name] = Process(name, record['command'], record['log'], stop_signal)
            self.processes[name].adopt(record)

    def _save(self):
        if not self.processes:
            return
        state = {
            'address': self.address, 'admin': f'https://localhost:{self.admin_port}', 'ca': str(self.ca),
            'mail': str(self.mail), 'ndjson': str(self.ndjson), 'bootstrapSecret': str(self.keys / 'bootstrap.secret'),
            'database': self.conninfo(), 'redis': str(self.run / 'redis'), 'run': str(self.run),
            'ports': {'gateway': self.port, 'admin': self.admin_port, 'mail': self.mail_port,
                      'witness': self.witness_port},
            'processes': {name: p.record() for name, p in self.processes.items()},
        }
        draft = self.directory / 'stack.json.new'
        draft.write_text(json.dumps(state, indent=1))
        draft.rename(self.directory / 'stack.json')


def print_status(stack):
    status = stack.status()
    if not status:
        print('nothing was started here')
    for name, row in status.items():
        word = 'running' if row['alive'] else 'ended by itself' if row['died'] else 'stopped'
        print(f'{name:14} {word:8} {row["pid"] or ""}')
        if row['died']:
            print('    ' + last_lines(stack.processes[name].log, 5).replace('\n', '\n    '))
    return 0 if status and all(row['alive'] for row in status.values()) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('action', choices=('up', 'down', 'status'))
    parser.add_argument('directory')
    parser.add_argument('--build', default=str(ROOT / 'build'), help='Meson build directory')
    parser.add_argument('--web-root', help='built web client')
    parser.add_argument('--port', type=int, default=0, help='preferred HTTPS port')
    arguments = parser.parse_args()
    stack = Stack(arguments.directory, arguments.build, arguments.web_root, arguments.port, say=print)
    try:
        if arguments.action == 'up':
            stack.start()
            print(stack.address)
        elif arguments.action == 'down':
            stack.stop()
        else:
            return print_status(stack)
    except StackError as error:
        print(f'stack: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
