#!/usr/bin/python3
"""Run the test suites, one line each, and say the sum last: `N passed, N failed`.

    tools/suites.py [SUITE...]          generator tools unit threads web flow attack docs browser
                                        and, only when asked for: containers

C programs are built with the address and undefined-behaviour sanitizers. A suite consists of jobs, mostly one for each test
program; AT_ONCE of them run at a time, whatever suite they are of, and the line of a suite comes with the last of its own. Its
seconds are those of its jobs together. The full output of a suite, with the seconds of each job, is kept in
.manabiya/test/<suite>.log; of each program that fails, what its first failure said is shown.
"""

import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD, BUILD_THREADS = ROOT / 'build-asan', ROOT / 'build-tsan'
LOGS = ROOT / '.manabiya/test'
SHOWN_LINES = 60
AT_ONCE = min(2 * os.cpu_count(), 4)
BUS_FACTS = [f'libcommon/{name}_test' for name in ('bus', 'bus_bounds', 'bus_cancel', 'bus_cut', 'bus_fault')]
FAILURE = re.compile(r'^(?:={70}$|\s*not ok\b)', re.M)
TAP_LINE = re.compile(r'^\s*(not )?ok\b(.*# (?:SKIP|TODO))?', re.M | re.I)
ENVIRONMENT = {'MANABIYA_BUILD': str(BUILD), 'PYTHONDONTWRITEBYTECODE': '1',
               'ASAN_OPTIONS': 'detect_leaks=1', 'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1'}


class Outcome:
    """What a suite came to: how many passed and failed, all that it said, and what is shown of that."""

    def __init__(self, passed=0, failed=0, text='', shown=None):
        self.passed, self.failed, self.text = passed, failed, text
        self.shown = shown if shown is not None else first_failure(text) if failed else ''

    def __add__(self, other):
        return Outcome(self.passed + other.passed, self.failed + other.failed, self.text + other.text, self.shown + other.shown)


def first_failure(text):
    """From the first that failed on, if that is told in a known way; else the end."""
    start = FAILURE.search(text)
    lines = text[start.start():].splitlines()[:SHOWN_LINES] if start else text.splitlines()[-SHOWN_LINES:]
    return '\n'.join(lines) + '\n'


def run(*command, cwd=ROOT, env=None):
    done = subprocess.run([str(part) for part in command], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, **ENVIRONMENT, **(env or {})}, check=False)
    return done.returncode, done.stdout.decode(errors='replace')


def step(*command, **options):
    """A program that is one test by itself."""
    status, text = run(*command, **options)
    return Outcome(status == 0, status != 0, text)


def tap(status, text):
    """Counts of a TAP stream; a program that ends badly without a failed line has failed once. What is skipped here has failed:
    everything that a test needs is there."""
    said = dict(re.findall(r'^# (pass|fail|cancelled|skipped|todo) (\d+)$', text, re.M))
    if said:  # node counts groups of tests as lines too, but not in its sum
        passed = int(said.pop('pass'))
        failed = sum(map(int, said.values()))
    else:
        marks = TAP_LINE.findall(text)
        passed = marks.count(('', ''))
        failed = len(marks) - passed
    return Outcome(passed, failed or int(status != 0), text)


def python_tests(folder, *besides):
    """Every *_test.py of a folder but those named, each in a process of its own: they have their own ports and directories, and
    mostly wait."""
    paths = [path for path in sorted((ROOT / folder).glob('*_test.py')) if path.name not in besides]
    return {path.stem: partial(python_test, path) for path in paths}


def python_test(path, **options):
    return python_outcome(*run('/usr/bin/python3', '-B', '-m', 'unittest', '-v', path.stem, cwd=path.parent, **options))


def python_outcome(status, text):
    ran = sum(map(int, re.findall(r'^Ran (\d+) tests?', text, re.M)))
    words = dict(re.findall(r'\b(failures|errors|skipped)=(\d+)', text.rpartition('Ran ')[2]))
    failed = sum(map(int, words.values()))
    if status and not failed:
        failed = 1
    return Outcome(max(0, ran - failed), failed, text)


def meson_tests(suite):
    """The meson tests of a suite, with a private PostgreSQL and Redis."""
    log = BUILD / f'meson-logs/{suite}.json'
    log.unlink(missing_ok=True)
    status, text = run('tests/with-services', 'meson', 'test', '-C', BUILD, '--no-rebuild', '--logbase', suite, '--suite', suite)
    total = sum(map(meson_outcome, map(json.loads, log.read_text().splitlines() if log.exists() else [])), Outcome())
    if status and not (total.passed or total.failed):
        total += Outcome(0, 1, text)
    return total


def meson_outcome(test):
    """A test program counts what it says; one that says nothing countable is one test."""
    is_ok = test['result'] in ('OK', 'EXPECTEDFAIL')
    text = f'{test.get("stdout") or ""}\n{test.get("stderr") or ""}'
    counts = python_outcome(not is_ok, text) if 'Ran ' in text else tap(not is_ok, text)
    if not counts.passed + counts.failed:
        counts = Outcome(int(is_ok), int(not is_ok))
    return Outcome(counts.passed, counts.failed, '' if is_ok else f'== {test["name"]}: {test["result"]}\n{text}\n')


def node_path():
    folder = subprocess.run([ROOT / 'tools/node'], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return {'PATH': folder + os.pathsep + os.environ['PATH']}


def web():
    """Types against the contract, linter, unit tests, build, size budget."""
    where = {'cwd': ROOT / 'web', 'env': node_path()}
    total = step('npm', 'run', '--silent', 'types', **where)
    total += step('npx', 'tsc', '--noEmit', **where)
    total += step('npm', 'run', '--silent', 'lint', **where)
    total += tap(*run('npx', 'vitest', 'run', '--reporter=tap-flat', **where))
    total += step('tools/build', 'web')  # what prepare() has built, unless `types` made something else: browsers look at it
    return total + step('npm', 'run', '--silent', 'budget', **where)


def browser_tests():
    """The main job in Chromium."""
    where = {'cwd': ROOT / 'tests/browser', 'env': {**node_path(), 'MANABIYA_WEB_ROOT': str(ROOT / 'web/dist')}}
    paths = sorted((ROOT / 'tests/browser').glob('*.test.js'))
    return {path.name: partial(node_test, path.name, where) for path in paths}


def node_test(name, where):
    return tap(*run('node', '--test', '--test-reporter=tap', name, **where))


def thread_tests():
    """The bus alone, then the whole stack with browsers at the gateway, under the thread sanitizer."""
    return {'bus': bus_threads, 'gateway_flow_test under threads': gateway_threads}


def bus_threads():
    environment = {'CMOCKA_MESSAGE_OUTPUT': 'TAP', 'TSAN_OPTIONS': 'halt_on_error=1'}
    return sum((tap(*run(BUILD_THREADS / fact, env=environment)) for fact in BUS_FACTS), Outcome())


def gateway_threads():
    # In the stack every report goes to a log, where the end of the module finds it.
    environment = {'MANABIYA_BUILD': str(BUILD_THREADS), 'TSAN_OPTIONS': 'atexit_sleep_ms=0'}
    return python_test(ROOT / 'tests/flow/gateway_flow_test.py', env=environment)


def prepare(names):
    """Builds everything that the jobs want: they do not build, so that none finds what another is writing."""
    if set(names) - {'generator', *ONLY_WHEN_ASKED}:
        # gcc warns of code that the sanitizers themselves insert; the plain builds are the strict ones.
        subprocess.run([ROOT / 'tools/build', 'c', BUILD.name, '-Db_sanitize=address,undefined', '-Db_lundef=false',
                        '-Doptimization=1', '-Dwerror=false', '-Dc_args=-w'], check=True)
    if 'threads' in names:
        build_threads()
    if {'web', 'browser', 'docs'} & set(names):
        subprocess.run([ROOT / 'tools/build', 'web'], check=True)
    for name, folder in (('flow', 'tests/otlp'), ('browser', 'tests/browser')):
        if name in names:
            subprocess.run(['npm', 'ci', '--no-fund', '--no-audit', '--loglevel=error'], check=True, cwd=ROOT / folder,
                           env={**os.environ, **node_path()}, stdout=subprocess.DEVNULL)


def build_threads():
    if not (BUILD_THREADS / 'build.ninja').exists():
        subprocess.run(['meson', 'setup', BUILD_THREADS, '-Db_sanitize=thread', '-Db_lundef=false'], check=True,
                       stdout=subprocess.DEVNULL)
    services = [f'services/manabiya-{name}' for name in
                ('gateway', 'auth', 'provisioning', 'learning', 'notification', 'audit')]
    print(f'building {BUILD_THREADS.name}', flush=True)
    subprocess.run(['ninja', '--quiet', '-C', BUILD_THREADS, *BUS_FACTS, *services, 'ctl/manabiyactl'], check=True)


def containers():
    """The files for compose and Kubernetes; the images, and the stack in them that is broken and rolled over."""
    where = {'cwd': ROOT / 'tests/containers', 'env': node_path()}
    total = step('npm', 'ci', '--no-fund', '--no-audit', '--loglevel=error', **where)
    files = ('compose_schema_test', 'kubernetes_objects_test')
    total += python_outcome(*run('/usr/bin/python3', '-B', '-m', 'unittest', '-v', *files, **where))
    images = step('tools/engine.py', 'images')
    if images.failed:
        return total + images
    return total + images + python_outcome(*run('tests/containers/run.py', 'containers_test'))


# Of each suite, its jobs by their names.
SUITES = {
    'generator': lambda: python_tests('proto/gen'),
    'tools': lambda: python_tests('tests/tools'),
    'unit': lambda: {'meson unit': partial(meson_tests, 'unit')},
    'threads': thread_tests,
    'web': lambda: {'web': web},
    'flow': lambda: python_tests('tests/flow'),
    'attack': lambda: {'meson attack': partial(meson_tests, 'attack'), **python_tests('tests/attack', 'rls_test.py'),
                       **python_tests('tests/attack/log')},
    'docs': lambda: {'meson docs': partial(meson_tests, 'docs')},
    'browser': browser_tests,
    'containers': lambda: {'containers': containers},
}
ONLY_WHEN_ASKED = {'containers'}
# What takes longest begins first, so that no processor waits for it in the end; the others follow in the order of the suites.
LONGEST = ('meson unit', 'pipeline_flow_test', 'meson docs', 'gateway_flow_test under threads', 'key_end_flow_test', 'lesson.test.js',
           'bus', 'erasure_test', 'contract_flow_test', 'raised_test', 'import_flow_test', 'completeness_flow_test', 'kill_test',
           'meson attack', 'rotation_test', 'retention_flow_test', 'contract.test.js', 'witness_test', 'archive.test.js')


class Job:
    def __init__(self, suite, name, test):
        self.suite, self.name, self.test = suite, name, test
        self.outcome, self.seconds = None, 0

    def run(self):
        began = time.monotonic()
        self.outcome = self.test()
        self.seconds = time.monotonic() - began
        return self


def order(job):
    return LONGEST.index(job.name) if job.name in LONGEST else len(LONGEST)


def run_jobs(jobs):
    """Each job when it has ended."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(job.run) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def report(name, jobs):
    outcome = sum((job.outcome for job in jobs), Outcome())
    seconds = sorted(((job.seconds, job.name) for job in jobs), reverse=True)
    (LOGS / f'{name}.log').write_text(''.join(f'{s:6.1f} s {job}\n' for s, job in seconds) + outcome.text)
    print(f'{name:10} {outcome.passed:5} passed {outcome.failed:5} failed {sum(s for s, _ in seconds):6.0f} s', flush=True)
    if outcome.failed:
        print(outcome.shown, end='', flush=True)
        print(f'(all of it: {LOGS / name}.log)', flush=True)
    return outcome


def main():
    names = list(dict.fromkeys(sys.argv[1:])) or [name for name in SUITES if name not in ONLY_WHEN_ASKED]
    unknown = set(names) - set(SUITES)
    if unknown:
        print(f'no such suite: {" ".join(sorted(unknown))}; there are {" ".join(SUITES)}', file=sys.stderr)
        return 2
    LOGS.mkdir(parents=True, exist_ok=True)
    try:
        prepare(names)
    except subprocess.CalledProcessError as error:
        print(f'not built: {error}', file=sys.stderr)
        return 1
    suites = {name: [Job(name, job, test) for job, test in SUITES[name]().items()] for name in names}
    total, running = Outcome(), {name: len(jobs) for name, jobs in suites.items()}
    for job in run_jobs(sorted((job for jobs in suites.values() for job in jobs), key=order)):
        running[job.suite] -= 1
        if not running[job.suite]:
            outcome = report(job.suite, suites[job.suite])
            total += Outcome(outcome.passed, outcome.failed)
    print(f'{total.passed} passed, {total.failed} failed')
    return 1 if total.failed or not total.passed else 0


if __name__ == '__main__':
    sys.exit(main())
