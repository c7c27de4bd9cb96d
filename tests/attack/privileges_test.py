"""What somebody could do who took over one of the running processes: the fences as the kernel knows them."""

import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'flow'))
import base  # noqa: E402

SERVICES = ('gateway', 'auth', 'provisioning', 'learning', 'notification', 'audit')
FILTERED = '2'  # seccomp mode of proc(5): a filter


def setUpModule():
    base.open_world()


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


if __name__ == '__main__':
    unittest.main()
