"""A witness beside the log: it signs that the log only grew, and nothing makes it sign another history: not the log's own
key, not every right in the database, not a kill at any moment."""

import base64
import http.client
import json
import re
import shutil
import signal
import ssl
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / 'flow'))
import base  # noqa: E402
import certificates  # noqa: E402
import log_test  # noqa: E402
from processes import Process  # noqa: E402
from stack import SANITIZERS, StackError, free_port  # noqa: E402
from witness import verifier  # noqa: E402

LOG_NAME = 'audit.example.jp'
NAME = 'witness.example.net/w1'
LINES = 700
KILLS = 6


class Witness:
    """The program with its own disk, told of the log's name and public key alone."""

    def __init__(self, stack):
        self.stack, self.port = stack, free_port()
        self.state, self.log = stack.directory / 'witness', stack.logs / 'witness.log'
        self.state.mkdir(mode=0o700)
        subprocess.run([base.BUILD / 'ctl/manabiyactl', 'keys', '--directory', stack.keys], check=True, stdout=subprocess.DEVNULL)
        certificates.make(stack.tls, ('localhost', '127.0.0.1'))
        logs = self.logs = stack.directory / 'witness.logs'
        self.know(stack.keys)
        self.process = Process('witness', [
            base.BUILD / 'witness/manabiya-witness', f'--name={NAME}', f'--logs={logs}', f'--state={self.state}',
            f'--listen=127.0.0.1:{self.port}', f'--tls-certificate={stack.tls}/server.pem', f'--tls-key={stack.tls}/server.key'],
            self.log, environment=SANITIZERS)
        self.start()
        self.key = next(row['verifier'] for row in self.rows() if 'verifier' in row)

    def know(self, *directories):
        """The keys of the logs, read at the next start."""
        keys = [bytes.fromhex((directory / 'checkpoint.pub').read_text().strip()) for directory in directories]
        self.logs.write_text(''.join(verifier(f'{LOG_NAME}/log/*', 1, key) + '\n' for key in keys))

    def rows(self):
        rows = []
        for line in self.log.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                pass  # a sanitizer's
        return rows

    def start(self):
        before = len(self.log.read_text().splitlines()) if self.log.exists() else 0
        self.process.start()
        base.eventually(lambda: any('ready' in line for line in self.log.read_text().splitlines()[before:]), 'the witness is ready')

    def kill(self):
        self.process.signal(signal.SIGKILL)
        self.process.wait(10)

    def ask(self, method, path, body=b''):
        link = http.client.HTTPSConnection('localhost', self.port, timeout=30, context=ssl.create_default_context(cafile=self.stack.ca))
        try:
            link.request(method, path, body)
            answer = link.getresponse()
            return answer.status, answer.read(), answer.getheader('content-type')
        finally:
            link.close()


def setUpModule():
    global witness
    base.world = base.World()
    stack = base.world.stack
    stack.logs.mkdir(parents=True)
    unittest.addModuleCleanup(base.world.close, __name__)
    witness = Witness(stack)
    unittest.addModuleCleanup(witness.process.stop)
    stack.extra['audit'] = {'log-name': LOG_NAME, 'witness-url': f'https://localhost:{witness.port}', 'witness-key': witness.key,
                            'witness-ca': stack.ca}
    base.world.open()


class Log(log_test.Log):
    def witnessed(self):
        answer = self.admin.send('GET', '/v1/audit/log/checkpoint?witnessed=true')
        return answer.body if answer.status == 200 else b'\n0\n'

    def witnessed_size(self):
        return int(self.witnessed().split(b'\n')[1])

    def await_witness(self, size=None):
        """A checkpoint of at least this size with the witness's signature."""
        size = size or self.size()
        base.eventually(lambda: self.witnessed_size() >= size, 'the witness has signed')
        return self.witnessed()

    def rewrite(self, change):
        """While nothing of this log is with its witness: what that has signed would belong to the log as it was."""
        still = f"DO $$ BEGIN ASSERT (SELECT witnessed = sequence FROM audit.head WHERE tenant_id = '{self.id}'), 'with its witness'; END $$"

        def rewritten():
            try:
                super(Log, self).rewrite(f'{still};{change}')
            except StackError as error:
                if 'with its witness' not in str(error):
                    raise
                return False
            return True
        base.eventually(rewritten, 'nothing of this log is with its witness')

    def refusals(self):
        """How often a witness did not sign this log."""
        return sum('a witness does not sign' in line and self.id in line
                   for line in (base.world.stack.logs / 'audit.log').read_text().splitlines())


class WitnessTest(log_test.Independent):
    def test_what_grows_is_signed_by_both(self):
        log = Log('kawa')
        log.grow(LINES)
        earlier = log.await_witness()
        log.grow(300)
        checkpoint = log.await_witness()
        self.put('witness', witness.key.encode())
        size = self.collect(log, earlier, checkpoint)
        self.assertEqual(self.go(), (0, f'verified {size}\n'))
        self.assertFound('GOOD', 'checkpoint', log.keys, self.folder / 'checkpoint', witness=witness.key)
        file, proof = self.export(log, 0, size)
        self.assertFound('GOOD', 'export', log.keys, file, proof=proof, witness=witness.key)

    def test_a_missing_or_false_cosignature_is_named(self):
        log = Log('yama')
        log.grow(5)
        checkpoint = log.await_witness()
        lines = checkpoint.splitlines(keepends=True)
        own, added = lines[:-1], lines[-1]
        self.assertIn(NAME.encode(), added)
        bare = self.put('bare', b''.join(own))
        self.assertFound('GOOD', 'checkpoint', log.keys, bare)
        self.assertFound('UNWITNESSED', 'checkpoint', log.keys, bare, witness=witness.key)
        signature = bytearray(base64.b64decode(added.split(b' ')[2]))
        for at in (4, 11, 12, 75):  # the time, the signature
            changed = bytearray(signature)
            changed[at] ^= 1
            line = ' '.join(('—', NAME, base64.b64encode(changed).decode())).encode() + b'\n'
            false = self.put('false', b''.join([*own, line]))
            self.assertFound('UNWITNESSED', 'checkpoint', log.keys, false, witness=witness.key)
        other = verifier('witness.example.net/w2', 4, bytes(32))
        self.assertFound('UNWITNESSED', 'checkpoint', log.keys, self.put('good', checkpoint), witness=other)

    def test_history_rewritten_is_not_signed(self):
        log = Log('niji')
        log.grow(LINES)
        earlier = self.put('earlier', log.await_witness())
        log.rewrite(f"UPDATE audit.event SET line = replace(line, 'なわとび', 'とびばこ') WHERE tenant_id = '{log.id}' AND sequence = 300")
        before = log.refusals()
        log.grow(5)
        base.eventually(lambda: log.refusals() > before, 'the witness has refused')
        self.assertEqual(log.witnessed_size(), 0)
        file, proof = self.export(log, 0, log.size())
        self.assertFound('GOOD', 'export', log.keys, file, proof=proof)  # the log's own key signs anything
        self.assertFound('UNWITNESSED', 'export', log.keys, file, proof=proof, witness=witness.key)
        self.assertFound('FORKED', 'export', log.keys, file, proof=proof, since=earlier)

    def test_an_older_state_is_not_signed(self):
        log = Log('kumo')
        log.grow(LINES)
        log.await_witness()
        before = log.refusals()
        log.rewrite(f"DELETE FROM audit.event WHERE tenant_id = '{log.id}' AND sequence > 600")
        base.eventually(lambda: log.refusals() > before, 'the witness has refused')
        base.world.stack.sql(f"UPDATE audit.head SET witnessed = 0 WHERE tenant_id = '{log.id}'")
        before = log.refusals()
        base.eventually(lambda: log.refusals() > before, 'the witness has refused, whatever the database says that it knows')
        now = self.put('now', log.checkpoint())
        self.assertFound('GOOD', 'checkpoint', log.keys, now)
        self.assertFound('UNWITNESSED', 'checkpoint', log.keys, now, witness=witness.key)

    def test_killed_at_any_moment_it_forgets_nothing(self):
        log = Log('tsuki')
        log.grow(LINES)
        signed = [log.await_witness()]
        for _ in range(KILLS):
            log.grow(20)  # it is asked while it dies
            witness.kill()
            witness.start()
            signed.append(log.witnessed())
        signed.append(log.await_witness())
        for earlier, later in zip(signed, signed[1:]):
            sizes = [int(text.split(b'\n')[1]) for text in (earlier, later)]
            self.assertLessEqual(*sizes)
            self.put('since', earlier)
            proof = self.put('proof', log.text(f'consistency?from={sizes[0]}&to={sizes[1]}'))
            self.assertFound('GOOD', 'consistency', log.keys, self.put('now', later), since=self.folder / 'since', proof=proof,
                             witness=witness.key)

    def test_a_witness_that_hangs_delays_nothing(self):
        log = Log('hoshi')
        log.grow(5)
        log.await_witness()
        witness.process.signal(signal.SIGSTOP)
        try:
            # Whoever asks is recorded too, and what it signed until it stopped may still be on its way: it is of no longer log.
            size = int(base.world.stack.sql(f"SELECT sequence FROM audit.head WHERE tenant_id = '{log.id}'"))
            for _ in range(3):
                log.grow(5)  # waits until the log has signed
            self.assertLessEqual(log.witnessed_size(), size)
        finally:
            witness.process.signal(signal.SIGCONT)
        log.await_witness()

    def test_a_witness_whose_key_is_gone_is_no_witness_any_more(self):
        """The other way round, a disk restored with its key, is for docs/operations.md: nobody can see it."""
        copy = base.world.stack.directory / 'witness-copy'
        shutil.copytree(witness.state, copy)
        (copy / 'key').unlink()
        command = [f'--state={copy}' if part.startswith('--state') else part for part in witness.process.command]
        command = ['--listen=127.0.0.1:0' if part.startswith('--listen') else part for part in command]
        for told in (command, [command[0], 'key', f'--name={NAME}', f'--state={copy}']):
            done = subprocess.run(told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
            self.assertEqual(done.returncode, 78, done.stdout)
            self.assertFalse((copy / 'key').exists())

    def test_the_operator_sees_how_far_it_is(self):
        log = Log('mieru')
        log.grow(3)
        signed = log.await_witness()

        def ctl(*options):
            done = subprocess.run([base.BUILD / 'ctl/manabiyactl', 'witness', '--database', base.world.stack.conninfo(), *options],
                                  check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            return done.returncode, done.stdout
        size = signed.split(b'\n')[1].decode()
        # Nobody asks the service meanwhile: whoever does is recorded too.
        line = base.eventually(lambda: re.search(rf'^{log.id}\t(\d+) signed\t\1 witnessed$', ctl()[1].decode(), re.MULTILINE),
                               'the line of this log')
        self.assertGreaterEqual(int(line[1]), int(size))
        status, note = ctl('--tenant', log.id)
        self.assertEqual(status, 0)
        self.assertGreaterEqual(int(note.split(b'\n')[1]), int(size))
        self.assertEqual(note.count('— '.encode()), 2)
        self.assertEqual(ctl('--tenant', '01890000-0000-7000-8000-0000000000ff')[0], 1)

    def test_it_answers_nothing_else(self):
        self.assertEqual(witness.ask('GET', '/add-checkpoint')[0], 405)
        self.assertEqual(witness.ask('GET', '/')[0], 404)
        self.assertEqual(witness.ask('GET', '/livez')[:2], (200, b'alive\n'))
        self.assertEqual(witness.ask('POST', '/livez', b'x')[0], 405)
        self.assertEqual(witness.ask('POST', '/add-checkpoint', b'old 0\n')[0], 400)
        self.assertEqual(witness.ask('POST', '/add-checkpoint', b'x' * 100000)[0], 413)
        log = Log('mori')
        log.grow(5)
        size = int(log.await_witness().split(b'\n')[1])
        status, body, kind = witness.ask('POST', '/add-checkpoint', b'old 0\n\n' + log.checkpoint())
        self.assertEqual((status, kind), (409, 'text/x.tlog.size'))
        self.assertGreaterEqual(int(body), size)
        stranger = log.checkpoint().replace(LOG_NAME.encode(), b'audit.example.com')
        self.assertEqual(witness.ask('POST', '/add-checkpoint', b'old 0\n\n' + stranger)[0], 404)
        checkpoint = log.checkpoint()
        unsigned = checkpoint.replace(b'\n' + checkpoint.split(b'\n')[1] + b'\n', b'\n9999\n', 1)
        self.assertEqual(witness.ask('POST', '/add-checkpoint', b'old 0\n\n' + unsigned)[0], 403)


class KeyTest(log_test.Independent):
    """The key of the logs is replaced: whoever has the one or the other verifies what both signed, and the witness goes on."""

    def setUp(self):
        super().setUp()
        self.stack = base.world.stack
        self.audit = self.stack.processes['audit']
        self.kept, self.old = self.audit.command, self.stack.keys / 'checkpoint.key'
        self.addCleanup(self.sign_with)
        self.made = self.folder / 'made'
        subprocess.run([base.BUILD / 'ctl/manabiyactl', 'keys', '--directory', self.made], check=True, stdout=subprocess.DEVNULL)
        self.new = self.made / 'checkpoint.key'

    def sign_with(self, *options):
        self.audit.command = [*self.kept, *options]
        self.stack.restart('audit')
        self.stack.wait_ready(['audit'])

    def assertSigned(self, log, by, not_by=()):
        checkpoint = self.folder / 'checkpoint'
        for key in by:
            self.assertFound('GOOD', 'checkpoint', [key], checkpoint, witness=witness.key)
            self.put('key', key.encode())
            self.assertEqual(self.go()[0], 0)
        for key in not_by:
            self.assertFound('UNSIGNED', 'checkpoint', [key], checkpoint)
            self.put('key', key.encode())
            self.assertNotEqual(self.go()[0], 0)

    def test_both_sign_until_the_old_one_goes(self):
        log = Log('tsugi')
        log.grow(LINES)
        first, old = log.await_witness(), log.keys[0]
        self.put('witness', witness.key.encode())
        witness.process.stop()
        witness.know(self.stack.keys, self.made)
        witness.start()
        self.sign_with(f'--checkpoint-key={self.new}', f'--checkpoint-key-before={self.old}')
        keys = log.admin.get('/v1/audit/log/key')['keys']
        self.assertEqual(keys[1:], [old])
        log.grow(10)
        earlier = log.await_witness()
        log.grow(10)
        both = log.await_witness()
        self.collect(log, earlier, both)
        self.assertSigned(log, keys)
        self.sign_with(f'--checkpoint-key={self.new}')
        self.assertEqual(log.admin.get('/v1/audit/log/key')['keys'], keys[:1])
        log.grow(10)
        size = self.collect(log, both, log.await_witness())
        self.assertSigned(log, keys[:1], not_by=[old])
        since = self.put('since', first)
        proof = self.put('consistency', log.text(f'consistency?from={int(first.splitlines()[1])}&to={size}'))
        self.assertFound('GOOD', 'consistency', keys, self.folder / 'checkpoint', since=since, proof=proof)
        file, proof = self.export(log, 0, size)
        self.assertFound('GOOD', 'export', keys[:1], file, proof=proof, witness=witness.key)


if __name__ == '__main__':
    unittest.main()
