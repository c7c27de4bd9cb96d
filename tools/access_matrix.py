#!/usr/bin/python3
"""Write docs/access-matrix.md from proto/: which role may do what, and what it must have proven.

    tools/access_matrix.py            rewrite the page
    tools/access_matrix.py --check    say whether it is true (exit status)

tests/attack/access_test.py asks a running gateway about every cell.
"""

import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'proto/gen'))
from model import Documents  # noqa: E402
from operation import operations  # noqa: E402
from rules import LABELS, SERVICES  # noqa: E402

PAGE = ROOT / 'docs/access-matrix.md'
ROLES = ('operator', 'contractor', 'instructor', 'student')
STAFF = ROLES[:3]
OWNED = ('try', 'media')  # a pupil's own; the rest is the staff's
RAISED = ('II', 'I')  # what a single object may be raised to, and its type's class asks less
HEAD = '''\
# Access matrix

Made by `tools/access_matrix.py` from `proto/`; `tests/attack/access_test.py` asks a running gateway about every cell.

- **class**: I would do grave harm in the wrong hands, II large, III some, IV hardly any ([security.md](security.md#classification)). What touches objects of several classes is of the gravest.
- **–**: refused with 403. **yes**: allowed. **2**: allowed to a session with two factors; with one it is refused with `second_factor_required` (for the roles that `--second-factor-required` of auth names; all staff unless told otherwise).
- **p**: the password must have been proven within five minutes, or it is refused with `step_up_required`.
- **closed**: allowed to a contractor whose contract is closed, as its column says; everything else is refused with `contract_closed`, and nobody else gets in.
- **function**: the function limit that can switch it off for a contract or a user.
- An allowed operation still shows only what the person may see: own tenant, own classes, own tries. That is in [security.md](security.md) and its tests, not here.
'''
RAISED_HEAD = '''
## Objects that were raised

What it takes when the object that the path names was raised above its type to class II or I; `tests/attack/raised_test.py` asks about every cell.

- **2**, **p**: as above. **own**: the pupil whose it is; for classmates it is not there (404). **hidden**: not there for any pupil.
- A video is raised with its try, as a model with its unit; an assignment with its unit; a try with the pupil whose it is; assignments and tries with their school class; an enrolment with its user and class.
'''
TYPES_HEAD = '''
## Types of objects

Of which class they are, and who says of a single one that it is of a graver class. The generator refuses a type that says
nothing of this, and an operation with something that follows an object whose class nothing asks for.

- A role: it raises a single one, and lowers it again with a reason (the operation beside it). **follows**: it is of the class of these as well, whichever is graver; where two are named that lead to the same, of the one by which it is reached. **always**: no single one is raised, and why.
- `Archived…` and `Roster…` are lines of an export, which is of class I as a whole; whatever was raised is so again where it arrives.
'''


class Row:
    """One operation, and what each role needs for it."""

    def __init__(self, operation):
        node = operation.node
        self.service, self.name, self.allow, self.label = operation.service, operation.name, operation.allow, operation.label
        self.method, self.path = operation.method.upper(), operation.path
        self.needs_two = self.label is not None and LABELS.index(self.label) <= LABELS.index('II')
        self.needs_password = 'x-step-up' in node or self.label == 'I'
        self.feature = node.get('x-feature')
        self.is_left = 'x-closed' in node
        self.is_open = self.allow == ['anonymous']
        self.object = operation.labelled and operation.labelled.labelled

    def cell(self, role):
        if self.is_open:
            return 'yes'
        if role not in self.allow:
            return '–'
        marks = ('2' if self.needs_two and role in STAFF else '') + ('p' if self.needs_password else '')
        return marks or 'yes'

    def closed_cell(self):
        """The contractor's when the contract is closed."""
        return self.cell('contractor') if self.is_open or self.is_left else '–'

    def raised_cell(self, role, label):
        """The same for an object that was raised to this class."""
        if role not in self.allow:
            return '–'
        password = 'p' if label == 'I' or self.needs_password else ''
        if role in STAFF:
            return '2' + password
        return f'own {password}'.strip() if self.object in OWNED else 'hidden'


@cache
def rows():
    """Made once: the schemas are long, and every type asks who may raise one."""
    documents = Documents(str(ROOT / 'proto'))
    found = [o for name in (*SERVICES, 'gateway') for o in operations(documents, name) if not o.internal]
    return tuple(Row(o) for o in sorted(found, key=lambda o: ((*SERVICES, 'gateway').index(o.service), o.path, o.method)))


def table(service, found):
    yield f'\n## {service}\n'
    yield '| operation | | class | function | strangers | ' + ' | '.join(ROLES) + ' | closed |'
    yield '|---|---|---|---|' + '---|' * (len(ROLES) + 2)
    for row in found:
        cells = ['yes' if row.is_open else '–', *map(row.cell, ROLES), row.closed_cell()]
        yield f'| `{row.name}` | {row.method} `{row.path}` | {row.label or ""} | {row.feature or ""} | ' + ' | '.join(cells) + ' |'


def raised_rows():
    return [row for row in rows() if row.object]


def raised_table():
    columns = [(role, label) for role in ROLES for label in RAISED]
    yield RAISED_HEAD
    yield '| operation | object | ' + ' | '.join(f'{role}, {label}' for role, label in columns) + ' |'
    yield '|---|---|' + '---|' * len(columns)
    for row in raised_rows():
        yield f'| `{row.name}` | {row.object} | ' + ' | '.join(row.raised_cell(*column) for column in columns) + ' |'


def types():
    """Every type that has a class: where it is, its name, its schema."""
    documents = Documents(str(ROOT / 'proto'))
    for name in ('common', *SERVICES, 'gateway'):
        for schema, node in documents[name].get('components', {}).get('schemas', {}).items():
            if 'x-label' in node:
                yield name, schema, node


def raisers(kind):
    """The operation that raises one, and for whom."""
    return [f'{", ".join(row.allow)} (`{row.name}`)' for row in rows() if row.name == f'{kind}_label_put']


def single(node):
    """Of which class one of them is, beside that of the type."""
    if 'x-fixed' in node:
        return f'always: {node["x-fixed"]}'
    follows = node.get('x-follows', [])
    said = raisers(node.get('x-object')) + ['follows ' + ', '.join(follows)] * bool(follows)
    assert said, f'{node.here}: nobody raises one, and it follows nothing'
    return '; '.join(said)


def types_table():
    yield TYPES_HEAD
    yield '| type | of | class | a single one |'
    yield '|---|---|---|---|'
    for name, schema, node in types():
        yield f'| `{schema}` | {name} | {node["x-label"]} | {single(node)} |'


def text():
    found = rows()
    lines = [HEAD.rstrip()]
    for service in (*SERVICES, 'gateway'):
        lines += table(service, [row for row in found if row.service == service])
    lines += raised_table()
    lines += types_table()
    return '\n'.join(lines) + '\n'


def main():
    if '--check' not in sys.argv[1:]:
        PAGE.write_text(text())
        return 0
    if PAGE.exists() and PAGE.read_text() == text():
        return 0
    print('docs/access-matrix.md is not what proto/ says: run tools/access_matrix.py', file=sys.stderr)
    return 1


if __name__ == '__main__':
    sys.exit(main())
