#!/usr/bin/python3
"""Makes code from proto/*.yaml: `gen.py WHAT SCHEMA_DIRECTORY OUTPUT_DIRECTORY`, WHAT being common, events, a
service, routes or openapi. Prints `file:line: reason` and exits 1 for what it does not understand."""
import os
import sys

import emit_c
import emit_openapi
import emit_routes
from load import Fault
from model import Documents
from operation import operations
from rules import SERVICES

WHOLE = {'routes': emit_routes.routes, 'openapi': emit_openapi.openapi}
ALONE = {'common': emit_c.common, 'events': emit_c.events}


def make(what, directory):
    documents = Documents(directory)
    if what in ALONE:
        return ALONE[what](documents)
    if what in SERVICES:
        return emit_c.service(documents, what, operations(documents, what))
    return WHOLE[what](documents, [o for name in [*SERVICES, 'gateway'] for o in operations(documents, name)])


def main(what, directory, out):
    try:
        files = make(what, directory)
    except Fault as error:
        sys.exit(str(error))
    for name, content in files.items():
        with open(os.path.join(out, name), 'w', encoding='utf-8') as stream:
            stream.write(content)


if __name__ == '__main__':
    main(*sys.argv[1:])
