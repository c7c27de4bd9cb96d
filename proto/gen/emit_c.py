"""C from shapes and operations: structs, shapes, client stubs, operation tables, event types."""
import operation
from load import demand
from model import Shape, snake
from rules import AUDIT, check

NOTE = '/* Made from proto/ by proto/gen; changes here are lost. */'
C_TYPES = {'string': 'const char *', 'integer': 'int64_t ', 'boolean': 'bool ', 'bytes': 'struct bytes '}
OP_FLAGS = {  # of an operation's row, each with when it holds
    'writes': lambda o: not o.reads, 'internal': lambda o: o.internal,
    'no_capability': lambda o: 'x-allow' not in o.node, 'initial': lambda o: 'x-initial' in o.node,
    'closed': lambda o: 'x-closed' in o.node,
    'reads': lambda o: o.reads and 'x-audit' in o.node,
    'step_up': lambda o: 'x-step-up' in o.node, 'idempotent_key': lambda o: 'x-idempotency' in o.node,
    'stream_request': lambda o: o.stream == 'request', 'stream_response': lambda o: o.stream == 'response',
    'raw_body': lambda o: o.raw, 'seeks': lambda o: 'q' in o.params['query'] and o.withholds()}


def quote(value):
    return value and '"' + value.replace('\\', '\\\\').replace('"', '\\"') + '"'


def texts(values):
    return values and '(const char *const[]){ ' + ', '.join(map(quote, values)) + ', NULL }'


def record(**members):
    """A designated initialiser; what is None or empty is left out, and so zero."""
    return '{ ' + ', '.join(f'.{name} = {value}' for name, value in members.items() if value not in (None, [], '')) + ' }'


def table(declaration, rows):
    return f'{declaration}[] = {{\n' + ''.join(f'\t{row},\n' for row in rows) + '};\n'


def mask(prefix, names):
    return ' | '.join(prefix + name.upper() for name in names)


def flags(prefix, known, o):
    return mask(prefix, [name for name, holds in known.items() if holds(o)])


def c_type(field):
    return 'struct personal ' if field.personal else C_TYPES.get(field.kind) or f'struct {field.shape} '


def member(field):
    if field.kind == 'array':
        return f'\tstruct {{\n\t\t{c_type(field.item)}*items;\n\t\tsize_t n;\n\t}} {field.column};\n'
    presence = f'\tbool {field.has};\n' if field.has else ''
    return f'{presence}\t{c_type(field)}{"*" if field.kind == "object" else ""}{field.column};\n'


def structs(shapes):
    """Arrays only point to their items, so a declaration in front is enough for any order."""
    return ''.join(f'struct {s.name};\n' for s in shapes) + '\n' + ''.join(
        f'struct {s.name} {{\n{"".join(map(member, s.fields))}}};\nextern const struct shape {s.name}_shape;\n\n'
        for s in shapes)


def personal(field):
    said = field.personal
    return said and '&(const struct personal_kind)' + record(
        domain=quote(said.domain), column=quote(said.column), part=said.part or None, last=said.last or None,
        of_user='true' if said.of_user else None, index=quote(said.index))


def field_row(struct, field):
    """A struct field of shape.h; the items of an array stand in no struct."""
    offset = f'offsetof(struct {struct}, '
    return record(
        name=f'"{field.name}"', column=f'"{field.column}"', kind=f'KIND_{field.kind.upper()}',
        format=f'FORMAT_{snake(field.format).upper()}', place=f'PLACE_{field.place}', in_query=field.in_query and 'true' or None,
        raised=field.raised and 'true' or None, recorded=field.recorded and 'true' or None,
        required=str(field.required).lower(), min=field.limits[0], max=field.limits[1], values=texts(field.values),
        personal=personal(field), offset=struct and f'{offset}{field.column})',
        has=f'{offset}{field.has})' if field.has else 'NO_PRESENCE', shape=field.shape and f'&{field.shape}_shape',
        item=field.item and not field.shape and '&(const struct field)' + field_row(None, field.item) or None)


def shape_tables(shape):
    fields = f'{shape.name}_fields'
    return table(f'static const struct field {fields}', [field_row(shape.name, field) for field in shape.fields]) + (
        f'const struct shape {shape.name}_shape = ' + record(
            name=quote(shape.name), size=f'sizeof(struct {shape.name})', fields=fields, fields_n=len(shape.fields),
            label=shape.label and f'LABEL_{shape.label}') + ';\n\n')


def signature(o, suffix=''):
    given = ['struct call *c', o.structs['in'] and f'const struct {o.structs["in"]} *in',
             o.structs['out'] and f'struct {o.structs["out"]} *out']
    return f'enum err {o.service}_{o.name}{suffix}({", ".join(filter(None, given))})'


def shape_refs(o):
    return {way: name and f'&{name}_shape' for way, name in o.structs.items()}


def client(o):
    op = record(service=quote(o.service), operation=quote(o.name), **shape_refs(o), timeout_ms=o.timeout_ms)
    given = ', '.join(way if name else 'NULL' for way, name in o.structs.items())
    return (f'{signature(o, "_call")}\n{{\n\tstatic const struct client_op op = {op};\n'
            f'\treturn service_call(c, &op, {given});\n}}\n\n')


def adapter(o):
    given = ', '.join(['c', *(way for way, name in o.structs.items() if name)])
    return (f'static enum err call_{o.name}(struct call *c, const void *in, void *out)\n{{\n'
            f'\treturn {o.service}_{o.name}({given});\n}}\n\n')


def labelled(o):
    """Where in the input the id of an object with a class of its own is, and how that class is asked for."""
    if not o.asks():
        return None
    return '&(const struct op_object)' + record(
        id=f'offsetof(struct {o.structs["in"]}, {o.labelled.column})',
        sql=quote(f'SELECT min(label) FROM {o.service}.label_of_{o.labelled.labelled} WHERE id = $1::uuid'))


def op_row(o):
    node, audit = o.node, AUDIT.get(o.node.get('x-audit'))
    return record(
        name=quote(o.name), handler=f'call_{o.name}', **shape_refs(o), allow=mask('ROLE_', o.allow),
        feature=mask('FEATURE_', filter(None, [node.get('x-feature')])), flags=flags('OP_', OP_FLAGS, o), status=o.status,
        callers=texts(o.callers), content_type=quote(o.answer_type),
        label=o.label and f'LABEL_{o.label}', object=labelled(o),
        audit=audit and record(name=quote(node['x-audit']), class_uid=audit[0], activity_id=audit[1]),
        audit_shared_s=node.get('x-audit-shared-s'))


def header_and_source(name, includes, shapes, declarations='', definitions=''):
    guard, lines = f'{name.upper()}_PROTO_H', ''.join(f'#include "{include}"\n' for include in includes)
    return {
        f'{name}_proto.h': f'{NOTE}\n#ifndef {guard}\n#define {guard}\n\n{lines}\n{structs(shapes)}{declarations}#endif\n',
        f'{name}_proto.c': f'{NOTE}\n#include "{name}_proto.h"\n\n{"".join(map(shape_tables, shapes))}{definitions}'}


def common(documents):
    demand(not operation.operations(documents, 'common'), 'common.yaml:1', 'operations belong to a service')
    return header_and_source('common', ['libcommon/shape.h'], documents.shapes('common'))


def service(documents, name, operations):
    shapes = documents.shapes(name) + [s for o in operations for s in o.shapes]
    internal = [o for o in operations if o.internal]
    prototypes = ''.join(f'/* {o.node["summary"]} */\n{signature(o)};\n' for o in operations)
    prototypes += ''.join(f'must_check {signature(o, "_call")};\n' for o in internal)
    prototypes += f'\nextern const struct op {name}_ops[]; /* sorted by name */\n'
    prototypes += f'enum {{ {name.upper()}_OPS_N = {len(operations)} }};\n\n'
    ops = f'{NOTE}\n#include "{name}_proto.h"\n\n{"".join(map(adapter, operations))}'
    return {f'{name}_ops.c': ops + table(f'const struct op {name}_ops', map(op_row, operations)), **header_and_source(
        name, ['libcommon/service.h', 'common_proto.h'], shapes, prototypes, ''.join(map(client, internal)))}


def events(documents):
    """A struct, a shape and an event_type per channel of events.yaml."""
    root = documents['events']
    channels = check(root, root.here, ['asyncapi', 'info', 'channels'])['channels']
    shapes, declarations, types = [], '', ''
    for name, node in channels.items():
        at = channels.at[name]
        check(node, at, ['x-producer', 'x-consumers', 'messages'])
        for i, consumer in enumerate(node['x-consumers']):
            callers = [caller for o in operation.operations(documents, consumer) if o.name == 'event_accept' for caller in o.callers]
            demand(node['x-producer'] in callers, node['x-consumers'].at[i],
                   f'`{consumer}` has no event_accept that {node["x-producer"]} may call')
        message = check(check(node['messages'], at, ['event'])['event'], at, ['payload'])
        shapes.append(Shape(snake(name), documents.fields_of('events', message['payload'])))
        declaration = f'const struct event_type event_{snake(name)}'
        declarations += f'extern {declaration};\n'
        types += f'{declaration} = ' + record(
            name=quote(name), shape=f'&{snake(name)}_shape', consumers=texts(node['x-consumers'])) + ';\n'
    return header_and_source('events', ['libcommon/outbox.h', 'common_proto.h'], shapes, declarations + '\n', types)
