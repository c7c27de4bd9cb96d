"""manabiya-verify as it is given away: one file that needs no other, has no function that opens a connection, and asks the kernel
for none."""

import base64
import ctypes
import ctypes.util
import hashlib
import os
import platform
import re
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

PROGRAM = os.environ['MANABIYA_VERIFY']
PT_DYNAMIC, PT_INTERP = 2, 3
NETWORK = re.compile(r'^_*(socket|socketpair|connect|bind|listen|accept4?|send|sendto|sendmsg|sendmmsg|recv|recvfrom|recvmsg|recvmmsg|'
                     r'getaddrinfo|gethostby\w+|res_n?\w*(query|search|send)|PQ\w+|nng_\w+|redis\w+)$')
# socket, connect and their like have numbers in a row; io_uring can do without them.
CALLS = {'x86_64': ((41, 55), (288, 288), (425, 427)), 'aarch64': ((198, 212), (242, 243), (425, 427))}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
LOAD, AT_LEAST, MORE, ANSWER, KILL, ALLOW = 0x20, 0x35, 0x25, 0x06, 0x80000000, 0x7fff0000
LOG = 'example.invalid/log'
TENANT, GONE, OTHER = (f'01920000-0000-7000-8000-00000000000{n}' for n in 'abc')

libc = ctypes.CDLL(None, use_errno=True)
sodium = ctypes.CDLL(ctypes.util.find_library('sodium'))


def without_network():
    """From here on the kernel ends whoever asks for a network."""
    ranges = CALLS[platform.machine()]
    code = [(LOAD, 0, 0, 0)]  # the number of the call
    for first, last in ranges:
        code += [(AT_LEAST, 0, 2, first), (MORE, 1, 0, last), (ANSWER, 0, 0, KILL)]
    code.append((ANSWER, 0, 0, ALLOW))
    text = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in code))
    program = ctypes.create_string_buffer(struct.pack('HxxxxxxP', len(code), ctypes.addressof(text)))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, MODE_FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), 'seccomp')


def run(*command):
    return subprocess.run(command, preexec_fn=without_network, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, env={}, close_fds=True)


class Signer:
    """Of a log of one line, by libsodium alone."""

    def __init__(self, log=LOG):
        self.log = log
        self.public, self.secret = (ctypes.create_string_buffer(size) for size in (32, 64))
        sodium.crypto_sign_keypair(self.public, self.secret)
        self.id = hashlib.sha256(log.encode() + b'\n\1' + self.public.raw).digest()[:4]
        self.key = f'{log}+{self.id.hex()}+{base64.b64encode(bytes([1]) + self.public.raw).decode()}'

    def note(self, text):
        signature, data = ctypes.create_string_buffer(64), text.encode()
        sodium.crypto_sign_detached(signature, None, data, ctypes.c_ulonglong(len(data)), self.secret)
        return f'{text}\n\u2014 {self.log} {base64.b64encode(self.id + signature.raw).decode()}\n'

    def checkpoint(self, *lines, log=None):
        """Of one line or two."""
        leaves = [hashlib.sha256(bytes(1) + line.encode()).digest() for line in lines]
        root = leaves[0] if len(leaves) == 1 else hashlib.sha256(b'\1' + b''.join(leaves)).digest()
        return self.note(f'{log or self.log}\n{len(leaves)}\n{base64.b64encode(root).decode()}\n')

    def certificate(self, subject, line):
        proof = f'c2sp.org/tlog-proof@v1\nindex 0\n\n{self.checkpoint(line)}'
        return self.note(f'manabiya-erasure-certificate@v1\nlog {LOG}\n{subject}\ntenant {TENANT}\nkeys-destroyed 2026-11-28T00:00:00.000Z\n'
                         f'event {line}\n' + ''.join(f'> {part}\n' for part in proof.splitlines()))


def event(operation, member, subject):
    return f'{{"{member}":{{"uid":"{subject}"}},"api":{{"operation":"provisioning.{operation}"}}}}'


class Given(unittest.TestCase):
    def test_it_needs_no_other_file(self):
        content = Path(PROGRAM).read_bytes()
        self.assertEqual(content[:6], b'\x7fELF\2\1')
        begin, (size, n) = struct.unpack_from('<Q', content, 32)[0], struct.unpack_from('<HH', content, 54)
        kinds = {struct.unpack_from('<I', content, begin + i * size)[0] for i in range(n)}
        self.assertGreater(len(kinds), 2)
        self.assertFalse(kinds & {PT_DYNAMIC, PT_INTERP}, 'nothing is loaded when it starts')

    def test_no_function_in_it_opens_a_connection(self):
        said = subprocess.run(['nm', PROGRAM], check=True, stdout=subprocess.PIPE, text=True).stdout
        names = {line.split()[-1] for line in said.splitlines()}
        self.assertLessEqual({'main', 'crypto_sha256'}, names, 'names are there to be looked at')
        self.assertEqual({name for name in names if NETWORK.match(name)}, set())

    def test_it_asks_for_no_network_when_it_checks(self):
        asking = run(sys.executable, '-I', '-c', 'import socket; socket.socket()')
        self.assertEqual(asking.returncode, -signal.SIGSYS, 'the kernel ends who does')
        signer = Signer()
        key, note = signer.key, signer.checkpoint('line')
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, 'checkpoint')
            path.write_text(note)
            done = run(PROGRAM, 'checkpoint', f'--key={key}', path)
            self.assertEqual((done.returncode, done.stdout[:4]), (0, 'GOOD'), done.stdout)
            path.write_text(note.replace('\n1\n', '\n2\n', 1))
            done = run(PROGRAM, 'checkpoint', f'--key={key}', path)
            self.assertGreater(done.returncode, 0, done.stdout)

    def test_a_key_speaks_for_the_log_of_its_name_alone(self):
        ours, other = Signer(), Signer('example.invalid/other')
        lines = tuple(f'{{"metadata":{{"uid":"x","sequence":{n}}}}}' for n in (1, 2))
        last = base64.b64encode(hashlib.sha256(bytes(1) + lines[1].encode()).digest()).decode()
        with tempfile.TemporaryDirectory() as directory:
            export, proof, since = (Path(directory, name) for name in ('export', 'proof', 'since'))

            def said(command, file, *options):
                return run(PROGRAM, command, f'--key={ours.key}', f'--key={other.key}', *options, file).stdout.partition(':')[0]

            for log, word in ((LOG, 'GOOD'), ('example.invalid/other', 'UNSIGNED')):
                since.write_text(ours.checkpoint(lines[0], log=log))
                self.assertEqual(said('checkpoint', since), word)
            export.write_text(f'{lines[0]}\n')
            proof.write_text(f'manabiya-log-range@v1\nrange 0 1\n{last}\n\n{ours.checkpoint(*lines)}')
            for note, word in ((ours.checkpoint(lines[0]), 'GOOD'), (ours.checkpoint(lines[1]), 'FORKED'),
                               (other.checkpoint(lines[0]), 'OTHER-LOG'),
                               (ours.checkpoint(*lines), 'MALFORMED')):  # it says nothing of what lies outside the range
                since.write_text(note)
                self.assertEqual(said('export', export, f'--proof={proof}', f'--since={since}'), word)

    def test_a_manifest_is_signed_by_its_own_log(self):
        ours, other = Signer(), Signer('example.invalid/other')
        text = f'manabiya-archive/v2\n{TENANT}\n{LOG}\n2026-01-01T00:00:00.000Z\n{hashlib.sha256().hexdigest()} 0 files\n'
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, 'archive')
            for signer, word in ((ours, 'TRUNCATED'), (other, 'UNSIGNED')):  # nothing follows the manifest
                note = signer.note(text).encode()
                entry = tarfile.TarInfo('manifest')
                entry.size = len(note)
                path.write_bytes(entry.tobuf(tarfile.USTAR_FORMAT) + note.ljust(-(-len(note) // 512) * 512, b'\0'))
                done = run(PROGRAM, 'archive', f'--key={ours.key}', f'--key={other.key}', path)
                self.assertEqual(done.stdout.partition(':')[0], word, done.stdout)

    def test_a_certificate_wants_the_event_of_what_it_is_about(self):
        """Signed and in the log is some other event, too."""
        signer = Signer()
        contract, user = event('contract_erase', 'entity', GONE), event('user_erase', 'user', GONE)
        cases = ((f'contract {GONE}', contract, 'GOOD'), (f'user {GONE}', user, 'GOOD'),
                 (f'contract {GONE}', event('contract_erase', 'entity', OTHER), 'NOT-IN-LOG'),
                 (f'contract {GONE}', event('contract_close', 'entity', GONE), 'NOT-IN-LOG'),
                 (f'contract {GONE}', user, 'NOT-IN-LOG'), (f'user {GONE}', contract, 'NOT-IN-LOG'),
                 (f'user {GONE}', event('user_erase', 'user', OTHER), 'NOT-IN-LOG'),
                 (f'user {GONE}', event('user_delete', 'user', GONE), 'NOT-IN-LOG'),
                 (f'contract {GONE}\nuser {GONE}', user, 'MALFORMED'))
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, 'certificate')
            for subject, line, word in cases:
                text = signer.certificate(subject, line)
                path.write_text(text)
                done = run(PROGRAM, 'certificate', f'--key={signer.key}', path)
                self.assertEqual(done.stdout.partition(':')[0], word, text + done.stdout)
            path.write_text(signer.certificate(f'user {GONE}', user).replace(f'event {user}', f'event {user[:-1]} }}'))
            done = run(PROGRAM, 'certificate', f'--key={signer.key}', path)
            self.assertEqual(done.stdout.partition(':')[0], 'UNSIGNED', done.stdout)


if __name__ == '__main__':
    unittest.main()
