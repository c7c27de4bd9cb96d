#!/usr/bin/python3
"""Write the table of options into docs/operations.md from every program's own --help.

    tools/options.py BUILD            rewrite the page
    tools/options.py BUILD --check    say whether it is true (exit status)
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / 'docs/operations.md'
BEGIN, END = '<!-- options: made by tools/options.py -->', '<!-- end of options -->'
PROGRAMS = ('gateway', 'auth', 'provisioning', 'learning', 'notification', 'audit')
ALONE = {'gateway': 'services', 'witness': 'witness'}  # without the skeleton of the services
OPTION = re.compile(r'^  --(\S+) (\S+)\n((?: {6}.*\n)+)', re.M)


def options(build, program):
    """{name: (kind, text)} in the order of --help."""
    text = subprocess.run([Path(build) / ALONE.get(program, 'services') / f'manabiya-{program}', '--help'], check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    found = {}
    for name, kind, lines in OPTION.findall(text):
        words = ' '.join(line.strip() for line in lines.splitlines() if 'environment:' not in line)
        found[name] = (kind.replace('|', '\\|'), words.replace('|', '\\|'))
    return found


def tables(build):
    each = {program: options(build, program) for program in (*PROGRAMS, 'witness')}
    if not all(each.values()):
        raise SystemExit('options: a --help text has another form now')
    shared = {name: row for name, row in each['auth'].items()
              if all(each[p].get(name, (None,))[0] == row[0] for p in PROGRAMS[1:])}
    yield from table('Every service', shared)
    for program in each:
        yield from table(f'`manabiya-{program}`', {n: row for n, row in each[program].items()
                                                  if program in ALONE or n not in shared})


def table(title, rows):
    if rows:
        yield f'\n### {title}\n\n| option | value | |\n|---|---|---|'
        yield from (f'| `--{name}` | {kind} | {text} |' for name, (kind, text) in rows.items())


def between(page, marks, lines):
    """Put the lines between two marks of a page; with --check only say whether they are there (exit status)."""
    begin, end = marks
    text = page.read_text()
    head, rest = text.split(begin)
    made = head + begin + '\n' + '\n'.join(lines) + '\n\n' + end + rest.split(end)[1]
    if '--check' in sys.argv:
        return 0 if made == text else 1
    page.write_text(made)
    return 0


def main():
    return between(PAGE, (BEGIN, END), tables(sys.argv[1]))


if __name__ == '__main__':
    sys.exit(main())
