#!/usr/bin/python3
"""A container engine of our own, and Manabiya's images in it, without any image registry.

The engine is Debian's docker.io with its own data, sockets and pid file under .manabiya/containers, beside any other engine of
the machine. While it builds, it has neither a bridge nor firewall rules: what runs in a build uses the machine's network, as
`apt-get` on the machine itself would. Tests start it again inside namespaces of their own (tests/containers/base.py).

    tools/engine.py images          make the base image and Manabiya's, if they are not there yet
    tools/engine.py clean           remove all of it
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from processes import last_lines, start_time  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / '.manabiya/containers'
BASE = 'localhost/debian:slim'
SERVICES = ('auth', 'provisioning', 'learning', 'notification', 'audit', 'gateway')
TARGETS = (*SERVICES, 'witness', 'tools', 'postgres', 'redis')
NEXT = 'next'  # the version that tests roll over to: the same programs in another image
START_WITHIN_S = 180  # seconds, but on a busy machine
STOP_WITHIN_S = 60  # it waits for its containers
# Another vendor's client may come first in PATH; Debian's fits Debian's engine, and builds with BuildKit by itself.
PROGRAMS = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'DOCKER_BUILDKIT': '1', 'COMPOSE_DOCKER_CLI_BUILD': '1'}
WITHOUT_NETWORK = ('--bridge=none', '--iptables=false', '--ip-forward=false', '--ip-masq=false')


class EngineError(Exception):
    pass


class Engine:
    """One dockerd. `options` are more of its options."""

    def __init__(self, work=WORK, options=()):
        self.work, self.options = Path(work), options
        self.socket, self.log, self.pid_file = self.work / 'docker.sock', self.work / 'engine.log', self.work / 'engine.pid'
        self.environment = {**os.environ, **PROGRAMS, 'DOCKER_HOST': f'unix://{self.socket}', 'HOME': str(self.work)}
        self.child = None

    def __enter__(self):
        self.work.mkdir(parents=True, exist_ok=True)
        self.pid_file.unlink(missing_ok=True)  # another pid namespace's numbers say nothing here
        with open(self.log, 'wb') as log:
            self.child = subprocess.Popen(
                # However we end, it ends in order, too.
                ['setpriv', '--pdeathsig=TERM', 'dockerd', f'--data-root={self.work}/data', f'--exec-root={self.work}/run',
                 f'--pidfile={self.pid_file}', f'--host=unix://{self.socket}', '--storage-driver=overlay2', *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment, start_new_session=True)
        end = time.monotonic() + START_WITHIN_S
        while not self.answers():
            if self.child.poll() is not None or time.monotonic() > end:
                self.stop()
                raise EngineError(f'the engine does not start:\n{last_lines(self.log)}')
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.stop()

    def answers(self):
        return self.socket.exists() and subprocess.run(
            ['docker', 'version'], env=self.environment, capture_output=True, check=False).returncode == 0

    def stop(self):
        """By its pid; it ends its containerd and removes its mounts itself."""
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def run(self, *command, **options):
        """Run a client; its output is returned, and shown only when it fails."""
        environment = self.environment | options.pop('environment', {})
        done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              cwd=ROOT, env=environment, check=False, **options)
        if done.returncode:
            raise EngineError(f'{" ".join(map(str, command))} failed ({done.returncode}):\n{done.stdout[-6000:]}')
        return done.stdout.strip()

    def docker(self, *arguments):
        return self.run('docker', *arguments)

    def has(self, image):
        return bool(self.docker('image', 'ls', '--quiet', image))


# ---- the base image ----

def machine_files(base):
    """What the machine needs to reach its mirrors and registries. None of it gets into an image of a service."""
    settings = subprocess.run(['apt-config', 'dump'], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    kept = [line for line in settings if line.startswith(('Acquire::Check-', 'Acquire::Retries', 'Acquire::http'))]
    (base / 'etc/apt/apt.conf.d/90machine').write_text('\n'.join(kept) + '\n')
    for source, target in ((Path('/usr/local/share/ca-certificates'), base / 'usr/local/share/ca-certificates'),
                           (Path.home() / '.npmrc', base / 'root/.npmrc')):
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy(source, target)
    subprocess.run(['chroot', base, 'update-ca-certificates'], check=True, capture_output=True)


def make_base(engine):
    """The same Debian as this machine's, from its own mirror."""
    release = dict(line.split('=', 1) for line in Path('/etc/os-release').read_text().splitlines() if '=' in line)
    sources = Path('/etc/apt/sources.list.d/debian.sources')
    sources = sources if sources.exists() and sources.stat().st_size else Path('/etc/apt/sources.list')
    base = engine.work / 'base'
    shutil.rmtree(base, ignore_errors=True)
    engine.run('mmdebstrap', '--quiet', '--variant=minbase', '--mode=root', '--include=ca-certificates',
               '--aptopt=Acquire::Check-Valid-Until "false"', release['VERSION_CODENAME'], base, sources)
    machine_files(base)
    engine.run('sh', '-c', f'tar -C "{base}" --exclude=./dev/* --exclude=./var/cache/apt/*.bin -c . | docker import - {BASE}')
    shutil.rmtree(base)


# ---- Manabiya's ----

def image(target, version='dev'):
    return f'manabiya/{target}:{version}'


def build(engine, target, version='dev'):
    engine.docker('build', '--network=host', '--file=containers/Dockerfile', f'--target={target}', f'--build-arg=BASE={BASE}',
                  f'--build-arg=VERSION={version}', f'--tag={image(target, version)}', '.')


def make_images(say=print):
    with Engine(options=WITHOUT_NETWORK) as engine:
        began = time.monotonic()
        if not engine.has(BASE):
            make_base(engine)
            say(f'base image: {time.monotonic() - began:.0f} s')
        for target in TARGETS:
            began = time.monotonic()
            build(engine, target)
            size = int(engine.docker('image', 'inspect', '--format={{.Size}}', image(target)))
            say(f'{image(target)}: {size / 1e6:.1f} MB, {time.monotonic() - began:.0f} s')
        for target in SERVICES:
            build(engine, target, NEXT)


def clean():
    """Everything of the engine; one that a test left running is stopped first, by the pid it wrote down."""
    pid_file = WORK / 'engine.pid'
    pid = int(pid_file.read_text()) if pid_file.exists() else 0
    command = Path(f'/proc/{pid}/cmdline')  # the number may be that of a process that ended, or of another namespace
    if command.exists() and f'--data-root={WORK}/data' in command.read_text():
        os.kill(pid, signal.SIGTERM)
        while start_time(pid):
            time.sleep(0.1)
    shutil.rmtree(WORK, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('action', choices=('images', 'clean'))
    try:
        make_images() if parser.parse_args().action == 'images' else clean()
    except EngineError as error:
        print(f'engine: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
