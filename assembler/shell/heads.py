"""Scripts as files: what their first line says, and their statements."""

import re
from functools import lru_cache

from assembler.shell.grammar import parse_script
from assembler.shell.streams import Refused
from assembler.shell.syntax import Block
from assembler.shell.tokens import ParseError
from assembler.tree.content import read, size_of
from assembler.tree.staging import Inode

MAX_SCRIPT = 1 << 22
"""Bytes of a script."""
_MAX_ELABORATE = 1 << 18
"""Of one with many here-documents, as each is cut out of the text. What is longer is not kept as statements."""
_MANY_DOCUMENTS = 500
_LONGEST_HEAD = 128


def text_of(inode: Inode) -> str:
    """The text of a script, each byte a character. Raises Refused."""
    if size_of(inode.content) > MAX_SCRIPT:
        raise Refused(f"a script of more than {MAX_SCRIPT} bytes")
    return read(inode.content).decode("latin-1")


def is_script(inode: Inode) -> bool:
    """Whether a file is a script for sh, as its first line says."""
    size = size_of(inode.content)
    return size <= MAX_SCRIPT and is_for_sh(read(inode.content)[:_LONGEST_HEAD].decode("latin-1"))


def is_for_sh(text: str) -> bool:
    """Whether the first line of a script names sh, dash or bash."""
    return (
        re.match(r"#![ \t]*/(?:usr/)?bin/(?:sh|dash|bash)(?:[ \t]+-[eux]+)?[ \t]*\n", text[:_LONGEST_HEAD]) is not None
    )


def is_for_bash(text: str) -> bool:
    """Whether the first line of a script names bash."""
    return re.match(r"#![ \t]*/(?:usr/)?bin/bash\b", text[:_LONGEST_HEAD]) is not None


def options_of(text: str) -> set[str]:
    """The options in the first line of a script."""
    match = re.match(r"#![^\n]*?[ \t]-([eux]+)[ \t]*\n", text[:_LONGEST_HEAD])
    return set(match.group(1)) if match else set()


def parsed(text: str) -> Block:
    """The statements of a script. Raises Refused."""
    if len(text) <= _MAX_ELABORATE:
        return _kept(text)
    if len(text) > MAX_SCRIPT or text.count("<<") > _MANY_DOCUMENTS:
        raise Refused(f"a script of {len(text)} bytes")
    return _statements(text)


@lru_cache(maxsize=2048)
def _kept(text: str) -> Block:
    return _statements(text)


def _statements(text: str) -> Block:
    try:
        return parse_script(text)
    except ParseError as error:
        raise Refused("the script is not understood", why=str(error)) from error
