"""YAML with places: every value knows the file and line that it came from, so that each refusal can name them."""
import os
import re

import yaml


class Fault(Exception):
    """Something in a schema that the generator does not understand; its text is `file:line: reason`."""


def fault(at, reason):
    raise Fault(f'{at}: {reason}')


class Map(dict):
    """A mapping; at[key] is the place of a key, here that of the whole."""
    here = ''
    at = None


class Seq(list):
    """A sequence; at[i] is the place of an item."""
    here = ''
    at = None


def place(node, name):
    return f'{name}:{node.start_mark.line + 1}'


def convert(node, name, loader):
    here = place(node, name)
    if isinstance(node, yaml.MappingNode):
        out = Map()
        out.here, out.at = here, {}
        for key_node, value_node in node.value:
            key, at = key_node.value, place(key_node, name)
            if key in out:
                fault(at, f'`{key}` stands here twice')
            out[key], out.at[key] = convert(value_node, name, loader), at
        return out
    if isinstance(node, yaml.SequenceNode):
        out = Seq(convert(item, name, loader) for item in node.value)
        out.here, out.at = here, [place(item, name) for item in node.value]
        return out
    value = loader.construct_object(node)
    if not isinstance(value, (str, int, bool)):
        fault(here, f'`{node.value}` is neither text, integer nor boolean (a comma within {{ }}? put the text in quotes)')
    return value


def load(path):
    name = os.path.basename(path)
    with open(path, encoding='utf-8') as stream:
        text = stream.read()
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        fault(f'{name}:{error.problem_mark.line + 1}', error.problem)
    if not isinstance(node, yaml.MappingNode):
        fault(f'{name}:1', 'not a mapping')
    return convert(node, name, yaml.SafeLoader(''))


def check(node, at, required, optional=()):
    """A mapping that has the required keys and no others than those and the optional ones."""
    if not isinstance(node, Map):
        fault(at, 'a mapping is wanted here')
    for key in node:
        if key not in required and key not in optional:
            fault(node.at[key], f'`{key}` is not understood here')
    for key in required:
        if key not in node:
            fault(at, f'`{key}` is missing')
    return node


def text(node, key, fallback=None):
    value = node.get(key, fallback)
    if value is not None and not isinstance(value, str):
        fault(node.at[key], f'`{key}` must be text')
    return value


def integer(node, key, low, high):
    value = node[key]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        fault(node.at[key], f'`{key}` must be an integer from {low} to {high}')
    return value


def one_of(node, key, values):
    value = text(node, key)
    if value not in values:
        fault(node.at[key], f'`{key}` cannot be `{value}`: {", ".join(values)}')
    return value


def texts(node, key, values=None):
    """A non-empty sequence of different texts, out of `values` if those are given."""
    items = node[key]
    if not isinstance(items, Seq) or not items:
        fault(node.at[key], f'`{key}` must be a list with something in it')
    for i, item in enumerate(items):
        if not isinstance(item, str) or (values is not None and item not in values):
            fault(items.at[i], f'`{item}` is not understood in `{key}`')
        if item in items[:i]:
            fault(items.at[i], f'`{item}` stands in `{key}` twice')
    return list(items)


def is_true(node, key):
    if key in node and node[key] is not True:
        fault(node.at[key], f'`{key}` is either `true` or left out')
    return key in node


def snake(name):
    return re.sub(r'(?<=[a-z0-9])([A-Z])', r'_\1', name).replace('-', '_').replace('.', '_').lower()


def camel(header):
    first, *rest = header.split('-')
    return first.lower() + ''.join(part.capitalize() for part in rest)
