"""YAML with places: mappings and lists know file and line of their items, for refusals to name them."""
import os

import yaml

SCALARS = yaml.SafeLoader('')
LOADER = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)  # libyaml's where there is one: it takes a tenth of the time


class Fault(Exception):
    """Something in a schema that the generator does not understand; its text is `file:line: reason`."""


class Map(dict):
    """A mapping; at[key] is the place of a key, here that of the whole."""


class Seq(list):
    """A list; at[i] is the place of an item."""


def demand(holds, at, reason):
    if not holds:
        raise Fault(f'{at}: {reason}')


def convert(node, place):
    if isinstance(node, yaml.MappingNode):
        out = Map()
        out.here, out.at = place(node), {}
        for key, value in node.value:
            demand(key.value not in out, place(key), f'`{key.value}` stands here twice')
            out[key.value], out.at[key.value] = convert(value, place), place(key)
        return out
    if isinstance(node, yaml.SequenceNode):
        out = Seq(convert(item, place) for item in node.value)
        out.at = [place(item) for item in node.value]
        return out
    value = SCALARS.construct_object(node)
    demand(isinstance(value, (str, int)), place(node),
           f'`{node.value}` is neither text, integer nor boolean (a comma within {{ }}? put the text in quotes)')
    return value


def load(path):
    name = os.path.basename(path)
    try:
        with open(path, encoding='utf-8') as stream:
            root = yaml.compose(stream, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        raise Fault(f'{name}:{error.problem_mark.line + 1}: {error.problem}') from error
    demand(isinstance(root, yaml.MappingNode), f'{name}:1', 'not a mapping')
    return convert(root, lambda node: f'{name}:{node.start_mark.line + 1}')
