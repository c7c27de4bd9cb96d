"""The gateway's table of routes: every public operation of every service."""
from emit_c import CALL_TIMEOUT_MS, quote
from load import camel, fault
from model import READS

JSON_MAX = 256 * 1024  # what the gateway holds of one body; larger ones stream or state x-max-bytes
ESCAPED = 12  # bytes of one code point as a pair of \\u escapes, the longest that JSON allows


def json_bound(shape, shapes):
    """The most bytes that a valid body of a shape can take, without white space between its tokens."""
    return 2 + sum(len(field.name) + 4 + value_bound(field.type, shapes) for field in shape.fields if field.place == 'BODY')


def value_bound(kind, shapes):
    if kind.kind == 'string':
        return 2 + ESCAPED * kind.max
    if kind.kind in ('integer', 'boolean'):
        return 20
    if kind.kind == 'object':
        return json_bound(shapes[kind.shape], shapes)
    return 2 + min(kind.max * (1 + value_bound(kind.item, shapes)), JSON_MAX)


def body_max(operation, shapes):
    """Room for white space and headroom for growth: twice the bound, a power of two from 4 KiB to JSON_MAX."""
    if 'requestBody' not in operation.node:
        return 0
    if operation.raw_type:
        return operation.raw_max
    size = 4096
    while size < min(2 * json_bound(operation.shape_in, shapes), JSON_MAX):
        size *= 2
    return size


def flags(operation):
    node, headers = operation.node, [p['name'] for p in operation.params if p['in'] == 'header' and p.get('required')]
    chosen = [name for name, wanted in (
        ('ROUTE_ANONYMOUS', node['x-allow'] == ['anonymous']), ('ROUTE_STREAM_REQUEST', node.get('x-stream') == 'request'),
        ('ROUTE_STREAM_RESPONSE', node.get('x-stream') == 'response'), ('ROUTE_EVENTS', node.get('x-stream') == 'events'),
        ('ROUTE_IDEMPOTENCY_KEY', 'x-idempotency' in node), ('ROUTE_IF_MATCH', 'If-Match' in headers),
        ('ROUTE_WRITES', operation.method not in READS), ('ROUTE_INITIAL', 'x-initial' in node)) if wanted]
    return ' | '.join(chosen) or '0'


def fanout(operation, internal):
    rows = ''
    for i, part in enumerate(operation.node.get('x-fanout', [])):
        service, _, name = part.partition('.')
        if 'gateway' not in internal.get((service, name), []):
            fault(operation.node['x-fanout'].at[i], f'`{part}` is no internal operation that the gateway may call')
        rows += f'{{ "{service}", "{name}" }}, '
    return f'(const struct route_part[]){{ {rows}{{ NULL, NULL }} }}' if rows else 'NULL'


def row(operation, shapes, internal):
    headers = ''.join(f'{{ "{p["name"].lower()}", "{camel(p["name"])}" }}, ' for p in operation.params if p['in'] == 'header')
    allow = ' | '.join('ROLE_' + role.upper() for role in operation.node['x-allow'])
    kind = operation.raw_type or ('application/json' if 'requestBody' in operation.node else None)
    return (f'\t{{ .method = "{operation.method.upper()}", .path = "{operation.path}", .service = "{operation.service}",\n'
            f'\t\t.operation = "{operation.name}", .flags = {flags(operation)}, .body_max = {body_max(operation, shapes)},\n'
            f'\t\t.allow = {allow},\n'
            f'\t\t.content_type = {quote(kind)}, .timeout_ms = {operation.node.get("x-timeout-ms", CALL_TIMEOUT_MS)},\n'
            f'\t\t.headers = (const struct route_header[]){{ {headers}{{ NULL, NULL }} }},\n'
            f'\t\t.fanout = {fanout(operation, internal)} }},\n')


def routes(documents, operations):
    shapes = {s.name: s for name in documents.loaded for s in documents.shapes(name)}
    internal = {(o.service, o.name): o.node['x-callers'] for o in operations if o.internal}
    public, seen = [o for o in operations if not o.internal], {}
    for o in public:
        if (o.method, o.path) in seen:
            fault(o.at, f'{o.method.upper()} {o.path} stands at {seen[o.method, o.path]} already')
        seen[o.method, o.path] = o.at
    rows = ''.join(row(o, shapes, internal) for o in sorted(public, key=lambda o: (o.path, o.method)))
    return {'gateway_routes.c': f'/* Made from the paths of proto by proto/gen; changes here are lost. */\n#include "libcommon/capability.h"\n#include "services/gateway/route.h"\n\nconst struct route gateway_routes[] = {{\n{rows}}};\n'
                                f'const size_t gateway_routes_n = {len(public)};\n'}
