#!/usr/bin/python3
"""Run a test module in network, mount and process namespaces of its own: nothing that it starts can outlive it."""

import os
import sys
from pathlib import Path

NAMESPACES = ('unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc')

if __name__ == '__main__':
    os.chdir(Path(__file__).resolve().parent)
    os.execvp(NAMESPACES[0], [*NAMESPACES, '/usr/bin/python3', '-B', '-m', 'unittest', '-v', *sys.argv[1:]])
