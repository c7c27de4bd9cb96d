#!/usr/bin/python3
"""The secrets of all pods, from the directory of keys that `make-keys` filled: each pod gets its own and no other's.

    python3 deploy/kubernetes/secrets.py KEYS | kubectl apply -n manabiya -f -
"""

import base64
import json
import sys
from pathlib import Path

CACHE = {'redis-services': 'redis/services.password'}
PUBLIC = {'capability.pub': 'capability.pub'}
KEYRING = {'keyring-root-key': 'keyring-root.key'}
MAC = {'tenant-mac-key': 'tenant-mac.key'}


def service(name, more=()):
    return {f'{name}-pgpass': f'database/{name}.pgpass', **CACHE, **PUBLIC, **dict(more)}


# Name of the secret: {name in it: file}. Names are those of docker-compose.yml.
SECRETS = {
    'auth': service('auth', {**MAC, 'capability-key': 'capability.key', 'password-key': 'password.key',
                             'bootstrap-secret': 'bootstrap.secret'}),
    'provisioning': service('provisioning', KEYRING),
    'learning': service('learning', KEYRING),
    'notification': service('notification', KEYRING),
    'audit': service('audit', {'checkpoint-key': 'checkpoint.key', 'witness-ca.pem': 'witness/tls/ca.pem'}),
    'witness': {'witness-certificate': 'witness/tls/server.pem', 'witness-key': 'witness/tls/server.key',
                'logs': 'witness/logs', 'ca.pem': 'witness/tls/ca.pem'},
    'gateway': {**PUBLIC, 'redis-gateway': 'redis/gateway.password', 'admin-certificate': 'tls/server.pem',
                'admin-key': 'tls/server.key', 'ca.pem': 'tls/ca.pem'},
    'migrate': {**MAC, 'postgres.pgpass': 'database/postgres.pgpass',
                **{role: f'database/{role}' for role in ('auth', 'provisioning', 'learning', 'notification', 'audit')}},
    'redis': {'redis-users': 'redis/users.acl'},
}
BUS = ('gateway', 'auth', 'provisioning', 'learning', 'notification', 'audit')


def secret(name, files):
    data = {key: base64.b64encode(path.read_bytes()).decode() for key, path in files.items()}
    return {'apiVersion': 'v1', 'kind': 'Secret', 'metadata': {'name': name}, 'data': data}


def all_secrets(keys):
    for name, files in SECRETS.items():
        yield secret(name, {key: keys / file for key, file in files.items()})
    for name in BUS:
        yield secret(f'bus-{name}', {path.name: path for path in sorted((keys / 'bus' / name).iterdir())})


if __name__ == '__main__':
    json.dump({'apiVersion': 'v1', 'kind': 'List', 'items': list(all_secrets(Path(sys.argv[1])))}, sys.stdout)
