"""Drive a server with h2load and see what it costs: rate, latency, CPU time by process."""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
from processes import cpu_ns  # noqa: E402

CONNECTIONS = 64


def children(pid):
    """The process and everything below it that runs now."""
    parents = {}
    for path in Path('/proc').glob('[0-9]*/stat'):
        try:
            text = path.read_text()
        except OSError:
            continue
        parents.setdefault(int(text.rpartition(')')[2].split()[1]), []).append(int(path.parent.name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += parents.get(found[-1], [])
    return found


def cpu_us(pids):
    """CPU time so far, by name: {name: µs} for {name: root pid, or what finds the pids}."""
    return {name: sum(cpu_ns(p) for p in (of() if callable(of) else children(of))) / 1000 for name, of in pids.items()}


class Result:
    def __init__(self, rate, times_us, cpu):
        self.rate, self.cpu = rate, cpu
        self.times = sorted(times_us)

    def percentile_ms(self, share):
        return self.times[min(len(self.times) - 1, int(len(self.times) * share))] / 1000

    @property
    def cpu_sum(self):
        return sum(self.cpu.values())


def drive(url, headers, requests, pids, rate=None, options=(), settle_s=0):
    """One run. `rate`: requests a second altogether; None means as fast as it goes. `options`: more for h2load. `settle_s`: how
    long after the last answer work that belongs to the requests may still go on; its CPU counts."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / 'requests'
        command = ['h2load', '-c', str(CONNECTIONS), '-m', '1', '-t', '1', '-n', str(requests), f'--log-file={log}']
        if rate:
            command += [f'--rps={max(1, round(rate / CONNECTIONS))}']
        command += options
        for header in headers:
            command += ['-H', header]
        before = cpu_us(pids)
        text = subprocess.run([*command, url], check=True, stdout=subprocess.PIPE, text=True).stdout
        time.sleep(settle_s)
        after = cpu_us(pids)
        rows = [line.split('\t') for line in log.read_text().splitlines()]
    bad = [status for _, status, _ in rows if status != '200']
    if bad or len(rows) < requests:
        raise RuntimeError(f'{len(bad)} of {requests} answers were not 200:\n{text}')
    done = float(re.search(r'finished in .*?, ([\d.]+) req/s', text)[1])
    return Result(done, [int(row[2]) for row in rows], {name: (after[name] - before[name]) / requests for name in pids})
