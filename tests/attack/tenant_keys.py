"""The keys of a stack's tenants, made by Python and libsodium from what lies in the keyring: and nothing of ours. And where to
look for them: all that a core dump of a process would hold."""

import base64
import ctypes
import ctypes.util
import hashlib
import io
import itertools
import os
import re
import signal
import uuid
from array import array
from pathlib import Path

sodium = ctypes.CDLL(ctypes.util.find_library('sodium'))
SLOT_SIZE, SLOT_SECRET = 64, 48  # a user's id, random bytes, a check of both
RESERVED = 1 << 30  # mappings as large are a sanitizer's, with no data
PAGE, ENTRY = os.sysconf('SC_PAGE_SIZE'), 8  # bytes of a page, and of what /proc/PID/pagemap says of one
IS_SOMEWHERE = 0b11 << 62  # in memory or in swap; what is in neither was never written


def unseal(key, place, sealed):
    """XChaCha20-Poly1305, the nonce in front."""
    out = ctypes.create_string_buffer(max(len(sealed) - 40, 1))
    failed = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
        out, None, None, sealed[24:], ctypes.c_ulonglong(len(sealed) - 24), place, ctypes.c_ulonglong(len(place)), sealed[:24], key)
    if failed:
        raise AssertionError(f'{place} does not open')
    return out.raw


def keyed_hash(key, data):
    return hashlib.blake2b(data, key=key, digest_size=32).digest()


def open_file(root, name, content):
    """A tenant key from its file: format 1, then sealed for the file's name."""
    return unseal(root, name.encode(), content[1:])


def slots_of(keyring, tenant_id):
    """{user: id and random bytes}, zeros of who is erased; of nobody when the tenant has no file (any more)."""
    path = keyring / f'{tenant_id}.users'
    slots = path.read_bytes() if path.exists() else b''
    return {uuid.UUID(bytes=slots[at:at + 16]): slots[at:at + SLOT_SECRET] for at in range(0, len(slots), SLOT_SIZE)}


class TenantKeys:
    def __init__(self, stack, tenant_id):
        self.root = bytes.fromhex((stack.keys / 'keyring-root.key').read_text())
        keyring = stack.directory / 'keyring'
        self.versions = {path.name.split('.')[1]: open_file(self.root, path.name, path.read_bytes())
                         for path in keyring.glob(f'{tenant_id}.*.key')}
        self.slots = slots_of(keyring, tenant_id)

    def of_domain(self, domain, version='1'):
        return keyed_hash(self.versions[version], domain.encode())

    def of_user(self, user_id, domain, version='1'):
        return keyed_hash(self.of_domain(domain, version), self.slots[uuid.UUID(user_id)])


find = ctypes.CDLL(None).memmem  # five times as fast as Python's own, and memory is large
find.restype, find.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_size_t) * 2


def is_in(wanted, data):
    return find(data, len(data), wanted, len(wanted)) is not None


class Haystack:
    """Data in which secrets of 32 bytes are looked for: as they are, as hex and as base64."""

    def __init__(self, data):
        self.data, self.texts = data, b' '.join(re.findall(rb'[\w+/-]{43,}', data))

    def holds(self, secret):
        text = secret.hex().encode()
        forms = text, text.upper(), base64.b64encode(secret).rstrip(b'='), base64.urlsafe_b64encode(secret).rstrip(b'=')
        return is_in(secret, self.data) or any(form in self.texts for form in forms)


# ---- memory ----

def mappings(pid):
    """(begin, end, is left out of core dumps) of what the kernel would write into one: what is in memory and of no file."""
    for text in re.split(r'^(?=[0-9a-f]+-[0-9a-f]+ )', Path(f'/proc/{pid}/smaps').read_text(), flags=re.M)[1:]:
        begin, end = (int(part, 16) for part in text.split(None, 1)[0].split('-'))
        kept = sum(map(int, re.findall(r'^(?:Anonymous|Shared_Dirty|Private_Dirty|Swap): +(\d+) kB', text, re.M)))
        if kept and end - begin < RESERVED:
            yield begin, end, ' dd' in re.search(r'^VmFlags:.*$', text, re.M).group()


def memory_of(process):
    """(what a core dump would hold, what is left out of it) of a process that stands still."""
    parts = io.BytesIO(), io.BytesIO()
    process.signal(signal.SIGSTOP)
    try:
        with open(f'/proc/{process.pid}/mem', 'rb', buffering=0) as memory, \
                open(f'/proc/{process.pid}/pagemap', 'rb', buffering=0) as pagemap:
            for begin, end, is_left_out in mappings(process.pid):
                for first, last in written(pagemap, begin, end):
                    copy(memory, first, last, parts[is_left_out])
    finally:
        process.signal(signal.SIGCONT)
    return tuple(Haystack(part.getvalue()) for part in parts)


def written(pagemap, begin, end):
    """(begin, end) of each run of pages in which there is something."""
    pagemap.seek(begin // PAGE * ENTRY)
    is_there = [bool(entry & IS_SOMEWHERE) for entry in array('Q', pagemap.read((end - begin) // PAGE * ENTRY))]
    for holds, pages in itertools.groupby(range(len(is_there)), is_there.__getitem__):
        if holds:
            pages = list(pages)
            yield begin + pages[0] * PAGE, begin + (pages[-1] + 1) * PAGE


def copy(memory, begin, end, out):
    memory.seek(begin)
    try:
        while begin < end:
            begin += out.write(memory.read(end - begin))
    except OSError:  # guard pages
        pass
