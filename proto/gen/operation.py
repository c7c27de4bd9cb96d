"""Operations of one service: from OpenAPI path items to Operation."""
import re

from load import Map, demand
from model import Field, Shape, Type, camel
from rules import METHODS, READS, check, flag

OPTIONAL = ['parameters', 'requestBody', 'x-allow', 'x-audit', 'x-callers', 'x-fanout', 'x-feature',
            'x-idempotency', 'x-initial', 'x-internal', 'x-label', 'x-stream', 'x-timeout-ms']
SPOKEN_FOR = ['Authorization', 'Cookie', 'Content-Type', 'Content-Length', 'Idempotency-Key', 'Traceparent',
              'Range', 'Host']
CALL_TIMEOUT_MS = 10000  # unless x-timeout-ms says otherwise
JSON = 'application/json'
ANSWER_MAX = 1 << 30  # bytes of an answer that is not JSON


class Operation:
    def __init__(self, documents, service, path, method, node, at):
        check(node, at, ['operationId', 'summary', 'responses'], OPTIONAL)
        self.documents, self.service, self.path, self.method = documents, service, path, method
        self.node, self.at, self.name = node, at, node['operationId']
        self.internal, self.reads = 'x-internal' in node, method in READS
        self.stream, self.timeout_ms = node.get('x-stream'), node.get('x-timeout-ms', CALL_TIMEOUT_MS)
        self.check()
        self.params = {'path': {}, 'query': {}, 'header': {}}  # which are required, by place and name
        self.shapes, self.structs = [], {'in': None, 'out': None}  # its own; what the handler takes and fills
        self.own('in', self.read_params() + self.read_body())
        self.own('out', self.read_answer())

    def own(self, way, fields):
        if fields:
            self.structs[way] = f'{self.service}_{self.name}_{way}'
            self.shapes.append(Shape(self.structs[way], fields))

    def check(self):
        allowed, internal = self.node.get('x-allow', []), self.internal
        start = f'/internal/{self.service}/' if internal else '/v1/'
        demand(self.path.startswith(start), self.at, f'the path must start with {start}')
        demand(re.fullmatch(r'(/([a-z0-9-]+|\{[a-z][A-Za-z0-9]*\}))+', self.path), self.at,
               f'the path `{self.path}` is not understood')
        own = 'x-fanout' in self.node or self.stream == 'events'
        demand(own == (self.service == 'gateway'), self.at,
               'fan-out and server-sent events belong to gateway.yaml, and nothing else does')
        demand(internal or allowed, self.at,
               '`x-allow` is missing: only internal operations may leave it out')
        alone = allowed == ['anonymous'] and not internal
        demand(alone or 'anonymous' not in allowed, self.node.at.get('x-allow'),
               '`anonymous` stands alone and is public')
        demand('x-callers' in self.node or not internal, self.at,
               '`x-callers` is missing: nobody could call it')

    def read_params(self):
        fields = [self.param(item) for item in self.node.get('parameters', [])]
        differing = self.params['path'].keys() ^ re.findall(r'\{(\w+)\}', self.path)
        demand(not differing, self.at,
               f'path parameters differ from the path: {", ".join(sorted(differing))}')
        return fields

    def param(self, node):
        owner = self.service
        demand(isinstance(node, Map), self.node.at['parameters'], 'a parameter is a mapping')
        if '$ref' in node:
            owner, _, node = self.documents.resolve(owner, node)
        check(node, node.here, ['name', 'in', 'schema'], ['required', 'description'])
        name, place, required = node['name'], node['in'], 'required' in node and flag(node, 'required')
        made = self.documents.type_of(owner, node['schema'], node.here)
        demand(made.kind in ('string', 'integer', 'boolean'), node.here,
               f'a parameter cannot be an {made.kind}')
        demand(required or place != 'path', node.here, 'a path parameter is always required')
        self.params[place][name] = required
        if place == 'header':
            demand(re.fullmatch('[A-Z][a-z]+(-[A-Z][a-z]+)*', name) and name not in SPOKEN_FOR, node.here,
                   f'the header `{name}` cannot be a parameter')
            name = camel(name)
        return Field(name, made, 'PARAM', required, node.here)

    def content(self, node, raw_keys):
        """The type of a body, its schema if that is JSON, and its members: the object's, or the bytes."""
        (kind, media), = node['content'].items()
        check(media, node['content'].at[kind], ['schema'] if kind == JSON else raw_keys)
        if kind == JSON:
            return kind, media['schema'], self.documents.fields_of(self.service, media['schema'])
        size = media.get('x-max-bytes', ANSWER_MAX)
        return kind, Map(), [Field('body', Type('bytes', max=size), 'BODY', True, media.here)]

    def read_body(self):
        self.body_type, fields = None, []
        if 'requestBody' in self.node:
            at = self.node.at['requestBody']
            demand(not self.reads and self.method != 'delete', at, f'{self.method.upper()} has no body')
            node = check(self.node['requestBody'], at, ['content'], ['description'])
            self.body_type, _, fields = self.content(node, ['x-max-bytes'])
        self.raw = self.body_type not in (None, JSON)
        return fields

    def read_answer(self):
        responses = self.node['responses']
        (status, node), = responses.items()
        check(node, responses.at[status], ['description'], ['content', 'headers'])
        self.status, self.answer_type = int(status), None
        fields = self.answer_headers(node.get('headers', Map()))
        if 'content' in node:
            demand(status != '204' and self.method != 'head', node.at['content'], 'there can be no body here')
            self.answer_type, schema, members = self.content(node, [])
            if '$ref' in schema and not fields:
                self.structs['out'] = self.documents.type_of(self.service, schema, schema.here).shape
                return []
            fields += members
        return fields

    def answer_headers(self, given):
        if '$ref' in given:
            _, _, given = self.documents.resolve(self.service, given)
        fields = []
        for name, node in given.items():
            check(node, given.at[name], ['schema'], ['description'])
            made = self.documents.type_of(self.service, node['schema'], given.at[name])
            demand(made.kind == 'string', given.at[name], 'the schema of a response header is a string')
            fields.append(Field(name, made, 'HEADER', False, given.at[name]))
        return fields


def operations(documents, service):
    root = documents[service]
    check(root, root.here, ['openapi', 'info', 'paths'], ['components'])
    check(root.get('components', Map()), root.here, [], ['schemas', 'parameters', 'x-headers'])
    found, paths = {}, root['paths']
    for path, item in paths.items():
        for method, node in check(item, paths.at[path], [], METHODS).items():
            made = Operation(documents, service, path, method, node, item.at[method])
            before = found.setdefault(made.name, made)
            demand(before is made, made.at, f'operationId `{made.name}` stands at {before.at} already')
    return [found[name] for name in sorted(found)]
