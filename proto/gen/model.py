"""What the schemas say, checked: shapes (structs of fields) and operations. Refuses whatever it does not understand."""
import os
import re
from dataclasses import dataclass, field

from load import Map, check, fault, integer, load, one_of, snake, text, texts

SERVICES = ['auth', 'provisioning', 'learning', 'notification', 'audit']
ROLES = ['anonymous', 'operator', 'contractor', 'instructor', 'student', 'service']
METHODS = ['get', 'head', 'options', 'post', 'put', 'patch', 'delete']
READS = ['get', 'head', 'options']
LENGTHS = {'uuid': (36, 36), 'date-time': (20, 35), 'date': (10, 10)}  # formats that are limits enough
FORMATS = [*LENGTHS, 'username', 'code']
EXACT = 2 ** 53 - 1  # the largest integer that every JSON reader keeps
C_WORDS = set('''auto break case char const continue default do double else enum extern float for goto if inline int long
    register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while bool'''.split())
# OCSF 1.8: class and activities; 99 is "Other" where a class has no word for it.
AUDIT = {
    'authentication': (3002, {'logon': 1, 'logoff': 2}),
    'account_change': (3001, {'create': 1, 'enable': 2, 'password_change': 3, 'password_reset': 4, 'disable': 5, 'delete': 6,
                              'update': 99}),
    'entity_management': (3004, {'create': 1, 'read': 2, 'update': 3, 'delete': 4}),
    'user_access': (3005, {'assign': 1, 'revoke': 2, 'update': 99}),
    'group_management': (3006, {'add_user': 3, 'remove_user': 4, 'delete': 5, 'create': 6, 'update': 99}),
    'api_activity': (6003, {'create': 1, 'read': 2, 'update': 3, 'delete': 4}),
    'datastore_activity': (6005, {'read': 1}),
}


@dataclass
class Type:
    kind: str  # string integer boolean object array bytes
    format: str = 'none'
    min: int = 0
    max: int = 0
    values: list = None
    shape: str = None  # C name of the object's struct
    item: 'Type' = None


@dataclass
class Field:
    name: str
    column: str
    type: Type
    place: str  # BODY PARAM HEADER
    required: bool
    at: str


@dataclass
class Shape:
    name: str
    fields: list


@dataclass
class Operation:
    service: str
    name: str
    method: str
    path: str
    node: Map
    at: str
    internal: bool
    shape_in: Shape = None
    shape_out: Shape = None
    out_name: str = None  # the struct of the answer: its own shape_out, or that of a named schema
    status: int = 0
    raw_type: str = None  # content type of a request body that is not JSON
    raw_max: int = 0
    reply_type: str = None  # content type of the reply body
    params: list = field(default_factory=list)  # their nodes, $refs resolved


class Documents:
    """The files of one directory, loaded once each."""

    def __init__(self, directory):
        self.directory, self.loaded = directory, {}

    def get(self, name):
        if name not in self.loaded:
            self.loaded[name] = load(os.path.join(self.directory, name + '.yaml'))
        return self.loaded[name]

    def resolve(self, owner, node):
        """The document, section, name and node that a $ref means."""
        check(node, node.here, ['$ref'])
        match = re.fullmatch(r'(?:([a-z]+)\.yaml)?#/components/(schemas|parameters|x-headers)/([A-Za-z]+)', text(node, '$ref'))
        if not match:
            fault(node.here, f'`{node["$ref"]}` is not a reference of the known form')
        name, section = match[1] or owner, match[2]
        if name not in (owner, 'common'):
            fault(node.here, 'only common.yaml may be referred to from another file')
        target = self.get(name).get('components', {}).get(section, {}).get(match[3])
        if not isinstance(target, Map):
            fault(node.here, f'`{node["$ref"]}` leads nowhere')
        return name, match[3], target

    # ---- types ----

    def type_of(self, owner, node, at=None):
        if not isinstance(node, Map):
            fault(at, 'a schema must be a mapping')
        if '$ref' in node:
            name, schema, target = self.resolve(owner, node)
            if target.get('type') == 'object':
                return Type('object', shape=f'{name}_{snake(schema)}')
            return self.type_of(name, target)
        if 'type' not in node:
            fault(node.here, '`type` is missing')
        kind = one_of(node, 'type', ['string', 'integer', 'boolean', 'array', 'object'])
        if kind == 'object':
            fault(node.here, 'an object inside another needs a name: put it into components/schemas and refer to it')
        return getattr(self, kind + '_type')(owner, node)

    def boolean_type(self, owner, node):
        check(node, node.here, ['type'], ['description'])
        return Type('boolean')

    def integer_type(self, owner, node):
        check(node, node.here, ['type', 'minimum', 'maximum'], ['description'])
        low = integer(node, 'minimum', -EXACT, EXACT)
        return Type('integer', min=low, max=integer(node, 'maximum', low, EXACT))

    def string_type(self, owner, node):
        check(node, node.here, ['type'], ['description', 'format', 'enum', 'minLength', 'maxLength'])
        if 'enum' in node:
            check(node, node.here, ['type', 'enum'], ['description'])
            values = texts(node, 'enum')
            return Type('string', min=1, max=max(map(len, values)), values=values)
        form = one_of(node, 'format', FORMATS) if 'format' in node else 'none'
        if form in LENGTHS:
            check(node, node.here, ['type', 'format'], ['description'])
            low, high = LENGTHS[form]
        else:
            if 'maxLength' not in node:
                fault(node.here, '`maxLength` is missing: every string has a limit, a format or an enum')
            high = integer(node, 'maxLength', 1, 1 << 20)
            low = integer(node, 'minLength', 0, high) if 'minLength' in node else 0
        return Type('string', form, low, high)

    def array_type(self, owner, node):
        check(node, node.here, ['type', 'maxItems', 'items'], ['description', 'minItems'])
        high = integer(node, 'maxItems', 1, 100000)
        low = integer(node, 'minItems', 0, high) if 'minItems' in node else 0
        item = self.type_of(owner, node['items'], node.at['items'])
        if item.kind not in ('string', 'integer', 'object'):
            fault(node.at['items'], f'an array of {item.kind} is not understood')
        return Type('array', min=low, max=high, item=item, shape=item.shape)

    def fields_of(self, owner, node):
        """The members of an object schema, itself given in full or by $ref."""
        if '$ref' in node:
            owner, _, node = self.resolve(owner, node)
        check(node, node.here, ['type', 'properties'], ['required', 'description'])
        one_of(node, 'type', ['object'])
        properties = node['properties']
        if not isinstance(properties, Map) or not properties:
            fault(node.at['properties'], 'an object needs properties')
        required = texts(node, 'required', list(properties)) if 'required' in node else []
        return [make_field(name, self.type_of(owner, properties[name], properties.at[name]), 'BODY', name in required, properties.at[name])
                for name in properties]

    def shapes(self, name):
        """The named object schemas of a document; every other schema is checked on the way."""
        schemas, out = self.get(name).get('components', Map()).get('schemas', Map()), []
        for schema, node in schemas.items():
            if not re.fullmatch(r'[A-Z][A-Za-z0-9]*', schema):
                fault(schemas.at[schema], f'`{schema}` must be in PascalCase')
            if isinstance(node, Map) and node.get('type') == 'object':
                out.append(make_shape(f'{name}_{snake(schema)}', self.fields_of(name, node)))
            else:
                self.type_of(name, node, schemas.at[schema])
        return out


def make_field(name, kind, where, required, at):
    if where == 'BODY' and not re.fullmatch(r'[a-z][A-Za-z0-9]*', name):
        fault(at, f'`{name}` must be in camelCase')
    column = snake(name)
    if column in C_WORDS:
        fault(at, f'`{column}` is a word of C')
    return Field(name, column, kind, where, required, at)


def make_shape(name, fields):
    seen = set()
    for item in fields:
        names = {item.column, 'has_' + item.column}
        if names & seen:
            fault(item.at, f'`{item.column}` would stand twice in struct {name}')
        seen |= names
    return Shape(name, fields)
