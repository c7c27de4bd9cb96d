"""tools/processes.py, ports and the mail sink: the parts of the stack that need no build."""

import platform
import signal
import smtplib
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
from processes import Process, has_stopped, start_time  # noqa: E402
from stack import free_port  # noqa: E402

EXIT = {'x86_64': 60, 'aarch64': 93}  # the system call that ends one thread


class Ports(unittest.TestCase):
    """Of stacks that run side by side, each starts its servers some time after it has chosen their ports."""

    def other(self, port):
        """What another process gets that wants this port."""
        text = f'import sys; sys.path.insert(0, {str(ROOT / "tools")!r}); import stack; print(stack.free_port({port}))'
        return int(subprocess.run([sys.executable, '-B', '-c', text], check=True, stdout=subprocess.PIPE, text=True).stdout)

    def test_one_that_was_chosen_is_nobody_elses(self):
        port = free_port()
        self.assertNotEqual(self.other(port), port)
        self.assertNotEqual(free_port(), port)
        self.assertEqual(free_port(port), port)

    def test_that_of_a_process_that_has_ended_may_be_chosen(self):
        port = self.other(0)
        self.assertEqual(self.other(port), port)


class Processes(unittest.TestCase):
    def setUp(self):
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def process(self, *command):
        process = Process('it', command, self.directory / 'it.log')
        self.addCleanup(process.signal, signal.SIGKILL)
        process.start()
        return process

    def test_a_process_is_found_again_by_pid_and_start_time(self):
        process = self.process('/bin/sleep', '60')
        again = Process('it', ['/bin/sleep', '60'], self.directory / 'it.log')
        again.adopt(process.record())
        self.assertTrue(again.is_alive())
        self.assertTrue(process.stop())
        self.assertFalse(process.is_alive())

    def test_one_that_is_stopped_has_stopped(self):
        process = self.process(sys.executable, '-c', 'import threading\nfor _ in range(8): threading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()')
        for _ in range(20):
            process.signal(signal.SIGSTOP)
            self.assertTrue(has_stopped(process.pid))
            process.signal(signal.SIGCONT)

    def test_somebody_elses_process_with_the_same_pid_is_left_alone(self):
        process = self.process('/bin/sleep', '60')
        stale = dict(process.record(), started=process.started - 1)
        other = Process('it', ['/bin/sleep', '60'], self.directory / 'it.log')
        other.adopt(stale)
        self.assertTrue(other.has_died)
        other.stop()
        self.assertTrue(process.is_alive())

    def test_one_with_other_options_is_found_so_that_it_can_be_replaced(self):
        process = self.process('/bin/sleep', '60')
        again = Process('it', ['/bin/sleep', '61'], self.directory / 'it.log')
        again.adopt(process.record())
        self.assertTrue(again.is_alive() and again.is_outdated())
        again.stop()
        self.assertFalse(process.is_alive())
        again.start()
        self.addCleanup(again.stop)
        self.assertFalse(again.is_outdated())

    def test_a_zombie_is_not_alive(self):
        process = self.process('/bin/true')
        process.child.wait()
        self.assertFalse(process.is_alive())
        self.assertIsNone(start_time(process.pid))

    def test_it_is_alive_as_long_as_one_of_its_threads_is(self):
        """The first thread ends by itself (exit, not exit_group): to /proc the process is a zombie then."""
        text = ('import ctypes, platform, sys, threading\n'
                'threading.Thread(target=sys.stdin.read, daemon=True).start()\n'
                f'ctypes.CDLL(None).syscall({EXIT[platform.machine()]}, 0)\n')
        child = subprocess.Popen([sys.executable, '-c', text], stdin=subprocess.PIPE)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        stat = Path(f'/proc/{child.pid}/stat')
        self.eventually(lambda: stat.read_text().rpartition(')')[2].split()[0] == 'Z')
        self.assertIsNotNone(start_time(child.pid))
        child.stdin.close()
        self.eventually(lambda: start_time(child.pid) is None)

    def eventually(self, condition):
        end = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)


class MailSink(unittest.TestCase):
    def setUp(self):
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.port = free_port()
        self.sink = subprocess.Popen(['/usr/bin/python3', ROOT / 'tools/smtp_sink.py', '--listen', f'127.0.0.1:{self.port}',
                                      '--directory', self.directory])
        self.addCleanup(self.sink.wait)
        self.addCleanup(self.sink.terminate)

    def connect(self):
        for _ in range(600):
            try:
                return smtplib.SMTP('127.0.0.1', self.port)
            except ConnectionRefusedError:
                time.sleep(0.05)
        return self.fail('the sink does not listen')

    def test_a_mail_is_filed_whole(self):
        with self.connect() as client:
            client.sendmail('a@example.jp', ['b@example.jp'], 'Subject: x\r\n\r\n.one dot\r\nlast')
        filed = [path.read_text() for path in (self.directory / 'new').iterdir()]
        self.assertEqual(len(filed), 1)
        self.assertIn('b@example.jp', filed[0])
        self.assertIn('\n.one dot\nlast', filed[0].replace('\r', ''))

    def test_data_without_a_recipient_is_refused(self):
        with self.connect() as client:
            client.ehlo()
            client.mail('a@example.jp')
            self.assertEqual(client.docmd('DATA')[0], 503)


if __name__ == '__main__':
    unittest.main()
