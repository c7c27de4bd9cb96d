"""A school moves from one installation to another that never meets it: the first is ended and gone before the second begins.

What is carried over is what a customer has: the archive, the public keys, the certificate of the erasure.
"""

import base64
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import base
import contract_flow_test as contracts
import export_flow_test as exports
import import_flow_test as imports
from base import FlowTest, clip, eventually
from stack import Stack

CODE = 'minami'
PEOPLE = {'kanri', 'sensei', *(f'jido{i}' for i in range(1, base.Tenant.PUPILS + 1))}
KEY_BYTES = 32  # of the shortest secret that a key file holds


def old_stack(directory):
    """One in which a contract that ends is erased at once."""
    return Stack(directory, base.BUILD, extra={'provisioning': {'contract-export-days': 0, 'contract-grace-days': 0}})


def setUpModule():
    global carried
    carried = move_out()
    base.open_world()


def move_out():
    """All that leaves the first installation, which is removed with everything that it had."""
    base.world = base.World(old_stack)
    try:
        base.world.open()
        return Carried()
    finally:
        base.world.close('two_installations_first')


class Carried:
    def __init__(self):
        self.tenant, self.made_try = exports.school(CODE)
        lesson = self.tenant.lesson()
        self.unit, self.skill, self.model = lesson.unit, lesson.skill, lesson.model
        self.assignment, self.class_id = lesson.assignment['id'], lesson.class_id
        self.ids = {row['username']: row['id'] for row in self.tenant.admin.pages('/v1/users')}
        self.keys = self.tenant.admin.get('/v1/audit/log/key')['keys']
        exports.begin(self.tenant.admin)
        self.archive = exports.fetch(self.tenant.admin, exports.made(self.tenant.admin)).body
        self.token = self.tenant.enter('jido1').token
        self.secrets = secrets_of(base.world)
        self.certificate = self.end()

    def end(self):
        contract, operator = self.tenant.contract['id'], base.world.operator
        contracts.act(contract, 'close')
        eventually(lambda: contracts.contract_of(self.tenant).get('certified'), 'the contract is erased', 90)
        return operator.send('GET', f'/v1/contracts/{contract}/certificate').body


def secrets_of(world):
    """The content of every key file of an installation, as it lies there."""
    files = [path for folder in (world.stack.keys, world.directory / 'keyring') for path in folder.rglob('*') if path.is_file()]
    contents = {path.name: content_of(path) for path in files if path.suffix != '.pub'}
    return {name: data for name, data in contents.items() if len(data) >= KEY_BYTES}


def content_of(path):
    try:
        return path.read_bytes().strip()
    except FileNotFoundError:  # a temporary one: they come, take another name, and go, while services write keys
        return b''


def forms_of(secret):
    """A key as it lies in its file, and the ways in which its bytes could have come elsewhere."""
    is_hex = re.fullmatch(rb'(?:[0-9a-f]{2})+', secret)
    key = bytes.fromhex(secret.decode()) if is_hex else secret
    return {secret, key, key.hex().encode(), base64.b64encode(key).rstrip(b'=')}


def verify(command, file, keys, **options):
    """The first word that the program says which customers have."""
    arguments = [f'--key={key}' for key in keys] + [f'--{name}={value}' for name, value in options.items()]
    return subprocess.run([base.BUILD / 'verify/manabiya-verify', command, *arguments, file], check=False,
                          stdout=subprocess.PIPE, text=True).stdout.partition(':')[0]


class WhatIsLeftOfTheFirst(FlowTest):
    """Checked with public keys alone, when the installation is gone."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='manabiya-carried-', dir='/tmp')
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def file(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def test_the_archive_is_what_was_signed(self):
        archive = self.file('archive.tar', carried.archive)
        self.assertEqual(verify('archive', archive, carried.keys), 'GOOD')
        strangers = base.world.operator.get('/v1/audit/log/key')['keys']
        self.assertEqual(verify('archive', archive, strangers), 'UNSIGNED')

    def test_the_log_in_it_is_whole(self):
        found = dict(exports.entries(carried.archive))
        proof, lines = self.file('proof', found['log/proof']), self.file('log.jsonl', found['log/log.jsonl'])
        self.assertEqual(verify('export', lines, carried.keys, proof=proof), 'GOOD')
        self.assertEqual(verify('checkpoint', self.file('checkpoint', found['log/checkpoint']), carried.keys), 'GOOD')
        self.assertIn(b'export_create', found['log/log.jsonl'])

    def test_what_the_operators_page_has_people_type(self):
        page = (base.ROOT / 'docs/operations.md').read_text().partition('## A school that moves\n')[2]
        commands = page.partition('```sh\n')[2].partition('```')[0]
        self.file('archive.tar', carried.archive)
        path = f'{base.BUILD / "verify"}:{os.environ["PATH"]}'
        done = subprocess.run(['bash', '-euc', commands], cwd=self.folder, env={'PATH': path, 'KEY': carried.keys[0]}, check=True,
                              stdout=subprocess.PIPE, text=True)
        self.assertEqual(done.stdout.count('GOOD:'), commands.count('manabiya-verify'), done.stdout)

    def test_the_certificate_of_the_erasure_holds(self):
        certificate = self.file('certificate', carried.certificate)
        self.assertEqual(verify('certificate', certificate, carried.keys), 'GOOD')
        self.assertIn(f'tenant {carried.tenant.contract["tenantId"]}', carried.certificate.decode())

    def test_no_key_of_it_is_in_the_archive(self):
        self.assertGreater(len(carried.secrets), 20)
        for name, data in carried.secrets.items():
            for form in forms_of(data):
                self.assertNotIn(form, carried.archive, name)


class ArrivalInTheSecond(FlowTest):
    @classmethod
    def setUpClass(cls):
        cls.admin = imports.empty(CODE)
        cls.path = imports.send(cls.admin, carried.archive)
        cls.report = imports.check(cls.admin, cls.path, verifierKey=carried.keys[0])
        cls.applied = imports.apply(cls.admin, cls.path)
        cls.issued = imports.secrets(cls.admin)
        cls.people = {who: base.world.client() for who in ('sensei', 'jido1')}
        for who, client in cls.people.items():
            base.world.arrive(client, CODE, who, cls.issued[who], is_staff=who == 'sensei')
        for who, client in cls.people.items():
            eventually(lambda is_there=client: is_there.get('/v1/assignments')['items'], f'{who} is in the class')
        cls.try_path = f'/v1/tries/{carried.made_try["id"]}'

    def test_it_was_checked_against_the_key_of_the_first(self):
        self.assertEqual((self.report['state'], self.report['faults'], self.report['signature']), ('checked', [], 'valid'))
        self.assertEqual(self.report['sourceTenantId'], carried.tenant.contract['tenantId'])
        self.assertEqual((self.applied['state'], self.applied['faults']), ('applied', []))

    def test_everybody_is_here_under_the_own_id(self):
        self.assertEqual(set(self.issued), PEOPLE)
        found = {row['username']: row['id'] for row in self.admin.pages('/v1/users')}
        self.assertEqual({**found, **carried.ids}, found)

    def test_a_video_plays_byte_for_byte(self):
        pupil = self.people['jido1']
        for media, data in ((carried.made_try['mediaId'], clip('cartwheel', 3)), (carried.model, clip('cartwheel'))):
            path = f'/v1/media/{media}/content'
            self.assertTrue(pupil.send('GET', path).body == data, 'the video is the same bytes')
            part = pupil.send('GET', path, headers={'Range': 'bytes=1000-4999'})
            self.assertTrue((part.status, part.body) == (206, data[1000:5000]), 'and so is a part of it')

    def test_the_pupil_finds_the_lesson_as_it_was(self):
        pupil = self.people['jido1']
        [assignment] = pupil.get('/v1/assignments')['items']
        self.assertEqual(assignment['id'], carried.assignment)
        seen = pupil.get(self.try_path)
        self.assertEqual((seen['try']['state'], seen['try']['skillId']), ('reflected', carried.skill['id']))
        self.assertEqual((seen['goal']['goal'], seen['reflection']['text']), ('ひざをのばす', 'うまくできた'))
        [comment] = pupil.get(f'{self.try_path}/comments')['items']
        self.assertEqual((comment['positionMs'], comment['text']), (1500, 'きれい,"とても"\nよい'))
        self.assertEqual(comment['authorId'], carried.ids['sensei'])
        self.assertEqual([row['title'] for row in pupil.get('/v1/announcements')['items']], ['夏休み'])

    def test_the_teacher_goes_on_with_it(self):
        teacher, pupil = self.people['sensei'], self.people['jido1']
        unit = teacher.get(f'/v1/units/{carried.unit["id"]}')
        self.assertEqual((unit['title'], [row['modelMediaId'] for row in unit['skills']]), ('マット運動', [carried.model]))
        self.assertEqual([row['id'] for row in teacher.get('/v1/classes')['items']], [carried.class_id])
        self.assertEqual(teacher.get(self.try_path)['evaluation']['note'], 'よくできました')
        media = pupil.upload(clip('cartwheel', 1))
        made = pupil.post('/v1/tries', assignmentId=carried.assignment, skillId=carried.skill['id'], mediaId=media)
        pupil.post(f'/v1/tries/{made["id"]}/submit')
        teacher.post(f'/v1/tries/{made["id"]}/comments', positionMs=0, text='新しい学校でも')
        pupils = {id_ for who, id_ in carried.ids.items() if who.startswith('jido')}
        eventually(lambda: {row['userId'] for row in teacher.get(f'/v1/assignments/{carried.assignment}/board')['items']} == pupils,
                   'the class stands on the board')

    def test_nothing_that_opened_the_first_opens_this(self):
        old = base.world.client()
        old.token = carried.token
        self.assertRefused(401, lambda: old.get('/v1/home'))
        kept = carried.tenant.secrets['jido2']
        self.assertRefused(401, lambda: base.world.client().login(CODE, 'jido2', kept), 'login_failed')
        ours = secrets_of(base.world)
        self.assertEqual(set(ours.values()) & set(carried.secrets.values()), set())
        self.assertFalse([name for name in ours if name.startswith(carried.tenant.contract['tenantId'])])


if __name__ == '__main__':
    unittest.main()
