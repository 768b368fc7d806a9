"""Scripts carried out on trees that are made by hand, where all programs are that the assembler computes."""

import re
from collections.abc import Sequence

from assembler.configure.evaluated import carry_out
from assembler.programs.context import ExecutionContext
from assembler.programs.known import NAMES
from assembler.tree.staging import Tree

_DIRECTORY = "/usr/sbin"


def with_programs(tree: Tree) -> Tree:
    """`tree` with all programs that are computed."""
    for name in sorted(name for name in NAMES if re.fullmatch(r"\w[\w.-]*", name)):
        if not tree.lexists(f"{_DIRECTORY}/{name}"):
            tree.write(f"{_DIRECTORY}/{name}", b"", 0o755, parents=True)
    return tree


def run(
    script: str, tree: Tree, *, options: str = "", arguments: Sequence[str] = ("configure", ""), file: str = "postinst",
    context: ExecutionContext | None = None,
) -> int:  # fmt: skip
    """The exit status of a script of the package `pkg`, with options for sh. Raises Refused."""
    there = tree.lexists(_DIRECTORY)
    made = []
    for name in sorted(name for name in NAMES if re.fullmatch(r"\w[\w.-]*", name)):
        path = f"{_DIRECTORY}/{name}"
        if not tree.lexists(path):
            tree.write(path, b"", 0o755, parents=True)
            made.append(path)
    text = f"#!/bin/sh{' -' + options if options else ''}\n{script}".encode("utf-8", "surrogateescape")
    try:
        status, _ = carry_out(text, arguments, context or ExecutionContext(tree, "amd64", package="pkg"), file=file)
    finally:
        for path in made:
            if tree.lexists(path):
                tree.remove(path)
        if not there:
            tree.discard(_DIRECTORY)
    return status
