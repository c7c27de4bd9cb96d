"""Receivers of the log pipeline that tests start, kill and start again: real programs, on ports of their own."""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tools'))
import certificates  # noqa: E402
from processes import Process  # noqa: E402
from stack import free_port  # noqa: E402

# `direct` queues: what rsyslog has read is written before it reads on, so a kill loses nothing that it took.
RSYSLOG = '''
global(workDirectory="{directory}" defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{tls}/ca.pem"
    defaultNetstreamDriverCertFile="{tls}/server.pem" defaultNetstreamDriverKeyFile="{tls}/server.key")
main_queue(queue.type="direct")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
template(name="message" type="string" string="%syslogfacility-text% %syslogseverity-text% %hostname% %app-name% %msgid% %msg%\\n")
ruleset(name="audit" queue.type="direct") {{ action(type="omfile" file="{file}" template="message") }}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="audit")
'''


class Rsyslog:
    """Debian's rsyslogd with GnuTLS."""

    def __init__(self, directory, names=('localhost', '127.0.0.1')):
        self.directory, self.port = Path(directory), free_port()
        self.tls, self.file = self.directory / 'tls', self.directory / 'messages'
        certificates.make(self.tls, names)
        conf = self.directory / 'rsyslog.conf'
        conf.write_text(RSYSLOG.format(directory=self.directory, tls=self.tls, file=self.file, port=self.port))
        program = shutil.which('rsyslogd') or '/usr/sbin/rsyslogd'
        self.process = Process('rsyslogd', [program, '-n', '-f', conf, '-i', self.directory / 'pid'],
                               self.directory / 'rsyslogd.log')

    def messages(self):
        """(facility, severity, host, application, message id, message) of each; a line cut by a kill is none."""
        if not self.file.exists():
            return []
        whole = self.file.read_bytes().rpartition(b'\n')[0].decode()
        return [tuple(line.split(' ', 5)) for line in whole.split('\n') if line]

    def lines(self):
        return [message[5] for message in self.messages()]
