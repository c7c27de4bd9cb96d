"""The inventory of cryptography names every place where the code uses some (libcommon/algorithms.c)."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

USES = re.compile(r'\b(crypto_(?:seal|open|stream_\w+|sign|verify|keyed_hash|hmac_sha256|derive)\w*|EVP_\w+|HMAC|SSL_CTX_new|'
                  r'CURLOPT_AWS_SIGV4)\s*[(,]')
BUILDING = 'what the others are made of'
ROWS = {  # which rows a file is behind, or why it is behind none
    'ctl/keys.c': ['capability', 'checkpoint', 'bus'],
    'libcommon/capability.c': ['capability'],
    'libcommon/crypto.c': BUILDING,
    'libcommon/crypto_aead.c': BUILDING,
    'libcommon/http_client.c': ['kmsRequest', 'outbound'],
    'libcommon/idempotency.c': ['repetition'],
    'libcommon/keyring.c': ['tenantText', 'loginIndex'],
    'libcommon/keyring_file.c': ['tenantKey'],
    'libcommon/keyring_root.c': ['tenantKey'],
    'libcommon/keyring_user.c': ['userText'],
    'libcommon/link.c': ['bus', 'busHandshake'],
    'libcommon/note.c': ['checkpoint', 'witness'],
    'libcommon/paseto.c': ['capability'],
    'libcommon/personal.c': ['tenantText', 'userText', 'waiting', 'loginIndex'],
    'services/audit/checkpoint.c': ['checkpoint'],
    'services/audit/tls_client.c': ['outbound'],
    'services/auth/keys.c': ['passwordStaff', 'passwordStudent', 'secondFactor', 'oneTimeSecret', 'sessionCache', 'loginIndex'],
    'services/auth/totp.c': ['secondFactor'],
    'services/gateway/tls_identity.c': ['browser'],
    'services/learning/media_store.c': ['media', 'archive'],
    'witness/state.c': ['witness'],
}
ELSEWHERE = {  # rows behind which no such call stands
    'sessionToken': 'SHA-256 alone', 'logTree': 'SHA-256 alone', 'erasureLedger': 'SHA-256 alone',
    'tenantEntry': 'migrations/0001_tenancy.sql', 'eventProof': 'migrations/0003_inbox.sql', 'ticket': 'OpenSSL by itself',
}


def found():
    """Which C files call what seals, signs, or hashes with a key."""
    files = [path for folder in ('libcommon', 'services', 'witness', 'ctl', 'verify') for path in (ROOT / folder).rglob('*.c')]
    return {str(path.relative_to(ROOT)) for path in files if not path.name.endswith(('_test.c', 'testing.c')) and USES.search(path.read_text())}


class Algorithms(unittest.TestCase):
    def test_every_use_has_a_row(self):
        self.assertEqual(found() - set(ROWS), set(), 'give it a row in libcommon/algorithms.c, and name it here')
        self.assertEqual(set(ROWS) - found(), set(), 'they use none any more')

    def test_every_row_has_a_use(self):
        table = (ROOT / 'libcommon/algorithms.c').read_text().partition('WORDS[]')[0]
        rows = set(re.findall(r'^\t\{ "(\w+)", ', table, re.M))
        named = {row for rows in ROWS.values() if isinstance(rows, list) for row in rows} | set(ELSEWHERE)
        self.assertEqual(rows, named)


if __name__ == '__main__':
    unittest.main()
