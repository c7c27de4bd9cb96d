#!/usr/bin/python3
"""The demo: start the stack, load it once, say where to go.

    tools/demo.py up | show [--json] | database
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from processes import start_time  # noqa: E402
from stack import ROOT, Stack, StackError  # noqa: E402

DIRECTORY = ROOT / '.manabiya/demo'
RESULT = DIRECTORY / 'demo.json'  # written last: it says that loading is complete
PORT = 8443


def stack_of():
    return Stack(DIRECTORY, ROOT / 'build', ROOT / 'web/dist', PORT, say=say, has_witness=True)


BEGAN = time.monotonic()


def say(text):
    print(f'[{time.monotonic() - BEGAN:5.1f} s] {text}', flush=True)


def load(stack):
    from seed import Seed
    seed = Seed(stack.address, stack.ca, DIRECTORY, say)
    secret = (stack.keys / 'bootstrap.secret').read_text().strip()
    logins = seed.run(secret)
    RESULT.touch(mode=0o600)
    RESULT.write_text(json.dumps({'logins': logins}, ensure_ascii=False, indent=1))


def up():
    stack = stack_of()
    if (DIRECTORY / 'loading').exists():
        say('the demo was not loaded completely last time; beginning again')
        stack.remove()
    stack.start()
    if not RESULT.exists():
        (DIRECTORY / 'loading').touch()
        load(stack)
        (DIRECTORY / 'loading').unlink()
    show([])


def read():
    """What ./dev demo says, as an object; None when the demo was never started."""
    try:
        state = json.loads((DIRECTORY / 'stack.json').read_text())
        result = json.loads(RESULT.read_text())
    except FileNotFoundError:
        return None
    gateway = state['processes']['gateway']
    return {'address': state['address'], 'ca': state['ca'], 'admin': state['admin'], 'mail': state['mail'],
            'running': gateway['pid'] is not None and start_time(gateway['pid']) == gateway['started'],
            'logins': result['logins']}


def show(arguments):
    demo = read()
    if not demo:
        print('dev: the demo is not there; ./dev up makes it', file=sys.stderr)
        return 1
    if '--json' in arguments:
        print(json.dumps(demo, ensure_ascii=False, indent=1))
        return 0
    print(f'\n  {demo["address"]}{"" if demo["running"] else "  (stopped: ./dev up)"}')
    print(f'  certificate authority for the browser: {demo["ca"]}')
    print(f'  mail that was sent: {demo["mail"]}/new')
    print('  the demo wants no second factor of its staff; a deployment does (auth --second-factor-required)\n')
    print(f'  {"role":12}{"contract":12}{"login name":14}password')
    for login in demo['logins']:
        print(f'  {login["role"]:12}{login["tenantCode"]:12}{login["username"]:14}{login["password"]:22}{login["note"]}')
    return 0


def main():
    action, arguments = sys.argv[1], sys.argv[2:]
    try:
        if action == 'up':
            return up()
        if action == 'database':
            print(stack_of().conninfo())
            return 0
        return show(arguments)
    except (StackError, RuntimeError, OSError) as error:
        print(f'dev: {error}', file=sys.stderr)
        return 1


if __name__ == '__main__':
    sys.exit(main())
