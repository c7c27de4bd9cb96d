"""openapi.json: one OpenAPI 3.1 document of all public operations."""
import json

from load import Map, Seq, fault

PATTERNS = {'username': '^[A-Za-z0-9][A-Za-z0-9._@-]*$', 'code': '^[A-Za-z0-9]+$'}
PROBLEM = {'description': 'Refused or failed; `code` says why.', 'content': {
    'application/problem+json': {'schema': {'$ref': '#/components/schemas/Problem'}}}}


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
        name, schema, target = self.documents.resolve(owner, node)
        if '/schemas/' not in node['$ref']:
            return self.copy(name, target)
        if self.origin.setdefault(schema, name) != name:
            fault(node.here, f'{schema} is in {self.origin[schema]}.yaml too: the bundle has one name for each')
        if schema not in self.schemas:
            self.schemas[schema] = {}
            self.schemas[schema].update(self.copy(name, target))
        return {'$ref': f'#/components/schemas/{schema}'}

    def operation(self, o, parts):
        node = o.node
        out = {'operationId': f'{o.service}_{o.name}', 'summary': node['summary'], 'tags': [o.service]}
        out['security'] = [] if node['x-allow'] == ['anonymous'] else [{'cookie': []}, {'bearer': []}]
        out.update({key: self.copy(o.service, node[key]) for key in ('x-allow', 'x-feature', 'x-label') if key in node})
        parameters = self.copy(o.service, node.get('parameters', Seq()))
        if 'x-idempotency' in node:
            parameters.append({'name': 'Idempotency-Key', 'in': 'header', 'required': True,
                               'schema': {'type': 'string', 'minLength': 1, 'maxLength': 128}})
        if parameters:
            out['parameters'] = parameters
        if 'requestBody' in node:
            out['requestBody'] = {'required': True, **self.copy(o.service, node['requestBody'])}
        out['responses'] = {**self.copy(o.service, node['responses']), 'default': PROBLEM}
        if 'x-fanout' in node:
            out['responses']['200']['content'] = {'application/json': {'schema': self.merged(node['x-fanout'], parts)}}
        if node.get('x-stream') == 'events':
            out['responses']['200']['content'] = {'text/event-stream': {}}
        return out

    def merged(self, fanout, parts):
        """The answer of a fan-out: a member per service, null where it did not answer, and their names in `partial`."""
        members = {}
        for part in fanout:
            o = parts[part]
            answer = self.copy(o.service, o.node['responses']['200']['content']['application/json']['schema'])
            members[o.service] = {'anyOf': [answer, {'type': 'null'}]}
        members['partial'] = {'type': 'array', 'maxItems': len(members), 'items': {'type': 'string', 'enum': list(members)}}
        return {'type': 'object', 'required': list(members), 'properties': members}


def openapi(documents, operations):
    bundle, paths = Bundle(documents), {}
    parts = {f'{o.service}.{o.name}': o for o in operations}
    for o in operations:
        if not o.internal:
            paths.setdefault(o.path, {})[o.method] = bundle.operation(o, parts)
    bundle.schemas['Problem'] = bundle.copy('common', documents.get('common')['components']['schemas']['Problem'])
    document = {
        'openapi': '3.1.0', 'info': {'title': 'Manabiya', 'version': '1.0.0'}, 'servers': [{'url': '/'}],
        'paths': dict(sorted(paths.items())),
        'components': {
            'schemas': dict(sorted(bundle.schemas.items())),
            'securitySchemes': {'cookie': {'type': 'apiKey', 'in': 'cookie', 'name': '__Host-sid'},
                                'bearer': {'type': 'http', 'scheme': 'bearer'}}}}
    return {'openapi.json': json.dumps(document, ensure_ascii=False, indent=1) + '\n'}
