"""deploy/kubernetes says the same as docker-compose.yml, and its network policies the same as the contract."""

import importlib.util
import json
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / 'deploy/kubernetes/base'
NAMES = ('gateway', 'auth', 'provisioning', 'learning', 'notification', 'audit')
ALONE = (*NAMES, 'witness')  # not scaled, and not on the bus
# What differs on purpose: certificates come from a secret that others make, mail from a ConfigMap; the log goes where
# pods' output is collected, as a pod keeps no files.
OTHERWISE = {'gateway': {'tls-certificate', 'tls-key', 'admin-tls-certificate', 'admin-tls-key'},
             'notification': {'smtp-url', 'mail-from', 'operator-mail'}, 'audit': {'pipeline-file', 'pipeline-stdout', 'conf'},
             'auth': {'second-factor-required'}}  # compose takes it from the environment, for tries without phones


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


secrets = load(ROOT / 'deploy/kubernetes/secrets.py', 'kubernetes_secrets')
network_policies = load(ROOT / 'tools/network_policies.py', 'network_policies')


def objects(path):
    return list(yaml.safe_load_all(path.read_text()))


def pod_of(name):
    return objects(BASE / f'{name}.yaml')[0]['spec']['template']['spec']


def options(arguments):
    return dict(part[2:].partition('=')[::2] for part in arguments)


class Policies(unittest.TestCase):
    def test_the_committed_file_is_what_the_contract_says(self):
        self.assertEqual(network_policies.POLICIES.read_text(), network_policies.text(), 'run tools/network_policies.py')

    def test_who_calls_whom_is_who_has_a_peer_of_that_name(self):
        called = {(a, b) for a, b, port in network_policies.edges() if port == network_policies.BUS}
        peers = {(name, peer) for name in NAMES
                 for peer in re.findall(r'(\w+)=tcp', options(pod_of(name)['containers'][0]['args'])['peers'])}
        self.assertEqual(called, peers)

    def test_only_the_gateway_is_open_to_the_world_and_it_does_not_see_the_database(self):
        edges = set(network_policies.edges())
        self.assertNotIn(('gateway', 'database', network_policies.DATABASE), edges)
        open_to_all = {p['metadata']['name'] for p in objects(network_policies.POLICIES)
                       for rule in p['spec'].get('ingress', ()) if 'from' not in rule}
        self.assertEqual(open_to_all, {'gateway'})


class Pods(unittest.TestCase):
    def test_options_are_those_of_compose(self):
        compose = yaml.safe_load((ROOT / 'docker-compose.yml').read_text())['services']
        for name in ALONE:
            with self.subTest(name):
                here = options(pod_of(name)['containers'][0]['args'])
                there = options(re.sub(r'\$\{\w+:-(.*?)\}', r'\1', part) for part in compose[name]['command'])  # as they are by default
                if 'database' in there:
                    there['database'] = there['database'].replace(f'/run/secrets/{name}-pgpass', '/run/database/pgpass')
                same = OTHERWISE.get(name, set())
                self.assertEqual({k: v for k, v in here.items() if k not in same},
                                 {k: v for k, v in there.items() if k not in same})

    def test_there_is_never_a_second_witness_beside_the_first(self):
        spec = objects(BASE / 'witness.yaml')[0]['spec']
        self.assertEqual((spec['replicas'], spec['strategy']), (1, {'type': 'Recreate'}))

    def test_only_audit_reaches_the_witness(self):
        self.assertEqual({a for a, b, _ in network_policies.edges() if b == 'witness'}, {'audit'})
        self.assertEqual({b for a, b, _ in network_policies.edges() if a == 'witness'}, set())

    def test_the_log_reaches_the_pipeline(self):
        self.assertEqual(options(pod_of('audit')['containers'][0]['args'])['pipeline-stdout'], 'true')

    def test_each_is_a_user_of_its_own_that_can_gain_nothing(self):
        users = set()
        for name in (*ALONE, 'migrate'):
            with self.subTest(name):
                pod = pod_of(name)
                self.assertTrue(pod['securityContext']['runAsNonRoot'])
                self.assertEqual(pod['securityContext']['seccompProfile'], {'type': 'RuntimeDefault'})
                self.assertFalse(pod['automountServiceAccountToken'])
                users.add(pod['securityContext']['runAsUser'])
                for container in pod['containers'] + pod.get('initContainers', []):
                    self.assertEqual(container['securityContext'], {
                        'allowPrivilegeEscalation': False, 'readOnlyRootFilesystem': True, 'capabilities': {'drop': ['ALL']}})
                    self.assertIn('memory', container['resources']['limits'])
        self.assertEqual(len(users), len(ALONE) + 1)

    def test_only_provisioning_may_write_the_keyring(self):
        mounts = {(name, mount.get('readOnly', False)) for name in (*ALONE, 'migrate') for pod in [pod_of(name)]
                  for volume in pod.get('volumes', ()) if volume.get('persistentVolumeClaim', {}).get('claimName') == 'keyring'
                  for container in pod['containers'] + pod.get('initContainers', [])
                  for mount in container.get('volumeMounts', ()) if mount['name'] == volume['name']}
        self.assertEqual(mounts, {('provisioning', False), ('auth', True), ('learning', True), ('notification', True)})

    def test_users_are_those_of_the_images(self):
        stages = re.findall(r'^FROM \S+ AS (\w+)$(.*?)^(?=FROM|\Z)', (ROOT / 'containers/Dockerfile').read_text(), re.M | re.S)
        users = {name: match[1] for name, text in stages if (match := re.search(r'^USER (\d+:\d+)$', text, re.M))}
        for name in ALONE:
            context = pod_of(name)['securityContext']
            self.assertEqual(f'{context["runAsUser"]}:{context["runAsGroup"]}', users[name])

    def test_every_service_has_what_lets_it_be_scaled_and_replaced(self):
        for name in NAMES:
            with self.subTest(name):
                found = {item['kind']: item for item in objects(BASE / f'{name}.yaml') if item['metadata']['name'] == name}
                self.assertEqual(set(found), {'Deployment', 'Service', 'PodDisruptionBudget', 'HorizontalPodAutoscaler'})
                self.assertEqual(found['Deployment']['spec']['strategy']['rollingUpdate']['maxUnavailable'], 0)
                self.assertEqual(found['Service']['spec'].get('clusterIP'), None if name == 'gateway' else 'None')
                self.assertLessEqual({'startupProbe', 'readinessProbe', 'livenessProbe'}, set(pod_of(name)['containers'][0]))

    def test_every_file_is_listed(self):
        listed = yaml.safe_load((BASE / 'kustomization.yaml').read_text())['resources']
        self.assertEqual(sorted(listed), sorted(p.name for p in BASE.iterdir() if p.name != 'kustomization.yaml'))


class Secrets(unittest.TestCase):
    def made(self):
        """What secrets.py makes of a directory that has every file it asks for."""
        with tempfile.TemporaryDirectory() as directory:
            files = [file for part in secrets.SECRETS.values() for file in part.values()]
            for file in [*files, *(f'bus/{name}/{name}-x.key' for name in NAMES)]:
                Path(directory, file).parent.mkdir(parents=True, exist_ok=True)
                Path(directory, file).write_text(file)
            done = subprocess.run(['/usr/bin/python3', '-B', secrets.__file__, directory], check=True, stdout=subprocess.PIPE)
        return {item['metadata']['name']: set(item['data']) for item in json.loads(done.stdout)['items']}

    def test_every_pod_finds_each_file_it_names(self):
        made = self.made()
        for name in ALONE:
            named = {*([] if name == 'witness' else ['capability.pub']), *re.findall(r'/run/secrets/(\S+)', yaml.safe_dump(pod_of(name), width=1000))}
            with self.subTest(name):
                self.assertLessEqual({part.strip(',\'"') for part in named}, made[name])
                self.assertEqual(f'bus-{name}' in made, name in NAMES)

    def test_no_secret_key_goes_to_two_pods_but_those_that_are_shared(self):
        shared = {'redis/services.password', 'capability.pub', 'keyring-root.key', 'tenant-mac.key', 'witness/tls/ca.pem'}
        seen = [file for part in secrets.SECRETS.values() for file in part.values() if file not in shared]
        self.assertEqual(len(seen), len(set(seen)))


if __name__ == '__main__':
    unittest.main()
