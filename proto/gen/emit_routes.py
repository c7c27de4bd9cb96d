"""The gateway's table of routes: every public operation of every service."""
from emit_c import flags, note, quote, roles
from load import demand
from model import camel

JSON_MAX = 256 * 1024  # what the gateway holds of one body; larger ones stream or state x-max-bytes
ESCAPED = 12  # bytes of one code point as a pair of \\u escapes, the longest that JSON allows


def json_bound(shape, shapes):
    """The most bytes that a valid body of a shape can take, without white space between its tokens."""
    return 2 + sum(len(f.name) + 4 + value_bound(f.type, shapes) for f in shape.fields if f.place == 'BODY')


def value_bound(kind, shapes):
    if kind.kind == 'string':
        return 2 + ESCAPED * kind.max
    if kind.kind == 'object':
        return json_bound(shapes[kind.shape], shapes)
    if kind.kind == 'array':
        return 2 + min(kind.max * (1 + value_bound(kind.item, shapes)), JSON_MAX)
    return 20


def body_max(o, shapes):
    """Room for white space and growth: twice the bound, as a power of two from 4 KiB to JSON_MAX."""
    if o.raw or not o.body_type:
        return o.shapes[0].fields[-1].type.max if o.raw else 0
    size = 4096
    while size < min(2 * json_bound(o.shapes[0], shapes), JSON_MAX):
        size *= 2
    return size


def fanout(o, callers):
    rows, parts = '', o.node.get('x-fanout', [])
    for i, part in enumerate(parts):
        demand('gateway' in callers.get(part, []), parts.at[i],
               f'`{part}` is no internal operation that the gateway may call')
        rows += '{{ "{}", "{}" }}, '.format(*part.split('.'))
    return f'(const struct route_part[]){{ {rows}{{ NULL, NULL }} }}' if rows else 'NULL'


def row(o, shapes, callers):
    headers = ''.join(f'{{ "{name.lower()}", "{camel(name)}" }}, ' for name in o.params['header'])
    chosen = flags({
        'ROUTE_ANONYMOUS': o.node['x-allow'] == ['anonymous'], 'ROUTE_STREAM_REQUEST': o.stream == 'request',
        'ROUTE_STREAM_RESPONSE': o.stream == 'response', 'ROUTE_EVENTS': o.stream == 'events',
        'ROUTE_IDEMPOTENCY_KEY': 'x-idempotency' in o.node,
        'ROUTE_IF_MATCH': o.params['header'].get('If-Match'), 'ROUTE_WRITES': not o.reads,
        'ROUTE_INITIAL': 'x-initial' in o.node})
    return (f'\t{{ .method = "{o.method.upper()}", .path = "{o.path}", .service = "{o.service}",\n'
            f'\t\t.operation = "{o.name}", .flags = {chosen}, .body_max = {body_max(o, shapes)},\n'
            f'\t\t.allow = {roles(o)},\n'
            f'\t\t.content_type = {quote(o.body_type)}, .timeout_ms = {o.timeout_ms},\n'
            f'\t\t.headers = (const struct route_header[]){{ {headers}{{ NULL, NULL }} }},\n'
            f'\t\t.fanout = {fanout(o, callers)} }},\n')


def routes(documents, operations):
    shapes = {shape.name: shape for name in list(documents) for shape in documents.shapes(name)}
    callers = {f'{o.service}.{o.name}': o.node['x-callers'] for o in operations if o.internal}
    public, seen = [o for o in operations if not o.internal], {}
    for o in public:
        before = seen.setdefault((o.path, o.method), o)
        demand(before is o, o.at, f'{o.method.upper()} {o.path} stands at {before.at} already')
    rows = ''.join(row(seen[key], shapes, callers) for key in sorted(seen))
    return {'gateway_routes.c': (
        f'{note("the paths of proto")}'
        '#include "libcommon/capability.h"\n#include "services/gateway/route.h"\n\n'
        f'const struct route gateway_routes[] = {{\n{rows}}};\n'
        f'const size_t gateway_routes_n = {len(public)};\n')}
