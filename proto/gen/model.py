"""What the schemas say about data, checked: types, and shapes (structs of fields)."""
import os
import re
from dataclasses import dataclass

from load import Map, demand, load
from rules import LENGTHS, REFERENCE, RULES, check, one_of, some_of

C_WORDS = '''auto bool break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch typedef union unsigned
    void volatile while'''.split()
KEYS = {  # kind of schema: the keys that it must have besides its type, and those that it may have
    'boolean': ([], []), 'integer': (['minimum', 'maximum'], []),
    'enum': (['enum'], []), 'format': (['format'], []),
    'string': (['maxLength'], ['minLength', 'format']), 'array': (['maxItems', 'items'], ['minItems'])}
LIMITS = {'maximum': 'minimum', 'maxLength': 'minLength', 'maxItems': 'minItems'}


@dataclass
class Type:
    kind: str  # string integer boolean object array bytes
    min: int = 0
    max: int = 0
    format: str = 'none'
    values: list = None
    shape: str = None  # C name of the object's struct
    item: 'Type' = None


@dataclass
class Field:
    name: str
    type: Type
    place: str  # BODY PARAM HEADER
    required: bool
    at: str

    def __post_init__(self):
        self.column = snake(self.name)
        bare = not self.required and self.type.kind in ('integer', 'boolean')
        self.has = f'has_{self.column}' if bare else None  # where C cannot tell absent from 0
        camel_case = re.fullmatch('[a-z][A-Za-z0-9]*', self.name)
        demand(self.place == 'HEADER' or camel_case, self.at, f'`{self.name}` must be in camelCase')
        demand(self.column not in C_WORDS, self.at, f'`{self.column}` is a word of C')


class Shape:
    def __init__(self, name, fields):
        self.name, self.fields = name, fields
        seen = set()
        for field in fields:
            names = {field.column, 'has_' + field.column}
            demand(not names & seen, field.at, f'`{field.column}` would stand twice in struct {name}')
            seen |= names


class Documents(dict):
    """The files of one directory by name, each loaded when it is first wanted."""

    def __init__(self, directory):
        super().__init__()
        self.directory = directory

    def __missing__(self, name):
        return self.setdefault(name, load(os.path.join(self.directory, name + '.yaml')))

    def resolve(self, owner, node):
        """The document, name and node that a $ref means."""
        reference = check(node, node.here, ['$ref'])['$ref']
        document, section, name = re.fullmatch(REFERENCE, reference).groups(owner)
        demand(document in (owner, 'common'), node.here,
               'only common.yaml may be referred to from another file')
        target = self[document].get('components', {}).get(section, {}).get(name)
        demand(isinstance(target, Map), node.here, f'`{reference}` leads nowhere')
        return document, name, target

    def type_of(self, owner, node, at):
        demand(isinstance(node, Map), at, 'a schema must be a mapping')
        if '$ref' in node:
            owner, name, target = self.resolve(owner, node)
            if target.get('type') == 'object':
                return Type('object', shape=f'{owner}_{snake(name)}')
            return self.type_of(owner, target, at)
        demand('type' in node, node.here, '`type` is missing')
        kind = RULES['type'](node, 'type')
        demand(kind != 'object', node.here,
               'an object inside another needs a name: put it into components/schemas and refer to it')
        if kind == 'string' and 'enum' in node:
            values = self.schema('enum', node)['enum']
            return Type('string', 1, max(map(len, values)), values=values)
        if kind == 'string' and node.get('format') in list(LENGTHS):
            form = self.schema('format', node)['format']
            return Type('string', *LENGTHS[form], form)
        self.schema(kind, node)
        made = Type(kind, format=node.get('format', 'none'))
        for high, low in LIMITS.items():
            if high in node:
                made.min, made.max = node.get(low, 0), node[high]
                demand(made.min <= made.max, node.at[high], f'`{high}` must be {made.min} or more')
        if kind == 'array':
            made.item = self.type_of(owner, node['items'], node.at['items'])
            demand(made.item.kind in ('string', 'integer', 'object'), node.at['items'],
                   f'an array of {made.item.kind} is not understood')
            made.shape = made.item.shape
        return made

    @staticmethod
    def schema(kind, node):
        required, optional = KEYS[kind]
        return check(node, node.here, ['type', *required], ['description', *optional])

    def fields_of(self, owner, node):
        """The members of an object schema, itself given in full or by $ref."""
        if '$ref' in node:
            owner, _, node = self.resolve(owner, node)
        check(node, node.here, ['type', 'properties'], ['required', 'description'])
        one_of('object')(node, 'type')
        properties = node['properties']
        required = some_of(*properties)(node, 'required') if 'required' in node else []
        return [Field(name, self.type_of(owner, member, properties.at[name]), 'BODY', name in required,
                      properties.at[name]) for name, member in properties.items()]

    def shapes(self, document):
        """The named object schemas of a document; every other schema is checked on the way."""
        schemas, shapes = self[document].get('components', Map()).get('schemas', Map()), []
        for name, node in schemas.items():
            demand(re.fullmatch('[A-Z][A-Za-z0-9]*', name), schemas.at[name],
                   f'`{name}` must be in PascalCase')
            if isinstance(node, Map) and node.get('type') == 'object':
                shapes.append(Shape(f'{document}_{snake(name)}', self.fields_of(document, node)))
            else:
                self.type_of(document, node, schemas.at[name])
        return shapes


def snake(name):
    return re.sub('(?<=[a-z0-9])([A-Z])', r'_\1', name).replace('-', '_').replace('.', '_').lower()


def camel(header):
    first, *rest = header.split('-')
    return first.lower() + ''.join(part.capitalize() for part in rest)
