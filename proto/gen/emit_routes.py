"""The gateway's table of routes: every public operation of every service."""
from emit_c import NOTE, flags, mask, quote, record, table
from load import demand
from model import camel

JSON_MAX = 256 * 1024  # what the gateway holds of one body; larger ones stream or state x-max-bytes
ESCAPED = 12  # bytes of one code point as a pair of \\u escapes, the longest that JSON allows
ROUTE_FLAGS = {
    'anonymous': lambda o: o.allow == ['anonymous'], 'writes': lambda o: not o.reads, 'initial': lambda o: 'x-initial' in o.node,
    'closed': lambda o: 'x-closed' in o.node,
    'stream_request': lambda o: o.stream == 'request', 'stream_response': lambda o: o.stream == 'response',
    'events': lambda o: o.stream == 'events', 'idempotency_key': lambda o: 'x-idempotency' in o.node,
    'if_match': lambda o: o.params['header'].get('If-Match')}


def json_bound(fields, shapes):
    """The most bytes that a valid object can take, without white space between its tokens."""
    return 2 + sum(len(field.name) + 4 + value_bound(field, shapes) for field in fields if field.place == 'BODY')


def value_bound(field, shapes):
    if field.kind == 'array':
        return 2 + min(field.limits[1] * (1 + value_bound(field.item, shapes)), JSON_MAX)
    if field.kind == 'object':
        return json_bound(shapes[field.shape].fields, shapes)
    return 2 + ESCAPED * field.limits[1] if field.kind == 'string' else 20


def body_max(o, shapes):
    """Room for white space and growth: twice the bound, as a power of two from 4 KiB to JSON_MAX."""
    if o.raw or not o.body_type:
        return o.shapes[0].fields[-1].limits[1] if o.raw else 0
    return max(4096, 1 << (min(2 * json_bound(o.shapes[0].fields, shapes), JSON_MAX) - 1).bit_length())


def pairs(kind, rows):
    cells = ''.join(f'{{ "{first}", "{second}" }}, ' for first, second in rows)
    return f'(const struct {kind}[]){{ {cells}{{ NULL, NULL }} }}'


def fanout(o, callers):
    parts = o.node.get('x-fanout', [])
    for i, part in enumerate(parts):
        demand('gateway' in callers.get(part, []), parts.at[i],
               f'`{part}` is no internal operation that the gateway may call')
    return parts and pairs('route_part', (part.split('.') for part in parts))


def subjects(o):
    """What a list is of: the ids that the query may name; a cursor is a place in it."""
    names = [field.name for shape in o.shapes[:1] for field in shape.fields if field.in_query and field.format == 'uuid' and field.name != 'cursor']
    return names and '(const char *const[]){ ' + ', '.join([*(f'"{name}"' for name in names), 'NULL']) + ' }'


def row(o, shapes, callers):
    return record(
        method=quote(o.method.upper()), path=quote(o.path), service=quote(o.service), operation=quote(o.name),
        flags=flags('ROUTE_', ROUTE_FLAGS, o), label=o.label and f'LABEL_{o.label}', body_max=body_max(o, shapes), allow=mask('ROLE_', o.allow), content_type=quote(o.body_type),
        timeout_ms=o.timeout_ms, fanout=fanout(o, callers), subjects=subjects(o),
        headers=pairs('route_header', ((name.lower(), camel(name)) for name in o.params['header'])))


def routes(documents, operations):
    shapes = {shape.name: shape for name in list(documents) for shape in documents.shapes(name)}
    callers, public = {f'{o.service}.{o.name}': o.callers for o in operations if o.internal}, {}
    for o in operations:
        before = o if o.internal else public.setdefault((o.path, o.method), o)
        demand(before is o, o.at, f'{o.method.upper()} {o.path} stands at {before.at} already')
    return {'gateway_routes.c': (
        f'{NOTE}\n#include "libcommon/capability.h"\n#include "services/gateway/route.h"\n\n'
        + table('const struct route gateway_routes', [row(public[key], shapes, callers) for key in sorted(public)])
        + f'const size_t gateway_routes_n = {len(public)};\n')}
