"""docs/architecture.md says which files name which library, why calls cross the bus twice, what manabiyactl does and how the
contract is extended: each of these lists is the code's."""

import re
import sys
import unittest
from fnmatch import fnmatch
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'proto/gen'))
import rules  # noqa: E402

PAGE = (ROOT / 'docs/architecture.md').read_text()
HEADERS = {'nng': 'nng/', 'libpq': 'libpq-fe.h', 'hiredis': 'hiredis/', 'libseccomp': 'seccomp.h', 'OpenSSL 3': 'openssl/', 'llhttp': 'llhttp.h',
           'nghttp2': 'nghttp2/', 'libsodium': 'sodium.h', 'cJSON': 'cjson/', 'libcurl': 'curl/'}
FOLDERS = ('libcommon', 'services', 'ctl', 'verify', 'witness')


def section(title):
    return re.search(rf'^## {title}\n(.*?)(?=^## |\Z)', PAGE, re.M | re.S)[1]


def product_files():
    """C of the product, without its tests."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob('*.[ch]')):
            if not path.stem.endswith('_test') and path.stem != 'testing':
                yield str(path.relative_to(ROOT)), path.read_text()


class ArchitecturePage(unittest.TestCase):
    def test_each_library_is_named_by_the_files_of_its_row(self):
        rows = {cells[0]: re.findall('`([^`]+)`', cells[2])
                for cells in (line.strip('| ').split(' | ') for line in section('Libraries').splitlines() if line.startswith('| '))}
        files = dict(product_files())
        for library, header in HEADERS.items():
            with self.subTest(library):
                using = [path for path, text in files.items() if re.search(rf'^#include <{re.escape(header)}', text, re.M)]
                places = [place for place in rows[library] if '/' in place]
                self.assertEqual([path for path in using if not any(fnmatch(path, place) for place in places)], [])
                self.assertEqual([place for place in places if not any(fnmatch(path, place) for path in using)], [])

    def test_every_call_between_services_has_its_reason(self):
        said = re.search(r'^- \*\*One hop, or a reason\.\*\*(.*?)^- ', section('The bus'), re.M | re.S)[1]
        for name in rules.SERVICES:
            for item in yaml.safe_load((ROOT / f'proto/{name}.yaml').read_text())['paths'].values():
                for operation in item.values():
                    if 'x-internal' in operation and not operation['operationId'].endswith('_part'):  # of a fan-out
                        self.assertIn(f'`{operation["operationId"]}`', said, name)

    def test_every_command_is_told(self):
        said = re.search('^- `manabiyactl` .*', PAGE, re.M)[0]
        commands = re.findall(r'^\t\{ "(\w+)", \w+_command', (ROOT / 'ctl/main.c').read_text(), re.M)
        self.assertGreater(len(commands), 5)
        self.assertEqual([name for name in commands if f'`{name}`' not in said], [])

    def test_every_extension_is_told(self):
        known = {key for key in rules.RULES if key.startswith('x-')}
        readme = (ROOT / 'proto/README.md').read_text()
        self.assertEqual({key for key in known if f'`{key}' not in readme}, set())
        of_events = {'x-producer', 'x-consumers', 'x-jobs'}
        self.assertEqual({key for key in known - of_events if f'`{key}`' not in section('The contract')}, set())


if __name__ == '__main__':
    unittest.main()
