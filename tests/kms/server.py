#!/usr/bin/python3
"""A key service on the loopback that believes only what botocore, an independent implementation of Signature Version 4, would sign.

    tests/kms/server.py [DIRECTORY]    prints its port, then serves until its standard input ends

With a directory over TLS; who may sign its certificate is made there (ca.pem).

POST /            GenerateDataKey, Decrypt, ReEncrypt (JSON 1.1), for the access keys below
POST /throttled   the same, but two of three requests are told to come again
POST /disabled    every request is told that the key is disabled
GET /secret       bytes that are like no others, as 64 hexadecimal digits
The instance's metadata service (IMDSv2) is at /latest/…, and hands out the second access key with a session token.
"""

import base64
import hmac
import json
import os
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tools'))
import certificates  # noqa: E402

REGION = 'ap-northeast-1'
SESSION = 'session-token-of-the-instance'
WHO = {'AKIDTEST': Credentials('AKIDTEST', 'secret-of-the-environment'),
       'ASIATEST': Credentials('ASIATEST', 'secret-of-the-instance', SESSION)}
METADATA_TOKEN = 'metadata-token'
ROLE = 'manabiya'
wrapped = {}  # ciphertext: (key id, context, plaintext)
asked = {'throttled': 0}


class Refusal(Exception):
    """An error as KMS words it."""


def check_signature(handler, body):
    """Sign the same request again, with the headers that the client says it signed."""
    parts = dict(part.strip().split('=', 1) for part in
                 handler.headers['Authorization'].removeprefix('AWS4-HMAC-SHA256 ').split(','))
    access_key, date, region, service, _ = parts['Credential'].split('/')
    signed = parts['SignedHeaders'].split(';')
    who = WHO.get(access_key)
    wanted = {'host', 'x-amz-date', 'x-amz-target'} | ({'x-amz-security-token'} if who and who.token else set())
    if not who or not wanted <= set(signed) or (region, service) != (REGION, 'kms'):
        raise Refusal('IncompleteSignatureException')
    if who.token and handler.headers['X-Amz-Security-Token'] != who.token:
        raise Refusal('UnrecognizedClientException')
    auth = SigV4Auth(Credentials(who.access_key, who.secret_key), service, region)
    request = AWSRequest(handler.command, f'http://{handler.headers["Host"]}{handler.path}', data=body,
                         headers={name: handler.headers[name] for name in signed if name != 'host'})
    request.context['timestamp'] = handler.headers['X-Amz-Date']
    if not handler.headers['X-Amz-Date'].startswith(date):
        raise Refusal('IncompleteSignatureException')
    text = auth.string_to_sign(request, auth.canonical_request(request))
    if not hmac.compare_digest(auth.signature(text, request), parts['Signature']):
        raise Refusal('InvalidSignatureException')


def wrap(key_id, context, plain):
    blob = os.urandom(184)
    wrapped[blob] = (key_id, context, plain)
    return base64.b64encode(blob).decode()


def unwrap(text, context):
    _, bound_to, plain = wrapped.get(base64.b64decode(text), (None, None, None))
    if plain is None or bound_to != context:
        raise Refusal('InvalidCiphertextException')
    return plain


def generate(given):
    plain = os.urandom({'AES_256': 32}[given['KeySpec']])
    return {'CiphertextBlob': wrap(given['KeyId'], given['EncryptionContext'], plain),
            'Plaintext': base64.b64encode(plain).decode(), 'KeyId': given['KeyId']}


def decrypt(given):
    plain = unwrap(given['CiphertextBlob'], given['EncryptionContext'])
    return {'Plaintext': base64.b64encode(plain).decode()}


def reencrypt(given):
    plain = unwrap(given['CiphertextBlob'], given['SourceEncryptionContext'])
    return {'CiphertextBlob': wrap(given['DestinationKeyId'], given['DestinationEncryptionContext'], plain)}


ACTIONS = {'TrentService.GenerateDataKey': generate, 'TrentService.Decrypt': decrypt,
           'TrentService.ReEncrypt': reencrypt}


def answer(handler, body):
    if handler.headers['Content-Type'] != 'application/x-amz-json-1.1':
        raise Refusal('SerializationException')
    check_signature(handler, body)
    if handler.path == '/disabled':
        raise Refusal('DisabledException')
    if handler.path == '/throttled':
        asked['throttled'] += 1
        if asked['throttled'] % 3:
            raise Refusal('ThrottlingException')
    return ACTIONS[handler.headers['X-Amz-Target']](json.loads(body))


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def say(self, status, text, kind='text/plain'):
        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        try:
            status, given = 200, answer(self, body)
        except Refusal as refusal:
            status, given = 400, {'__type': f'com.amazonaws.kms#{refusal}'}
        self.say(status, json.dumps(given), 'application/x-amz-json-1.1')

    def do_PUT(self):
        is_asked = self.path == '/latest/api/token' and self.headers['X-aws-ec2-metadata-token-ttl-seconds']
        self.say(200 if is_asked else 404, METADATA_TOKEN if is_asked else '')

    def do_GET(self):
        place = '/latest/meta-data/iam/security-credentials/'
        who = WHO['ASIATEST']
        known = {place: ROLE, place + ROLE: json.dumps(
            {'AccessKeyId': who.access_key, 'SecretAccessKey': who.secret_key, 'Token': who.token})}
        if self.path == '/secret':
            return self.say(200, os.urandom(32).hex())
        is_known = self.headers['X-aws-ec2-metadata-token'] == METADATA_TOKEN and self.path in known
        return self.say(200 if is_known else 401, known[self.path] if is_known else '')

    def log_message(self, *_):
        pass


def main():
    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    if len(sys.argv) > 1:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificates.make(sys.argv[1], ('127.0.0.1', 'localhost'))
        tls.load_cert_chain(Path(sys.argv[1], 'server.pem'), Path(sys.argv[1], 'server.key'))
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == '__main__':
    main()
