"""The witness that ./dev up starts beside the log: made known to audit before either runs, it signs, and still does after a stop."""

import subprocess
import unittest

import base
from stack import Stack


def witnessed_stack(directory):
    return Stack(directory, base.BUILD, has_witness=True)


def setUpModule():
    base.open_world(witnessed_stack)


def told():
    """{log: (signed, witnessed)} as manabiyactl says."""
    done = subprocess.run([base.BUILD / 'ctl/manabiyactl', 'witness', '--database', base.world.stack.conninfo()], check=True,
                          stdout=subprocess.PIPE, text=True)
    rows = [line.split('\t') for line in done.stdout.splitlines()]
    return {log: (int(signed.split()[0]), int(witnessed.split()[0])) for log, signed, witnessed in rows}


class Witness(unittest.TestCase):
    def await_all(self, more_than=0):
        """Every log, the operator's own and a contract's at least, is signed to its end by both, and they hold more than so many
        events together."""
        def is_so():
            logs = told()
            is_signed = len(logs) > 1 and all(a == b for a, b in logs.values())
            return is_signed and sum(signed for signed, _ in logs.values()) > more_than and logs
        return base.eventually(is_so, 'the witness has signed every log')

    def test_it_signs_before_and_after_a_stop(self):
        stack = base.world.stack
        base.world.tenant('kawa')
        logs = self.await_all()
        verifier, key = stack.witness_key, (stack.witness_state / 'key').read_bytes()
        for client in base.world.clients:
            client.close()  # or it would go on with a connection that has ended
        stack.stop()
        stack.start()
        self.assertEqual((stack.witness_key, (stack.witness_state / 'key').read_bytes()), (verifier, key))
        base.world.tenant('yama')
        self.await_all(more_than=sum(signed for signed, _ in logs.values()))
        self.assertNotIn('a witness does not sign', (stack.logs / 'audit.log').read_text())

    def test_the_checkpoint_carries_its_signature(self):
        admin = base.world.tenant('hoshi').admin
        answer = base.eventually(lambda: (got := admin.send('GET', '/v1/audit/log/checkpoint?witnessed=true')).status == 200 and got,
                                 'a checkpoint that is witnessed')
        name = base.world.stack.witness_key.partition('+')[0]
        self.assertIn(f'\n\u2014 {name} ', answer.body.decode())

    def test_nobody_else_may_read_its_key(self):
        state = base.world.stack.witness_state
        self.assertEqual([path.stat().st_mode & 0o077 for path in (state, state / 'key')], [0, 0])


if __name__ == '__main__':
    unittest.main()
