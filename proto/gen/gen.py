#!/usr/bin/python3
"""Makes code from proto/*.yaml: `gen.py WHAT SCHEMA_DIRECTORY OUTPUT_DIRECTORY`, WHAT being common, events, a service,
routes, openapi, types or titles. Prints `file:line: reason` and exits 1 for what it does not understand."""
import os
import sys

import emit_c
import emit_routes
import emit_web
from load import Fault
from model import Documents
from operation import operations
from rules import SERVICES

ALONE = {'common': emit_c.common, 'events': emit_c.events}
WHOLE = {'routes': emit_routes.routes, 'openapi': emit_web.openapi, 'types': emit_web.types, 'titles': emit_web.titles}


def make(what, directory):
    documents = Documents(directory)
    if what in ALONE:
        return ALONE[what](documents)
    if what in SERVICES:
        return emit_c.service(documents, what, operations(documents, what))
    return WHOLE[what](documents, [o for name in [*SERVICES, 'gateway'] for o in operations(documents, name)])


if __name__ == '__main__':
    try:
        files = make(*sys.argv[1:3])
    except Fault as error:
        sys.exit(str(error))
    for name, content in files.items():
        with open(os.path.join(sys.argv[3], name), 'w', encoding='utf-8') as stream:
            stream.write(content)
