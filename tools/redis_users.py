"""Who may do what in Redis: the services everything, the gateway nothing but counting under limit:.

    make(directory)    services.password, gateway.password and users.acl, where they are missing
"""

import hashlib
import secrets
from pathlib import Path

USERS = {
    'services': 'user default on #{hash} ~* &* +@all',
    'gateway': 'user gateway on #{hash} resetkeys ~limit:* resetchannels -@all +incrby +pexpire',
}


def make(directory):
    directory = Path(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    rules = []
    for name, rule in USERS.items():
        path = directory / f'{name}.password'
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(32))
        rules.append(rule.format(hash=hashlib.sha256(path.read_bytes()).hexdigest()))
    (directory / 'users.acl').write_text('\n'.join(rules) + '\n')  # hashes of 256 random bits: no secret
