"""The generator against small schemas: what it makes, and what it refuses with file, line and reason."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import gen  # noqa: E402
from load import Fault  # noqa: E402
from model import camel, snake  # noqa: E402

COMMON = '''\
openapi: 3.1.0
info: { title: common, version: 1.0.0 }
paths: {}
components:
  schemas:
    Id: { type: string, format: uuid }
    Problem:
      type: object
      required: [code]
      properties:
        code: { type: string, maxLength: 64 }
'''

AUTH = '''\
openapi: 3.1.0
info: { title: auth, version: 1.0.0 }
paths:
  /v1/things/{thingId}:
    patch:
      operationId: thing_update
      summary: Change a thing.
      x-allow: [contractor]
      x-audit: entity_management.update
      parameters:
        - { name: thingId, in: path, required: true, schema: { $ref: 'common.yaml#/components/schemas/Id' } }
        - { name: If-Match, in: header, required: true, schema: { type: string, maxLength: 32 } }
      requestBody:
        content:
          application/json:
            schema:
              type: object
              required: [name]
              properties:
                name: { type: string, minLength: 1, maxLength: 20 }
                count: { type: integer, minimum: 0, maximum: 9 }
      responses:
        '200':
          description: Changed.
          content:
            application/json:
              schema: { $ref: '#/components/schemas/Thing' }
  /internal/auth/things:
    get:
      operationId: thing_list
      summary: All things.
      x-internal: true
      x-callers: [gateway]
      responses:
        '200':
          description: All.
          headers:
            ETag: { schema: { type: string, maxLength: 32 } }
          content:
            application/json:
              schema:
                type: object
                required: [items]
                properties:
                  items: { type: array, maxItems: 3, items: { $ref: '#/components/schemas/Thing' } }
components:
  schemas:
    Thing:
      type: object
      required: [id, shared]
      properties:
        id: { $ref: 'common.yaml#/components/schemas/Id' }
        shared: { type: boolean }
        kind: { type: string, enum: [a, b] }
      x-label: III
      x-fixed: nobody raises it
'''
FIXED = '\n      x-fixed: nobody raises it'
RAISABLE = ('x-label: III' + FIXED, 'x-label: III\n      x-object: thing')

EMPTY = 'openapi: 3.1.0\ninfo: { title: x, version: 1.0.0 }\npaths: {}\n'

REST = """
      properties:
        id: { $ref: 'common.yaml#/components/schemas/Id' }
        shared: { type: boolean }
        kind: { type: string, """  # of Thing, up to what its kind may be

# name: (text in AUTH, its replacement, line, words of the reason)
REFUSED = {
    'an unknown key': ('maxLength: 20', 'maxLength: 20, pattern: x', 20, '`pattern` is not understood'),
    'an unknown extension': ('x-allow: [contractor]', 'x-allow: [contractor]\n      x-alow: [operator]', 9, '`x-alow`'),
    'a string without a limit': ('minLength: 1, maxLength: 20', 'minLength: 1', 20, '`maxLength` is missing'),
    'an integer without a limit': ('minimum: 0, maximum: 9', 'minimum: 0', 21, '`maximum` is missing'),
    'an array without a limit': ('maxItems: 3, ', '', 45, '`maxItems` is missing'),
    'a maximum below the minimum': ('minimum: 0, maximum: 9', 'minimum: 3, maximum: 2', 21, '`maximum` must be'),
    'a parameter that is personal': ('maxLength: 32', 'maxLength: 32, x-personal: a/b.c', 12, 'only a member of an object'),
    'a person without a column': ('minLength: 1,', 'x-personal: roster,', 20, 'domain/table.column'),
    'a column with two texts and no parts': ('name: { type: string', 'label: { type: string, maxLength: 9, x-personal: a/b.c }\n'
                                             '                name: { x-personal: a/b.c, type: string', 21, 'read twice'),
    'one part twice': ('name: { type: string', 'label: { type: string, maxLength: 9, x-personal: "a/b.c:1-2" }\n'
                       '                name: { x-personal: "a/b.c:2", type: string', 21, 'read twice'),
    'a column sealed in two ways': ('name: { type: string', 'label: { type: string, maxLength: 9, x-personal: "a/b.c:1" }\n'
                                    '                name: { x-personal: "a/b.c:2 of user", type: string', 20, 'in two ways'),
    'a member named like the column of its parts': ('minLength: 1,', 'x-personal: "a/b.name:1",', 20, 'could not tell'),
    'an index of what is not personal': ('minLength: 1,', 'format: username, x-blind-index: name_index,', 20, 'of what is'),
    'an index of what many may share': ('minLength: 1,', 'x-personal: a/b.c, x-blind-index: c_index,', 20, 'who share it'),
    'an index of an enum': ('type: string, minLength: 1, maxLength: 20', 'type: string, enum: [a, b], x-blind-index: c_index', 20, 'not understood here'),
    'an index of a part': ('minLength: 1,', 'format: username, x-personal: "a/b.c:1", x-blind-index: c_index,', 20, 'a part'),
    'an index that is no column': ('minLength: 1,', 'format: username, x-personal: a/b.c, x-blind-index: b.c,', 20, 'name of a column'),
    'a number that is a column of its own': ('maximum: 9', 'maximum: 9, x-personal: a/b.c', 21, 'one part of a column'),
    'one of a few values that is two parts': ('type: string, enum: [a, b]', 'type: string, enum: [a, b], x-personal: "a/b.c:1-2"', 54,
                                              'one part of a column'),
    'parts that run backwards': ('minLength: 1,', 'x-personal: "a/b.c:2-1",', 20, 'backwards'),
    'an unknown type': ('type: boolean', 'type: number', 53, '`type` cannot be `number`'),
    'an unknown format': ("type: string, enum: [a, b]", 'type: string, format: email, maxLength: 9', 54, 'email'),
    'an object without a name': ('{ type: boolean }', '{ type: object, properties: { a: { type: boolean } } }', 53, 'needs a name'),
    'two operations of one name': ('thing_list', 'thing_update', 29, 'stands at auth.yaml:5 already'),
    'two members of one name': ('name: { type: string', 'thingId: { type: boolean }\n                name: { type: string', 20,
                                'twice in struct'),
    'a key twice': ('      summary: Change a thing.', '      summary: a\n      summary: b', 8, 'twice'),
    'a step-up where nobody has logged in': ('      x-internal: true', '      x-internal: true\n      x-step-up: true', 29, 'not here'),
    'an answer kept where there is no keyring': ('x-allow: [contractor]', 'x-allow: [contractor]\n      x-idempotency: required', 5, 'no keyring'),
    'a closed contract for those whom it keeps out': ('x-allow: [contractor]', 'x-allow: [student]\n      x-closed: true', 5, 'for what contractors ask'),
    'a closed contract within the house': ('      x-internal: true', '      x-internal: true\n      x-closed: true', 29, 'for what contractors ask'),
    'an array of arrays': ("items: { $ref: '#/components/schemas/Thing' }", 'items: { type: array, maxItems: 1, items: { type: boolean } }', 45,
                           'array of arrays'),
    'a path parameter that is not declared': ('name: thingId, in: path', 'name: thing, in: path', 5, 'thing, thingId'),
    'a path parameter that is not required': ('in: path, required: true', 'in: path', 11, 'always required'),
    'a public operation without x-allow': ('      x-allow: [contractor]\n', '', 5, '`x-allow` is missing'),
    'no label anywhere': ('      x-label: III\n', '', 5, '`x-label` is missing'),
    'a label below what is touched': ('      x-audit: entity', '      x-label: IV\n      x-audit: entity', 5, 'touches what is of class III'),
    'an unknown label': ('x-label: III', 'x-label: V', 55, '`x-label` cannot be `V`'),
    'an object that is no id in the path': ('in: header, required: true', 'in: header, required: true, x-object: thing', 12, 'an id in the path'),
    'a class that is none': ('enum: [a, b]', 'enum: [a, b], x-raised: true', 54, 'what is raised is a class'),
    'a class of its own that each has': (f'required: [id, shared]{REST}enum: [a, b] }}\n      x-label: III{FIXED}\n', f'required: [id, kind]{REST}x-raised: true, '
                                         'enum: [I] }\n      x-label: III\n      x-object: thing\n', 54, 'was raised'),
    'a class of its own of what nobody can raise': ('enum: [a, b]', 'enum: [I], x-raised: true', 49, 'only an `x-object`, and what follows one'),
    'a type that does not say of which class a single one is': (FIXED, '', 49, '`x-object`, `x-follows` or `x-fixed` is missing'),
    'a type that says two things of it': (FIXED, FIXED + '\n      x-follows: [part]', 49, 'has no other class'),
    'what can be raised and does not tell it': (FIXED, '\n      x-object: thing', 49, 'has a member that is `x-raised`'),
    'what follows something of which nothing asks': (FIXED, '\n      x-follows: [part]', 5, 'nothing asks for the class'),
    'a text that is recorded': ('minLength: 1, maxLength: 20', 'maxLength: 20, x-recorded: true', 20, '`x-recorded` is not understood'),
    'an operation that forgets to ask': ('components:\n', '''  /v1/things/{thingId}/parts:
    put:
      operationId: part_put
      summary: Put a part.
      x-allow: [contractor]
      x-label: III
      parameters:
        - { name: thingId, in: path, required: true, x-object: thing, schema: { $ref: 'common.yaml#/components/schemas/Id' } }
      responses:
        '204': { description: Put. }
components:
''', 5, '`x-object` is missing'),
    'an unknown role': ('[contractor]', '[teacher]', 8, '`teacher`'),
    'another version of OpenAPI': ('openapi: 3.1.0', 'openapi: []', 1, '3.1 is'),
    'no title of the whole': ('info: { title: auth, version: 1.0.0 }', 'info: { version: 1.0.0 }', 2, '`title` is missing'),
    'a version that is a list': ('version: 1.0.0', 'version: [1]', 2, '`version` must be text'),
    'a title in one language': ('x-allow: [contractor]', 'x-title: { ja: 変更 }\n      x-allow: [contractor]', 8, '`en` is missing'),
    'a job without a title': ('paths:', 'x-jobs: { thing_rot: rotting }\npaths:', 3, 'a mapping is wanted'),
    'an unknown event': ('entity_management.update', 'entity_management.bend', 9, 'not in the table'),
    'a required member that is not there': ('required: [name]', 'required: [nam]', 18, '`nam`'),
    'a reference to nothing': ("'#/components/schemas/Thing' }\n  /int", "'#/components/schemas/Think' }\n  /int", 27, 'leads nowhere'),
    'a name in snake_case': ('count: {', 'my_count: {', 21, 'camelCase'),
    'a word of C': ('count: {', 'default: {', 21, 'word of C'),
    'a second response': ("        '200':\n          description: Changed.",
                          "        '404': { description: x. }\n        '200':\n          description: Changed.", 22, 'exactly one response'),
    'an internal operation without callers': ('      x-callers: [gateway]\n', '', 29, '`x-callers` is missing'),
    'an internal path that is public': ('/internal/auth/things', '/v1/things', 29, 'must start with'),
    'a body for GET': ('      x-callers: [gateway]', '      x-callers: [gateway]\n      requestBody: { content: {} }', 34, 'has no body'),
    'a header that has its own meaning': ('name: If-Match', 'name: Authorization', 12, 'cannot be a parameter'),
    'text where a number belongs': ('maximum: 9', 'maximum: nine', 21, 'must be an integer'),
    'a comma in a description': ('shared: { type: boolean }', 'shared: { type: boolean, description: one, two }', 53, 'in quotes'),
    'a repeated value': ('enum: [a, b]', 'enum: [a, a]', 54, 'twice'),
    'a public list that comes whole': ('  /internal/auth/things:\n    get:\n      operationId: thing_list\n      summary: All things.\n'
                                       '      x-internal: true\n      x-callers: [gateway]\n',
                                       '  /v1/things:\n    get:\n      operationId: thing_list\n      summary: All things.\n'
                                       '      x-allow: [contractor]\n', 29, 'needs `nextCursor`'),
    'a change that shares its event': ('x-audit: entity', 'x-audit-shared-s: 9\n      x-audit: entity', 5, 'reads that are recorded'),
    'a bound of what is no list': ('x-audit: entity', 'x-bounded: one\n      x-audit: entity', 5, 'a list that comes whole'),
    'broken YAML': ('paths:', 'paths: [', 4, ''),
}


EVENTS = '''\
asyncapi: 3.0.0
info: { title: events, version: 1.0.0 }
channels:
  thing.changed:
    x-producer: learning
    x-consumers: [auth]
    messages:
      event:
        payload:
          type: object
          properties:
            thingId: { $ref: 'common.yaml#/components/schemas/Id' }
'''

TAKING = '''\
  /internal/auth/events:
    post:
      operationId: event_accept
      summary: Take events.
      x-internal: true
      x-callers: [learning]
      responses:
        '204': { description: Taken. }
components:
'''


def schemas(directory, auth):
    texts = {'common': COMMON, 'auth': auth, 'events': EVENTS}
    for name in ['events', 'common', 'auth', 'provisioning', 'learning', 'notification', 'audit', 'gateway']:
        with open(os.path.join(directory, name + '.yaml'), 'w', encoding='utf-8') as stream:
            stream.write(texts.get(name, EMPTY))


class Generator(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.directory = made.name

    def make(self, what, auth=AUTH):
        schemas(self.directory, auth)
        return gen.make(what, self.directory)

    def test_structs_flatten_parameters_and_body(self):
        header = self.make('auth')['auth_proto.h']
        self.assertIn('struct auth_thing_update_in {\n\tconst char *thing_id;\n\tconst char *if_match;\n\tconst char *name;\n'
                      '\tbool has_count;\n\tint64_t count;\n};', header)
        self.assertIn('struct auth_thing {\n\tconst char *id;\n\tbool shared;\n\tconst char *kind;\n};', header)
        self.assertIn('struct auth_thing_list_out {\n\tconst char *etag;\n\tstruct {\n\t\tstruct auth_thing *items;\n\t\tsize_t n;\n'
                      '\t} items;\n};', header)

    def test_prototypes_leave_out_what_there_is_not(self):
        header = self.make('auth')['auth_proto.h']
        self.assertIn('enum err auth_thing_update(struct call *c, const struct auth_thing_update_in *in, struct auth_thing *out);', header)
        self.assertIn('enum err auth_thing_list(struct call *c, struct auth_thing_list_out *out);', header)
        self.assertIn('must_check enum err auth_thing_list_call(struct call *c, struct auth_thing_list_out *out);', header)
        self.assertNotIn('auth_thing_update_call', header)

    def test_rows_are_sorted_and_carry_the_rules(self):
        table = self.make('auth')['auth_ops.c']
        self.assertLess(table.index('.name = "thing_list"'), table.index('.name = "thing_update"'))
        self.assertIn('.allow = ROLE_CONTRACTOR, .flags = OP_WRITES', table)
        self.assertIn('.flags = OP_INTERNAL | OP_NO_CAPABILITY', table)
        self.assertIn('.content_type = "application/json"', table)
        self.assertIn('.audit = { .name = "entity_management.update", .class_uid = 3004, .activity_id = 3 }', table)

    def test_step_up_is_a_flag_of_the_row(self):
        table = self.make('auth', AUTH.replace('x-allow: [contractor]', 'x-allow: [contractor]\n      x-step-up: true'))['auth_ops.c']
        self.assertIn('.flags = OP_WRITES | OP_STEP_UP', table)

    def test_what_a_closed_contract_leaves_open_is_told_to_dispatch_and_gateway(self):
        closed = AUTH.replace('x-allow: [contractor]', 'x-allow: [contractor]\n      x-closed: true')
        self.assertIn('.flags = OP_WRITES | OP_CLOSED', self.make('auth', closed)['auth_ops.c'])
        self.assertNotIn('OP_CLOSED', self.make('auth')['auth_ops.c'])
        self.assertIn('ROUTE_CLOSED', self.make('routes', closed)['gateway_routes.c'])

    def test_an_audited_read_is_told_from_a_change(self):
        audited = AUTH.replace('operationId: thing_list', 'operationId: thing_list\n      x-audit: api_activity.read')
        self.assertIn('OP_NO_CAPABILITY | OP_READS,', self.make('auth', audited)['auth_ops.c'])
        shared = audited.replace('api_activity.read', 'api_activity.read\n      x-audit-shared-s: 60')
        self.assertIn('.audit_shared_s = 60', self.make('auth', shared)['auth_ops.c'])
        self.assertNotIn('.audit_shared_s', self.make('auth', audited)['auth_ops.c'])
        self.assertNotIn('OP_READS', self.make('auth')['auth_ops.c'])

    def test_a_label_is_that_of_the_gravest_thing_or_graver(self):
        self.assertIn('.label = LABEL_III', self.make('auth')['auth_ops.c'])
        self.assertIn('.fields_n = 3, .label = LABEL_III', self.make('auth')['auth_proto.c'])
        graver = self.make('auth', AUTH.replace('x-audit: entity', 'x-label: II\n      x-audit: entity'))['auth_ops.c']
        self.assertIn('.label = LABEL_II,', graver)
        # An optional object of an answer is left out for who may not see it, so it does not raise the rest.
        inner = AUTH.replace('        kind:', "        deep: { $ref: '#/components/schemas/Deep' }\n        kind:") + (
            f'    Deep:\n      type: object\n      x-label: I{FIXED}\n      properties: {{ a: {{ type: boolean }} }}\n')
        self.assertNotIn('LABEL_I,', self.make('auth', inner)['auth_ops.c'])
        required = inner.replace('required: [id, shared]', 'required: [id, shared, deep]')
        self.assertIn('.label = LABEL_I,', self.make('auth', required)['auth_ops.c'])

    def test_the_class_of_a_single_object_is_asked_for_and_told(self):
        named = self.make('auth', AUTH.replace('in: path, required: true', 'in: path, required: true, x-object: thing'))['auth_ops.c']
        self.assertIn('.object = &(const struct op_object){ .id = offsetof(struct auth_thing_update_in, thing_id), '
                      '.sql = "SELECT min(label) FROM auth.label_of_thing WHERE id = $1::uuid" }', named)
        self.assertNotIn('.object', self.make('auth')['auth_ops.c'])
        raised = AUTH.replace('enum: [a, b]', 'enum: [I, II], x-raised: true').replace(*RAISABLE)
        self.assertIn('.raised = true', self.make('auth', raised)['auth_proto.c'])
        # A read whose answer tells the class need not ask for it; one that is recorded does.
        named = raised.replace('in: path, required: true', 'in: path, required: true, x-object: thing')
        start, end = named.index('      requestBody:'), named.index('      responses:')
        read = (named[:start] + named[end:]).replace('    patch:', '    get:').replace('thing_update', 'thing_get')
        self.assertIn('.object', self.make('auth', read)['auth_ops.c'])
        self.assertNotIn('.object', self.make('auth', read.replace('      x-audit: entity_management.update\n', ''))['auth_ops.c'])
        self.assertIn('.recorded = true', self.make('auth', AUTH.replace('enum: [a, b]', 'enum: [a, b], x-recorded: true'))['auth_proto.c'])

    def test_what_follows_an_object_comes_where_its_class_is_asked_for(self):
        """The path names it, or it is told beside, or what follows tells the class itself; it need not be the first of several."""
        follows = AUTH.replace(FIXED, '\n      x-follows: [part, thing]')
        named = follows.replace('in: path, required: true', 'in: path, required: true, x-object: thing')
        with self.assertRaisesRegex(Fault, ':29: what follows part, thing is here'):  # the list of all, which names none
            self.make('auth', named)
        start, end = named.index('  /internal/auth/things:'), named.index('components:')
        self.make('auth', named[:start] + named[end:])
        told = follows.replace('enum: [a, b]', 'enum: [I, II], x-raised: true')
        self.assertIn('.raised = true', self.make('auth', told)['auth_proto.c'])
        with self.assertRaisesRegex(Fault, 'what follows part, thing is here'):
            self.make('auth', follows)

    def test_what_may_lack_something_says_so_and_a_search_for_it_is_marked(self):
        raised = AUTH.replace('enum: [a, b]', 'enum: [I, II], x-raised: true').replace(*RAISABLE)
        start, end = raised.index('      requestBody:'), raised.index('      responses:')
        read = (raised[:start] + raised[end:]).replace('    patch:', '    get:').replace('      x-audit: entity_management.update\n', '')
        listed = read.replace("schema: { $ref: '#/components/schemas/Thing' }", "schema: { $ref: '#/components/schemas/Things' }", 1) + (
            f"    Things:\n      type: object\n      x-label: III{FIXED}\n      properties:\n"
            "        things: { type: array, maxItems: 9, items: { $ref: '#/components/schemas/Thing' } }\n")
        sought = listed.replace('      parameters:\n', '      parameters:\n        - { name: q, in: query, schema: { type: string, maxLength: 9 } }\n')
        for text, may_lack, seeks in ((read, False, False), (listed, True, False), (sought, True, True)):
            answer = json.loads(self.make('openapi', text)['openapi.json'])['paths']['/v1/things/{thingId}']['get']['responses']['200']
            self.assertEqual('Manabiya-Withheld' in answer.get('headers', {}), may_lack)
            self.assertEqual('OP_SEEKS' in self.make('auth', text)['auth_ops.c'], seeks)

    def test_what_is_personal_has_a_type_of_its_own(self):
        made = self.make('auth', AUTH.replace('minLength: 1, maxLength: 20', 'maxLength: 20, x-personal: roster/person.name'))
        self.assertIn('\tstruct personal name;\n', made['auth_proto.h'])
        self.assertIn('.personal = &(const struct personal_kind){ .domain = "roster", .column = "person.name" }', made['auth_proto.c'])

    def test_what_is_found_by_an_index_says_in_which_column(self):
        made = self.make('auth', AUTH.replace('minLength: 1, maxLength: 20', 'maxLength: 20, format: username, '
                                              'x-personal: roster/person.login of user, x-blind-index: login_index'))
        self.assertIn('.of_user = true, .index = "person.login_index" }', made['auth_proto.c'])

    def test_parts_and_owners_of_what_is_personal_are_told(self):
        made = self.make('auth', AUTH.replace('minLength: 1, maxLength: 20', 'maxLength: 20, x-personal: roster/person.both:1-2 of user'))
        self.assertIn('.column = "person.both", .part = 1, .last = 2, .of_user = true }', made['auth_proto.c'])

    def test_a_number_that_is_personal_says_by_its_text_whether_it_is_there(self):
        made = self.make('auth', AUTH.replace('minimum: 0, maximum: 9', 'minimum: 0, maximum: 9, x-personal: "a/b.c:2 of user"'))
        self.assertIn('\tstruct personal count;\n', made['auth_proto.h'])
        self.assertNotIn('has_count', made['auth_proto.h'])
        self.assertRegex(made['auth_proto.c'], '"count", .kind = KIND_INTEGER.*max = 9, .personal = .*part = 2.*has = NO_PRESENCE')

    def test_routes_are_public_operations_only(self):
        table = self.make('routes')['gateway_routes.c']
        self.assertIn('.path = "/v1/things/{thingId}"', table)
        self.assertIn('ROUTE_WRITES | ROUTE_IF_MATCH, .label = LABEL_III, .body_max = 4096', table)
        self.assertIn('{ "if-match", "ifMatch" }', table)
        self.assertNotIn('/internal', table)

    def test_a_route_names_the_ids_that_its_query_may_hold(self):
        self.assertNotIn('subjects', self.make('routes')['gateway_routes.c'])
        ids = ''.join(f"\n        - {{ name: {name}, in: query, schema: {{ $ref: 'common.yaml#/components/schemas/Id' }} }}" for name in ('classId', 'cursor'))
        listed = AUTH.replace('      parameters:', '      parameters:' + ids + "\n        - { name: q, in: query, schema: { type: string, maxLength: 9 } }", 1)
        self.assertIn('.subjects = (const char *const[]){ "classId", NULL }', self.make('routes', listed)['gateway_routes.c'])

    def test_a_route_states_a_time_only_when_the_contract_does(self):
        self.assertNotIn('timeout_ms', self.make('routes')['gateway_routes.c'])
        timed = AUTH.replace('x-allow: [contractor]', 'x-allow: [contractor]\n      x-timeout-ms: 20000')
        self.assertIn('.timeout_ms = 20000', self.make('routes', timed)['gateway_routes.c'])

    def test_the_bundle_is_closed(self):
        bundle = json.loads(self.make('openapi')['openapi.json'])
        self.assertEqual(list(bundle['paths']), ['/v1/things/{thingId}'])
        operation = bundle['paths']['/v1/things/{thingId}']['patch']
        self.assertEqual(operation['operationId'], 'auth_thing_update')
        self.assertEqual(sorted(bundle['components']['schemas']), ['Id', 'Problem', 'Thing'])
        self.assertIn('application/problem+json', operation['responses']['default']['content'])

    def test_types_of_the_web_client_say_what_is_optional(self):
        made = self.make('types')['schema.d.ts']
        self.assertIn('export type Thing = { id: Id; shared: boolean; kind?: "a" | "b" };', made)
        self.assertIn('"/v1/things/{thingId}": {\n\t\tpatch: { params: { thingId: Id }; query: Record<string, never>; '
                      'body: { name: string; count?: number }; answer: Thing; };', made)
        self.assertNotIn('/internal', made)

    def recorded(self, auth):
        made = self.make('types', auth)
        return [json.loads(made[f'recorded.{language}.json']) for language in ('ja', 'en')]

    def test_what_the_log_records_has_a_title_or_its_summary(self):
        self.assertEqual(self.recorded(AUTH), 2 * [{'auth.thing_update': 'Change a thing.'}])
        titled = AUTH.replace('summary: Change a thing.', 'summary: x\n      x-title: { ja: 物の変更, en: Changed a thing }')
        self.assertEqual(self.recorded(titled), [{'auth.thing_update': '物の変更'}, {'auth.thing_update': 'Changed a thing'}])

    def test_what_a_service_does_by_itself_is_recorded_too(self):
        jobs = AUTH.replace('paths:', 'x-jobs:\n  thing_rot: { ja: 劣化, en: It rotted }\npaths:')
        self.assertEqual([titles['auth.thing_rot'] for titles in self.recorded(jobs)], ['劣化', 'It rotted'])

    def test_what_is_made_compiles(self):
        for what in ('common', 'auth', 'routes'):
            for name, content in self.make(what).items():
                with open(os.path.join(self.directory, name), 'w', encoding='utf-8') as stream:
                    stream.write(content)
        command = os.environ.get('CC', 'cc').split() + ['-std=c17', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Wpedantic', '-Werror',
                                                        '-Wno-unused-parameter', '-fsyntax-only', '-I', ROOT, '-I', self.directory]
        for name in ('common_proto.c', 'auth_proto.c', 'auth_ops.c', 'gateway_routes.c'):
            done = subprocess.run(command + [os.path.join(self.directory, name)], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_is_not_understood_is_refused(self):
        for name, (old, new, line, reason) in REFUSED.items():
            with self.subTest(name):
                self.assertIn(old, AUTH)
                with self.assertRaises(Fault) as caught:
                    self.make('auth', AUTH.replace(old, new, 1))
                self.assertRegex(str(caught.exception), f'^auth.yaml:{line}: ')
                self.assertIn(reason, str(caught.exception))

    def test_an_event_goes_where_it_is_taken(self):
        taking = AUTH.replace('components:\n', TAKING, 1)
        self.assertIn('.consumers = (const char *const[]){ "auth", NULL }', self.make('events', taking)['events_proto.c'])
        for auth in (AUTH, taking.replace('x-callers: [learning]', 'x-callers: [audit]')):
            with self.assertRaisesRegex(Fault, '^events.yaml:6: `auth` has no event_accept that learning may call'):
                self.make('events', auth)

    def test_other_versions_are_refused_everywhere(self):
        for name, what, old in (('events', 'events', 'asyncapi: 3.0.0'), ('common', 'common', 'openapi: 3.1.0')):
            schemas(self.directory, AUTH)
            path = os.path.join(self.directory, name + '.yaml')
            with open(path, encoding='utf-8') as stream:
                text = stream.read()
            with open(path, 'w', encoding='utf-8') as stream:
                stream.write(text.replace(old, old.partition(':')[0] + ': 2.0.0'))
            with self.assertRaisesRegex(Fault, f'^{name}.yaml:1: .*is not understood'):
                gen.make(what, self.directory)

    def test_two_schemas_of_one_name_are_refused_in_the_bundle(self):
        with self.assertRaisesRegex(Fault, 'Problem is in'):
            self.make('openapi', AUTH.replace('Thing', 'Problem'))

    def test_the_program_says_why_and_fails(self):
        schemas(self.directory, AUTH.replace('[contractor]', '[teacher]'))
        done = subprocess.run([sys.executable, '-B', os.path.join(HERE, 'gen.py'), 'auth', self.directory, self.directory],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r'^auth\.yaml:8: ')

    def test_the_real_schemas_are_understood(self):
        for what in ['common', 'events', *gen.SERVICES, 'routes', 'openapi', 'types']:
            self.assertTrue(gen.make(what, os.path.join(ROOT, 'proto')))

    def test_names_change_their_case(self):
        self.assertEqual(snake('knowledgeAndSkills'), 'knowledge_and_skills')
        self.assertEqual(snake('Set-Cookie'), 'set_cookie')
        self.assertEqual(snake('lesson.happened'), 'lesson_happened')
        self.assertEqual(camel('Upload-Offset'), 'uploadOffset')
        self.assertEqual(camel('If-Match'), 'ifMatch')


if __name__ == '__main__':
    unittest.main()
