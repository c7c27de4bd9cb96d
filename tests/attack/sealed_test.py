"""What somebody finds who has stolen the database: a dump of it holds no name, and nothing that was written in a lesson."""

import base64
import hashlib
import hmac
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import unittest
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'flow'))
import base  # noqa: E402
from base import FlowTest  # noqa: E402
from stack import SANITIZERS, StackError, postgres_bin  # noqa: E402
from tenant_keys import Haystack, TenantKeys, memory_of, unseal  # noqa: E402

GOAL, COMMENT, NOTE, REFLECTION = WRITTEN = 'カナリア目標', 'カナリア助言', 'カナリア評価', 'カナリア感想'
FAMILY, GIVEN, KANA_FAMILY, KANA_GIVEN = NAME = 'カナリア姓', 'カナリア名', 'カナリアノヨミ', 'カナリアノナ'
CHANGED = 'カナリア新姓'
TITLE, BODY = ANNOUNCED = 'カナリアお知らせ', 'カナリア本文'
LOGIN, NOBODYS_LOGIN = 'kanariya.tori', 'kanariya.dare'
OF_TRY = '(SELECT t.user_id FROM learning.try t WHERE t.id = try_id)'
KEEPERS = 'provisioning', 'learning'  # of tenants' keys; notification does nothing with them that these do not
# What each process has for certain, where no dump has it: so the others would be found there, too.
KEPT = {'auth': ('capability.key', 'tenant-mac.key', 'password.key', 'services.password'), 'notification': ('services.password',),
        'audit': ('checkpoint.key', 'services.password'), 'gateway': ('gateway.password',),
        **dict.fromkeys(KEEPERS, ('keyring-root.key', 'key 1', 'services.password'))}
ANSWERS = 'index idempotency.key'  # libcommon/idempotency.h
REPEATED = 'kanariya-kagi-01'  # somebody's Idempotency-Key that can be guessed, of the least length
DOMAINS = ('outbox', 'text', 'name', 'media')
MARKS = {'knowledgeAndSkills': 'B', 'thinkingJudgementExpression': 'A', 'proactiveAttitude': 'C'}
NAMELESS = '^([0-9a-f-]{36}|[0-9-]{10} [0-9:.]+\\+00|AQEA[A-Za-z0-9_-]{40,})$'  # an id, a time, what is sealed for a child
CANARIES = (*WRITTEN, *NAME, CHANGED, *ANNOUNCED, LOGIN, NOBODYS_LOGIN)


def setUpModule():
    base.open_world()
    global tenant, lesson, latest
    tenant = base.world.tenant('nusumi')
    lesson = tenant.lesson()
    pupil = tenant.enter('jido1')
    pupil.put(f'{lesson.path}/goal', goal=GOAL, condition=4)
    latest = f'/v1/tries/{lesson.sent_try(pupil)["id"]}'
    lesson.teacher.post(f'{latest}/comments', positionMs=100, text=COMMENT)
    lesson.teacher.put(f'{latest}/evaluation', note=NOTE, **MARKS)
    pupil.put(f'{latest}/reflection', feeling=3, text=REFLECTION)
    plant_name()
    for writer in (tenant.admin, base.world.operator):
        writer.post('/v1/announcements', title=TITLE, body=BODY, audience='everyone')


def plant_name():
    """Somebody with a name that is found nowhere else, changed once, in a class, so that learning has it too."""
    global bird, bird_secret
    made = tenant.admin.post('/v1/users', username=LOGIN, role='student', familyName=FAMILY, givenName=GIVEN,
                             kanaFamilyName=KANA_FAMILY, kanaGivenName=KANA_GIVEN, grade='P3')
    bird, bird_secret = made['user']['id'], made['initialSecret']
    path = f'/v1/users/{bird}'
    etag = tenant.admin.send('GET', path).headers['ETag']
    tenant.admin.send('PATCH', path, {'familyName': CHANGED}, {'If-Match': etag})
    tenant.admin.post(f'/v1/classes/{lesson.class_id}/enrollments', userId=bird)


class KeysInUseTest(FlowTest):
    """What lies about of the keys while lessons go on, or when a process ends in the middle of one."""

    def setUp(self):
        self.stack, self.keys = base.world.stack, TenantKeys(base.world.stack, tenant.contract['tenantId'])

    def secrets(self):
        """{name: bytes} of all that must not be seen; random bytes of users are keys when the tenant's is known."""
        keys = self.keys
        found = self.secrets_of_files() | {'index': keys.of_domain('index person.login_index', 'index'),
                                           'answers': keys.of_domain(ANSWERS, 'index')}
        found |= {f'key {version}': key for version, key in keys.versions.items()}
        found |= {f'random bytes of {user}': slot[16:] for user, slot in keys.slots.items()}
        for version in keys.versions.keys() - {'index'}:
            found |= {f'{domain} {version}': keys.of_domain(domain, version) for domain in DOMAINS}
            found |= {f'{domain} {version} of {user}': keys.of_user(str(user), domain, version)
                      for user in keys.slots for domain in ('text', 'name')}
        return found

    def secrets_of_files(self):
        """{name: bytes} of the keys and passwords that processes are given, those of their links among them; not what the first
        operator came with, which is worth nothing by now."""
        return {path.name: bytes.fromhex(path.read_text()) for path in self.stack.keys.rglob('*')
                if path.suffix in ('.key', '.password')}

    def test_what_is_looked_for_are_the_keys(self):
        """The one of them from which most of the others are made opens what a pupil wrote."""
        user, row, sealed = self.stack.sql("SELECT user_id || ' ' || id || ' ' || content FROM learning.goal LIMIT 1").split()
        sealed = base64.urlsafe_b64decode(sealed + '=' * (-len(sealed) % 4))
        header, version = sealed[:22], str(int.from_bytes(sealed[2:6], 'big'))
        place = f'manabiya personal {header.hex()} {tenant.contract["tenantId"]} text goal.content {row}'
        opened = unseal(self.keys.of_user(user, 'text', version), place.encode(), sealed[22:])
        self.assertEqual(opened.decode(), f'{GOAL}\x1f4')

    def test_a_kept_answer_wants_the_keyring_and_the_clients_key(self):
        """Who guesses the one and has not the other finds not even the row."""
        body = {'positionMs': 300, 'text': COMMENT}
        first, again = (lesson.teacher.send('POST', f'{latest}/comments', body, {'Idempotency-Key': REPEATED}) for _ in range(2))
        self.assertEqual((first.status, again.body), (201, first.body))
        teacher, pupil = tenant.user_id('sensei'), tenant.user_id('jido1')
        kept = {row: base64.urlsafe_b64decode(body + '=' * (-len(body) % 4)) for row, body in (row.split() for row in self.stack.sql(
            "SELECT key || ' ' || body FROM learning.idempotency WHERE body IS NOT NULL").splitlines())}
        own = self.keys.of_user(teacher, ANSWERS, 'index')
        opened = {}
        for name, tenants, own, guess in (('both', self.keys.of_domain(ANSWERS, 'index'), own, REPEATED),
                                          ('no client', self.keys.of_domain(ANSWERS, 'index'), own, REPEATED[:-1] + '2'),
                                          ('no user', self.keys.of_domain(ANSWERS, 'index'), bytes(32), REPEATED),
                                          ('no tenant', bytes(32), bytes(32), REPEATED)):
            derived = [hmac.digest(tenants, f'{purpose} learning {teacher} comment_create {guess}'.encode(), 'sha256')
                       for purpose in ('id', 'seal')]
            row = derived[0].hex()
            opened[name] = row in kept and self.answer(kept[row], row, teacher, pupil, hashlib.sha256(derived[1] + own).digest())
        self.assertEqual({name: what and json.loads(what)['text'] for name, what in opened.items()},
                         {'both': COMMENT, 'no client': False, 'no user': None, 'no tenant': False})
        # Nor by what can be made of the guess alone.
        for made in (hashlib.sha256(prefix + REPEATED.encode()) for prefix in (b'', b'id:', b'id ')):
            self.assertNotIn(made.hexdigest(), kept)

    def answer(self, sealed, row, teacher, pupil, key):
        """What lies in a row of learning.idempotency, None when this key does not open it; under the pupil's."""
        place, version = tenant.contract['tenantId'], str(int.from_bytes(sealed[2:6], 'big'))
        inner = unseal(self.keys.of_user(pupil, 'outbox', version),
                       f'manabiya personal {sealed[:22].hex()} {place} outbox idempotency.body {row}'.encode(), sealed[22:])
        self.assertEqual(uuid.UUID(bytes=sealed[6:22]), uuid.UUID(pupil))
        try:
            return unseal(key, f'manabiya answer {place} {teacher} learning comment_create {row}'.encode(),
                          base64.urlsafe_b64decode(inner + b'=' * (-len(inner) % 4)))
        except AssertionError:
            return None

    def test_a_core_dump_of_a_process_holds_none(self):
        """All memory that the kernel would write into one; what is left out of it is where keys are. Who is not root may not
        even look, not at processes of his own."""
        base.eventually(base.ledgers_agree, 'nobody works with keys')
        secrets, no_secret = self.secrets(), bytes.fromhex((self.stack.keys / 'capability.pub').read_text())
        self.assertIn('gateway-auth.key', secrets)
        for service, kept in KEPT.items():
            with self.subTest(service=service):
                if os.getuid():
                    self.assertRaises(PermissionError, memory_of, self.stack.processes[service])
                    continue
                dumped, left_out = memory_of(self.stack.processes[service])
                self.assertEqual([name for name, secret in secrets.items() if dumped.holds(secret)], [])
                self.assertTrue(dumped.holds(no_secret))
                self.assertEqual([name for name in kept if not left_out.holds(secrets[name])], [])

    def test_the_logs_hold_none(self):
        logs = {path.name: Haystack(path.read_bytes()) for path in [*self.stack.logs.iterdir(), self.stack.ndjson]}
        self.assertIn(b'"op":"goal_put"', logs['learning.log'].data)
        self.assertIn(tenant.contract['tenantId'].encode(), logs['audit.ndjson'].data)
        for name, secret in self.secrets().items():
            self.assertEqual([log for log, data in logs.items() if data.holds(secret)], [], name)

    def test_the_kernel_makes_no_core_of_a_process(self):
        """However large they may be, and whatever a sanitizer thinks of them."""
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, limits)
        # Who runs the tests in the background of a shell hands on that it is ignored.
        self.addCleanup(signal.signal, signal.SIGQUIT, signal.signal(signal.SIGQUIT, signal.SIG_DFL))
        with tempfile.TemporaryDirectory() as directory:
            other = subprocess.Popen(['/usr/bin/python3', '-c', 'import os; os.kill(os.getpid(), 3)'], cwd=directory)
            if self.end_of(other) != os.CLD_DUMPED:
                self.skipTest('nothing leaves a core on this machine')
        learning = self.stack.processes['learning']
        kept, learning.environment = learning.environment, {
            'ASAN_OPTIONS': SANITIZERS['ASAN_OPTIONS'] + ':disable_coredump=0'}
        self.stack.restart('learning')
        self.stack.wait_ready()
        learning.signal(signal.SIGQUIT)  # whose default is a core, and which no handler takes
        self.assertEqual(self.end_of(learning.child), os.CLD_KILLED)
        learning.environment = kept
        self.stack.restart('learning')
        self.stack.wait_ready()

    def end_of(self, child):
        """How a process ended; it is left for its parent to hear of."""
        how = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT).si_code
        child.wait()
        return how


class StolenDatabaseTest(FlowTest):
    def test_people_read_what_was_written(self):
        detail = lesson.teacher.get(latest)
        self.assertEqual((detail['goal']['goal'], detail['evaluation']['note'], detail['reflection']['text']),
                         (GOAL, NOTE, REFLECTION))
        self.assertEqual((detail['goal']['condition'], detail['reflection']['feeling']), (4, 3))
        self.assertEqual({key: value for key, value in detail['evaluation'].items() if key in MARKS}, MARKS)
        self.assertEqual(lesson.teacher.get(f'{latest}/comments')['items'][0]['text'], COMMENT)
        self.assertEqual(lesson.board_row('jido1')['goal'], GOAL)

    def test_people_read_the_name(self):
        self.assertEqual([(user['familyName'], user['givenName']) for user in tenant.admin.pages('/v1/users', q=KANA_FAMILY)],
                         [(CHANGED, GIVEN)])

        def on_the_board():
            rows = lesson.teacher.get(f'{lesson.path}/board')['items']
            return any(row['familyName'] == CHANGED and row['kanaGivenName'] == KANA_GIVEN for row in rows)
        base.eventually(on_the_board, 'learning knows the name')

    def test_people_read_what_is_announced_here_and_by_the_operator(self):
        for path, query in (('/v1/announcements', {}), ('/v1/search', {'q': 'かなりあ本文'})):
            with self.subTest(path=path):
                answer = lesson.teacher.get(path, **query)
                found = answer.get('items') or answer['notification']['announcements']
                self.assertEqual([(item['title'], item['body'], item['fromOperator']) for item in found],
                                 [(TITLE, BODY, True), (TITLE, BODY, False)])

    def test_names_and_texts_are_under_the_childs_own_key(self):
        for table, column, whose in (('provisioning.person', 'name', 'id'), ('learning.member', 'name', 'id'),
                                     ('learning.goal', 'content', 'user_id'), ('learning.evaluation', 'content', OF_TRY),
                                     ('learning.reflection', 'content', OF_TRY)):
            with self.subTest(table=table):
                mark = f"substring(decode(translate(left({column}, 32), '-_', '+/'), 'base64') FROM 7 FOR 16)"
                self.assertEqual(base.world.stack.sql(
                    f"SELECT count(*) FROM {table} WHERE left({column}, 4) <> 'AQEA'"
                    f" OR {mark} <> decode(replace({whose}::text, '-', ''), 'hex')"), '0')

    def test_login_names_lie_nowhere_in_clear(self):
        """Nor what was typed: found, not found, and for two factors; a prefix finds it all the same."""
        code = tenant.code
        pupil = base.world.client()
        base.world.arrive(pupil, code, LOGIN, bird_secret, is_staff=False)
        self.assertEqual(pupil.get('/v1/self')['username'], LOGIN)
        for name in (LOGIN.upper(), NOBODYS_LOGIN):
            answer = pupil.send('POST', '/v1/sessions', {'tenantCode': code, 'username': name, 'password': 'chigau-kotoba'})
            self.assertEqual(answer.status, 401)
        found = tenant.admin.get('/v1/search', q=LOGIN[:10])['provisioning']['users']
        self.assertEqual([user['id'] for user in found], [bird])
        self.test_a_dump_of_the_database_does_not_hold_it()
        self.test_nor_do_the_files_of_the_database_and_the_cache()

    def test_a_dump_of_the_database_does_not_hold_it(self):
        dump = subprocess.run([postgres_bin() / 'pg_dump', '-d', base.world.stack.conninfo()], check=True,
                              stdout=subprocess.PIPE).stdout.decode()
        self.assertIn('COPY learning.comment', dump)
        for text in CANARIES:
            self.assertNotIn(text, dump)
        for table in ('goal', 'evaluation', 'reflection'):
            with self.subTest(table=table):
                rows = re.search(rf'^COPY learning\.{table} \(.*\n((?:[^\\].*\n)+)', dump, re.MULTILINE)[1]
                for cell in rows.strip().replace('\n', '\t').split('\t'):
                    self.assertRegex(cell, NAMELESS)

    def test_nor_do_the_files_of_the_database_and_the_cache(self):
        base.world.stack.sql('CHECKPOINT')
        self.save_cache()
        found = [str(path) for path in base.world.directory.rglob('*') if path.is_file() and self.holds(path)]
        self.assertEqual(found, [])

    def save_cache(self):
        """What Redis has in memory, into a file as it is."""
        stack = base.world.stack
        secret = (stack.keys / 'redis/services.password').read_text()
        for command in (('CONFIG', 'SET', 'rdbcompression', 'no'), ('SAVE',)):
            subprocess.run(['redis-cli', '-s', stack.run / 'redis', *command], check=True, stdout=subprocess.DEVNULL,
                           env={**os.environ, 'REDISCLI_AUTH': secret})
        self.assertGreater((base.world.directory / 'dump.rdb').stat().st_size, 0)

    def holds(self, path, *canaries):
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # temporary ones come and go
            return False
        return any(canary in data for canary in canaries or [text.encode() for text in CANARIES])

    def test_the_root_key_is_nowhere_but_in_its_file(self):
        kept = base.world.stack.keys / 'keyring-root.key'
        root = kept.read_text().strip()
        found = [path for path in base.world.directory.rglob('*')
                 if path.is_file() and self.holds(path, root.encode(), bytes.fromhex(root))]
        self.assertEqual(found, [kept])

    def test_a_text_moved_to_another_row_does_not_open(self):
        sql = base.world.stack.sql
        try_id = latest.rpartition('/')[2]
        kept = sql(f"SELECT content FROM learning.evaluation WHERE try_id = '{try_id}'")
        sql(f"UPDATE learning.evaluation SET content = (SELECT text FROM learning.comment WHERE try_id = '{try_id}' LIMIT 1)"
            f" WHERE try_id = '{try_id}'")
        self.assertEqual(lesson.teacher.send('GET', latest).status, 500)
        sql(f"UPDATE learning.evaluation SET content = '{kept}' WHERE try_id = '{try_id}'")
        self.assertEqual(lesson.teacher.get(latest)['evaluation']['note'], NOTE)

    def test_after_a_rotation_old_and_new_texts_are_read(self):
        stack = base.world.stack
        sealed = "SELECT string_agg(DISTINCT left(text, 8), ' ' ORDER BY left(text, 8)) FROM learning.comment"
        rotate = [base.BUILD / 'ctl/manabiyactl', 'keyring', 'rotate', '--keyring', base.world.directory / 'keyring',
                  '--keyring-root', stack.keys / 'keyring-root.key', '--tenant']
        said = subprocess.run([*rotate, tenant.contract['tenantId']], check=True, stdout=subprocess.PIPE).stdout.decode()
        self.assertEqual(said, f'{tenant.contract["tenantId"]}\tversion 2\n')
        self.assertEqual(subprocess.run([*rotate, latest.rpartition('/')[2]], check=False).returncode, 1)

        def written_under_the_new_one():
            lesson.teacher.post(f'{latest}/comments', positionMs=200, text=COMMENT)
            return stack.sql(sealed) == 'AQEAAAAB AQEAAAAC'
        base.eventually(written_under_the_new_one, 'a comment under version 2')
        self.assertEqual({comment['text'] for comment in lesson.teacher.get(f'{latest}/comments')['items']}, {COMMENT})
        self.assertEqual(lesson.teacher.get(latest)['goal']['goal'], GOAL)

    def test_what_is_sealed_is_sealed_anew_after_a_rotation(self):
        """Every column that the database wants sealed is in its service's list; mail is gone within minutes, a kept answer
        within a day."""
        demanded = set(base.world.stack.sql(
            "SELECT r.conrelid::regclass || '.' || a.attname FROM pg_constraint r JOIN pg_attribute a ON a.attrelid = r.conrelid"
            " AND a.attnum = ANY (r.conkey) WHERE pg_get_constraintdef(r.oid) LIKE '%is_sealed%'").split())
        listed = {f'{path.parent.name}.{table}.{column}' for path in (base.ROOT / 'services').glob('*/keys.c')
                  for table, column in re.findall(r'SEALED_(?:COLUMN|FOUND)\("(\w+)", "\w+", "(\w+)"', path.read_text())}
        answers = {f'{service}.idempotency.body' for service in ('auth', 'provisioning', 'learning', 'notification', 'audit')}
        self.assertEqual(demanded - {'notification.mail.body'} - answers, listed)

    def test_an_administrator_sees_what_lies_under_which_version(self):
        keys = tenant.admin.get('/v1/keys')
        self.assertEqual(keys['partial'], [])
        self.assertEqual(keys['provisioning']['versions'][0]['version'], 1)
        people = [row for row in keys['provisioning']['sealed'] if row['column'] == 'person.name']
        self.assertEqual([(row['ofUser'], row['count']) for row in people], [(True, len(list(tenant.admin.pages('/v1/users'))))])
        self.assertIn('media.sealed_key', [row['column'] for row in keys['learning']['sealed']])

    def test_the_inventory_is_what_the_tool_says(self):
        said = subprocess.run([base.BUILD / 'ctl/manabiyactl', 'algorithms'], check=True, stdout=subprocess.PIPE).stdout.decode()
        for who in (tenant.admin, base.world.operator):
            items = who.get('/v1/algorithms')['items']
            self.assertEqual(len(items), len(said.splitlines()))
            for item, line in zip(items, said.splitlines()):
                self.assertTrue(line.split('\t')[1].startswith(item['name']), line)
        texts = next(item for item in items if item['use'] == 'tenantText')
        self.assertIn({'unit': 'key', 'value': 256}, texts['figures'])

    def test_the_database_takes_nothing_in_the_clear(self):
        with self.assertRaises(StackError):
            base.world.stack.sql("UPDATE learning.comment SET text = 'in the clear'")
        for table in ('goal', 'evaluation', 'reflection'):
            with self.assertRaises(StackError):
                base.world.stack.sql(f"UPDATE learning.{table} SET content = 'A'")
        for table in ('provisioning.person', 'learning.member'):
            with self.assertRaises(StackError):
                base.world.stack.sql(f"UPDATE {table} SET name = 'in the clear'")
        for table, column in (('provisioning.person', 'login'), ('provisioning.person', 'login_index'),
                              ('auth.account', 'login_index')):
            with self.assertRaises(StackError):
                base.world.stack.sql(f"UPDATE {table} SET {column} = 'in the clear'")


if __name__ == '__main__':
    unittest.main()
