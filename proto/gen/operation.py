"""Operations of one service: from OpenAPI path items to Operation."""
import re

from load import Map, demand
from model import Field, Shape, camel
from rules import LABELS, METHODS, READS, check, flag

OPTIONAL = ['parameters', 'requestBody', 'x-allow', 'x-audit', 'x-audit-shared-s', 'x-bounded', 'x-callers', 'x-closed', 'x-fanout', 'x-feature', 'x-idempotency',
            'x-initial', 'x-internal', 'x-label', 'x-step-up', 'x-stream', 'x-timeout-ms', 'x-title']
SPOKEN_FOR = ['Authorization', 'Cookie', 'Content-Type', 'Content-Length', 'Idempotency-Key', 'Traceparent', 'Range', 'Host']
PATH, HEADER = r'(/([a-z0-9-]+|\{[a-z][A-Za-z0-9]*\}))+', '[A-Z][a-z]+(-[A-Z][a-z]+)*'
JSON = 'application/json'
KEEPERS = ['provisioning', 'learning', 'notification']  # of tenants' keys (.keyring in services/*/main.c)
ANSWER_MAX = 1 << 30  # bytes of an answer that is not JSON


class Operation:
    def __init__(self, documents, service, path, method, node, at):
        check(node, at, ['operationId', 'summary', 'responses'], OPTIONAL)
        self.documents, self.service, self.path, self.method, self.node, self.at = documents, service, path, method, node, at
        self.name, self.internal, self.reads = node['operationId'], 'x-internal' in node, method in READS
        self.allow, self.stream = node.get('x-allow', []), node.get('x-stream')
        self.callers = ([] if self.internal else ['gateway']) + node.get('x-callers', [])
        self.timeout_ms = node.get('x-timeout-ms')  # None: the caller's own
        self.check()
        self.params = {'path': {}, 'query': {}, 'header': {}}  # which are required, by place and name
        self.shapes, self.structs = [], {'in': None, 'out': None}  # its own; what the handler takes and fills
        for way, fields in (('in', self.read_params() + self.read_body()), ('out', self.read_answer())):
            if fields:
                self.structs[way] = f'{self.service}_{self.name}_{way}'
                self.shapes.append(Shape(self.structs[way], fields))
        self.label = self.find_label()
        self.labelled = self.find_labelled()
        self.check_follows()

    def check(self):
        start = f'/internal/{self.service}/' if self.internal else '/v1/'
        for holds, reason in (
                (self.path.startswith(start), f'the path must start with {start}'),
                (re.fullmatch(PATH, self.path), f'the path `{self.path}` is not understood'),
                (('x-fanout' in self.node or self.stream == 'events') == (self.service == 'gateway'),
                 'fan-out and server-sent events belong to gateway.yaml, and nothing else does'),
                (self.internal or self.allow, '`x-allow` is missing: only internal operations may leave it out'),
                ('anonymous' not in self.allow or self.allow == ['anonymous'] and not self.internal,
                 '`anonymous` stands alone and is public'),
                ('x-step-up' not in self.node or not self.internal and self.allow != ['anonymous'],
                 '`x-step-up` asks a person who has logged in: not here'),
                ('x-closed' not in self.node or not self.internal and 'contractor' in self.allow,
                 '`x-closed` is for what contractors ask: nobody else is let into a closed contract'),
                ('x-audit-shared-s' not in self.node or self.reads and 'x-audit' in self.node,
                 '`x-audit-shared-s` is for reads that are recorded: every change has its own event'),
                ('x-idempotency' not in self.node or self.service in KEEPERS,
                 '`x-idempotency` keeps the answer under a key of the tenant, and this service has no keyring'),
                ('x-callers' in self.node or not self.internal, '`x-callers` is missing: nobody could call it')):
            demand(holds, self.at, reason)

    def find_label(self):
        """The class of what it touches: said here, or the gravest of the objects that come or go."""
        said, labels = self.node.get('x-label'), [*self.labels(self.service, self.asked, False),
                                                  *self.labels(self.service, self.answer, True)]
        gravest = min(labels, key=LABELS.index, default=None)
        demand(not said or not gravest or LABELS.index(said) <= LABELS.index(gravest), self.at,
               f'`x-label` is {said}, but it touches what is of class {gravest}')
        demand(said or gravest or not set(self.allow) - {'anonymous', 'service'}, self.at,
               '`x-label` is missing: neither the operation nor what it touches says of which class it is')
        return said or gravest

    def find_labelled(self):
        """The parameter that names an object which may have a class of its own."""
        found = [field for shape in self.shapes for field in shape.fields if field.labelled]
        demand(len(found) < 2, self.at, '`x-object` stands at two parameters: of which object is the class?')
        return found[0] if found else None

    def check_follows(self):
        """What follows an object comes and goes only where the class of that is asked for: the path names it, the answer
        tells it, or what follows tells its class itself."""
        named = {self.labelled.labelled} if self.labelled else set()
        for schema, asked in ((self.asked, named), (self.answer, named.union(self.told(self.service, self.answer)))):
            for node in self.following(self.service, schema):
                demand(asked & set(node['x-follows']), self.at,
                       f'what follows {", ".join(node["x-follows"])} is here, but nothing asks for the class of that')

    def following(self, owner, node):
        owner, node, _ = self.documents.resolve(owner, node)
        members = list(node.get('properties', {}).values())
        if 'x-follows' in node and not any('x-raised' in self.documents.resolve(owner, member)[1] for member in members):
            yield node
        for inner in members + ([node['items']] if 'items' in node else []):
            yield from self.following(owner, inner)

    def asks(self):
        """Must the class of that object be asked for? Not when the answer tells it, unless a record wants it too."""
        if not self.labelled or not self.reads or 'x-audit' in self.node:
            return self.labelled is not None
        return self.labelled.labelled not in self.told(self.service, self.answer)

    def told(self, owner, node):
        """Of which objects an answer certainly tells the class: its own, and what it always holds."""
        owner, node, _ = self.documents.resolve(owner, node)
        if 'x-object' in node:
            yield node['x-object']
        for name in node.get('required', []):
            yield from self.told(owner, node['properties'][name])

    def labels(self, owner, node, may_withhold):
        """The labels of a schema and what is in it. An answer's optional object with a label of its own is left out for
        those who may not see it (libcommon/label.h), so it says nothing about the rest."""
        owner, node, _ = self.documents.resolve(owner, node)
        if 'x-label' in node:
            yield node['x-label']
        for name, member in node.get('properties', {}).items():
            _, target, _ = self.documents.resolve(owner, member)
            is_withheld = may_withhold and 'x-label' in target and name not in node.get('required', [])
            if not is_withheld:
                yield from self.labels(owner, member, may_withhold)
        if 'items' in node:
            yield from self.labels(owner, node['items'], may_withhold)

    def withholds(self):
        """May something be left out of its answer, since what it is of is graver than the operation (libcommon/label.h)?"""
        return self.may_lack(self.service, self.answer)

    def may_lack(self, owner, node):
        owner, node, _ = self.documents.resolve(owner, node)
        for name, member in node.get('properties', {}).items():
            _, target, _ = self.documents.resolve(owner, member)
            is_kept = name in node.get('required', []) and 'items' not in target
            shown = self.documents.resolve(owner, target['items'])[1] if 'items' in target else target
            if not is_kept and ('x-object' in shown or 'items' not in target and target.get('x-label') in ('I', 'II')):
                return True
            if self.may_lack(owner, member):
                return True
        return 'items' in node and self.may_lack(owner, node['items'])

    def read_params(self):
        fields = [self.param(item) for item in self.node.get('parameters', [])]
        differing = self.params['path'].keys() ^ re.findall(r'\{(\w+)\}', self.path)
        demand(not differing, self.at, f'path parameters differ from the path: {", ".join(sorted(differing))}')
        return fields

    def param(self, node):
        demand(isinstance(node, Map), self.node.at['parameters'], 'a parameter is a mapping')
        owner, node, _ = self.documents.resolve(self.service, node)
        check(node, node.here, ['name', 'in', 'schema'], ['required', 'description', 'x-object'])
        name, place, required = node['name'], node['in'], 'required' in node and flag(node, 'required')
        demand(required or place != 'path', node.here, 'a path parameter is always required')
        demand(place != 'header' or re.fullmatch(HEADER, name) and name not in SPOKEN_FOR, node.here,
               f'the header `{name}` cannot be a parameter')
        self.params[place][name] = required
        name = camel(name) if place == 'header' else name
        made = self.documents.field(owner, node['schema'], name, node.here, 'PARAM', required)
        made.in_query, made.labelled = place == 'query', node.get('x-object')
        demand(not made.labelled or place == 'path' and made.format == 'uuid', node.here, '`x-object` is for an id in the path')
        demand(made.kind in ('string', 'integer', 'boolean'), node.here, f'a parameter cannot be an {made.kind}')
        return made

    def content(self, node, raw_keys):
        """The type of a body, its schema if that is JSON, and its members: the object's, or the bytes."""
        (kind, media), = node['content'].items()
        check(media, node['content'].at[kind], ['schema'] if kind == JSON else raw_keys)
        if kind == JSON:
            return kind, media['schema'], self.documents.fields_of(self.service, media['schema'])
        return kind, Map(), [Field('body', media.here, limits=(0, media.get('x-max-bytes', ANSWER_MAX)))]

    def read_body(self):
        self.body_type, self.asked, fields = None, Map(), []
        if 'requestBody' in self.node:
            at = self.node.at['requestBody']
            demand(not self.reads and self.method != 'delete', at, f'{self.method.upper()} has no body')
            node = check(self.node['requestBody'], at, ['content'], ['description'])
            self.body_type, self.asked, fields = self.content(node, ['x-max-bytes'])
        self.raw = self.body_type not in (None, JSON)
        return fields

    def read_answer(self):
        (status, node), = self.node['responses'].items()
        check(node, self.node['responses'].at[status], ['description'], ['content', 'headers'])
        self.status, self.answer_type, self.answer, members = int(status), None, Map(), []
        if 'content' in node:
            demand(status != '204' and self.method != 'head', node.at['content'], 'there can be no body here')
            self.answer_type, self.answer, members = self.content(node, [])
        self.check_list({member.name for member in members})
        self.paged = any(member.name == 'nextCursor' for member in members)
        headers = node.get('headers', Map())
        if '$ref' in self.answer and not headers:
            self.structs['out'] = self.documents.field(self.service, self.answer, '', self.answer.here).shape
            return []
        return [self.header(name, headers.at[name], given) for name, given in headers.items()] + members

    def check_list(self, members):
        whole = self.method == 'get' and not self.internal and 'items' in members and 'nextCursor' not in members
        demand(whole or 'x-bounded' not in self.node, self.at, '`x-bounded` is for a list that comes whole')
        demand(not whole or 'x-bounded' in self.node, self.at,
               'a list needs `nextCursor`, or `x-bounded` with what keeps it short')

    def header(self, name, at, node):
        check(node, at, ['schema'], ['description'])
        made = self.documents.field(self.service, node['schema'], name, at, 'HEADER', False)
        demand(made.kind == 'string', at, 'the schema of a response header is a string')
        return made


def operations(documents, service):
    root = documents[service]
    check(root, root.here, ['openapi', 'info', 'paths'], ['components', 'x-jobs'])
    check(root.get('components', Map()), root.here, [], ['schemas', 'parameters'])
    found, paths = {}, root['paths']
    for path, item in paths.items():
        for method, node in check(item, paths.at[path], [], METHODS).items():
            made = Operation(documents, service, path, method, node, item.at[method])
            before = found.setdefault(made.name, made)
            demand(before is made, made.at, f'operationId `{made.name}` stands at {before.at} already')
    check_objects(found.values())
    return [found[name] for name in sorted(found)]


def check_objects(found):
    """An id that names an object with a class of its own does so in every operation: none can forget to ask for it."""
    params = [(field, made) for made in found for shape in made.shapes for field in shape.fields if field.place == 'PARAM']
    kinds = {field.name: field.labelled for field, _ in params if field.labelled}
    for field, made in params:
        demand(field.in_query or field.labelled == kinds.get(field.name), made.at,
               f'`{field.name}` names an object with a class of its own elsewhere: `x-object` is missing')
