"""What TLS and HTTP alone cost: 1 KiB from memory, the gateway's protocol side beside nginx.

    HTTP_PROBE=<build>/tests/attack/http-probe tests/bench/protocol.py [--seconds N] [--rounds N] [--idle N]

Both servers run at the same time with the same certificate, and are asked in turns. CPU time per
request decides; rates on a shared machine say little. Needs nginx and h2load; a release build.
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tests/attack'), str(ROOT / 'tests/bench'), str(ROOT / 'tools')]
from load import children, cpu_us  # noqa: E402
from stack import free_port  # noqa: E402
from wire import Http1, Probe  # noqa: E402

# @HEADERS@ are those that the gateway puts on every reply: both send the same.
NGINX = '''
worker_processes 1;
daemon off;
pid @RUN@/nginx.pid;
error_log @RUN@/nginx.log crit;
events { worker_connections 8192; }
http {
	access_log off;
	keepalive_requests 100000000;
	keepalive_timeout 600;
	server {
		listen 127.0.0.1:@PORT@ ssl http2;
		ssl_protocols TLSv1.3;
		ssl_certificate @RUN@/tls.crt;
		ssl_certificate_key @RUN@/tls.key;
		location / {
			default_type text/plain;
			add_header cache-control "public, max-age=60";
@HEADERS@
			return 200 "@BODY@";
		}
	}
}
'''
MODES = {'HTTP/1.1': ['--h1'], 'HTTP/2': [], 'HTTP/2, 10 streams': ['-m10']}
CONNECTIONS = 64


def start_nginx(probe):
    port = free_port()
    headers = probe_headers(probe)
    text = NGINX.replace('@RUN@', probe.directory).replace('@PORT@', str(port)).replace('@BODY@', '0123456789abcdef' * 64)
    text = text.replace('@HEADERS@', '\n'.join(f'\t\t\tadd_header {name} "{value}";' for name, value in headers.items()))
    path = Path(probe.directory) / 'nginx.conf'
    path.write_text(text, encoding='ascii')
    program = shutil.which('nginx') or '/usr/sbin/nginx'
    process = subprocess.Popen([program, '-e', str(path.with_suffix('.err')), '-c', str(path)])
    time.sleep(0.5)
    return process, port


def probe_headers(probe):
    """The security headers as the probe sends them."""
    with Http1(probe) as http:
        http.send(b'GET /hello HTTP/1.1\r\nHost: a\r\n\r\n')
        got = http.response().headers
    own = {'date', 'content-type', 'content-length', 'cache-control'}
    return {name: value for name, value in got.items() if name not in own}


def cost(pid, port, mode, seconds):
    """CPU µs and requests per second."""
    before = cpu_us({'server': pid})['server']
    output = subprocess.run(
        ['h2load', f'-c{CONNECTIONS}', '-D', str(seconds), *mode, f'https://127.0.0.1:{port}/hello'],
        capture_output=True, text=True, check=True).stdout
    done = int(re.search(r'(\d+) succeeded', output)[1])
    return (cpu_us({'server': pid})['server'] - before) / done, done / seconds


def resident(pid):
    page = os.sysconf('SC_PAGESIZE')
    return sum(int(Path(f'/proc/{p}/statm').read_text().split()[1]) * page for p in children(pid))


def idle_cost(pid, port, probe, n, protocol):
    """KiB for each of n connections that have been answered once."""
    context = probe.context(protocol)
    request = b'GET /hello HTTP/1.1\r\nHost: a\r\n\r\n'
    if protocol == 'h2':  # the preface, empty SETTINGS, and a head of static-table entries
        request = (b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0'
                   b'\0\0\x0d\1\5\0\0\0\1\x82\x87\x04\x06/hello\x41\x01a')
    own = probe.port
    probe.port = port
    before = resident(pid)
    connections = []
    try:
        for _ in range(n):
            connections.append(probe.connect(context=context))
            connections[-1].sendall(request)
            connections[-1].recv(65536)
        time.sleep(1)
        return (resident(pid) - before) / n / 1024
    finally:
        probe.port = own
        for connection in connections:
            connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=int, default=4)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--idle', type=int, default=400, help='connections for the memory of an idle one')
    options = parser.parse_args()
    probe = Probe('--connections-max', '20000', '--idle-timeout-ms', '600000')
    nginx, port = start_nginx(probe)
    servers = {'gateway': (probe.process.pid, probe.port), 'nginx': (nginx.pid, port)}
    try:
        # First: what load leaves behind would be used again and look like nothing.
        print(f'an idle connection, of {options.idle}: KiB')
        for protocol in ('http/1.1', 'h2'):
            for server, (pid, port) in servers.items():
                print(f'{protocol:20}{server:>10}{idle_cost(pid, port, probe, options.idle, protocol):>16.1f}')
        print(f'1 KiB from memory over TLS 1.3, {CONNECTIONS} connections, median of {options.rounds}')
        print(f'{"":20}{"":>10}{"CPU µs/request":>16}{"requests/s":>12}{"CPU ratio":>11}')
        for name, mode in MODES.items():
            results = {server: [] for server in servers}
            for _ in range(options.rounds):
                for server, where in servers.items():
                    results[server].append(cost(*where, mode, options.seconds))
            middle = {server: [statistics.median(column) for column in zip(*rows)] for server, rows in results.items()}
            for server, (cpu, rate) in middle.items():
                ratio = f'{cpu / middle["nginx"][0]:>11.2f}' if server == 'gateway' else ''
                print(f'{name:20}{server:>10}{cpu:>16.1f}{rate:>12.0f}{ratio}')
    finally:
        nginx.terminate()
        nginx.wait()
        probe.stop()


if __name__ == '__main__':
    main()
