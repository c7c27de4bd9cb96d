"""The log pipeline into real receivers: each gets every event, whatever becomes of it meanwhile, and none holds up
the product or another."""

import http.client
import json
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import unittest
from contextlib import contextmanager
from pathlib import Path

import base
import certificates
from base import ROOT, FlowTest, eventually
from receivers import Collector, Hanging, Redis, RedisError, Rsyslog, as_entries, read_group
from stack import Stack, run

OPERATOR_TENANT = '00000000-0000-7000-8000-000000000001'
LOG_NAME = 'audit.example.jp'
SENDERS = ('auth', 'provisioning', 'learning', 'notification')
MAX_LENGTH = 10000  # of the stream: more than all tests together make
SHORT_LENGTH = 100


def setUpModule():
    global directory, rsyslog, redis, collector
    directory = Path(tempfile.mkdtemp(prefix='manabiya-pipeline-', dir='/tmp'))
    unittest.addModuleCleanup(shutil.rmtree, directory)
    for name in ('syslog', 'redis', 'otlp'):
        (directory / name).mkdir()
    rsyslog, redis, collector = Rsyslog(directory / 'syslog'), Redis(directory / 'redis'), Collector(directory / 'otlp')
    for receiver in (rsyslog, redis, collector):
        unittest.addModuleCleanup(receiver.process.stop)
    options = {'log-name': LOG_NAME,
               'pipeline-syslog': f'localhost:{rsyslog.port}', 'pipeline-syslog-ca': rsyslog.tls / 'ca.pem',
               'pipeline-syslog-certificate': rsyslog.client / 'server.pem', 'pipeline-syslog-key': rsyslog.client / 'server.key',
               'pipeline-redis': f'127.0.0.1:{redis.port}', 'pipeline-redis-user': redis.USER,
               'pipeline-redis-password': redis.own_password, 'pipeline-redis-max-length': MAX_LENGTH,
               'pipeline-otlp-url': f'https://localhost:{collector.port}/v1/logs',
               'pipeline-otlp-ca': collector.tls / 'ca.pem', 'pipeline-otlp-header': collector.header}
    base.open_world(lambda place: Stack(place, base.BUILD, extra={'audit': options}))


def stored():
    """Every line of the log, by (tenant, sequence)."""
    text = base.world.stack.sql("SELECT tenant_id || ' ' || sequence || ' ' || line FROM audit.event")
    rows = [line.split(' ', 2) for line in text.splitlines()]
    return {(tenant, int(sequence)): line for tenant, sequence, line in rows}


def place_of(line):
    metadata = json.loads(line)['metadata']
    return metadata.get('tenant_uid', OPERATOR_TENANT), metadata['sequence']


class Happening:
    """What happens, and where it must have arrived."""

    def setUp(self):
        self.tenant = base.world.tenant('minato')
        self.admin = self.tenant.admin
        for receiver in (rsyslog, redis, collector):
            if not receiver.process.is_alive():
                receiver.start()

    def happen(self, n):
        """Audited calls: searching the log is itself an event."""
        for _ in range(n):
            self.assertEqual(self.admin.send('GET', '/v1/audit/events?limit=1').status, 200)

    def settled(self):
        """The log, when everything that has happened is in it: the gateway tells of requests in their order and in a while."""
        last = self.admin.send('GET', '/v1/audit/events?limit=1').headers['X-Request-Id']
        eventually(lambda: any('"gateway.request"' in line and last in line for line in stored().values()), 'the last request is in it')
        eventually(lambda: not self.on_their_way(), 'what services had to tell is in it')
        seen = []

        def is_quiet():
            seen.append(len(stored()))
            return len(seen) >= 5 and len(set(seen[-5:])) == 1
        eventually(is_quiet, 'nothing more comes')
        return stored()

    def on_their_way(self):
        rows = ' UNION ALL '.join(f"SELECT 1 FROM {service}.outbox WHERE consumer = 'audit'" for service in SENDERS)
        return base.world.stack.sql(rows)

    def assertHaveAll(self, *receivers):
        """Everything that stands in the log, byte for byte, and of each tenant in its order."""
        wanted = set(self.settled().values())
        for receiver in receivers:
            self.assertHasAll(receiver, wanted)

    def assertHasAll(self, receiver, wanted):
        try:
            eventually(lambda: wanted <= set(receiver.lines()), 'the receiver has all of the log', 60)
        except AssertionError:
            missing = wanted - set(receiver.lines())
            self.fail(f'{len(missing)} of {len(wanted)} are missing: {sorted(map(place_of, missing))[:20]}')
        got = receiver.lines()
        log = stored()
        first_seen = {}
        for line in got:
            self.assertEqual(line, log[place_of(line)])
            first_seen.setdefault(place_of(line), len(first_seen))
        for tenant in {tenant for tenant, _ in first_seen}:
            sequences = [sequence for of, sequence in first_seen if of == tenant]
            self.assertEqual(sequences, list(range(1, len(sequences) + 1)))

    def the_rest_goes_on(self):
        """While a receiver is away: checkpoints are signed, and the file and whoever is there get everything."""
        last = base.world.stack.sql(f"SELECT max(sequence) FROM audit.event WHERE tenant_id = '{self.tenant_id()}'")
        eventually(lambda: int(self.admin.send('GET', '/v1/audit/log/checkpoint').body.split(b'\n')[1]) >= int(last),
                   'the log is signed')
        wanted = set(stored().values())
        eventually(lambda: wanted <= set(base.world.stack.ndjson.read_text().splitlines()), 'the file has all of the log')
        for receiver in self.others():
            eventually(lambda receiver=receiver: wanted <= set(receiver.lines()), 'another receiver has all of the log')

    def tenant_id(self):
        return self.tenant.contract['tenantId']

    def pipeline(self, *words):
        stack = base.world.stack
        return run(stack.build / 'ctl/manabiyactl', 'pipeline', *words, '--database', stack.conninfo())


class Pipeline(Happening):
    """What holds for every sink; each class below says which `sink` and `receiver` it is about."""

    def assertComplete(self):
        self.assertHaveAll(self.receiver)

    def others(self):
        return [receiver for receiver in (rsyslog, redis, collector) if receiver is not self.receiver]

    def test_every_event_arrives_as_it_is_stored(self):
        self.happen(5)
        self.assertComplete()

    def test_killed_it_holds_up_nothing_and_misses_nothing(self):
        for _ in range(2):
            self.assertComplete()
            self.waits_for_nothing()  # what it was just taking it might lose by itself
            self.receiver.process.signal(signal.SIGKILL)
            self.receiver.process.wait(10)
            self.happen(20)
            self.the_rest_goes_on()
            eventually(lambda: self.failing_seconds() > 0, 'the figures say that it fails')
            self.receiver.start()
            self.happen(20)
        self.assertComplete()
        eventually(lambda: self.failing_seconds() == 0, 'the figures say that it is well')

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

    def failing_seconds(self):
        stack = base.world.stack
        link = http.client.HTTPSConnection('localhost', stack.admin_port, timeout=30,
                                           context=ssl.create_default_context(cafile=str(stack.ca)))
        link.request('GET', '/metrics')
        text = link.getresponse().read().decode()
        link.close()
        return int(re.search(rf'^manabiya_pipeline_failing_seconds{{sink="{self.sink}"}} (\d+)$', text, re.MULTILINE)[1])

    def waits_for_nothing(self):
        eventually(lambda: f'{self.sink}\t0 waiting' in self.pipeline('list'), 'the receiver has got all of it')

    def set_back(self, *options):
        self.pipeline('rewind', '--sink', self.sink, *options)


class Syslog(Pipeline, FlowTest):
    sink = 'syslog'

    @property
    def receiver(self):
        return rsyslog

    def test_a_receiver_that_is_another_gets_nothing(self):
        self.assertComplete()
        self.become('elsewhere.example')
        had = len(rsyslog.lines())
        self.happen(5)
        log = base.world.stack.logs / 'audit.log'
        eventually(lambda: 'hostname mismatch' in log.read_text(), 'audit says why')
        self.the_rest_goes_on()
        self.assertEqual(len(rsyslog.lines()), had)
        self.become('localhost')
        self.assertComplete()

    def test_to_the_receiver_we_are_who_we_say(self):
        self.assertComplete()
        good = (rsyslog.client / 'server.pem').read_bytes(), (rsyslog.client / 'server.key').read_bytes()
        rsyslog.process.stop()  # what is on its way arrives before, or with another name after
        certificates.make_server(rsyslog.client, ('somebody.example',))
        had = len(rsyslog.lines())
        rsyslog.start()
        for _ in range(3):
            self.happen(5)
            self.the_rest_goes_on()
        eventually(lambda: 'syslog\t0 waiting' not in self.pipeline('list'), 'something waits')
        self.assertEqual(len(rsyslog.lines()), had)
        for name, data in zip(('server.pem', 'server.key'), good):
            (rsyslog.client / name).write_bytes(data)
        self.assertComplete()

    def become(self, name):
        rsyslog.process.stop()
        certificates.make_server(rsyslog.tls, (name,))
        rsyslog.start()

    def test_messages_say_what_they_are(self):
        self.happen(1)
        self.assertRefused(401, lambda: base.world.client().login('minato', 'kanri', 'wrong'))
        self.assertComplete()
        messages = {message[4]: message for message in rsyslog.messages()}
        self.assertEqual(messages['audit.audit_search'][:4], ('audit', 'info', LOG_NAME, 'manabiya'))
        failed = [message[1] for message in rsyslog.messages() if json.loads(message[5])['status_id'] == 2]
        self.assertEqual(set(failed), {'warning'})


class RedisStream(Pipeline, FlowTest):
    sink = 'redis'

    @property
    def receiver(self):
        return redis

    def test_of_two_consumers_one_dies_and_the_other_gets_its_share(self):
        self.assertComplete()
        group = 'siem'
        dying, living = redis.make_group(group), redis.link()
        had = set(self.take_all(dying, group))
        self.happen(40)
        self.assertComplete()
        lost = read_group(dying, group, 'dying', 15)  # and dies before it acknowledges
        dying.close()
        self.assertEqual(len(lost), 15)
        there = {fields['line'] for _, fields in as_entries(living.ask('XRANGE', redis.STREAM, '-', '+'))}
        got = self.take_all(living, group)
        claimed = as_entries(living.ask('XAUTOCLAIM', redis.STREAM, group, 'living', '0', '0', 'COUNT', '100')[1])
        self.assertEqual(claimed, lost)
        living.ask('XACK', redis.STREAM, group, *(number for number, _ in claimed))
        everything = had | set(got) | {fields['line'] for _, fields in claimed}
        self.assertLessEqual(there, everything)
        self.assertEqual(living.ask('XPENDING', redis.STREAM, group)[0], 0)
        living.close()

    def take_all(self, link, group):
        lines = []
        while entries := read_group(link, group, 'living', 50):
            link.ask('XACK', redis.STREAM, group, *(number for number, _ in entries))
            lines += [fields['line'] for _, fields in entries]
        return lines

    def test_who_was_away_too_long_finds_a_gap_and_reads_it_by_sequence(self):
        self.keep_about(SHORT_LENGTH)
        self.addCleanup(self.keep_about, MAX_LENGTH)
        self.assertComplete()
        self.happen(SHORT_LENGTH + 300)
        self.settled()
        self.waits_for_nothing()
        self.the_rest_goes_on()  # only what is signed can be read
        link = redis.link()
        self.assertLess(link.ask('XLEN', redis.STREAM), SHORT_LENGTH + 100)  # whole nodes of a hundred go
        link.close()
        mine = sorted({sequence for tenant, sequence in map(place_of, redis.lines()) if tenant == self.tenant_id()})
        gaps = [(one, other) for one, other in zip(mine, mine[1:]) if other > one + 1]
        self.assertEqual(len(gaps), 1)
        last, following = gaps[0]  # leaves are numbered from 0
        answer = self.admin.send('GET', f'/v1/audit/log/export?first={last}&end={following - 1}')
        missed = answer.body.decode().splitlines()
        self.assertEqual([place_of(line)[1] for line in missed], list(range(last + 1, following)))
        at = [place_of(line) for line in redis.read].index((self.tenant_id(), last)) + 1
        redis.read[at:at] = missed
        self.assertComplete()

    def keep_about(self, length):
        stack, option = base.world.stack, '--pipeline-redis-max-length='
        audit = stack.processes['audit']
        audit.command = [option + str(length) if word.startswith(option) else word for word in audit.command]
        stack.restart('audit')
        stack.wait_ready(['audit'])

    def test_it_is_sent_again_what_it_asks_for(self):
        self.happen(60)
        self.assertComplete()
        self.waits_for_nothing()
        had, first = len(redis.lines()), max(sequence for tenant, sequence in stored() if tenant == self.tenant_id()) - 50
        self.set_back('--tenant', self.tenant_id(), '--sequence', first)
        wanted = [line for place, line in sorted(stored().items()) if place[0] == self.tenant_id() and place[1] >= first]

        def again():
            # Before them, what was just on its way; between them, what happens to others.
            lines = [line for line in redis.lines()[had:] if place_of(line)[0] == self.tenant_id()]
            first_at = lines.index(wanted[0]) if wanted[0] in lines else 0
            return lines[first_at:first_at + len(wanted)] == wanted
        eventually(again, 'it has them once more')

    def test_while_a_script_keeps_it_busy_it_holds_up_nothing(self):
        self.assertComplete()
        link, other = redis.link(), redis.link()
        link.say('EVAL', 'while true do end', '0')
        self.happen(5)
        log = base.world.stack.logs / 'audit.log'
        eventually(lambda: 'Redis: BUSY' in log.read_text(), 'audit says why')
        self.the_rest_goes_on()
        other.ask('SCRIPT', 'KILL')
        with self.assertRaises(RedisError):
            link.answer()
        link.close()
        other.close()
        self.assertComplete()

    def test_redis_lets_it_do_nothing_else(self):
        link = redis.link()
        link.ask('AUTH', redis.USER, redis.own_password.read_text())
        for words in (('XRANGE', redis.STREAM, '-', '+'), ('XADD', 'other', '*', 'a', 'b'), ('DEL', redis.STREAM)):
            with self.assertRaisesRegex(RedisError, 'NOPERM'):
                link.ask(*words)
        link.close()


class Otlp(Pipeline, FlowTest):
    sink = 'otlp'

    @property
    def receiver(self):
        return collector

    def test_records_say_what_they_are(self):
        self.happen(3)
        self.assertComplete()
        self.assertFalse((collector.directory / 'malformed').exists())
        for resource, scope, record in collector.records():
            line, named = json.loads(record['body']), record['attributes']
            self.assertEqual((resource, scope), ({'service.name': 'manabiya', 'host.name': LOG_NAME}, 'manabiya.audit'))
            self.assertEqual(record['timeUnixNano'], line['time'] * 10**6)
            self.assertGreaterEqual(record['observedTimeUnixNano'], record['timeUnixNano'])
            self.assertEqual((named['manabiya.tenant'], named['manabiya.sequence']), place_of(record['body']))
            self.assertEqual((named['log.record.uid'], named['manabiya.operation']),
                             (line['metadata']['uid'], line['api']['operation']))

    def test_opentelemetrys_own_messages_hold_all_of_it(self):
        self.happen(3)
        self.assertComplete()
        body = (collector.directory / 'request.json').read_text()
        self.assertGreater(self.held(body), 0)
        for right, wrong in (('"timeUnixNano"', '"time_unix"'), ('"stringValue"', '"textValue"'), ('"logRecords"', '"records"')):
            with self.assertRaises(subprocess.CalledProcessError):
                self.held(body.replace(right, wrong))

    def held(self, body):
        """How many records of it they hold (tests/otlp/check.js)."""
        folder = subprocess.run([ROOT / 'tools/node'], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        said = subprocess.run([f'{folder}/node', ROOT / 'tests/otlp/check.js'], input=body, text=True, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return int(said.stdout)

    def test_a_busy_one_is_asked_again(self):
        self.assertComplete()
        with self.flag('busy'):
            self.happen(10)
            self.the_rest_goes_on()
            self.is_logged('the collector answers 503')
        self.assertComplete()

    def test_a_record_that_is_turned_down_is_told_and_holds_up_nothing(self):
        self.assertComplete()
        with self.flag('picky'):
            self.happen(10)
            self.is_logged('the collector turned down log records')
            self.settled()
            self.waits_for_nothing()
        self.assertTrue(set(stored().values()) - set(collector.lines()))
        collector.file.unlink()
        self.set_back()
        self.assertComplete()

    @contextmanager
    def flag(self, name):
        path = collector.directory / name
        path.touch()
        try:
            yield
        finally:
            path.unlink()

    def is_logged(self, text):
        eventually(lambda: text in (base.world.stack.logs / 'audit.log').read_text(), f'audit says: {text}')


class Together(Happening, FlowTest):
    """All receivers but the file hang, in each way in which one can."""

    def others(self):
        return []

    def test_however_they_hang_the_rest_goes_on_and_audit_can_end(self):
        audit = base.world.stack.processes['audit']
        self.assertHaveAll(rsyslog, redis, collector)
        for receiver in (rsyslog, redis, collector):
            receiver.process.stop()
        for way in Hanging.WAYS:
            with self.hanging(way) as hanging:
                self.happen(5)
                for each in hanging:
                    eventually(each.holds, f'{type(each.receiver).__name__} {way}, and is waited for')
                self.the_rest_goes_on()
                if way == Hanging.WAYS[-1]:
                    self.assertTrue(audit.stop(), 'it ends by itself')
        base.world.stack.restart('audit')
        base.world.stack.wait_ready(['audit'])
        for receiver in (rsyslog, redis, collector):
            receiver.start()
        self.assertHaveAll(rsyslog, redis, collector)

    @contextmanager
    def hanging(self, way):
        hanging = [Hanging(receiver, way) for receiver in (rsyslog, redis, collector)]
        try:
            yield hanging
        finally:
            for each in hanging:
                each.close()


if __name__ == '__main__':
    unittest.main()
