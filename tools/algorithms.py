#!/usr/bin/python3
"""Write the table of algorithms into docs/security.md from what manabiyactl says, which is what the code uses.

    tools/algorithms.py BUILD            rewrite the page
    tools/algorithms.py BUILD --check    say whether it is true (exit status)
"""

import subprocess
import sys
from pathlib import Path

from options import ROOT, between

PAGE = ROOT / 'docs/security.md'
MARKS = '<!-- algorithms: made by tools/algorithms.py -->', '<!-- end of algorithms -->'


def table(build):
    said = subprocess.run([Path(build) / 'ctl/manabiyactl', 'algorithms'], check=True, stdout=subprocess.PIPE, text=True).stdout
    yield '\n| for | algorithm | parameters | key |\n|---|---|---|---|'
    for line in said.splitlines():
        yield f'| {" | ".join(line.split(chr(9)))} |'


if __name__ == '__main__':
    sys.exit(between(PAGE, MARKS, table(sys.argv[1])))
