"""The demo board of education, loaded through the public API only, as its people would.

Everybody and everything in it is fictional. Passwords are random and go into the file that
`./dev demo` reads; the platform itself never issues one that can be guessed.
"""

import csv
import io
import secrets
import time

import clips
import people
from api import Client, Problem

OPERATOR_TENANT, OPERATOR = 'manabiya', 'operator'
CONTRACT = {'name': 'ひばり野町教育委員会(架空)', 'code': 'hibarino', 'administratorUsername': 'kanri'}
COLUMNS = ('username', 'role', 'familyName', 'givenName', 'kanaFamilyName', 'kanaGivenName', 'grade', 'school', 'class')
SETTLE_S = 60  # rosters reach the lesson service through the outbox, a few hundred rows at a time

MAT_CODE, VAULT_CODE, APPARATUS_CODE = '82G02C3211000000', '82G02C3213000000', '82G02C3200000000'
# name, area, course-of-study code, points to look at, the clip's move
SKILLS = (
    ('ゆりかご', 'mat', MAT_CODE, 'ひざを かかえて、せなかを まるくする。', 'forward_roll'),
    ('前転', 'mat', MAT_CODE, '手を ついて こしを 上げ、頭の うしろから まわる。', 'forward_roll'),
    ('後転', 'mat', MAT_CODE, '手のひらで マットを おして、頭を こえる。', 'backward_roll'),
    ('開脚前転', 'mat', MAT_CODE, '足を ひらく のは 最後。手は またの 間に つく。', 'forward_roll'),
    ('側方倒立回転', 'mat', MAT_CODE, 'こしを 高く。手・手・足・足の じゅんに つく。', 'cartwheel'),
    ('壁倒立', 'mat', MAT_CODE, 'かたの 上に こしを のせる。目は 手と 手の 間。', 'cartwheel'),
    ('開脚跳び', 'vault', VAULT_CODE, '両足で 強く ふみきり、手を 前に つく。', 'vault'),
    ('かかえ込み跳び', 'vault', VAULT_CODE, 'ひざを むねに 引きつける。', 'vault'),
    ('台上前転', 'vault', VAULT_CODE, 'こしを 高く 上げて から まわる。', 'forward_roll'),
    ('前回り下り', 'bar', APPARATUS_CODE, 'うでを のばして 体を ささえる。', 'forward_roll'),
)
UNITS = (('マット運動', '基本の技から、自分の めあてに 合った 技に ちょうせんします。', 'mat'),
         ('跳び箱運動', 'ふみきりと 着手を たしかめて、安全に 跳びます。', 'vault'))
GOALS = ('ひざを のばして まわる', '手を しっかり つく', 'こしを 高く 上げる', 'まっすぐ 立って 終わる',
         '目線を 手と 手の 間に する', 'りずむよく れんぞくで する')
COMMENTS = ((800, '手を つく 位置が とても いいです。'), (2400, 'ここで こしが 高く 上がっています。次は 足を もっと のばしましょう。'),
            (3200, '最後まで 前を 見て 立てました。'))
FEELINGS = ((3, '体が ふわっと した。'), (2, 'もう 少しで まっすぐに なりそう。'))


def password(groups):
    """Four characters a group, without look-alikes, as people must type it."""
    alphabet = 'abcdefghjkmnpqrstuvwxyz23456789'
    return '-'.join(''.join(secrets.choice(alphabet) for _ in range(4)) for _ in range(groups))


STAFF_GROUPS, PUPIL_GROUPS = 4, 2  # 19 and 9 characters; the least are 15 and 8


def roster_csv(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def import_users(admin, rows):
    """A dry run, then the real one. Returns {username: one-time secret}."""
    for dry_run in ('true', 'false'):
        answer = admin.call('POST', f'/v1/imports/users?dryRun={dry_run}', roster_csv(rows),
                            {'Content-Type': 'text/csv; charset=utf-8'})
        if answer['errors']:
            raise RuntimeError(f'the roster was refused: {answer["errors"][:3]}')
    return {row['username']: row['secret'] for row in answer['secrets']}


def patiently(action, statuses=(403, 404, 409)):
    """Until what another service must first hear of has arrived."""
    end = time.monotonic() + SETTLE_S
    while True:
        try:
            return action()
        except Problem as problem:
            if problem.answer.status not in statuses or time.monotonic() > end:
                raise
            time.sleep(0.1)


class Seed:
    def __init__(self, address, ca, directory, say):
        self.address, self.ca, self.directory, self.say = address, ca, directory, say
        self.logins = []

    def person(self):
        return Client(self.address, self.ca)

    def enter(self, role, code, username, secret, groups=STAFF_GROUPS, note=None):
        """First login of somebody; remembered as a demo login when it has a note."""
        client, chosen = self.person(), password(groups)
        client.login_first(code, username, secret, chosen)
        if note:
            self.logins.append({'role': role, 'tenantCode': code, 'username': username, 'password': chosen, 'note': note})
        return client

    def run(self, bootstrap_secret):
        self.say('opening the contract')
        operator = self.enter('operator', OPERATOR_TENANT, OPERATOR, bootstrap_secret, note='システム管理者')
        contract = operator.post('/v1/contracts', **CONTRACT)
        admin = self.enter('contractor', CONTRACT['code'], contract['administratorUsername'], contract['initialSecret'],
                           note='教育委員会の管理者')
        rows = people.everybody()
        self.say(f'importing {len(rows)} people')
        self.secrets = import_users(admin, rows)
        teacher = self.enter('instructor', CONTRACT['code'], 'higashi-t11', self.secrets['higashi-t11'],
                             note='ひばり野東小学校 3年1組の先生')
        skills = self.make_skills(teacher)
        assignments = [self.make_unit(teacher, unit, skills) for unit in UNITS]
        self.say('pupils write goals and send videos')
        self.play(teacher, assignments[0], [skill for skill in skills if skill['area'] == 'mat'])
        self.announce(operator, admin)
        return self.logins

    def clip(self, move, seed=None):
        folder = self.directory / 'clips'
        folder.mkdir(exist_ok=True)
        path = folder / f'{move}-{seed or "model"}.mp4'
        if not path.exists():
            clips.make(path, move, seed)
        return path.read_bytes()

    def make_skills(self, teacher):
        made = []
        for position, (name, area, code, points, move) in enumerate(SKILLS):
            skill = teacher.post('/v1/skills', name=name, area=area, curriculumCode=code, points=points, position=position)
            made.append({**skill, 'move': move})
        return made

    def make_unit(self, teacher, unit, skills):
        title, description, area = unit
        chosen = [skill for skill in skills if skill['area'] == area]
        self.say(f'making the unit {title} with {len(chosen)} model videos')
        made = teacher.post('/v1/units', title=title, description=description, skillIds=[skill['id'] for skill in chosen])
        for skill in chosen:
            teacher.put(f'/v1/units/{made["id"]}/skills/{skill["id"]}/model', mediaId=teacher.upload(self.clip(skill['move'])))
        group = next(row for row in teacher.get('/v1/classes')['items'])
        assignment = patiently(lambda: teacher.post('/v1/assignments', unitId=made['id'], classId=group['id'], dueOn='2027-03-19'))
        self.settle(teacher, assignment, people.PUPILS_PER_CLASS)
        return assignment

    def settle(self, teacher, assignment, pupils):
        """Until the whole class stands on the board."""
        end = time.monotonic() + SETTLE_S
        while len(teacher.get(f'/v1/assignments/{assignment["id"]}/board')['items']) < pupils:
            if time.monotonic() > end:
                raise RuntimeError('the class did not arrive on the board')
            time.sleep(0.2)

    def play(self, teacher, assignment, skills):
        """A lesson half way through: goals, tries, sent ones, comments, evaluations, reflections."""
        for i in range(1, 19):
            username = f'higashi1{i:02}'
            note = '3年1組の児童' if i == 1 else None
            pupil = self.enter('student', CONTRACT['code'], username, self.secrets[username], PUPIL_GROUPS, note)
            if i == 1:
                continue  # the visitor's own: nothing done yet
            pupil.put(f'/v1/assignments/{assignment["id"]}/goal', goal=GOALS[i % len(GOALS)], condition=3 + i % 3)
            if i > 5:
                self.play_try(teacher, pupil, assignment, skills[i % len(skills)], i)
            pupil.close()

    def play_try(self, teacher, pupil, assignment, skill, i):
        media = pupil.upload(self.clip(skill['move'], 1 + i % 4))
        made = pupil.post('/v1/tries', assignmentId=assignment['id'], skillId=skill['id'], mediaId=media)
        path = f'/v1/tries/{made["id"]}'
        if i > 7:
            pupil.post(f'{path}/submit')
        if i > 12:
            position, text = COMMENTS[i % len(COMMENTS)]
            teacher.post(f'{path}/comments', positionMs=position, text=text)
        if i > 15:
            teacher.put(f'{path}/evaluation', knowledgeAndSkills='ABB'[i % 3], thinkingJudgementExpression='BAB'[i % 3],
                        proactiveAttitude='A')
            teacher.put(f'{path}/sharing', shared=True)
        if i > 16:
            feeling, text = FEELINGS[i % 2]
            pupil.put(f'{path}/reflection', feeling=feeling, text=text)

    def announce(self, operator, admin):
        operator.post('/v1/announcements', title='メンテナンスのお知らせ', audience='everyone',
                      body='3月27日(土) 22:00〜24:00 は、定期メンテナンスのためご利用いただけません。')
        admin.post('/v1/announcements', title='体育の動画の取りあつかいについて', audience='instructor',
                   body='動画は授業と家庭での振り返りのためだけに使います。見た人の記録がのこります。')
