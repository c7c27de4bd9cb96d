"""docs/security.md as a school's auditor uses it: its commands, as they stand there, against a running product."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / 'flow'))
import base  # noqa: E402

PAGE = base.ROOT / 'docs/security.md'
EXAMPLE = 'URL=https://manabiya.example.jp CODE=123456\n'


def setUpModule():
    base.open_world(base.armed_stack)  # the administrator has a second factor, as in earnest


def commands():
    """The blocks of the section: login, beginning, month, one event, the table."""
    section = PAGE.read_text().split("## How a school's auditor checks the log\n")[1].split('\n## ')[0]
    return re.findall(r'```bash\n(.*?)```', section, re.S)


class Auditor(base.FlowTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='auditor-', dir='/tmp')
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.tenant = base.world.tenant('kansa')
        admin = self.tenant.admin
        login = {'tenantCode': 'kansa', 'username': 'kanri', 'password': base.PASSWORD, 'delivery': 'bearer'}
        (self.folder / 'login.json').write_text(json.dumps(login))
        base.eventually(lambda: admin.send('GET', '/v1/audit/log/checkpoint').status == 200, 'the log is signed')
        admin.step_up()
        self.codes = admin.call('POST', '/v1/second-factor/recovery-codes')['recoveryCodes']

    def run_blocks(self, *blocks):
        """What they say, and the exit status; each has the session of the first."""
        login, *_ = commands()
        self.assertIn(EXAMPLE, login)
        code = self.codes.pop(0)
        text = '\n'.join(['set -euo pipefail', login.replace(EXAMPLE, f'URL={base.world.stack.address} CODE={code}\n'), *blocks])
        done = subprocess.run(['bash', '-c', text], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                              env={**os.environ, 'CURL_CA_BUNDLE': str(base.world.stack.ca), 'PATH': f'{base.BUILD / "verify"}:{os.environ["PATH"]}'})
        return done.returncode, done.stdout

    def test_the_commands_of_the_page(self):
        _, begin, month, event, table = commands()
        self.codes.insert(0, self.tenant.admin.app.code())  # once: a recovery code does as well, and the app has the next in half a minute
        status, said = self.run_blocks(begin, month)
        self.assertEqual((status, said.count('GOOD')), (0, 2), said)
        self.tenant.admin.post('/v1/orgs', name='新しい学校')
        status, said = self.run_blocks(month, event, table)
        self.assertEqual((status, said.count('GOOD')), (0, 3), said)
        self.assertGreater(len((self.folder / 'export.ndjson').read_text().splitlines()), 1)

    def test_what_was_changed_is_named(self):
        _, begin, month, _, table = commands()
        status, said = self.run_blocks(begin, month.replace('manabiya-verify', "sed -i '1s/success/SUCCESS/;1s/status_id\\\":1/status_id\\\":2/' export.ndjson\nmanabiya-verify"))
        self.assertEqual((status, 'CHANGED' in said), (1, True), said)
        status, said = self.run_blocks(month, table.replace('manabiya-verify', 'sed -i 2s/成功/失敗/ log.csv\nmanabiya-verify'))
        self.assertEqual((status, 'CHANGED: 1, 結果' in said), (1, True), said)


if __name__ == '__main__':
    unittest.main()
