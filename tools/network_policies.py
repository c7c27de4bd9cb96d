#!/usr/bin/python3
"""Write deploy/kubernetes/base/network-policies.yaml: what no operation and no option needs, the network refuses.

Who may call whom is what proto/*.yaml says: `x-callers` of what is internal, the gateway for all that is public, producers and
consumers of events. Who reaches PostgreSQL, Redis and mail is whose options name them.

    tools/network_policies.py            rewrite the file
    tools/network_policies.py --check    say whether it is true (exit status)
"""

import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
BASE = ROOT / 'deploy/kubernetes/base'
POLICIES = BASE / 'network-policies.yaml'
SERVICES = ('auth', 'provisioning', 'learning', 'notification', 'audit')
METHODS = {'get', 'post', 'put', 'patch', 'delete'}
BUS, DATABASE, REDIS, HTTPS, WITNESS, ADMIN, DNS = 7001, 5432, 6379, 8443, 8444, 9443, 53
MAIL = (25, 465, 587)
MONITORING = 'monitoring'  # the namespace whose pods read probes and metrics
HEAD = '# Made by tools/network_policies.py from proto/ and from the options of the Deployments: not to be edited.\n'


class Plain(yaml.SafeDumper):
    """Without anchors: every rule stands where it counts."""

    def ignore_aliases(self, data):
        return True


# ---- who reaches whom ----

def bus_callers(service):
    """Names of those that may open a link to the service."""
    document = yaml.safe_load((ROOT / f'proto/{service}.yaml').read_text())
    operations = [node for item in document['paths'].values() for method, node in item.items() if method in METHODS]
    named = {caller for node in operations for caller in node.get('x-callers', ())}
    channels = yaml.safe_load((ROOT / 'proto/events.yaml').read_text())['channels'].values()
    producers = {channel['x-producer'] for channel in channels if service in channel['x-consumers']}
    return named | producers | {'gateway'}  # which serves the public ones, and asks each whether it is ready


def options(name):
    """Names of the options that its Deployment gives it."""
    deployment = next(yaml.safe_load_all((BASE / f'{name}.yaml').read_text()))
    return {part[2:].partition('=')[0] for part in deployment['spec']['template']['spec']['containers'][0]['args']}


def edges():
    """(from, to, port) of all that is allowed within the namespace."""
    for service in SERVICES:
        yield from ((caller, service, BUS) for caller in bus_callers(service))
    for name in (*SERVICES, 'gateway'):
        if 'database' in options(name):
            yield name, 'database', DATABASE
        if options(name) & {'cache', 'limit-cache'}:
            yield name, 'redis', REDIS
    yield 'migrate', 'database', DATABASE
    yield 'audit', 'witness', WITNESS


# ---- as policies ----

def pods(name):
    return {'podSelector': {'matchLabels': {'app.kubernetes.io/name': name}}}


def tcp(*ports):
    return [{'protocol': 'TCP', 'port': port} for port in ports]


def rules(ends, direction):
    """One rule per port, for the pods at the other end."""
    return [{direction: [pods(name) for name in sorted(n for n, p in ends if p == port)], 'ports': tcp(port)}
            for port in sorted({port for _, port in ends})]


def policy(name, selector, **spec):
    types = [kind.capitalize() for kind in ('ingress', 'egress') if kind in spec]
    return {'apiVersion': 'networking.k8s.io/v1', 'kind': 'NetworkPolicy', 'metadata': {'name': name},
            'spec': {'podSelector': selector, 'policyTypes': types, **{k: v for k, v in spec.items() if v}}}


def outside():
    """What comes from or goes to elsewhere: {name: (ingress, egress)}."""
    monitoring = {'namespaceSelector': {'matchLabels': {'kubernetes.io/metadata.name': MONITORING}}}
    return {'gateway': ([{'ports': tcp(HTTPS)}, {'from': [monitoring], 'ports': tcp(ADMIN)}], []),
            'notification': ([], [{'ports': tcp(*MAIL)}])}


def policies():
    allowed, more = set(edges()), outside()
    yield policy('nothing-else', {}, ingress=[], egress=[])
    yield policy('names', {}, egress=[{'ports': [{'protocol': 'UDP', 'port': DNS}, *tcp(DNS)]}])
    for name in sorted({end for edge in allowed for end in edge[:2]}):
        into, out = more.get(name, ([], []))
        yield policy(name, pods(name)['podSelector'],
                     ingress=rules({(a, port) for a, b, port in allowed if b == name}, 'from') + into,
                     egress=rules({(b, port) for a, b, port in allowed if a == name}, 'to') + out)


def text():
    return HEAD + yaml.dump_all(policies(), Dumper=Plain, sort_keys=False, explicit_start=True)


def main():
    if sys.argv[1:] == ['--check']:
        return POLICIES.read_text() != text()
    POLICIES.write_text(text())
    return 0


if __name__ == '__main__':
    sys.exit(main())
