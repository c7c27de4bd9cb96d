"""C from shapes and operations: structs, shapes, client stubs, operation tables, event types."""
from model import Shape, snake
from rules import AUDIT, check

C_TYPES = {'string': 'const char *', 'integer': 'int64_t ', 'boolean': 'bool ', 'bytes': 'struct bytes '}


def quote(value):
    return 'NULL' if value is None else '"' + value.replace('\\', '\\\\').replace('"', '\\"') + '"'


def named_list(values):
    return 'NULL' if not values else '(const char *const[]){ ' + ', '.join(map(quote, values)) + ', NULL }'


def flags(wanted):
    """The names of those that are true, as one integer of C."""
    return ' | '.join(name for name, holds in wanted.items() if holds) or '0'


def roles(o):
    return flags({f'ROLE_{role.upper()}': True for role in o.node.get('x-allow', [])})


def note(source):
    return f'/* Made from {source} by proto/gen; changes here are lost. */\n'


def c_type(kind):
    return C_TYPES.get(kind.kind) or f'struct {kind.shape} '


def member(field):
    kind, name = field.type, field.column
    if kind.kind == 'array':
        return f'\tstruct {{\n\t\t{c_type(kind.item)}*items;\n\t\tsize_t n;\n\t}} {name};\n'
    presence = f'\tbool {field.has};\n' if field.has else ''
    return f'{presence}\t{c_type(kind)}{"*" if kind.kind == "object" else ""}{name};\n'


def structs(shapes):
    """Arrays only point to their items, so a declaration in front is enough for any order."""
    return ''.join(f'struct {s.name};\n' for s in shapes) + '\n' + ''.join(
        f'struct {s.name} {{\n{"".join(map(member, s.fields))}}};\n'
        f'extern const struct shape {s.name}_shape;\n\n'
        for s in shapes)


def limits(kind):
    values = f',\n\t\t.values = {named_list(kind.values)}' if kind.values else ''
    return (f'.kind = KIND_{kind.kind.upper()}, .format = FORMAT_{snake(kind.format).upper()}, '
            f'.min = {kind.min}, .max = {kind.max}{values}')


def field_row(shape, field):
    kind, inner = field.type, ''
    if kind.shape:
        inner = f',\n\t\t.shape = &{kind.shape}_shape'
    elif kind.item:
        inner = (f',\n\t\t.item = &(const struct field){{ .name = "", .column = "", {limits(kind.item)}, '
                 '.has = NO_PRESENCE }')
    has = f'offsetof(struct {shape.name}, {field.has})' if field.has else 'NO_PRESENCE'
    return (f'\t{{ .name = {quote(field.name)}, .column = {quote(field.column)}, {limits(kind)},\n'
            f'\t\t.place = PLACE_{field.place}, .required = {str(field.required).lower()}, '
            f'.offset = offsetof(struct {shape.name}, {field.column}), .has = {has}{inner} }},\n')


def shape_table(shape):
    rows = ''.join(field_row(shape, field) for field in shape.fields)
    return (f'static const struct field {shape.name}_fields[] = {{\n{rows}}};\n'
            f'const struct shape {shape.name}_shape = '
            f'{{ .name = "{shape.name}", .size = sizeof(struct {shape.name}),\n'
            f'\t.fields = {shape.name}_fields, .fields_n = {len(shape.fields)} }};\n\n')


def signature(o, suffix=''):
    given = 'struct call *c'
    given += f', const struct {o.structs["in"]} *in' if o.structs['in'] else ''
    given += f', struct {o.structs["out"]} *out' if o.structs['out'] else ''
    return f'enum err {o.service}_{o.name}{suffix}({given})'


def shape_refs(o):
    return ', '.join(f'.{way} = ' + (f'&{name}_shape' if name else 'NULL') for way, name in o.structs.items())


def client(o):
    given = ', '.join(way if name else 'NULL' for way, name in o.structs.items())
    return (f'{signature(o, "_call")}\n{{\n'
            f'\tstatic const struct client_op op = {{ .service = "{o.service}", .operation = "{o.name}",\n'
            f'\t\t{shape_refs(o)}, .timeout_ms = {o.timeout_ms} }};\n'
            f'\treturn service_call(c, &op, {given});\n}}\n\n')


def adapter(o):
    given = ', '.join(['c', *(way for way, name in o.structs.items() if name)])
    return (f'static enum err call_{o.name}(struct call *c, const void *in, void *out)\n{{\n'
            f'\treturn {o.service}_{o.name}({given});\n}}\n\n')


def op_row(o):
    node, audit = o.node, ''
    callers = ([] if o.internal else ['gateway']) + node.get('x-callers', [])
    chosen = flags({
        'OP_WRITES': not o.reads or 'x-audit' in node, 'OP_INTERNAL': o.internal,
        'OP_NO_CAPABILITY': 'x-allow' not in node, 'OP_INITIAL': 'x-initial' in node,
        'OP_IDEMPOTENT_KEY': 'x-idempotency' in node, 'OP_STREAM_REQUEST': o.stream == 'request',
        'OP_STREAM_RESPONSE': o.stream == 'response', 'OP_RAW_BODY': o.raw})
    feature = f'FEATURE_{node["x-feature"].upper()}' if 'x-feature' in node else '0'
    if 'x-audit' in node:
        class_uid, activity = AUDIT[node['x-audit']]
        audit = (f', .audit = {{ .name = "{node["x-audit"]}", .class_uid = {class_uid}, '
                 f'.activity_id = {activity} }}')
    return (f'\t{{ .name = "{o.name}", .handler = call_{o.name}, {shape_refs(o)},\n'
            f'\t\t.allow = {roles(o)}, .feature = {feature}, .flags = {chosen},\n'
            f'\t\t.status = {o.status}, .callers = {named_list(callers)}, '
            f'.content_type = {quote(o.answer_type)},\n'
            f'\t\t.label = {quote(node.get("x-label"))}{audit} }},\n')


def header_and_source(name, includes, shapes, declarations='', definitions=''):
    made, guard = note(f'proto/{name}.yaml'), f'{name.upper()}_PROTO_H'
    lines = ''.join(f'#include "{include}"\n' for include in includes)
    tables = ''.join(map(shape_table, shapes))
    return {
        f'{name}_proto.h': f'{made}#ifndef {guard}\n#define {guard}\n\n{lines}\n'
                           f'{structs(shapes)}{declarations}#endif\n',
        f'{name}_proto.c': f'{made}#include "{name}_proto.h"\n\n{tables}{definitions}'}


def common(documents):
    return header_and_source('common', ['libcommon/shape.h'], documents.shapes('common'))


def service(documents, name, operations):
    shapes = documents.shapes(name) + [s for o in operations for s in o.shapes]
    prototypes = ''.join(
        f'/* {o.node["summary"]} */\n{signature(o)};\n'
        + (f'must_check {signature(o, "_call")};\n' if o.internal else '') for o in operations)
    declarations = (
        f'{prototypes}\nextern const struct op {name}_ops[]; /* sorted by name */\n'
        f'extern const size_t {name}_ops_n;\n'
        f'enum {{ {name.upper()}_OPS_N = {len(operations)} }}; /* the same, for initialisers */\n\n')
    clients = ''.join(client(o) for o in operations if o.internal)
    table = (f'{note(f"proto/{name}.yaml")}#include "{name}_proto.h"\n\n{"".join(map(adapter, operations))}'
             f'const struct op {name}_ops[] = {{\n{"".join(map(op_row, operations))}}};\n'
             f'const size_t {name}_ops_n = {name.upper()}_OPS_N;\n')
    return {f'{name}_ops.c': table, **header_and_source(
        name, ['libcommon/service.h', 'common_proto.h'], shapes, declarations, clients)}


def events(documents):
    """A struct, a shape and an event_type per channel of events.yaml."""
    root = documents['events']
    channels = check(root, root.here, ['asyncapi', 'info', 'channels'])['channels']
    shapes, declarations, types = [], '', ''
    for name, node in channels.items():
        at = channels.at[name]
        check(node, at, ['x-producer', 'x-consumers', 'messages'])
        message = check(check(node['messages'], at, ['event'])['event'], at, ['payload'])
        shape = Shape(snake(name), documents.fields_of('events', message['payload']))
        shapes.append(shape)
        declarations += f'extern const struct event_type event_{shape.name};\n'
        types += (f'const struct event_type event_{shape.name} = '
                  f'{{ .name = "{name}", .shape = &{shape.name}_shape,\n'
                  f'\t.consumers = {named_list(node["x-consumers"])} }};\n')
    includes = ['libcommon/outbox.h', 'common_proto.h']
    return header_and_source('events', includes, shapes, declarations + '\n', types)
