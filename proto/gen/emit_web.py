"""What the web sees of all public operations: openapi.json (OpenAPI 3.1), and the same as types of TypeScript."""
import json

from emit_c import NOTE
from load import Map, Seq, demand

PATTERNS = {'username': '^[A-Za-z0-9][A-Za-z0-9._@-]*$', 'code': '^[A-Za-z0-9]+$'}
INSIDE = ['x-bounded', 'x-callers', 'x-fanout']  # what concerns nobody outside
PROBLEM = {'description': 'Refused or failed; `code` says why.', 'content': {
    'application/problem+json': {'schema': {'$ref': '#/components/schemas/Problem'}}}}
KEY = {'name': 'Idempotency-Key', 'in': 'header', 'required': True,
       'schema': {'type': 'string', 'minLength': 16, 'maxLength': 128}}
LINK = {'description': 'The next page: `<?…>; rel="next"` (RFC 8288), relative to the request.',
        'schema': {'type': 'string'}}
WITHHELD = {'description': 'Something was left out that this person sees with more proof: log in with two factors, or prove the password again. '
                           'Of a search: something may have been, whatever was looked for.',
            'schema': {'type': 'string', 'enum': ['second-factor', 'step-up']}}
SECURITY = {'cookie': {'type': 'apiKey', 'in': 'cookie', 'name': '__Host-sid'},
            'bearer': {'type': 'http', 'scheme': 'bearer'}}


class Bundle:
    """The public operations and what they refer to, copied so that every $ref stays inside."""

    def __init__(self, documents, operations):
        self.documents, self.schemas, self.paths, self.origin = documents, {}, {}, {}
        self.refer('common', 'Problem', documents['common']['components']['schemas']['Problem'], None)
        self.parts = {f'{o.service}.{o.name}': o for o in operations}
        for o in sorted(operations, key=lambda o: o.path):
            if not o.internal:
                self.paths.setdefault(o.path, {})[o.method] = self.operation(o)

    def refer(self, document, name, target, at):
        demand(self.origin.setdefault(name, document) == document, at,
               f'{name} is in {self.origin[name]}.yaml too: the bundle has one name for each')
        if name not in self.schemas:
            self.schemas[name] = {}  # a schema that contains itself ends here
            self.schemas[name].update(self.copy(document, target))
        return {'$ref': f'#/components/schemas/{name}'}

    def copy(self, owner, node):
        if isinstance(node, Seq):
            return [self.copy(owner, item) for item in node]
        if not isinstance(node, Map):
            return node
        if '$ref' in node:
            document, target, name = self.documents.resolve(owner, node)
            return self.refer(document, name, target, node.here) if 'type' in target else self.copy(document, target)
        out = {key: self.copy(owner, value) for key, value in node.items() if key not in INSIDE}
        if node.get('format') in PATTERNS:
            out['pattern'] = PATTERNS[out.pop('format')]
        return out

    def operation(self, o):
        out = self.copy(o.service, o.node)
        out.update(operationId=f'{o.service}_{o.name}', tags=[o.service],
                   security=[] if o.allow == ['anonymous'] else [{name: []} for name in SECURITY])
        if o.label:
            out['x-label'] = o.label
        if 'x-idempotency' in o.node:
            out.setdefault('parameters', []).append(KEY)
        if 'requestBody' in out:
            out['requestBody']['required'] = True
        if 'x-fanout' in o.node:
            out['responses']['200']['content'] = {'application/json': {'schema': self.merged(o.node['x-fanout'])}}
        if o.stream == 'events':
            out['responses']['200']['content'] = {'text/event-stream': {}}
        if o.paged:
            out['responses']['200'].setdefault('headers', {})['Link'] = LINK
        if any(part.withholds() for part in [o, *map(self.parts.get, o.node.get('x-fanout', []))]):
            next(iter(out['responses'].values())).setdefault('headers', {})['Manabiya-Withheld'] = WITHHELD
        out['responses']['default'] = PROBLEM
        return out

    def merged(self, names):
        """The answer of a fan-out: a member per service, null where none came; `partial` names those."""
        members = {part.service: {'anyOf': [self.copy(part.service, part.answer), {'type': 'null'}]}
                   for part in map(self.parts.get, names)}
        members['partial'] = {'type': 'array', 'maxItems': len(members), 'items': {'type': 'string', 'enum': list(members)}}
        return {'type': 'object', 'required': list(members), 'properties': members}


def openapi(documents, operations):
    bundle = Bundle(documents, operations)
    return {'openapi.json': json.dumps({
        'openapi': '3.1.0', 'info': {'title': 'Manabiya', 'version': '1.0.0'}, 'servers': [{'url': '/'}], 'paths': bundle.paths,
        'components': {'schemas': dict(sorted(bundle.schemas.items())), 'securitySchemes': SECURITY},
    }, ensure_ascii=False, indent=1) + '\n'}


def typed(schema):
    """A schema of the bundle as a type; no schema is `undefined`."""
    if '$ref' in schema:
        return schema['$ref'].rpartition('/')[2]
    if 'properties' in schema:
        members = [f'{name}{"" if name in schema.get("required", []) else "?"}: {typed(member)}'
                   for name, member in schema['properties'].items()]
        return f'{{ {"; ".join(members)} }}' if members else 'Record<string, never>'
    if 'items' in schema:
        return f'({typed(schema["items"])})[]'
    choices = [typed(one) for one in schema.get('anyOf', [])] or [json.dumps(one) for one in schema.get('enum', [])]
    name = schema.get('type', 'undefined')
    return ' | '.join(choices) or {'integer': 'number'}.get(name, name)


def typed_operation(node):
    def placed(place):
        chosen = [p for p in node.get('parameters', []) if p['in'] == place]
        return {'properties': {p['name']: p['schema'] for p in chosen}, 'required': [p['name'] for p in chosen if 'required' in p]}

    def content(part):
        return part.get('content', {}).get('application/json', {}).get('schema', {})
    parts = {'params': placed('path'), 'query': placed('query'), 'body': content(node.get('requestBody', {})),
             'answer': content(next(iter(node['responses'].values())))}
    return '{ ' + ''.join(f'{name}: {typed(schema)}; ' for name, schema in parts.items()) + '}'


def types(documents, operations):
    """The bundle as types, and in words what the log records: by its title, or else by the summary."""
    bundle = Bundle(documents, operations)
    lines = [NOTE]
    lines += [f'export type {name} = {typed(schema)};' for name, schema in sorted(bundle.schemas.items())]
    lines += ['', 'export interface Paths {']
    for path, item in bundle.paths.items():
        lines += [f'\t"{path}": {{', *(f'\t\t{method}: {typed_operation(node)};' for method, node in item.items()), '\t};']
    words = recorded(documents, operations)
    return {'schema.d.ts': '\n'.join([*lines, '}', '']),
            **{f'recorded.{language}.json': json.dumps({name: title[language] for name, title in words.items()},
                                                       ensure_ascii=False, indent=0) + '\n' for language in ('ja', 'en')}}


def recorded(documents, operations):
    """What the log records, calls and jobs, in words."""
    words = {f'{o.service}.{o.name}': o.node.get('x-title') or dict.fromkeys(['ja', 'en'], o.node['summary'])
             for o in operations if 'x-audit' in o.node}
    return words | {f'{name}.{job}': title for name in list(documents) for job, title in documents[name].get('x-jobs', {}).items()}


def titles(documents, operations):
    """The same for tables of the log (libcommon/log_table.h), which searches in the order of the names."""
    words = sorted(recorded(documents, operations).items())
    rows = [f'\t{{ {quoted(name)}, {{ {quoted(title["ja"])}, {quoted(title["en"])} }} }},' for name, title in words]
    return {'log_titles.c': '\n'.join([
        NOTE, '#include "libcommon/log_table.h"', '', 'const struct log_title log_titles[] = {', *rows, '};',
        f'const size_t log_titles_n = {len(rows)};', ''])}


def quoted(text):
    return json.dumps(text, ensure_ascii=False)
