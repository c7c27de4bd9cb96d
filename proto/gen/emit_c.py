"""C from shapes and operations: structs, shapes, client stubs, operation tables, event types."""
from load import check, fault, snake, texts
from model import AUDIT, READS, SERVICES, make_shape

KINDS = {kind: 'KIND_' + kind.upper() for kind in ('string', 'integer', 'boolean', 'object', 'array', 'bytes')}
CALL_TIMEOUT_MS = 10000  # unless x-timeout-ms says otherwise


def quote(value):
    return 'NULL' if value is None else '"' + value.replace('\\', '\\\\').replace('"', '\\"') + '"'


def note(source):
    return f'/* Made from proto/{source}.yaml by proto/gen; changes here are lost. */\n'


def named_list(values):
    return 'NULL' if not values else '(const char *const[]){ ' + ', '.join(map(quote, values)) + ', NULL }'


# ---- structs ----

def item_type(kind):
    return {'string': 'const char *', 'integer': 'int64_t ', 'object': f'struct {kind.shape} '}[kind.kind]


def member(field):
    kind, name = field.type, field.column
    presence = f'\tbool has_{name};\n' if has_presence(field) else ''
    plain = {'string': 'const char *', 'integer': 'int64_t ', 'boolean': 'bool ', 'bytes': 'struct bytes ',
             'object': f'struct {kind.shape} *'}
    if kind.kind == 'array':
        return f'\tstruct {{\n\t\t{item_type(kind.item)}*items;\n\t\tsize_t n;\n\t}} {name};\n'
    return presence + f'\t{plain[kind.kind]}{name};\n'


def has_presence(field):
    return not field.required and field.type.kind in ('integer', 'boolean')


def struct(shape):
    return (f'struct {shape.name} {{\n' + ''.join(map(member, shape.fields)) + '};\n'
            f'extern const struct shape {shape.name}_shape;\n\n')


def structs(shapes):
    """Arrays only point to their items, so a declaration in front is enough for any order."""
    return ''.join(f'struct {s.name};\n' for s in shapes) + '\n' + ''.join(map(struct, shapes))


# ---- shapes ----

def limits(kind):
    text = f'.kind = {KINDS[kind.kind]}, .format = FORMAT_{kind.format.upper().replace("-", "_")}, '
    text += f'.min = {kind.min}, .max = {kind.max}'
    if kind.values:
        text += f',\n\t\t.values = {named_list(kind.values)}'
    return text


def field_row(shape, field):
    kind = field.type
    row = f'\t{{ .name = {quote(field.name)}, .column = {quote(field.column)}, {limits(kind)},\n'
    row += f'\t\t.place = PLACE_{field.place}, .required = {str(field.required).lower()}, '
    row += f'.offset = offsetof(struct {shape.name}, {field.column}), '
    row += f'.has = {f"offsetof(struct {shape.name}, has_{field.column})" if has_presence(field) else "NO_PRESENCE"}'
    if kind.shape:
        row += f',\n\t\t.shape = &{kind.shape}_shape'
    elif kind.kind == 'array':
        row += f',\n\t\t.item = &(const struct field){{ .name = "", .column = "", {limits(kind.item)}, .has = NO_PRESENCE }}'
    return row + ' },\n'


def shape_table(shape):
    rows = ''.join(field_row(shape, field) for field in shape.fields)
    return (f'static const struct field {shape.name}_fields[] = {{\n{rows}}};\n'
            f'const struct shape {shape.name}_shape = {{ .name = "{shape.name}", .size = sizeof(struct {shape.name}),\n'
            f'\t.fields = {shape.name}_fields, .fields_n = {len(shape.fields)} }};\n\n')


# ---- operations ----

def arguments(operation):
    given = ['struct call *c']
    if operation.shape_in:
        given.append(f'const struct {operation.shape_in.name} *in')
    if operation.out_name:
        given.append(f'struct {operation.out_name} *out')
    return ', '.join(given)


def prototypes(operations):
    text = ''
    for o in operations:
        text += f'/* {o.node["summary"]} */\nenum err {o.service}_{o.name}({arguments(o)});\n'
        if o.internal:
            text += f'must_check enum err {o.service}_{o.name}_call({arguments(o)});\n'
    return text + '\n'


def shape_refs(o):
    return (f'.in = {"&" + o.shape_in.name + "_shape" if o.shape_in else "NULL"}, '
            f'.out = {"&" + o.out_name + "_shape" if o.out_name else "NULL"}')


def client(o):
    if not o.internal:
        return ''
    return (f'enum err {o.service}_{o.name}_call({arguments(o)})\n{{\n'
            f'\tstatic const struct client_op op = {{ .service = "{o.service}", .operation = "{o.name}",\n'
            f'\t\t{shape_refs(o)}, .timeout_ms = {o.node.get("x-timeout-ms", CALL_TIMEOUT_MS)} }};\n'
            f'\treturn service_call(c, &op, {"in" if o.shape_in else "NULL"}, {"out" if o.out_name else "NULL"});\n}}\n\n')


def adapter(o):
    given = ['c'] + (['in'] if o.shape_in else []) + (['out'] if o.out_name else [])
    return (f'static enum err call_{o.name}(struct call *c, const void *in, void *out)\n{{\n'
            f'\treturn {o.service}_{o.name}({", ".join(given)});\n}}\n\n')


def flags(o):
    node = o.node
    chosen = [name for name, wanted in (
        ('OP_WRITES', o.method not in READS or 'x-audit' in node), ('OP_INTERNAL', o.internal),
        ('OP_NO_CAPABILITY', 'x-allow' not in node), ('OP_INITIAL', 'x-initial' in node),
        ('OP_IDEMPOTENT_KEY', 'x-idempotency' in node), ('OP_STREAM_REQUEST', node.get('x-stream') == 'request'),
        ('OP_STREAM_RESPONSE', node.get('x-stream') == 'response'), ('OP_RAW_BODY', o.raw_type)) if wanted]
    return ' | '.join(chosen) or '0'


def op_row(o):
    node = o.node
    callers = ([] if o.internal else ['gateway']) + node.get('x-callers', [])
    allow = ' | '.join('ROLE_' + role.upper() for role in node.get('x-allow', [])) or '0'
    feature = 'FEATURE_' + node['x-feature'].upper() if 'x-feature' in node else '0'
    row = f'\t{{ .name = "{o.name}", .handler = call_{o.name}, {shape_refs(o)},\n'
    row += f'\t\t.allow = {allow}, .feature = {feature}, .flags = {flags(o)},\n'
    row += f'\t\t.status = {o.status}, .callers = {named_list(callers)}, .content_type = {quote(o.reply_type)},\n'
    row += f'\t\t.label = {quote(node.get("x-label"))}'
    if 'x-audit' in node:
        kind, _, activity = node['x-audit'].partition('.')
        row += f', .audit = {{ .name = "{node["x-audit"]}", .class_uid = {AUDIT[kind][0]}, .activity_id = {AUDIT[kind][1][activity]} }}'
    return row + ' },\n'


# ---- files ----

def header(name, source, includes, content):
    guard = f'{name.upper()}_PROTO_H'
    lines = ''.join(f'#include "{include}"\n' for include in includes)
    return f'{note(source)}#ifndef {guard}\n#define {guard}\n\n{lines}\n{content}#endif\n'


def common(documents):
    shapes = documents.shapes('common')
    return {'common_proto.h': header('common', 'common', ['libcommon/shape.h'], structs(shapes)),
            'common_proto.c': note('common') + '#include "common_proto.h"\n\n' + ''.join(map(shape_table, shapes))}


def service(documents, name, operations):
    shapes = documents.shapes(name) + [s for o in operations for s in (o.shape_in, o.shape_out) if s]
    table = f'extern const struct op {name}_ops[]; /* sorted by name */\nextern const size_t {name}_ops_n;\n'
    table += f'enum {{ {name.upper()}_OPS_N = {len(operations)} }}; /* the same, for initialisers */\n\n'
    return {
        f'{name}_proto.h': header(name, name, ['libcommon/service.h', 'common_proto.h'],
                                  structs(shapes) + prototypes(operations) + table),
        f'{name}_proto.c': f'{note(name)}#include "{name}_proto.h"\n\n' + ''.join(map(shape_table, shapes))
                           + ''.join(map(client, operations)),
        f'{name}_ops.c': f'{note(name)}#include "{name}_proto.h"\n\n' + ''.join(map(adapter, operations))
                         + f'const struct op {name}_ops[] = {{\n' + ''.join(map(op_row, operations)) + '};\n'
                         + f'const size_t {name}_ops_n = {name.upper()}_OPS_N;\n'}


def events(documents):
    """A struct, a shape and an event_type per channel of events.yaml."""
    root = documents.get('events')
    check(root, root.here, ['asyncapi', 'info', 'channels'])
    shapes, types, declarations = [], '', ''
    for channel, node in root['channels'].items():
        at = root['channels'].at[channel]
        check(node, at, ['x-producer', 'x-consumers', 'messages'])
        if node['x-producer'] not in SERVICES:
            fault(at, f'`{node["x-producer"]}` is no service')
        message = check(check(node['messages'], at, ['event'])['event'], at, ['payload'])
        shape = make_shape(snake(channel), documents.fields_of('events', message['payload']))
        shapes.append(shape)
        declarations += f'extern const struct event_type event_{shape.name};\n'
        types += (f'const struct event_type event_{shape.name} = {{ .name = "{channel}", .shape = &{shape.name}_shape,\n'
                  f'\t.consumers = {named_list(texts(node, "x-consumers", SERVICES))} }};\n')
    return {'events_proto.h': header('events', 'events', ['libcommon/outbox.h', 'common_proto.h'],
                                     structs(shapes) + declarations + '\n'),
            'events_proto.c': note('events') + '#include "events_proto.h"\n\n' + ''.join(map(shape_table, shapes)) + types}
