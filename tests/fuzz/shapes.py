#!/usr/bin/python3
"""Write the table of everything that arrives: each `_in` shape of the generated headers named on the command line."""

import re
import sys
from pathlib import Path

headers = [Path(name) for name in sys.argv[1:]]
shapes = [(header, re.findall(r'^extern const struct shape (\w+_in_shape);$', header.read_text(), re.M)) for header in headers]
if not all(found for _, found in shapes):
    sys.exit('a header without shapes: has the generator changed?')

print('#include "tests/fuzz/shapes.h"\n')
for header, _ in shapes:
    print(f'#include "{header.name}"')
print('\nconst struct shape *const fuzz_shapes[] = {')
for _, found in shapes:
    for shape in found:
        print(f'\t&{shape},')
print('};\nconst size_t fuzz_shapes_n = sizeof fuzz_shapes / sizeof *fuzz_shapes;')
