"""Archives of a fictional school, written from scratch by the format that docs/operations.md describes, and signed by a key of
our own: what a test has to know of one, it knows from here and not from the product."""

import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import uuid
from pathlib import Path

ORDER = ('org', 'user', 'class', 'enrollment', 'feature', 'skill', 'media', 'unit', 'assignment', 'goal', 'try', 'comment',
         'evaluation', 'reflection', 'announcement')
CHECKPOINT = f'audit.elsewhere.example/log/school\n7\n{"A" * 43}=\n\n— audit.elsewhere.example/log/school {"A" * 91}=\n'
AT = '2026-04-08T00:30:00.000Z'


class Signer:
    """A log's key, and its notes (C2SP signed-note)."""

    def __init__(self, name):
        self.name, self.folder = name, tempfile.TemporaryDirectory()
        self.key = Path(self.folder.name) / 'key.pem'
        self.run('genpkey', '-algorithm', 'ed25519', '-out', self.key)
        self.public = self.run('pkey', '-in', self.key, '-pubout', '-outform', 'DER')[-32:]
        self.id = hashlib.sha256(name.encode() + b'\n\x01' + self.public).digest()[:4]

    @staticmethod
    def run(*arguments):
        return subprocess.run(['openssl', *map(str, arguments)], check=True, stdout=subprocess.PIPE).stdout

    def verifier(self):
        key = base64.b64encode(b'\x01' + self.public).decode()
        return f'{self.name}+{self.id.hex()}+{key}'

    def sign(self, text):
        file = Path(self.folder.name) / 'text'
        file.write_text(text)
        signature = self.run('pkeyutl', '-sign', '-inkey', self.key, '-rawin', '-in', file)
        return f'{text}\n— {self.name} {base64.b64encode(self.id + signature).decode()}\n'

    def close(self):
        self.folder.cleanup()


class School:
    """Lines by type, and videos by id: change them, then make the archive."""

    def __init__(self, video, model, name='うみ小学校'):
        new = lambda: str(uuid.uuid4())  # noqa: E731
        self.tenant, self.ids = new(), {name: new() for name in (
            'district', 'school', 'kancho', 'teacher', 'mai', 'ken', 'class', 'skill', 'unit', 'assignment', 'try', 'model', 'video')}
        ids = self.ids
        self.videos = {ids['model']: model, ids['video']: video}
        self.data = {
            'org': [dict(id=ids['district'], name='うみ市教育委員会', type='district', createdAt=AT),
                    dict(id=ids['school'], name=name, type='school', createdAt=AT)],
            'user': [self.user('kancho', 'contractor', '海野', '館長', 'うんの', 'かんちょう'),
                     self.user('teacher', 'instructor', '浜田', '先生', 'はまだ', 'せんせい'),
                     self.user('mai', 'student', '磯部', '舞', 'いそべ', 'まい', grade='P4'),
                     self.user('ken', 'student', '沖', '健', 'おき', 'けん', grade='P4', status='suspended')],
            'class': [dict(id=ids['class'], orgId=ids['school'], title='4年1組', grade='P4', status='active', createdAt=AT)],
            'enrollment': [dict(id=new(), classId=ids['class'], userId=ids[who], role=role, primary=role == 'teacher', status='active')
                           for who, role in (('teacher', 'teacher'), ('mai', 'student'), ('ken', 'student'))],
            'feature': [dict(userId=ids['ken'], denied=['video_upload'])],
            'skill': [dict(id=ids['skill'], name='前転', area='mat', position=1, createdAt=AT)],
            'media': [self.media('model', 'teacher', 'instructor'), self.media('video', 'mai', 'student')],
            'unit': [dict(id=ids['unit'], title='マット', createdAt=AT, skills=[dict(skillId=ids['skill'], modelMediaId=ids['model'])])],
            'assignment': [dict(id=ids['assignment'], unitId=ids['unit'], classId=ids['class'], createdBy=ids['teacher'], createdAt=AT)],
            'goal': [dict(id=new(), assignmentId=ids['assignment'], userId=ids['mai'], goal='まっすぐ回る', condition=4, writtenAt=AT)],
            'try': [dict(id=ids['try'], assignmentId=ids['assignment'], skillId=ids['skill'], userId=ids['mai'], mediaId=ids['video'],
                         shared=True, createdAt=AT, submittedAt=AT, answeredAt=AT)],
            'comment': [dict(id=new(), tryId=ids['try'], authorId=ids['teacher'], authorRole='instructor', positionMs=1500,
                             text='手のつき方がよい', createdAt=AT)],
            'evaluation': [dict(tryId=ids['try'], evaluatorId=ids['teacher'], knowledgeAndSkills='A', thinkingJudgementExpression='B',
                                proactiveAttitude='A', note='よく考えた', evaluatedAt=AT)],
            'reflection': [dict(tryId=ids['try'], feeling=3, text='できた', writtenAt=AT)],
            'announcement': [dict(id=new(), writerId=ids['kancho'], title='運動会', body='五月です。', audience='everyone', createdAt=AT)],
        }

    def user(self, who, role, family, given, kana_family, kana_given, **more):
        return dict(dict(id=self.ids[who], username=who, role=role, familyName=family, givenName=given, kanaFamilyName=kana_family,
                         kanaGivenName=kana_given, status='active', createdAt=AT), **more)

    def media(self, which, who, role):
        return dict(id=self.ids[which], uploaderId=self.ids[who], uploaderRole=role, size=len(self.videos[self.ids[which]]),
                    contentType='video/mp4', createdAt=AT, completedAt=AT)

    def entries(self):
        """(name, bytes) of every entry but the manifest."""
        yield from ((f'data/{type_}.jsonl', ''.join(json.dumps(line, ensure_ascii=False) + '\n' for line in self.data[type_]).encode())
                    for type_ in ORDER)
        yield 'oneroster/orgs.csv', b'sourcedId\n'
        yield 'log/log.jsonl', b'{}\n'
        yield 'log/checkpoint', CHECKPOINT.encode()
        yield from ((f'media/{id_}', data) for id_, data in sorted(self.videos.items()))

    def archive(self, signer, entries=None, listed=None):
        """The archive; `entries` and `listed`, what the list of files names, for one that is broken."""
        entries = list(self.entries()) if entries is None else list(entries)
        files = lines(entries if listed is None else listed) + b'\n'
        return tar([('manifest', manifest(self.tenant, signer, files)), ('files', files), *entries])


def lines(entries):
    return ''.join(f'{hashlib.sha256(data).hexdigest()} {len(data)} {name}\n' for name, data in entries).encode()


def manifest(tenant, signer, files):
    text = lines([('files', files)]).decode()
    return signer.sign(f'manabiya-archive/v2\n{tenant}\n{signer.name}\n{AT}\n{text}').encode()


def tar(entries, change=None):
    """Blocks of 512 bytes, and two of zeroes at the end; change(info) may spoil a header."""
    out = io.BytesIO()
    for name, data in entries:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        if change:
            change(info)
        out.write(info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512))
    return out.getvalue() + bytes(1024)


def main(path):
    """Write an archive and print the key that it is signed with: for tests in other languages."""
    from base import clip
    signer = Signer('audit.elsewhere.example/log/school')
    Path(path).write_bytes(School(clip('cartwheel', 1), clip('cartwheel')).archive(signer))
    print(signer.verifier())
    signer.close()


if __name__ == '__main__':
    main(sys.argv[1])
