#!/usr/bin/python3
"""Full TLS 1.3 handshakes with ECDSA P-256: the gateway's protocol side beside nginx.

    ./dev bench handshakes, or HTTP_PROBE=<build>/tests/attack/http-probe tests/bench/handshakes.py [--seconds 3] [--rounds 2]
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import ROOT, cpu_us  # noqa: E402
from sides import Nginx, folder, head, median, row, running  # noqa: E402

sys.path.insert(0, str(ROOT / 'tests/attack'))
from wire import Probe  # noqa: E402


def handshakes(pid, port, seconds):
    """(CPU µs each, how many a second). One client, which never resumes."""
    before = cpu_us({'server': pid})['server']
    done = subprocess.run(['openssl', 's_time', '-new', '-tls1_3', '-connect', f'127.0.0.1:{port}', '-time', str(seconds)],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
    n, real_s = map(int, re.search(r'(\d+) connections in (\d+) real seconds', done).groups())
    return (cpu_us({'server': pid})['server'] - before) / n, n / real_s


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=int, default=3)
    parser.add_argument('--rounds', type=int, default=2)
    arguments = parser.parse_args()
    probe = Probe()
    try:
        with folder() as directory:
            tls = Path(probe.directory)
            nginx = Nginx(directory / 'peer', tls / 'tls.crt', tls / 'tls.key', '\t\t\treturn 200 "ok";')
            with running(nginx):
                servers = {'gateway': (probe.process.pid, probe.port), 'nginx': (nginx.process.pid, nginx.port)}
                results = {name: [] for name in servers}
                for _ in range(arguments.rounds):
                    for name, (pid, port) in servers.items():
                        results[name].append(handshakes(pid, port, arguments.seconds))
                head('a full handshake', *servers, 'ratio')
                cpu = [median(r[0] for r in results[name]) for name in servers]
                row('CPU µs', *cpu, f'{cpu[0] / cpu[1]:.2f}')
                row('a second, one client', *(median(r[1] for r in results[name]) for name in servers), digits=0)
    finally:
        probe.stop()


if __name__ == '__main__':
    main()
