"""The language of the schemas: what may stand under a key. A rule takes a mapping and one of its keys,
refuses what it does not understand, and returns the value."""
import re

from load import Map, Seq, demand

SERVICES = ['auth', 'provisioning', 'learning', 'notification', 'audit']
ROLES = ['anonymous', 'operator', 'contractor', 'instructor', 'student', 'service']
METHODS = ['get', 'head', 'options', 'post', 'put', 'patch', 'delete']
READS = METHODS[:3]
EXACT = 2 ** 53 - 1  # the largest integer that every JSON reader keeps
LENGTHS = {'uuid': (36, 36), 'date-time': (20, 35), 'date': (10, 10)}  # formats that are limits enough
REFERENCE = r'(?:([a-z]+)\.yaml)?#/components/(schemas|parameters)/([A-Za-z]+)'
PERSONAL = r'([a-z]+)/([a-z_]+[.]([a-z_]+))(?::([1-4])(?:-([1-4]))?)?( of user)?'  # domain/table.column:part of user
# OCSF 1.8: class and activities; 99 is "Other" where a class has no word for it.
CLASSES = {
    'authentication': (3002, {'logon': 1, 'logoff': 2}),
    'account_change': (3001, {'create': 1, 'enable': 2, 'password_change': 3, 'password_reset': 4, 'disable': 5, 'delete': 6,
                              'mfa_enable': 10, 'mfa_disable': 11,
                              'update': 99}),
    'entity_management': (3004, {'create': 1, 'read': 2, 'update': 3, 'delete': 4}),
    'user_access': (3005, {'assign': 1, 'revoke': 2, 'update': 99}),
    'group_management': (3006, {'add_user': 3, 'remove_user': 4, 'delete': 5, 'create': 6, 'update': 99}),
    'api_activity': (6003, {'create': 1, 'read': 2, 'update': 3, 'delete': 4}),
    'datastore_activity': (6005, {'read': 1})}
AUDIT = {f'{name}.{activity}': (class_uid, number)
         for name, (class_uid, numbers) in CLASSES.items() for activity, number in numbers.items()}


def value(holds, reason):
    """The rule for values of which `holds` is true."""
    def rule(node, key):
        demand(holds(node[key]), node.at[key], reason.format(key=key, value=node[key]))
        return node[key]
    return rule


def between(low, high):
    return value(lambda v: type(v) is int and low <= v <= high, f'`{{key}}` must be an integer from {low} to {high}')


def one_of(*values):
    return value(lambda v: v in values, '`{key}` cannot be `{value}`: ' + ', '.join(values))


def word(pattern, reason):
    return value(lambda v: isinstance(v, str) and re.fullmatch(pattern, v), '{key} `{value}` ' + reason)


def some_of(*values):
    """A list of different texts, out of `values` if there are any."""
    def rule(node, key):
        items = node[key]
        demand(isinstance(items, Seq) and items, node.at[key], f'`{key}` must be a list with something in it')
        for i, item in enumerate(items):
            understood = item in values if values else isinstance(item, str)
            demand(understood, items.at[i], f'`{item}` is not understood in `{key}`')
            demand(item not in items[:i], items.at[i], f'`{item}` stands in `{key}` twice')
        return items
    return rule


def holding(required, optional=()):
    return lambda node, key: check(node[key], node.at[key], required, optional)


text = value(lambda v: isinstance(v, str), '`{key}` must be text')
flag = value(lambda v: v is True, '`{key}` is either `true` or left out')
named = value(lambda v: isinstance(v, Map), '`{key}` must be a mapping')
LABELS = ['I', 'II', 'III', 'IV']  # the gravest first
RULES = {  # what these keys mean is the same wherever they stand
    **dict.fromkeys(['description', 'en', 'ja', 'name', 'summary', 'title', 'version', 'x-bounded', 'x-fixed'], text),
    **dict.fromkeys(['channels', 'headers', 'paths', 'schema'], named),
    **dict.fromkeys(['x-closed', 'x-initial', 'x-internal', 'x-raised', 'x-recorded', 'x-step-up'], flag),
    'openapi': word(r'3\.1\.\d', 'is not understood: 3.1 is'), 'asyncapi': word(r'3\.0\.\d', 'is not understood: 3.0 is'),
    'info': holding(['title', 'version'], ['description']), '$ref': word(REFERENCE, 'is not a reference of the known form'),
    'content': value(lambda v: isinstance(v, Map) and len(v) == 1, 'exactly one content type is understood'),
    'enum': some_of(), 'format': one_of(*LENGTHS, 'username', 'code'), 'in': one_of('path', 'query', 'header'),
    'minimum': between(-EXACT, EXACT), 'maximum': between(-EXACT, EXACT),
    'minLength': between(0, 1 << 20), 'maxLength': between(1, 1 << 20),
    'minItems': between(0, 100000), 'maxItems': between(1, 100000),
    'operationId': word('[a-z]+(_[a-z]+)*', 'must be in snake_case'),
    'properties': value(lambda v: isinstance(v, Map) and v, 'an object needs properties'),
    'responses': value(lambda v: isinstance(v, Map) and len(v) == 1 and v.keys() <= {'200', '201', '202', '204'},
                       'exactly one response, from 200, 201, 202, 204; errors are the same everywhere'),
    'type': one_of('string', 'integer', 'boolean', 'array', 'object'),
    'x-allow': some_of(*ROLES), 'x-callers': some_of(*SERVICES, 'gateway'), 'x-consumers': some_of(*SERVICES),
    'x-audit': value(lambda v: v in list(AUDIT), '`{value}` is not in the table of events'), 'x-fanout': some_of(),
    'x-audit-shared-s': between(1, 300), 'x-follows': some_of(), 'x-feature': one_of('video_upload', 'peer_comment'), 'x-idempotency': one_of('required'),
    'x-label': one_of(*LABELS), 'x-object': word('[a-z]+', 'is not a kind of object'),
    'x-personal': word(PERSONAL, 'is not of the form domain/table.column:part of user'),
    'x-blind-index': word('[a-z]+(_[a-z]+)*', 'is not the name of a column'),
    'x-max-bytes': between(1, 1 << 30), 'x-producer': one_of(*SERVICES),
    'x-title': holding(['ja', 'en']), 'x-jobs': lambda node, key: [holding(['ja', 'en'])(node[key], job) for job in named(node, key)],
    'x-stream': one_of('request', 'response', 'events'), 'x-timeout-ms': between(100, 120000)}


def check(node, at, required, optional=()):
    """A mapping with all required keys, none but those and the optional ones; its values keep the rules."""
    demand(isinstance(node, Map), at, 'a mapping is wanted here')
    for key in node:
        demand(key in required or key in optional, node.at[key], f'`{key}` is not understood here')
        RULES.get(key, lambda *_: None)(node, key)
    for key in required:
        demand(key in node, at, f'`{key}` is missing')
    return node
