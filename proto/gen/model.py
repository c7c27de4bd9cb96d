"""What the schemas say about data, checked: fields, and shapes (structs of fields)."""
import os
import re
from dataclasses import dataclass, field

from load import Map, demand, load
from rules import LABELS, LENGTHS, PERSONAL, REFERENCE, RULES, check, one_of, some_of

C_WORDS = '''auto bool break case char const continue default do double else enum extern float for goto if inline int long
    register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while'''.split()
CLASSED = ['x-label', 'x-object', 'x-follows', 'x-fixed']  # what an object schema says of the class of its objects
KEYS = {  # what a schema must have besides its type, and what it may have
    'boolean': ([], []), 'integer': (['minimum', 'maximum'], ['x-personal']),
    'enum': (['enum'], ['x-raised', 'x-recorded', 'x-personal']), 'format': (['format'], []),
    'string': (['maxLength'], ['minLength', 'format', 'x-personal', 'x-blind-index']), 'array': (['maxItems', 'items'], ['minItems'])}
LIMITS = {'maximum': 'minimum', 'maxLength': 'minLength', 'maxItems': 'minItems'}


class Personal:
    """What x-personal says: for which column a value is sealed, under whose key, and which part of the column it is; and
    x-blind-index: the column of the same table by which it is found."""

    def __init__(self, text, index):
        self.domain, self.column, self.name, part, last, of_user = re.fullmatch(PERSONAL, text).groups()
        self.part, self.last, self.of_user = int(part or 0), int(last or part or 0), bool(of_user)
        self.index = index and f'{self.column.split(".")[0]}.{index}'


@dataclass
class Field:
    """A member of a struct: where it comes from, and what its schema allows. Items of arrays have no name."""
    name: str
    at: str
    place: str = 'BODY'  # or PARAM, HEADER
    required: bool = True
    kind: str = 'bytes'  # or string, integer, boolean, object, array
    limits: tuple = (0, 0)
    format: str = 'none'
    values: list = None
    personal: Personal = None
    item: 'Field' = None
    in_query: bool = False  # a PARAM that stands behind `?`
    labelled: str = None  # a PARAM: of which kind of object with a class of its own it is the id (x-object)
    raised: bool = False  # the class of the very object that it is a member of (x-raised)
    recorded: bool = False  # a code that the record of the call repeats (x-recorded)
    shape: str = None  # C name of the struct of an object, or of an array's items
    column: str = field(init=False)

    def __post_init__(self):
        self.column = snake(self.name)
        demand(self.place == 'HEADER' or re.fullmatch('([a-z][A-Za-z0-9]*)?', self.name), self.at,
               f'`{self.name}` must be in camelCase')
        demand(self.column not in C_WORDS, self.at, f'`{self.column}` is a word of C')

    @property
    def has(self):
        """The member that says whether it is there, when C could not tell absent from 0."""
        told = self.required or self.personal  # a struct personal tells it by its text
        return f'has_{self.column}' if not told and self.kind in ('integer', 'boolean') else None


class Shape:
    def __init__(self, name, fields, label=None):
        self.name, self.fields, self.label, seen = name, fields, label, set()
        for one in fields:
            names = {one.column, 'has_' + one.column}
            demand(not names & seen, one.at, f'`{one.column}` would stand twice in struct {name}')
            seen |= names
            demand(not (one.raised and one.required), one.at, 'a class of its own is there only where an object was raised')
            if one.personal:
                self.check_parts(one)

    def check_parts(self, one):
        """Members that share a column are parts of it, each another, sealed alike; the column comes under its own name."""
        said, parts = one.personal, set()
        demand(said.part <= said.last, one.at, 'its parts run backwards')
        for other in (field for field in self.fields if field.personal and field.personal.column == said.column):
            theirs = other.personal
            demand((theirs.domain, theirs.of_user) == (said.domain, said.of_user), one.at, f'`{said.column}` is sealed in two ways')
            held = set(range(theirs.part, theirs.last + 1))
            demand(not held & parts, other.at, f'`{said.column}` would be read twice: say which part each member is')
            parts |= held
        demand(parts == {0} or 0 not in parts, one.at, f'`{said.column}` is a text alone or has parts')
        demand(not said.part or not any(field.column == said.name for field in self.fields), one.at,
               f'a row could not tell the member `{said.name}` from the column of its parts')


class Documents(dict):
    """The files of one directory by name, each loaded when it is first wanted."""

    def __init__(self, directory):
        super().__init__()
        self.directory = directory

    def __missing__(self, name):
        return self.setdefault(name, load(os.path.join(self.directory, name + '.yaml')))

    def resolve(self, owner, node):
        """The document, node and name that a $ref means; what is none means itself."""
        if '$ref' not in node:
            return owner, node, None
        document, section, name = re.fullmatch(REFERENCE, check(node, node.here, ['$ref'])['$ref']).groups(owner)
        demand(document in (owner, 'common'), node.here, 'only common.yaml may be referred to from another file')
        target = self[document].get('components', {}).get(section, {}).get(name)
        demand(isinstance(target, Map), node.here, f'`{node["$ref"]}` leads nowhere')
        return document, target, name

    def field(self, owner, node, name, at, place='BODY', required=True):
        """What the schema `node` makes of a member, parameter, header or item."""
        demand(isinstance(node, Map), at, 'a schema must be a mapping')
        owner, node, referred = self.resolve(owner, node)
        demand('type' in node, node.here, '`type` is missing')
        kind = sort = RULES['type'](node, 'type')
        made = Field(name, at, place, required, kind)
        if kind == 'object':
            demand(referred, node.here,
                   'an object inside another needs a name: put it into components/schemas and refer to it')
            made.shape = f'{owner}_{snake(referred)}'
            return made
        if kind == 'string' and ('enum' in node or node.get('format') in list(LENGTHS)):
            sort = 'enum' if 'enum' in node else 'format'
        needed, optional = KEYS[sort]
        check(node, node.here, ['type', *needed], ['description', *optional])
        made.limits, made.format, made.values = limits(node), node.get('format', 'none'), node.get('enum')
        made.personal = personal(node)
        made.raised, made.recorded = 'x-raised' in node, 'x-recorded' in node
        demand(not made.raised or set(node['enum']) <= set(LABELS), at, 'what is raised is a class')
        demand(not made.personal or place == 'BODY', at, 'only a member of an object can be personal')
        demand(not made.personal or sort == 'string' or made.personal.part and made.personal.part == made.personal.last, at,
               'what is no free text is personal only as one part of a column')
        if kind == 'array':
            made.item = self.field(owner, node['items'], '', node.at['items'])
            demand(made.item.kind != 'array' and not made.item.personal, node.at['items'],
                   'an array of arrays, or of what is personal, is not understood')
            made.shape = made.item.shape
        return made

    def fields_of(self, owner, node):
        """The members of an object schema, itself given in full or by $ref."""
        owner, node, _ = self.resolve(owner, node)
        check(node, node.here, ['type', 'properties'], ['required', 'description', *CLASSED])
        one_of('object')(node, 'type')
        members = node['properties']
        required = some_of(*members)(node, 'required') if 'required' in node else []
        fields = [self.field(owner, members[name], name, members.at[name], 'BODY', name in required) for name in members]
        check_classed(node, any(field.raised for field in fields))
        return fields

    def shapes(self, document):
        """The named object schemas of a document; every other schema is checked on the way."""
        schemas, shapes = self[document].get('components', Map()).get('schemas', Map()), []
        for name, node in schemas.items():
            demand(re.fullmatch('[A-Z][A-Za-z0-9]*', name), schemas.at[name], f'`{name}` must be in PascalCase')
            if isinstance(node, Map) and node.get('type') == 'object':
                shapes.append(Shape(f'{document}_{snake(name)}', self.fields_of(document, node), node.get('x-label')))
            else:
                self.field(document, node, '', schemas.at[name])
        return shapes


def check_classed(node, is_told):
    """Of which class is a single one? Its own, that of what it follows, or always that of the type."""
    own, follows, fixed = (key in node for key in CLASSED[1:])
    demand('x-label' not in node or own or follows or fixed, node.here,
           '`x-object`, `x-follows` or `x-fixed` is missing: of which class is a single one?')
    demand(not fixed or not own and not follows, node.here, 'what is `x-fixed` has no other class')
    demand(is_told or not own, node.here, 'what is an `x-object` has a member that is `x-raised`')
    demand(not is_told or own or follows, node.here, 'only an `x-object`, and what follows one, has a member that is `x-raised`')


def personal(node):
    """An index tells which rows are equal: of a text with few values that is the text, so only what is unique has one."""
    index = node.get('x-blind-index')
    demand(not index or 'x-personal' in node, node.at.get('x-blind-index'), '`x-blind-index` is of what is `x-personal`')
    made = Personal(node['x-personal'], index) if 'x-personal' in node else None
    demand(not index or not made.part, node.at.get('x-blind-index'), 'a part of a column cannot be looked for')
    demand(not index or node.get('format') == 'username', node.at.get('x-blind-index'),
           'of a text that many may share an index would tell who share it: only `format: username` has one')
    return made


def limits(node):
    """The least and the most of a schema that has been checked."""
    if 'enum' in node:
        return 1, max(map(len, node['enum']))
    high = next((key for key in LIMITS if key in node), None)
    if not high:
        return LENGTHS.get(node.get('format'), (0, 0))
    low = node.get(LIMITS[high], 0)
    demand(low <= node[high], node.at[high], f'`{high}` must be {low} or more')
    return low, node[high]


def snake(name):
    return re.sub('(?<=[a-z0-9])([A-Z])', r'_\1', name).replace('-', '_').replace('.', '_').lower()


def camel(header):
    first, *rest = header.split('-')
    return first.lower() + ''.join(map(str.capitalize, rest))
