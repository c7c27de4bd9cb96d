"""The drill: one of two tenants is erased, and every backup that was ever made is restored.

Backups are made before, between (the contract is closed, nothing is purged yet) and after, each as a
dump and as a copy of the cluster with its WAL. Of the erased tenant nothing opens in any of them, of
the other everything but what was a child's and a teacher's who are erased there; nowhere in keyring, its replicas, backups, WAL,
Redis files, media or logs stands what people wrote or a key of theirs; and a product that is started
on the oldest backup erases both again.
"""

import base64
import os
import re
import shutil
import signal
import subprocess
import sys
import unittest
import uuid
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'flow'))
import base  # noqa: E402
from base import FlowTest, clip, eventually  # noqa: E402
from stack import SERVICES, Stack, postgres_bin, run  # noqa: E402
from tenant_keys import SLOT_SECRET, TenantKeys, keyed_hash, slots_of, unseal  # noqa: E402

MOMENTS = ('before', 'between', 'after')
BACKUPS_KEPT = ('before', 'between')  # in which the erased tenant still has rows
ERASED_WITHIN_S = 120
OPENINGS = 1  # answers that the provider's own tenant has for a day, under the contract's key: that it was opened
SLOT_ID = 16  # bytes in front of a slot's random ones
MARKS = 'C', 'A', 'B'  # of an evaluation: nobody else of this stack gets these
MARKS_IN_CLEAR = '\t{}\t'.format('\t'.join(MARKS)).encode()  # as a dump would have them
NAMELESS = re.compile('[0-9a-f-]{36}|[0-9]{4}-[0-9]{2}-[0-9]{2}T.*|AQEA[A-Za-z0-9_-]{40,}')  # an id, a time, what is sealed


class KeptStack(Stack):
    """With a Redis that writes files, and contracts whose days are over at once."""

    def __init__(self, directory):
        super().__init__(directory, base.BUILD,
                         extra={'provisioning': {'contract-export-days': 3650, 'contract-grace-days': 0}}, replicas=('nas', 'vault'))

    def _base_processes(self):
        for process in super()._base_processes():
            if process.name == 'redis':
                process.command[process.command.index('--save') + 1] = '1 1'
                process.command[process.command.index('--appendonly') + 1] = 'yes'
            yield process


class Side:
    """A tenant in which canaries were planted: texts, a video, names."""

    def __init__(self, code):
        self.code, self.tenant = code, base.world.tenant(code)
        self.id = self.tenant.contract['tenantId']
        self.goal, self.comment, self.note, self.reflection = self.texts = [
            f'カナリア{what}{uuid.uuid4()}' for what in ('目標', '助言', '評価', '感想')]
        self.video = uuid.uuid4().bytes * 8
        lesson, pupil = self.tenant.lesson(), self.tenant.enter('jido1')
        pupil.put(f'{lesson.path}/goal', goal=self.goal, condition=4)
        made = lesson.make_try(pupil, clip('cartwheel', 3) + (8 + len(self.video)).to_bytes(4, 'big') + b'free' + self.video)
        pupil.post(f'/v1/tries/{made["id"]}/submit')
        self.path = f'/v1/tries/{made["id"]}'
        lesson.teacher.post(f'{self.path}/comments', positionMs=100, text=self.comment)
        lesson.teacher.put(f'{self.path}/evaluation', note=self.note, **dict(zip(
            ('knowledgeAndSkills', 'thinkingJudgementExpression', 'proactiveAttitude'), MARKS)))
        pupil.put(f'{self.path}/reflection', feeling=1, text=self.reflection)
        self.columns = ['\x1f'.join(said) for said in ((self.goal, '4'), (*MARKS, self.note), ('1', self.reflection))]
        self.child, self.childs = self.tenant.user_id('jido2'), f'カナリア子{uuid.uuid4()}'
        self.tenant.enter('jido2').put(f'{lesson.path}/goal', goal=self.childs, condition=3)
        lesson.make_try(self.tenant.enter('jido2'))  # of which the answer is kept
        self.classmate, self.colleague = (self.tenant.user_id(username) for username in ('jido1', 'sensei'))
        self.names = self.plant_name()
        self.leaves = self.plant_teacher()
        self.key_files = {path.name: path.read_bytes() for path in keyring().glob(f'{self.id}.*')}
        self.keys = TenantKeys(base.world.stack, self.id)
        lesson.teacher.enrol()

    def plant_name(self):
        """Somebody whose names are found nowhere else."""
        family, given = 'かなりや' + os.urandom(6).hex(), 'すずめ' + os.urandom(6).hex()
        login = 'kanaria.' + os.urandom(6).hex()
        made = self.tenant.admin.post('/v1/users', username=login, role='student', familyName=family, givenName=given,
                                      kanaFamilyName='かなりあ', kanaGivenName='すずめ', grade='P3')
        self.bird = made['user']['id']
        return [family, given, login]

    def plant_teacher(self):
        """Somebody with an app, as no pupil has."""
        made = self.tenant.admin.post('/v1/users', username='sensei2', role='instructor', familyName='山田', givenName='一郎',
                                      kanaFamilyName='やまだ', kanaGivenName='いちろう')
        teacher = base.world.client()
        teacher.login_first(self.code, 'sensei2', made['initialSecret'], base.PASSWORD)
        teacher.enrol()
        return made['user']['id']

    def gone(self):
        """Whose keys are destroyed while the tenant stays."""
        return {self.child, self.leaves}

    def canaries(self):
        return [text.encode() for text in [*self.texts, *self.names, self.childs]] + [self.video, MARKS_IN_CLEAR]

    def secrets(self):
        """Key bytes of everybody: of the files as they lay, of what they hold, opened by libsodium and nothing of ours, and of each
        user's slot."""
        lay = [content[-64:] for name, content in self.key_files.items() if not name.endswith('.users')]
        derived = [self.keys.of_domain(domain, version) for version in self.keys.versions for domain in domains()]
        of_users = [secret for user in self.keys.slots for secret in self.secrets_of(str(user))]
        return [*lay, *self.keys.versions.values(), *derived, *of_users]

    def secrets_of(self, user):
        """What lay in a user's slot but the id, and the keys that are made with it."""
        return [self.keys.slots[uuid.UUID(user)][SLOT_ID:],
                *(self.keys.of_user(user, domain, version) for version in self.keys.versions for domain in domains())]


def forms(secrets):
    """As they are and as texts."""
    return [form for secret in secrets for form in (
        secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret).rstrip(b'='),
        base64.urlsafe_b64encode(secret).rstrip(b'='))]


def keyring():
    return base.world.directory / 'keyring'


# ---- what is sealed ----

def sealed_columns():
    """[(domain, table.column)] of the contract."""
    found = set()
    for path in (base.ROOT / 'proto').glob('*.yaml'):
        found |= set(re.findall(r'x-personal: ([a-z_]+)/([a-z_]+\.[a-z_]+)', path.read_text()))
    return sorted(found)


def domains():
    """Whose keys texts and videos lie under."""
    return sorted({'outbox', *(domain for domain, _ in sealed_columns())})


ANSWERING, ANSWER = ('provisioning', 'learning', 'notification'), 'idempotency.body'  # kept for a repetition
COPIES = {'person': ('person', 'member')}  # learning keeps the names of people under the same seal


class Database:
    """A restored database and what can be read of a tenant in it."""

    def __init__(self, conninfo):
        self.conninfo = conninfo

    def sql(self, text):
        return run(postgres_bin() / 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', self.conninfo, '-c', text).splitlines()

    def lines(self, tenant):
        """What unseal reads, one line for each sealed value."""
        for domain, column in sealed_columns():
            table, name = column.split('.')
            for relation, key in (row.split('|') for row in self.sql(
                    "SELECT c.oid::regclass, CASE WHEN EXISTS (SELECT FROM pg_attribute i WHERE i.attrelid = c.oid AND i.attname"
                    f" = 'id') THEN 'id' ELSE 'try_id' END FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname"
                    f" = '{name}' WHERE c.relname = ANY ('{{{','.join(COPIES.get(table, [table]))}}}') AND c.relkind = 'r'")):
                yield from self.sql(f"SELECT concat_ws(' ', 'text', tenant_id, '{domain}', '{column}', {key}, {name}) FROM"
                                    f" {relation} WHERE tenant_id = '{tenant}' AND {name} IS NOT NULL")
        for service in ANSWERING:  # of users of the tenant, and the provider's of who is in it
            yield from self.sql(f"SELECT concat_ws(' ', 'text', keys_of, 'outbox', '{ANSWER}', key, body) FROM {service}.idempotency"
                                f" WHERE keys_of = '{tenant}' AND body IS NOT NULL")
        yield from self.sql("SELECT concat_ws(' ', 'media', tenant_id, id, size, sealed_key) FROM learning.media"
                            f" WHERE tenant_id = '{tenant}' AND completed_at IS NOT NULL")


    def in_clear(self, tenant):
        """What stands in the rows of what pupils and teachers said, but who, when and what is sealed."""
        return [cell for table in ('goal', 'evaluation', 'reflection') for cell in self.sql(
            f"SELECT c.key || ' ' || c.value FROM learning.{table} r, jsonb_each_text(to_jsonb(r)) c WHERE r.tenant_id = '{tenant}'")
            if not NAMELESS.fullmatch(cell.partition(' ')[2])]


def is_about(line, user):
    """Whether a text or the key of a video lies sealed under the key of this user (libcommon/personal.h)."""
    sealed = base64.urlsafe_b64decode(line.split()[-1] + '==')
    return sealed[:2] == b'\x01\x01' and sealed[6:22] == uuid.UUID(user).bytes


def opened(lines, media):
    """(how many opened, how many failed, what the texts and their parts say)"""
    stack = base.world.stack
    if not lines:
        return 0, 0, []
    answers = subprocess.run([base.BUILD / 'tests/attack/unseal', keyring(), stack.keys / 'keyring-root.key', media],
                             input='\n'.join(lines) + '\n', check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    texts = [bytes.fromhex(line.split()[1]).decode(errors='replace') for line in answers if line.startswith('opens')]
    return len(texts), len(answers) - len(texts), [part for text in texts for part in (text, *text.split('\x1f'))]


# ---- what auth keeps ----

AUTH_KEEPS = (('account', 'id', 'password', 'password-seal', 'pwhash'), ('totp', 'user_id', 'secret', 'totp-seal', 'totp'))


def auth_opened(database, tenant):
    """[({whose password opened}, {whose did not}), the same of apps' secrets] with auth's key, which outlives everybody, and what
    there is of the tenant's salt and the users' slots; by libsodium and nothing of ours."""
    auth = bytes.fromhex((base.world.stack.keys / 'password.key').read_text())
    salt = keyring() / f'{tenant}.login'
    salt = salt.read_bytes() if salt.exists() else bytes(32)
    slots, found = slots_of(keyring(), tenant), []
    for table, whose, column, purpose, kind in AUTH_KEEPS:
        key, sides = keyed_hash(auth, purpose.encode()), (set(), set())
        for user, sealed in (row.split('|') for row in database.sql(
                f"SELECT {whose}, encode({column}, 'hex') FROM auth.{table} WHERE tenant_id = '{tenant}' AND {column} IS NOT NULL")):
            slot = slots.get(uuid.UUID(user), bytes(SLOT_SECRET))[SLOT_ID:]
            sides[not opens(keyed_hash(key, salt + slot), f'{tenant}|{user}|{kind}|3', sealed)].add(user)
        found.append(sides)
    return found


def opens(key, place, sealed):
    try:
        unseal(key, place.encode(), bytes.fromhex(sealed))
    except AssertionError:
        return False
    return True


# ---- backups ----

def backup(moment):
    stack, place = base.world.stack, backups / moment
    place.mkdir(mode=0o755)
    with open(place / 'dump.sql', 'wb') as dump:
        subprocess.run([postgres_bin() / 'pg_dump', '-d', stack.conninfo()], check=True, stdout=dump)
    run(postgres_bin() / 'pg_basebackup', '-h', stack.run / 'pg', '-U', 'postgres', '-D', place / 'cluster', '-X', 'stream',
        '--checkpoint=fast', '--no-sync')
    shutil.copytree(base.world.directory / 'media', place / 'media')


class Restored:
    """A PostgreSQL of its own on a copied cluster; the dump of the same moment lies in it too."""

    def __init__(self, moment):
        self.place = backups / moment
        self.media = self.place / 'media'

    def __enter__(self):
        self.sockets = Path('/tmp') / f'manabiya-drill-{os.getpid()}'
        self.sockets.mkdir(exist_ok=True)
        as_whom = {}
        if base.world.stack.database_user:
            run('chown', '-R', 'postgres:postgres', self.place / 'cluster', self.sockets)
            as_whom = {'user': 'postgres', 'group': 'postgres', 'extra_groups': []}
        self.log = open(self.place / 'restored.log', 'wb')
        self.server = subprocess.Popen(
            [postgres_bin() / 'postgres', '-D', self.place / 'cluster', '-k', self.sockets, '-clisten_addresses=', '-cfsync=off',
             '-cshared_buffers=32MB'], stdout=self.log, stderr=self.log, cwd='/', **as_whom)
        eventually(lambda: subprocess.run([postgres_bin() / 'psql', '-XqAt', '-d', self.conninfo('postgres'), '-c', 'SELECT 1'],
                                          check=False, stdout=self.log, stderr=self.log).returncode == 0, 'it has recovered', 60)
        subprocess.run([postgres_bin() / 'psql', '-Xq', '-d', self.conninfo('postgres'), '-c', 'CREATE DATABASE dumped'], check=True)
        run(postgres_bin() / 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', self.conninfo('dumped'), '-f', self.place / 'dump.sql')
        return {name: Database(self.conninfo(database)) for name, database in (('cluster', 'manabiya'), ('dump', 'dumped'))}

    def __exit__(self, *_):
        self.server.send_signal(signal.SIGINT)
        self.server.wait(60)
        self.log.close()
        shutil.rmtree(self.sockets)

    def conninfo(self, database):
        return f'host={self.sockets} user=postgres dbname={database}'


# ---- the drill ----

def act(side, what):
    operator, path = base.world.operator, f'/v1/contracts/{side.tenant.contract["id"]}'
    etag = operator.send('GET', path).headers['ETag']
    answer = operator.send('POST', f'{path}/{what}', {'reason': '訓練'}, {'If-Match': etag})
    assert answer.status == 200, answer.body


def certified(side):
    answer = base.world.operator.send('GET', f'/v1/contracts/{side.tenant.contract["id"]}')
    return answer.status == 200 and answer.json.get('certified')


def setUpModule():
    base.open_world(KeptStack)
    global erased, stays, backups, keys
    erased, stays = Side('owari'), Side('nokori')
    keys = [client.get('/v1/audit/log/key')['keys'][0] for client in (erased.tenant.admin, base.world.operator)]
    backups = base.world.directory / 'backups'
    backups.mkdir(mode=0o755)
    eventually(lambda: base.world.stack.sql("SELECT count(*) FROM provisioning.outbox WHERE kind = 'event'") == '0', 'events are out')
    backup('before')
    check_the_check()
    for user in stays.gone():
        base.erase_user(stays.tenant.admin, user)
    act(erased, 'close')
    backup('between')
    base.world.stack.sql("UPDATE provisioning.contract SET due_at = now() WHERE code = 'owari'")
    eventually(lambda: certified(erased), 'the tenant is erased', ERASED_WITHIN_S)
    backup('after')


def check_the_check():
    """What is to fail later opens now: or the drill would prove nothing."""
    for side in (erased, stays):
        lines = list(Database(base.world.stack.conninfo()).lines(side.id))
        n, failed, words = opened(lines, base.world.directory / 'media')
        answers = [line for line in lines if f' {ANSWER} ' in line]
        for user in (side.child, side.bird, side.classmate):
            assert any(is_about(line, user) for line in answers), (user, answers)
        assert opened(answers, base.world.directory / 'media')[:2] == (len(answers), 0)
        assert failed == 0 and n >= 6 and {*side.texts, *side.columns, *side.names, side.childs} <= set(words), (n, failed, words)
        passwords, apps = auth_opened(Database(base.world.stack.conninfo()), side.id)
        assert not passwords[1] | apps[1] and side.gone() < passwords[0] and apps[0] == {side.leaves, side.colleague}, 'auth keeps these'
        assert {uuid.UUID(user) for user in (side.bird, *side.gone())} <= set(side.keys.slots), 'their slots are known'
        slots = [slot[SLOT_ID:] for slot in side.keys.slots.values()]
        for place in (keyring(), *base.world.stack.replicas.values()):
            eventually(lambda place=place, slots=slots: set(slots) == {needle for _, needle in standing(slots, [place])},
                       'slots are found where they lie, in the replicas too')
        wrapped = [content[-64:] for name, content in side.key_files.items() if name.endswith('.key')]
        for place in base.world.stack.replicas.values():
            assert set(wrapped) == {needle for _, needle in standing(wrapped, [place])}, 'and wrapped keys'


class Drill(FlowTest):
    def test_1_no_backup_opens_the_erased_tenant_and_each_the_other(self):
        for moment in MOMENTS:
            with Restored(moment) as restored:
                for kind, database in restored.items():
                    with self.subTest(moment=moment, kind=kind):
                        media = backups / moment / 'media'
                        n, failed, _ = opened(list(database.lines(erased.id)), media)
                        self.assertEqual((n, failed > OPENINGS), (0, moment in BACKUPS_KEPT))
                        n, failed, words = opened(list(database.lines(stays.id)), media)
                        self.assertEqual(failed, sum(is_about(line, user) for line in database.lines(stays.id)
                                                     for user in stays.gone()))
                        self.assertTrue(failed > 0 or moment != 'before')
                        self.assertNotIn(stays.childs, words)
                        self.assertLessEqual(set(stays.texts + stays.columns + stays.names), set(words))
                        self.assertEqual([database.in_clear(side.id) for side in (erased, stays)], [[], []])

                    with self.subTest(moment=moment, kind=kind, of='auth'):
                        self.assertEqual([(opened, bool(failed)) for opened, failed in auth_opened(database, erased.id)],
                                         [(set(), moment in BACKUPS_KEPT)] * len(AUTH_KEEPS))
                        (passwords, lost_passwords), (apps, lost_apps) = auth_opened(database, stays.id)
                        lost = (stays.gone(), {stays.leaves}) if moment == 'before' else (set(), set())
                        self.assertEqual((lost_passwords, lost_apps), lost)
                        self.assertLessEqual({stays.classmate, stays.colleague}, passwords)
                        self.assertEqual(apps, {stays.colleague})

    def test_2_nowhere_stands_what_was_written_or_a_key(self):
        base.world.stack.sql('CHECKPOINT')
        needles = [*erased.canaries(), *stays.canaries(), *forms(
            [*erased.secrets(), *(secret for user in stays.gone() for secret in stays.secrets_of(user))])]
        places = [base.world.directory, base.world.stack.cluster]
        files = {path for place in places for path in place.rglob('*') if path.is_file() and not path.is_symlink()}
        names = {path.name for path in files}
        self.assertTrue({'dump.sql', 'audit.ndjson', 'learning.log', 'erased.ledger'} <= names and
                        any(path.parent.name == 'pg_wal' for path in files) and any(name.endswith('.rdb') for name in names))
        # The keyring and its replicas are searched like all else: the slots are there still, and hold nothing.
        self.assertEqual({path.parent for path in files if path.name == f'{stays.id}.users'},
                         {keyring(), *base.world.stack.replicas.values()})
        self.assertEqual([f'{path}: {needle[:24]!r}' for path, needle in standing(needles, places)], [])

    def test_2_the_certificate_is_verified_by_go(self):
        text = base.world.operator.send('GET', f'/v1/contracts/{erased.tenant.contract["id"]}/certificate').body.decode()
        self.assertEqual([go(key, text)[0] for key in keys], [0, 0])
        self.assertEqual(go(keys[0], text.replace('removed ', 'removed 1', 1))[0], 1)

    def test_3_a_product_on_the_oldest_backup_erases_again(self):
        stack = base.world.stack
        for name in ('gateway', *SERVICES):
            stack.processes[name].stop()
        stack.sql('DROP DATABASE manabiya WITH (FORCE)', 'postgres')  # a session of theirs may still be ending
        stack.sql('CREATE DATABASE manabiya', 'postgres')
        run(postgres_bin() / 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', stack.conninfo(), '-f', backups / 'before/dump.sql')
        said = run(base.BUILD / 'ctl/manabiyactl', 'erased', '--database', stack.conninfo(), '--erasure-ledger',
                   keyring() / 'erased.ledger')
        self.assertIn(f'{erased.id}\t-\t', said)
        for user in stays.gone():
            self.assertIn(f'{stays.id}\t{user}\t', said)
        self.assertIn('3 erased, 3 are back', said)
        stack.start()
        self.assertRefused(401, lambda: base.world.client().login(erased.code, 'jido1', base.PASSWORD), 'login_failed')
        operator = base.world.operator = base.world.client()
        operator.login('manabiya', 'operator', base.PASSWORD)
        eventually(lambda: certified(erased), 'it is erased again', ERASED_WITHIN_S)
        self.assertEqual(stack.sql(f"SELECT count(*) FROM learning.try WHERE tenant_id = '{erased.id}'"), '0')
        self.assertEqual(stack.sql(f"SELECT count(*) FROM auth.account WHERE tenant_id = '{erased.id}'"), '0')
        pupil = base.world.client()
        pupil.login(stays.code, 'jido1', base.PASSWORD)
        self.assertLessEqual({'knowledgeAndSkills': 'C', 'note': stays.note}.items(), pupil.get(stays.path)['evaluation'].items())
        for user in stays.gone():
            eventually(lambda user=user: stack.sql(f"SELECT count(*) FROM provisioning.person WHERE id = '{user}'") == '0', 'they too')
        # Erased twice is erased once: the ledger has one line of each.
        self.assertEqual((keyring() / 'erased.ledger').read_text().count('\n'), 3)


def go(key, text):
    """(status, answer) of a program that uses Go's own packages."""
    place = base.world.directory / 'go'
    place.mkdir(exist_ok=True)
    if not (place / 'certificate').exists():
        environment = {**os.environ, 'GO111MODULE': 'off', 'GOPATH': '/usr/share/gocode', 'GOFLAGS': '',
                       'GOCACHE': str(base.ROOT / '.manabiya/test/go')}
        subprocess.run(['go', 'build', '-o', place / 'certificate', Path(__file__).parent / 'log/certificate.go'],
                       env=environment, check=True)
    (place / 'certificate.txt').write_text(text)
    done = subprocess.run([place / 'certificate', key, keys[1], place / 'certificate.txt'], stdout=subprocess.PIPE, text=True,
                          check=False)
    return done.returncode, done.stdout


def standing(needles, places):
    """[(file, needle)]: grep looks for all of them at once, in lines, and names the files."""
    lines = b'\n'.join({max(needle.split(b'\n'), key=len) for needle in needles})
    done = subprocess.run(['grep', '-rlaFZ', '-D', 'skip', '-f', '-', *places], input=lines, env={**os.environ, 'LC_ALL': 'C'},
                          stdout=subprocess.PIPE, check=False)  # its status is 2 too when a file goes meanwhile
    found = [Path(os.fsdecode(name)) for name in done.stdout.split(b'\0') if name]
    return [(path, needle) for path in found for needle in held(path, needles)]


def held(path, needles):
    try:
        content = path.read_bytes()
    except FileNotFoundError:  # temporary ones come and go
        return []
    return [needle for needle in needles if needle in content]


if __name__ == '__main__':
    unittest.main()
