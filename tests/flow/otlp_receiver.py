#!/usr/bin/python3
"""A collector for tests: OTLP/HTTP logs as JSON, decoded strictly as the JSON mapping of OTLP 1.x says.

    otlp_receiver.py --port PORT --tls DIRECTORY --token TOKEN --file FILE

Every record that it takes is appended to the file, synced, before it answers. What the mapping does not allow is
answered 400: an unknown name, a 64-bit number that is not a text, an enum by its name, two values in one. In the
directory of the file the latest request is `request.json`; there, `busy` makes it answer 503, and `picky` turn down the first record of each request.
"""

import argparse
import http.server
import json
import os
import re
import ssl
import threading
from pathlib import Path


class Malformed(Exception):
    pass


def members(value, /, **known):
    """An object with these members and no others, each decoded by its function; absent is None."""
    if not isinstance(value, dict) or not set(value) <= set(known):
        raise Malformed(f'members {sorted(value) if isinstance(value, dict) else value!r}')
    return {name: decode(value[name]) if name in value else None for name, decode in known.items()}


def text(value):
    if not isinstance(value, str):
        raise Malformed(f'text {value!r}')
    return value


def fixed64(value):
    if not isinstance(value, str) or not re.fullmatch('0|[1-9][0-9]{0,19}', value) or int(value) >= 2**64:
        raise Malformed(f'fixed64 {value!r}')
    return int(value)


def int64(value):
    if not isinstance(value, str) or not re.fullmatch('0|-?[1-9][0-9]{0,18}', value) or not -2**63 <= int(value) < 2**63:
        raise Malformed(f'int64 {value!r}')
    return int(value)


def severity(value):
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 24:
        raise Malformed(f'severity {value!r}')
    return value


def many(decode):
    def decode_all(value):
        if not isinstance(value, list):
            raise Malformed(f'list {value!r}')
        return [decode(item) for item in value]
    return decode_all


def any_value(value):
    """Only the kinds that are sent here."""
    found = {name: kept for name, kept in members(value, stringValue=text, intValue=int64).items() if kept is not None}
    if len(found) != 1:
        raise Malformed(f'value {value!r}')
    return next(iter(found.values()))


def attributes(value):
    pairs = [members(pair, key=text, value=any_value) for pair in many(lambda pair: pair)(value)]
    named = {pair['key']: pair['value'] for pair in pairs}
    if len(named) != len(pairs) or None in named.values() or not all(named):
        raise Malformed(f'attributes {value!r}')
    return named


def record(value):
    return members(value, timeUnixNano=fixed64, observedTimeUnixNano=fixed64, severityNumber=severity, severityText=text,
                   body=any_value, attributes=attributes)


def scope_logs(value):
    return members(value, scope=lambda scope: members(scope, name=text, version=text), logRecords=many(record))


def resource_logs(value):
    return members(value, resource=lambda resource: members(resource, attributes=attributes), scopeLogs=many(scope_logs))


def records(body):
    """(resource attributes, scope name, record) of each in an ExportLogsServiceRequest."""
    request = members(json.loads(body), resourceLogs=many(resource_logs))
    return [(logs['resource']['attributes'], scope['scope']['name'], one)
            for logs in request['resourceLogs'] for scope in logs['scopeLogs'] for one in scope['logRecords']]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        place = self.server.file.parent
        if self.path != '/v1/logs' or self.headers['Content-Type'] != 'application/json':
            return self.answer(404, {})
        if self.headers['Authorization'] != f'Bearer {self.server.token}':
            return self.answer(401, {})
        if (place / 'busy').exists():
            return self.answer(503, {})
        (place / 'request.json').write_bytes(body)
        try:
            taken = records(body)
        except (Malformed, ValueError, KeyError, TypeError) as error:
            (place / 'malformed').write_text(repr(error))
            return self.answer(400, {'code': 3, 'message': repr(error)})
        turned_down = 1 if (place / 'picky').exists() else 0
        self.keep(taken[turned_down:])
        partial = {'partialSuccess': {'rejectedLogRecords': '1', 'errorMessage': 'not today'}} if turned_down else {}
        return self.answer(200, partial)

    def keep(self, taken):
        with self.server.lock, open(self.server.file, 'ab') as file:  # after a stop, requests given up long ago are read too
            for entry in taken:
                file.write(json.dumps(entry, ensure_ascii=False).encode() + b'\n')
            file.flush()
            os.fsync(file.fileno())

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main():
    parser = argparse.ArgumentParser()
    for name, kind in (('port', int), ('tls', Path), ('token', str), ('file', Path)):
        parser.add_argument('--' + name, type=kind, required=True)
    options = parser.parse_args()
    server = http.server.ThreadingHTTPServer(('127.0.0.1', options.port), Handler)
    server.file, server.token, server.daemon_threads, server.lock = options.file, options.token, True, threading.Lock()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.tls / 'server.pem', options.tls / 'server.key')
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == '__main__':
    main()
