"""The whole of Manabiya in containers: the images, the lesson through the published port, faults, roll-over, down."""

import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'flow'))
import base  # noqa: E402
import lesson_flow_test as lesson  # noqa: E402
from container_stack import PORTS, SERVICES, ContainerStack, image, is_open  # noqa: E402
from engine import NEXT  # noqa: E402
from load import Load, Page, Writer  # noqa: E402

SERVICE_MAX_BYTES = 60e6  # the gateway with the web client is the largest
SHELLS = ('sh', 'bash', 'dash', 'busybox', 'perl', 'python3', 'apt-get', 'dpkg')
READERS = 8
INSTANCES = 3
ALONE = (*SERVICES, 'witness')  # what stands in an image from scratch, as a user of its own


def setUpModule():
    base.open_world(lambda _: ContainerStack())
    global stack
    stack = base.world.stack


def one_reader_each():
    """Sessions of teachers who read."""
    tokens = []
    for _ in range(READERS):
        client = base.world.client()
        client.login('kumo', 'sensei', base.PASSWORD)
        tokens.append(client.token)
    return Load(stack.ca, tokens)


def one_writer():
    """A teacher who comments a pupil's new video."""
    tenant = base.world.tenant('kumo')
    made = tenant.lesson().sent_try(tenant.enter('jido1'))
    client = base.world.client()
    client.login('kumo', 'sensei', base.PASSWORD)
    return Writer(stack.ca, client.token, made['id'])


def page_of(writer):
    """The pupil's whose video it is."""
    client = base.world.client()
    client.login('kumo', 'jido1', base.PASSWORD)
    return Page(stack.ca, client.token, writer.path)


def shows_all(page, writer):
    stack.wait(lambda: sorted(page.shown) == sorted(writer.acknowledged),
               lambda: f'the page shows {len(page.shown)} of {len(writer.acknowledged)}', base.SETTLE_S)


class Containers1Images(unittest.TestCase):
    def files(self, target):
        name = stack.engine.docker('create', image(target))
        try:
            return stack.engine.run('sh', '-c', f'docker export {name} | tar -t').splitlines()
        finally:
            stack.engine.docker('rm', name)

    def test_a_service_is_small_and_holds_no_shell(self):
        for target in ALONE:
            with self.subTest(target):
                size = int(stack.engine.docker('image', 'inspect', '--format={{.Size}}', image(target)))
                self.assertLess(size, SERVICE_MAX_BYTES)
                names = {Path(file).name for file in self.files(target)}
                self.assertIn(f'manabiya-{target}', names)
                self.assertFalse(names & set(SHELLS))

    def test_each_runs_as_a_user_of_its_own_that_can_gain_nothing(self):
        users = set()
        for name in [name for target in ALONE for name in stack.instances(target)]:
            with self.subTest(name):
                about = stack.inspect(name)
                users.add(about['Config']['User'].partition(':')[0])
                self.assertTrue(about['HostConfig']['ReadonlyRootfs'])
                self.assertEqual(about['HostConfig']['CapDrop'], ['ALL'])
                self.assertIn('no-new-privileges:true', about['HostConfig']['SecurityOpt'])
                self.assertGreater(about['HostConfig']['Memory'], 0)
                self.assertGreater(about['HostConfig']['PidsLimit'], 0)
        self.assertEqual(len(users), len(ALONE))
        self.assertFalse(users & {'', '0', 'root'})

    def test_nothing_but_the_gateway_is_reachable_and_it_does_not_see_the_database(self):
        networks = {target: set(stack.inspect(stack.instances(target)[0])['NetworkSettings']['Networks'])
                    for target in (*ALONE, 'database')}
        self.assertFalse(networks['gateway'] & networks['database'])
        self.assertEqual([target for target in networks if networks[target] & networks['witness']], ['audit', 'witness'])
        for target in (*ALONE, 'database'):
            ports = stack.inspect(stack.instances(target)[0])['NetworkSettings']['Ports'] or {}
            self.assertEqual(any(ports.values()), target == 'gateway', target)

    def test_the_witness_signs(self):
        stack.wait(lambda: stack.sql('SELECT count(*) FROM audit.head WHERE witnessed > 0') != '0', 'the witness has signed a log')
        self.assertTrue(stack.is_healthy(stack.instances('witness')[0]))


class Containers2Faults(unittest.TestCase):
    """Three of learning under load; one of them is sick."""

    @classmethod
    def setUpClass(cls):
        base.world.tenant('kumo').lesson()
        cls.load = one_reader_each()
        cls.load.__enter__()
        cls.addClassCleanup(cls.load.__exit__)
        cls.writer = one_writer()
        cls.writer.__enter__()
        cls.addClassCleanup(cls.writer.__exit__)
        cls.load.settle()
        cls.truth = {body for _, body in cls.load.since(0)}
        began = time.monotonic()
        cls.names = stack.scale('learning', INSTANCES)
        stack.wait_healthy(*cls.names)
        cls.wait_up(INSTANCES)
        cls.while_scaling = cls.load.failed(began)

    @classmethod
    def wait_up(cls, n):
        stack.wait(lambda: stack.figure('manabiya_instances', service='learning') == n, f'{n} instances of learning')

    def suffer(self, begin, end):
        """One instance has the fault: only what it had under way may fail, the rest goes on, and it comes back."""
        began = time.monotonic()
        begin(self.names[1])
        well = self.load.settle()
        failed = self.load.failed(began)
        self.assertLessEqual(len(failed), READERS)  # one request each can have been there
        self.assertLessEqual(set(failed), {503})  # which says that it may be sent again
        end(self.names[1])
        self.wait_up(INSTANCES)
        self.assertEqual(self.load.failed(well), [])

    def test_1_more_instances_disturb_nobody(self):
        self.assertEqual(self.while_scaling, [])

    def test_2_a_paused_one(self):
        self.suffer(lambda name: stack.engine.docker('pause', name), lambda name: stack.engine.docker('unpause', name))

    def test_3_a_killed_one(self):
        self.suffer(lambda name: stack.engine.docker('kill', name), lambda name: stack.engine.docker('start', name))

    def test_4_one_that_is_cut_off(self):
        network = 'manabiya_bus'
        self.suffer(lambda name: stack.engine.docker('network', 'disconnect', network, name),
                    lambda name: stack.engine.docker('network', 'connect', '--alias', 'learning', network, name))

    def test_5_all_answers_were_right(self):
        self.assertEqual({body for status, body in self.load.since(0) if status == 200}, self.truth)

    def test_6_what_was_acknowledged_is_there_once(self):
        self.writer.__exit__()
        self.assertEqual(self.writer.refused, [])
        self.assertGreater(len(self.writer.acknowledged), 10)
        self.assertEqual(self.writer.missing_or_doubled(), {})


class Containers3Pages(unittest.TestCase):
    """Two of notification, which tell open pages what is new; hints that one of them had are lost with it."""

    @classmethod
    def setUpClass(cls):
        cls.names = stack.scale('notification', 2)
        stack.wait_healthy(*cls.names)

    def suffer(self, begin, end):
        with one_writer() as writer, page_of(writer) as page:
            stack.wait(lambda: len(page.shown) > 2, 'the page is told')
            begin(self.names[0])
            before = len(writer.acknowledged)
            stack.wait(lambda: len(writer.acknowledged) > before + 2, 'lessons go on')
            end(self.names[0])
            stack.wait_healthy(*self.names)
            writer.__exit__()
            shows_all(page, writer)

    def test_1_a_killed_one(self):
        self.suffer(lambda name: stack.engine.docker('kill', name), lambda name: stack.engine.docker('start', name))

    def test_2_a_paused_one(self):
        self.suffer(lambda name: stack.engine.docker('pause', name), lambda name: stack.engine.docker('unpause', name))

    def test_3_one_that_is_cut_off(self):
        self.suffer(lambda name: stack.engine.docker('network', 'disconnect', 'manabiya_bus', name),
                    lambda name: stack.engine.docker('network', 'connect', '--alias', 'notification', 'manabiya_bus', name))


class Containers4RollOver(unittest.TestCase):
    def test_every_service_is_replaced_without_a_failed_request(self):
        """And open pages miss nothing: what was written while a service was replaced is shown without anything new being written."""
        writer = one_writer()
        with one_reader_each() as load, writer:
            load.settle()
            for service in sorted(SERVICES, key='gateway'.__eq__):  # it last: those who write know the port of the old one
                with self.subTest(service), one_writer() as other, page_of(other) as page:
                    began = time.monotonic()
                    new = stack.roll_over(service)
                    load.settle()
                    self.assertEqual({stack.image_of(name) for name in new}, {image(service, NEXT)})
                    self.assertEqual(load.failed(began), [])
                    other.__exit__()
                    shows_all(page, other)
        self.assertEqual(writer.refused, [])
        self.assertGreater(len(writer.acknowledged), 10)
        self.assertEqual(writer.missing_or_doubled(), {})


class Containers5Down(unittest.TestCase):
    def test_1_stopping_takes_seconds_and_ends_well(self):
        """A program that does not hear SIGTERM as the first process would be killed after the grace."""
        for service in ALONE:
            name = stack.instances(service)[0]
            stack.engine.docker('stop', '--time', '20', name)
            with self.subTest(service):
                self.assertEqual(stack.inspect(name)['State']['ExitCode'], 0)

    def test_2_nothing_is_left(self):
        self.assertEqual(stack.take_down(), [])
        self.assertEqual([port for port in PORTS if is_open(port)], [])


def load_tests(loader, tests, pattern):
    """In this order: what breaks things comes after what only uses them."""
    lessons = [type(name, (cls,), {'__module__': __name__})  # of this module, so of its stack
               for name, cls in sorted(vars(lesson).items()) if name.startswith('Lesson')]
    own = [value for name, value in sorted(globals().items()) if name.startswith('Containers')]
    return unittest.TestSuite(map(loader.loadTestsFromTestCase, [*own[:1], *lessons, *own[1:]]))


if __name__ == '__main__':
    unittest.main()
