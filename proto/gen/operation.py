"""Operations of one service: from OpenAPI path items to model.Operation."""
import re

from load import Map, camel, check, fault, integer, is_true, one_of, text, texts
from model import AUDIT, METHODS, READS, ROLES, SERVICES, Operation, Type, make_field, make_shape

OPTIONAL = ['parameters', 'requestBody', 'x-allow', 'x-audit', 'x-feature', 'x-label', 'x-internal', 'x-callers', 'x-initial',
            'x-idempotency', 'x-stream', 'x-timeout-ms', 'x-fanout']
SPOKEN_FOR = ['authorization', 'cookie', 'content-type', 'content-length', 'idempotency-key', 'traceparent', 'range', 'host']


def operations(documents, service):
    root = documents.get(service)
    check(root, root.here, ['openapi', 'info', 'paths'], ['components'])
    check(root.get('components', Map()), root.here, [], ['schemas', 'parameters', 'x-headers'])
    found, names = [], {}
    for path, item in root['paths'].items():
        at = root['paths'].at[path]
        for method, node in check(item, at, [], METHODS).items():
            operation = read(documents, service, path, method, node, item.at[method])
            if operation.name in names:
                fault(operation.at, f'operationId `{operation.name}` stands at {names[operation.name]} already')
            names[operation.name] = operation.at
            found.append(operation)
    return sorted(found, key=lambda o: o.name)


def read(documents, service, path, method, node, at):
    check(node, at, ['operationId', 'summary', 'responses'], OPTIONAL)
    name = text(node, 'operationId')
    if not re.fullmatch(r'[a-z]+(_[a-z]+)*', name):
        fault(node.at['operationId'], f'operationId `{name}` must be in snake_case')
    operation = Operation(service, name, method, path, node, at, internal=is_true(node, 'x-internal'))
    check_path(operation)
    check_access(operation)
    check_kind(operation)
    fields = params(documents, operation) + body(documents, operation)
    if fields:
        operation.shape_in = make_shape(f'{service}_{name}_in', fields)
    answer(documents, operation)
    return operation


def check_path(operation):
    start = f'/internal/{operation.service}/' if operation.internal else '/v1/'
    if not operation.path.startswith(start):
        fault(operation.at, f'the path must start with {start}')
    if not re.fullmatch(r'(/([a-z0-9-]+|\{[a-z][A-Za-z0-9]*\}))+', operation.path):
        fault(operation.at, f'the path `{operation.path}` is not understood')


def check_access(operation):
    node = operation.node
    if 'x-allow' in node:
        allowed = texts(node, 'x-allow', ROLES)
        if 'anonymous' in allowed and (len(allowed) > 1 or operation.internal):
            fault(node.at['x-allow'], '`anonymous` stands alone and is public')
    elif not operation.internal:
        fault(operation.at, '`x-allow` is missing: only internal operations may leave it out')
    if 'x-callers' in node:
        texts(node, 'x-callers', [*SERVICES, 'gateway'])
    elif operation.internal:
        fault(operation.at, '`x-callers` is missing: nobody could call it')


def check_kind(operation):
    node = operation.node
    is_true(node, 'x-initial')
    for key, values in (('x-label', ['I', 'II', 'III', 'IV']), ('x-idempotency', ['required']),
                        ('x-feature', ['video_upload', 'peer_comment']), ('x-stream', ['request', 'response', 'events'])):
        if key in node:
            one_of(node, key, values)
    if 'x-timeout-ms' in node:
        integer(node, 'x-timeout-ms', 100, 120000)
    if 'x-audit' in node:
        kind, _, activity = text(node, 'x-audit').partition('.')
        if kind not in AUDIT or activity not in AUDIT[kind][1]:
            fault(node.at['x-audit'], f'`{node["x-audit"]}` is not in the table of events')
    own = 'x-fanout' in node or node.get('x-stream') == 'events'
    if own != (operation.service == 'gateway'):
        fault(operation.at, 'fan-out and server-sent events belong to gateway.yaml, and nothing else does')


def params(documents, operation):
    node, fields, in_path = operation.node, [], set()
    for item in node.get('parameters', []):
        owner = operation.service
        if not isinstance(item, Map):
            fault(node.at['parameters'], 'a parameter is a mapping')
        if '$ref' in item:
            owner, _, item = documents.resolve(owner, item)
        check(item, item.here, ['name', 'in', 'schema'], ['required', 'description'])
        name, where, required = text(item, 'name'), one_of(item, 'in', ['path', 'query', 'header']), is_true(item, 'required')
        kind = documents.type_of(owner, item['schema'], item.here)
        if kind.kind not in ('string', 'integer', 'boolean'):
            fault(item.here, f'a parameter cannot be an {kind.kind}')
        if where == 'path':
            in_path.add(name)
            if not required:
                fault(item.here, 'a path parameter is always required')
        if where == 'header' and (name.lower() in SPOKEN_FOR or not re.fullmatch(r'[A-Z][a-z]+(-[A-Z][a-z]+)*', name)):
            fault(item.here, f'the header `{name}` cannot be a parameter')
        if where != 'header' and not re.fullmatch(r'[a-z][A-Za-z0-9]*', name):
            fault(item.here, f'the parameter `{name}` must be in camelCase')
        fields.append(make_field(camel(name) if where == 'header' else name, kind, 'PARAM', required, item.here))
        operation.params.append(item)
    wanted = set(re.findall(r'\{(\w+)\}', operation.path))
    if in_path != wanted:
        fault(operation.at, f'path parameters differ from the path: {", ".join(sorted(in_path ^ wanted))}')
    return fields


def content_of(node):
    """The one content type of a body, and its node."""
    content = node['content']
    if not isinstance(content, Map) or len(content) != 1:
        fault(node.at['content'], 'exactly one content type is understood')
    return next(iter(content.items()))


def body(documents, operation):
    if 'requestBody' not in operation.node:
        return []
    if operation.method in [*READS, 'delete']:
        fault(operation.node.at['requestBody'], f'{operation.method.upper()} has no body')
    node = check(operation.node['requestBody'], operation.at, ['content'], ['description'])
    kind, media = content_of(node)
    if kind == 'application/json':
        check(media, node['content'].at[kind], ['schema'])
        return documents.fields_of(operation.service, media['schema'])
    check(media, node['content'].at[kind], ['x-max-bytes'])
    operation.raw_type, operation.raw_max = kind, integer(media, 'x-max-bytes', 1, 1 << 30)
    return [make_field('body', Type('bytes', max=operation.raw_max), 'BODY', True, media.here)]


def answer(documents, operation):
    responses = operation.node['responses']
    if not isinstance(responses, Map) or len(responses) != 1 or next(iter(responses)) not in ('200', '201', '202', '204'):
        fault(operation.node.at['responses'], 'exactly one response, from 200, 201, 202, 204; errors are the same everywhere')
    status, node = next(iter(responses.items()))
    check(node, responses.at[status], ['description'], ['content', 'headers'])
    operation.status = int(status)
    fields = headers(documents, operation, node)
    if 'content' in node:
        if status == '204' or operation.method == 'head':
            fault(node.at['content'], 'there can be no body here')
        fields += reply_body(documents, operation, node, bool(fields))
    if fields:
        operation.shape_out = make_shape(f'{operation.service}_{operation.name}_out', fields)
        operation.out_name = operation.shape_out.name


def reply_body(documents, operation, node, has_headers):
    kind, media = content_of(node)
    if kind != 'application/json':
        check(media, node['content'].at[kind], [])
        operation.reply_type = kind
        return [make_field('body', Type('bytes', max=1 << 30), 'BODY', True, media.here)]
    check(media, node['content'].at[kind], ['schema'])
    operation.reply_type = kind
    if not isinstance(media['schema'], Map):
        fault(media.here, 'a schema must be a mapping')
    if '$ref' in media['schema'] and not has_headers:
        named = documents.type_of(operation.service, media['schema'])
        if named.kind != 'object':
            fault(media.here, 'an answer is an object')
        operation.out_name = named.shape
        return []
    return documents.fields_of(operation.service, media['schema'])


def headers(documents, operation, node):
    given = node.get('headers', Map())
    if '$ref' in given:
        _, _, given = documents.resolve(operation.service, given)
    fields = []
    for name, item in given.items():
        check(item, given.at[name], ['schema'], ['description'])
        kind = documents.type_of(operation.service, item['schema'], given.at[name])
        if kind.kind != 'string':
            fault(given.at[name], 'the schema of a response header is a string')
        fields.append(make_field(name, kind, 'HEADER', False, given.at[name]))
    return fields
