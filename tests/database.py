"""A throw-away clone of the migrated database for Python tests; run them under tests/with-services.

Statements go through psql, so the tests need nothing but the standard library.
"""
import hashlib
import hmac
import os
import subprocess
import sys
import time
import uuid

TENANT = "01890000-0000-7000-8000-00000000000a"
OTHER_TENANT = "01890000-0000-7000-8000-00000000000b"


def server():
    """conninfo of the test server's superuser."""
    conninfo = os.environ.get("MANABIYA_TEST_DATABASE")
    if not conninfo:
        sys.exit("MANABIYA_TEST_DATABASE is not set; use tests/with-services")
    return conninfo


def tenant_key(tenant, expires=None, key=None):
    """What auth would put into app.tenant."""
    claim = f"{tenant}.{expires or int(time.time()) + 60}"
    secret = bytes.fromhex(key or os.environ["MANABIYA_TEST_MAC_KEY"])
    return f"{claim}.{hmac.new(secret, claim.encode(), hashlib.sha256).hexdigest()}"


class Refused(Exception):
    """PostgreSQL said no; `str()` is what it said."""


class Database:
    """One database; `template` None makes an empty one."""

    def __init__(self, template="manabiya_template"):
        self.name = "test_" + uuid.uuid4().hex
        source = f" TEMPLATE {template}" if template else ""
        self._run(server(), f"CREATE DATABASE {self.name}{source}")

    def conninfo(self, user="postgres"):
        return f"{server()} user={user} dbname={self.name}"

    def sql(self, text, user="postgres"):
        """Run in one session; the rows as psql's unaligned text."""
        return self._run(self.conninfo(user), text)

    @staticmethod
    def _run(conninfo, text):
        done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", conninfo], input=text,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Refused(done.stderr.strip())
        return done.stdout.strip()
