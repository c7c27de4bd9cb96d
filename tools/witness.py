"""What a witness and the log that it signs for must know of each other before either starts.

    make(program, keys, state, name)    KEYS/witness/logs, with the log's present key, and KEYS/witness/verifier
    tell(path, url, key, ca)            a file for audit's --conf that names the witness, where it is missing

The witness makes its own key, in its own directory; only what anybody may know lies in KEYS.
"""

import base64
import hashlib
import subprocess
from pathlib import Path

ED25519 = 1
ANY_LOG = '*'  # of this key: the installation has one log per contract


def verifier(name, kind, public_key):
    """A key as C2SP's signed-note writes it."""
    blob = bytes([kind]) + public_key
    key_id = hashlib.sha256(name.encode() + b'\n' + blob).digest()[:4]
    return f'{name}+{key_id.hex()}+{base64.b64encode(blob).decode()}'


def trust(logs, key):
    """Beside the keys that are there: one that replaces another signs together with it for a while."""
    known = logs.read_text() if logs.exists() else ''
    if key not in known.splitlines():
        logs.write_text(f'{known}{key}\n')


def make(program, keys, state, name):
    """The witness's verifier key. `state` is its directory, empty at first; it may run when it was asked before."""
    keys = Path(keys)
    directory = keys / 'witness'
    directory.mkdir(mode=0o755, exist_ok=True)
    logs, known = directory / 'logs', directory / 'verifier'
    trust(logs, verifier(ANY_LOG, ED25519, bytes.fromhex((keys / 'checkpoint.pub').read_text().strip())))
    if not known.exists():
        done = subprocess.run([program, 'key', '--name', name, '--state', state], check=True, stdout=subprocess.PIPE, text=True)
        known.write_text(done.stdout)
    return known.read_text().strip()


def tell(path, url, key, ca):
    """Whoever has other witnesses names them there."""
    path = Path(path)
    if not path.exists():
        path.write_text(f'witness-url = {url}\nwitness-key = {key}\nwitness-ca = {ca}\n')
