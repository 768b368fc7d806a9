"""What a recipe says for the machine that executes scripts, checked before anything is configured.

Nothing is executed yet. So what a recipe wants executed is refused rather than passed over: see `_not_yet`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from assembler.configure.debconf import selections
from assembler.debian.package import Unpacked
from assembler.errors import AssembleError, Place
from assembler.progress import Reporter
from assembler.recipe import brought
from assembler.recipe.model import Rootfs

Told = Callable[[AssembleError], AssembleError]
"""What of an error is told; see :meth:`assembler.recipe.load.LoadedRecipe.told`."""


def unchanged(error: AssembleError) -> AssembleError:
    """All of it."""
    return error


_INTERPRETER = re.compile(rb"#![ \t]*/[^\s\0]+(?:[ \t][^\r\0]*)?")
_LONGEST = 255
"""Bytes of the line that names an interpreter (BINPRM_BUF_SIZE, less one)."""


class ExecutedError(AssembleError):
    """Something that cannot be executed."""


def problems(
    recipe: Rootfs,
    files: Mapping[str, bytes],
    packages: Sequence[Unpacked],
    *,
    told: Told,
    reporter: Reporter,
) -> list[AssembleError]:
    """All that is wrong with the recipe's answers for these `packages`, and what it wants that is not done yet.

    `files` are the bytes of files that the recipe names, by key. Answers that do nothing are told as warnings.
    """
    answered = selections(recipe.debconf, files, packages)
    for warning in answered.warnings:
        reporter.warn(str(told(warning)))
    return [*answered.problems, *_interpreters(recipe, files), *_not_yet(recipe)]


def _interpreters(recipe: Rootfs, files: Mapping[str, bytes]) -> Iterator[ExecutedError]:
    """Steps whose first line names an interpreter that Linux would not find, wherever it is."""
    for index, step in enumerate(recipe.run):
        line = brought.script(step, files, index).split(b"\n", 1)[0]
        if len(line) > _LONGEST or not _INTERPRETER.fullmatch(line):
            key = f"rootfs.run[{index}].{'script' if step.file is None else 'file'}"
            hint = "carriage returns are at the ends of its lines" if line.endswith(b"\r") else "as #!/bin/bash -e"
            what = "the first line names no interpreter by an absolute path"
            yield ExecutedError(what, where=Place(key=key), hint=hint)


def _not_yet(recipe: Rootfs) -> Iterator[ExecutedError]:
    wanted = {
        "rootfs.scripts": recipe.scripts == "executed",
        "rootfs.debconf": bool(recipe.debconf.answers or recipe.debconf.preseed),
        "rootfs.run": bool(recipe.run),
    }
    for key in (key for key, given in wanted.items() if given):
        yield ExecutedError("this is not executed yet", where=Place(key=key), hint="leave it out")
