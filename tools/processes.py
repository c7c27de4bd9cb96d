"""Long-lived child processes that outlive the program that started them.

A process is remembered as pid + start time (field 22 of /proc/<pid>/stat): a pid alone may belong to
somebody else by now, so nothing here signals a process whose start time differs.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

KILL_AFTER_S = 10  # a service drains for at most 5 s; twice that means that it hangs


def start_time(pid):
    """Clock ticks since boot at which `pid` started, or None if it is gone or a zombie: all of it, since a thread that is
    still ending keeps files and sockets open when the first one has already ended."""
    try:
        text = Path(f'/proc/{pid}/stat').read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(')')[2].split()
    has_ended = fields[0] in 'ZX' and int(fields[17]) <= 1
    return None if has_ended else int(fields[19])


def has_stopped(pid):
    """Whether every thread of `pid` has."""
    for path in Path(f'/proc/{pid}/task').glob('*/stat'):
        try:
            state = path.read_text().rpartition(')')[2].split()[0]
        except OSError:  # it has ended meanwhile
            continue
        if state not in 'TtZX':
            return False
    return True


def cpu_ns(pid):
    """CPU time that the threads of `pid` have used so far; ticks, which ps counts, are 10 ms each and partly a guess."""
    total = 0
    for path in Path(f'/proc/{pid}/task').glob('*/schedstat'):
        try:
            total += int(path.read_text().split()[0])
        except OSError:  # it has ended meanwhile
            continue
    return total


def last_lines(path, n=20):
    try:
        lines = Path(path).read_text(errors='replace').splitlines()
    except FileNotFoundError:
        return ''
    return '\n'.join(lines[-n:])


class Process:
    """One program: how to start it, and which pid it has, if any."""

    def __init__(self, name, command, log, stop_signal=signal.SIGTERM, environment=None, user=None):
        self.name, self.command, self.log = name, [str(part) for part in command], Path(log)
        self.stop_signal, self.environment, self.user = stop_signal, environment or {}, user
        self.pid = self.started = self.child = None
        self.has_died = False  # ended without being asked to
        self.is_changed = False  # runs with options of an earlier release

    def record(self):
        return {'pid': self.pid, 'started': self.started, 'log': str(self.log), 'command': self.command}

    def adopt(self, record):
        """Take over what an earlier run of the program started, if it still runs."""
        if not record or not record['pid']:
            return
        if start_time(record['pid']) != record['started']:
            self.has_died = True
        else:
            self.pid, self.started = record['pid'], record['started']
            self.is_changed = record['command'] != self.command

    def is_alive(self):
        if self.child:
            self.child.poll()  # reaps
        return self.started is not None and start_time(self.pid) == self.started

    def is_outdated(self):
        """Has the program been rebuilt (executable deleted or replaced) or got other options since it was started?"""
        try:
            return self.is_changed or not os.path.samefile(f'/proc/{self.pid}/exe', self.command[0])
        except OSError:
            return False

    def start(self):
        self.log.parent.mkdir(parents=True, exist_ok=True)
        options = {'user': self.user, 'group': self.user, 'extra_groups': []} if self.user else {}
        with open(self.log, 'ab') as log:
            self.child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, **self.environment}, cwd='/', **options)
        self.pid, self.has_died, self.is_changed = self.child.pid, False, False
        self.started = start_time(self.pid)

    def signal(self, number):
        """Of SIGSTOP it is waited for: one thread takes it, and on a busy machine the others go on for a while."""
        if self.is_alive():
            os.kill(self.pid, number)
        while number == signal.SIGSTOP and self.is_alive() and not has_stopped(self.pid):
            time.sleep(0.001)

    def stop(self):
        """Ask, wait, and after KILL_AFTER_S insist. Returns False when it had to insist."""
        self.signal(self.stop_signal)
        in_time = self.wait(KILL_AFTER_S)
        if not in_time:
            self.signal(signal.SIGKILL)
            self.wait(KILL_AFTER_S)
        self.pid = self.started = None
        return in_time

    def wait(self, seconds):
        end = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True
