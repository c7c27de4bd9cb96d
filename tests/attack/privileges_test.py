"""What somebody could do who took over one of the running processes: the fences as the kernel knows them."""

import re
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'flow'))
import base  # noqa: E402

SERVICES = ('gateway', 'auth', 'provisioning', 'learning', 'notification', 'audit')
FILTERED = '2'  # seccomp mode of proc(5): a filter
RULES = 'allow 127.0.0.0/8\n'


def open_to_all(directory):
    """No right of a user stands in the way of what the tests try."""
    directory.mkdir()
    directory.chmod(0o777)
    return directory


def fenced_stack(directory):
    rules = open_to_all(directory / 'rules') / 'rules'
    rules.write_text(RULES)
    pipeline = open_to_all(directory / 'pipeline') / 'audit.ndjson'
    return base.Stack(directory, base.BUILD, extra={'gateway': {'source-rules': rules, 'tls-check-ms': 50},
                                                    'audit': {'pipeline-file': pipeline}})


def setUpModule():
    base.open_world(fenced_stack)


class PrivilegesTest(unittest.TestCase):
    def tasks(self, service):
        """/proc/PID/task/*/status of every thread, as {name: value}."""
        pid = base.world.stack.status()[service]['pid']
        statuses = [path.read_text() for path in Path(f'/proc/{pid}/task').glob('*/status')]
        self.assertTrue(statuses)
        return [dict(re.findall(r'^(\w+):\s*(.*)$', text, re.M)) for text in statuses]

    def test_every_thread_of_every_process_is_filtered(self):
        for service in SERVICES:
            for task in self.tasks(service):
                with self.subTest(service=service, thread=task['Name']):
                    self.assertEqual(task['Seccomp'], FILTERED)
                    self.assertEqual(task['NoNewPrivs'], '1')


class ViewTest(unittest.TestCase):
    """The kernel does not tell of Landlock in /proc, so running processes are led astray: what they open again by its path is
    swapped for a link to the same thing elsewhere, which everybody may open."""

    def setUp(self):
        self.stack, parent = base.world.stack, Path(tempfile.mkdtemp(prefix='manabiya-outside-', dir='/tmp'))
        self.addCleanup(shutil.rmtree, parent)
        parent.chmod(0o777)
        self.outside = open_to_all(parent / 'elsewhere')

    def lines(self, service, *words):
        log = (self.stack.logs / f'{service}.log').read_text().splitlines()
        return [line for line in log if all(word in line for word in words)]

    def swap(self, path, target):
        path.with_name('fresh').symlink_to(target)
        path.with_name('fresh').rename(path)

    def test_the_gateway_reads_nothing_outside(self):
        rules = base.world.directory / 'rules/rules'
        for place in (rules.with_name('beside'), self.outside / 'rules'):
            place.write_text(RULES)
        loaded = len(self.lines('gateway', 'source rules loaded'))
        self.swap(rules, rules.with_name('beside'))
        base.eventually(lambda: len(self.lines('gateway', 'source rules loaded')) > loaded, 'a link within the view is followed')
        self.swap(rules, self.outside / 'rules')
        base.eventually(lambda: self.lines('gateway', 'the source rules cannot be used', 'Permission denied'), 'the view ends here')

    def test_a_service_writes_nothing_outside(self):
        pipeline = base.world.directory / 'pipeline'
        file = pipeline / 'audit.ndjson'
        base.eventually(lambda: file.exists() and file.stat().st_size, 'events are in the file')
        pipeline.rename(base.world.directory / 'aside')
        pipeline.symlink_to(self.outside)
        base.world.tenant('soto')  # so that there are events
        base.eventually(lambda: self.lines('audit', 'open', 'Permission denied'), 'the view ends here')
        self.assertEqual(list(self.outside.iterdir()), [])


if __name__ == '__main__':
    unittest.main()
