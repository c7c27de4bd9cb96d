"""openapi.json: one OpenAPI 3.1 document of all public operations."""
import json

from load import Map, Seq, demand

PATTERNS = {'username': '^[A-Za-z0-9][A-Za-z0-9._@-]*$', 'code': '^[A-Za-z0-9]+$'}
PROBLEM = {'description': 'Refused or failed; `code` says why.', 'content': {
    'application/problem+json': {'schema': {'$ref': '#/components/schemas/Problem'}}}}
KEY = {'name': 'Idempotency-Key', 'in': 'header', 'required': True,
       'schema': {'type': 'string', 'minLength': 1, 'maxLength': 128}}
SECURITY = {'cookie': {'type': 'apiKey', 'in': 'cookie', 'name': '__Host-sid'},
            'bearer': {'type': 'http', 'scheme': 'bearer'}}


class Bundle:
    def __init__(self, documents):
        self.documents, self.schemas, self.origin = documents, {}, {'Problem': 'common'}

    def copy(self, owner, node):
        """A plain copy in which every $ref points into the bundle."""
        if isinstance(node, Seq):
            return [self.copy(owner, item) for item in node]
        if not isinstance(node, Map):
            return node
        if '$ref' in node:
            return self.refer(owner, node)
        out = {key: self.copy(owner, value) for key, value in node.items()}
        if node.get('format') in PATTERNS:
            out['pattern'] = PATTERNS[out.pop('format')]
        return out

    def refer(self, owner, node):
        document, name, target = self.documents.resolve(owner, node)
        if '/schemas/' not in node['$ref']:
            return self.copy(document, target)
        origin = self.origin.setdefault(name, document)
        demand(origin == document, node.here,
               f'{name} is in {origin}.yaml too: the bundle has one name for each')
        if name not in self.schemas:
            self.schemas[name] = {}  # a schema that contains itself ends here
            self.schemas[name].update(self.copy(document, target))
        return {'$ref': f'#/components/schemas/{name}'}

    def operation(self, o, parts):
        node = self.copy(o.service, o.node)
        out = {'operationId': f'{o.service}_{o.name}', 'summary': node['summary'], 'tags': [o.service],
               'security': [] if node['x-allow'] == ['anonymous'] else [{'cookie': []}, {'bearer': []}]}
        out.update((key, node[key]) for key in ('x-allow', 'x-feature', 'x-label') if key in node)
        parameters = node.get('parameters', []) + ([KEY] if 'x-idempotency' in node else [])
        if parameters:
            out['parameters'] = parameters
        if 'requestBody' in node:
            out['requestBody'] = {'required': True, **node['requestBody']}
        out['responses'] = {**node['responses'], 'default': PROBLEM}
        if 'x-fanout' in node:
            merged = self.merged([parts[part] for part in node['x-fanout']])
            out['responses']['200']['content'] = {'application/json': {'schema': merged}}
        if o.stream == 'events':
            out['responses']['200']['content'] = {'text/event-stream': {}}
        return out

    def merged(self, operations):
        """The answer of a fan-out: a member per service, null where none came; `partial` names those."""
        members = {}
        for o in operations:
            answer = self.copy(o.service, o.node['responses']['200']['content']['application/json']['schema'])
            members[o.service] = {'anyOf': [answer, {'type': 'null'}]}
        members['partial'] = {'type': 'array', 'maxItems': len(members),
                              'items': {'type': 'string', 'enum': list(members)}}
        return {'type': 'object', 'required': list(members), 'properties': members}


def openapi(documents, operations):
    bundle, paths = Bundle(documents), {}
    parts = {f'{o.service}.{o.name}': o for o in operations}
    for o in operations:
        if not o.internal:
            paths.setdefault(o.path, {})[o.method] = bundle.operation(o, parts)
    bundle.schemas['Problem'] = bundle.copy('common', documents['common']['components']['schemas']['Problem'])
    return {'openapi.json': json.dumps({
        'openapi': '3.1.0', 'info': {'title': 'Manabiya', 'version': '1.0.0'}, 'servers': [{'url': '/'}],
        'paths': dict(sorted(paths.items())),
        'components': {'schemas': dict(sorted(bundle.schemas.items())), 'securitySchemes': SECURITY},
    }, ensure_ascii=False, indent=1) + '\n'}
