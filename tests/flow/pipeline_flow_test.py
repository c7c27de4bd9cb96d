"""The log pipeline into real receivers: each gets every event, whatever becomes of it meanwhile, and none holds up
the product or another."""

import json
import shutil
import signal
import tempfile
import unittest
from pathlib import Path

import base
import certificates
from base import FlowTest, eventually
from receivers import Rsyslog
from stack import Stack

OPERATOR_TENANT = '00000000-0000-7000-8000-000000000001'
LOG_NAME = 'audit.example.jp'


def setUpModule():
    global directory, rsyslog
    directory = Path(tempfile.mkdtemp(prefix='manabiya-pipeline-', dir='/tmp'))
    unittest.addModuleCleanup(shutil.rmtree, directory)
    (directory / 'syslog').mkdir()
    rsyslog = Rsyslog(directory / 'syslog')
    unittest.addModuleCleanup(rsyslog.process.stop)
    options = {'log-name': LOG_NAME,
               'pipeline-syslog': f'localhost:{rsyslog.port}', 'pipeline-syslog-ca': rsyslog.tls / 'ca.pem'}
    base.open_world(lambda place: Stack(place, base.BUILD, extra={'audit': options}))


def stored():
    """Every line of the log, by (tenant, sequence)."""
    text = base.world.stack.sql("SELECT tenant_id || ' ' || sequence || ' ' || line FROM audit.event")
    rows = [line.split(' ', 2) for line in text.splitlines()]
    return {(tenant, int(sequence)): line for tenant, sequence, line in rows}


def place_of(line):
    metadata = json.loads(line)['metadata']
    return metadata.get('tenant_uid', OPERATOR_TENANT), metadata['sequence']


class Pipeline:
    """What holds for every sink; each class below says which `receiver` it is about."""

    def setUp(self):
        self.tenant = base.world.tenant('minato')
        self.admin = self.tenant.admin
        if not self.receiver.process.is_alive():
            self.receiver.process.start()

    def happen(self, n):
        """Audited calls: searching the log is itself an event."""
        for _ in range(n):
            self.assertEqual(self.admin.send('GET', '/v1/audit/events?limit=1').status, 200)

    def settled(self):
        """The log, when everything that has happened is in it."""
        operation = f'settled-{len(stored())}'
        self.happen(1)
        seen = []

        def is_quiet():
            seen.append(len(stored()))
            return len(seen) > 10 and len(set(seen[-10:])) == 1
        eventually(is_quiet, operation)
        return stored()

    def assertComplete(self):
        """Everything that stands in the log, byte for byte, and of each tenant in its order."""
        def is_complete():
            wanted = self.settled()
            got = self.receiver.lines()
            return set(wanted.values()) <= set(got) and got
        got = eventually(is_complete, 'the receiver has all of the log', 60)
        log = stored()
        first_seen = {}
        for line in got:
            self.assertEqual(line, log[place_of(line)])
            first_seen.setdefault(place_of(line), len(first_seen))
        for tenant in {tenant for tenant, _ in first_seen}:
            sequences = [sequence for of, sequence in first_seen if of == tenant]
            self.assertEqual(sequences, list(range(1, len(sequences) + 1)))

    def test_every_event_arrives_as_it_is_stored(self):
        self.happen(5)
        self.assertComplete()

    def test_killed_it_holds_up_nothing_and_misses_nothing(self):
        for _ in range(2):
            self.assertComplete()  # what it was just taking it might lose by itself
            self.receiver.process.signal(signal.SIGKILL)
            self.receiver.process.wait(10)
            self.happen(20)
            self.the_rest_goes_on()
            self.receiver.process.start()
            self.happen(20)
        self.assertComplete()

    def test_stopped_it_holds_up_nothing_and_misses_nothing(self):
        self.receiver.process.signal(signal.SIGSTOP)
        self.addCleanup(self.receiver.process.signal, signal.SIGCONT)
        self.happen(30)
        self.the_rest_goes_on()
        self.receiver.process.signal(signal.SIGCONT)
        self.assertComplete()

    def test_audit_killed_loses_nothing(self):
        self.happen(30)
        base.world.stack.kill('audit')
        base.world.stack.restart('audit')
        base.world.stack.wait_ready(['audit'])
        self.happen(5)
        self.assertComplete()

    def the_rest_goes_on(self):
        """While this receiver is away: checkpoints are signed, and the file gets everything."""
        last = base.world.stack.sql(f"SELECT max(sequence) FROM audit.event WHERE tenant_id = '{self.tenant_id()}'")
        eventually(lambda: int(self.admin.send('GET', '/v1/audit/log/checkpoint').body.split(b'\n')[1]) >= int(last),
                   'the log is signed')
        eventually(lambda: set(stored().values()) <= set(base.world.stack.ndjson.read_text().splitlines()),
                   'the file has all of the log')

    def tenant_id(self):
        return self.tenant.contract['tenantId']


class Syslog(Pipeline, FlowTest):
    @property
    def receiver(self):
        return rsyslog

    def test_a_receiver_that_is_another_gets_nothing(self):
        self.assertComplete()
        had = len(rsyslog.lines())
        self.become('elsewhere.example')
        self.happen(5)
        log = base.world.stack.logs / 'audit.log'
        eventually(lambda: 'hostname mismatch' in log.read_text(), 'audit says why')
        self.the_rest_goes_on()
        self.assertEqual(len(rsyslog.lines()), had)
        self.become('localhost')
        self.assertComplete()

    def become(self, name):
        rsyslog.process.stop()
        certificates.make_server(rsyslog.tls, (name,))
        rsyslog.process.start()

    def test_messages_say_what_they_are(self):
        self.happen(1)
        self.assertRefused(401, lambda: base.world.client().login('minato', 'kanri', 'wrong'))
        self.assertComplete()
        messages = {message[4]: message for message in rsyslog.messages()}
        self.assertEqual(messages['audit.audit_search'][:4], ('audit', 'info', LOG_NAME, 'manabiya'))
        failed = [message[1] for message in rsyslog.messages() if json.loads(message[5])['status_id'] == 2]
        self.assertEqual(set(failed), {'warning'})


if __name__ == '__main__':
    unittest.main()
