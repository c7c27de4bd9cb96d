"""A private certificate authority and a server certificate, ECDSA P-256, made with the openssl program."""

import subprocess
from pathlib import Path

CA_DAYS = 3650
SERVER_DAYS = 397  # browsers refuse longer ones
RENEW_BEFORE_S = 30 * 86400


def openssl(*arguments):
    subprocess.run(['openssl', *map(str, arguments)], check=True, capture_output=True)


def is_fresh(certificate):
    check = ['openssl', 'x509', '-in', str(certificate), '-noout', '-checkend', str(RENEW_BEFORE_S)]
    return certificate.exists() and subprocess.run(check, capture_output=True, check=False).returncode == 0


def make_key(path):
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', path)
    path.chmod(0o600)


def make(directory, names):
    """ca.pem, ca.key, server.pem, server.key in `directory`; those that are there and fresh stay."""
    directory = Path(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca, server = directory / 'ca.pem', directory / 'server.pem'
    if not is_fresh(ca):
        make_key(directory / 'ca.key')
        openssl('req', '-x509', '-new', '-key', directory / 'ca.key', '-days', CA_DAYS, '-out', ca,
                '-subj', '/CN=Manabiya local CA', '-addext', 'basicConstraints=critical,CA:TRUE',
                '-addext', 'keyUsage=critical,keyCertSign,cRLSign')
        server.unlink(missing_ok=True)
    if not is_fresh(server):
        make_server(directory, names)


def make_server(directory, names):
    alternatives = ','.join(('IP:' if name.replace('.', '').isdigit() else 'DNS:') + name for name in names)
    request, extensions = directory / 'server.csr', directory / 'server.ext'
    extensions.write_text(f'subjectAltName={alternatives}\nextendedKeyUsage=serverAuth\n'
                          'keyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:FALSE\n')
    make_key(directory / 'server.key')
    openssl('req', '-new', '-key', directory / 'server.key', '-subj', f'/CN={names[0]}', '-out', request)
    openssl('x509', '-req', '-in', request, '-CA', directory / 'ca.pem', '-CAkey', directory / 'ca.key',
            '-CAcreateserial', '-days', SERVER_DAYS, '-extfile', extensions, '-out', directory / 'server.pem')
