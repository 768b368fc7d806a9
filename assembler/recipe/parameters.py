"""Parameters for the kernel's command line, taken apart as the kernel does (next_arg() of lib/cmdline.c in Linux)."""

import re
from dataclasses import replace

from assembler.toml.document import Node

_WORD = re.compile(r'(?:[^ "]|"[^"]*(?:"|$))+')


def words(text: str) -> list[str]:
    """The parameters in `text`: spaces are between them, but for those in double quotes, which stay."""
    return _WORD.findall(text)


def name_of(parameter: str) -> str:
    """What a parameter is called: what stands before its `=`, without quotes."""
    return parameter.replace('"', "").partition("=")[0]


def apart(node: Node) -> Node:
    """A recipe's parameters, a text or an array of texts, as an array of one each; anything else as it is."""
    if isinstance(node.value, str):
        return replace(node, value=each_of(node))
    if isinstance(node.value, list):
        return replace(node, value=[part for item in node.value for part in each_of(item)])
    return node


def each_of(item: Node) -> list[Node]:
    """The parameters in a text, each where that stands; what is no text is taken for one."""
    return [replace(item, value=part) for part in words(item.value)] if isinstance(item.value, str) else [item]
