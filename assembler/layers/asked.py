"""What a recipe has executed besides the scripts of packages, and answers to these: checked, and made ready."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from assembler.configure.debconf import Selections, selections
from assembler.configure.job import NoMachineError, Run
from assembler.debian.package import Unpacked
from assembler.errors import AssembleError, Place
from assembler.progress import Reporter
from assembler.recipe import brought
from assembler.recipe.model import Rootfs

Told = Callable[[AssembleError], AssembleError]
"""What of an error is told; see :meth:`assembler.recipe.load.LoadedRecipe.told`."""
_INTERPRETER = re.compile(rb"#![ \t]*/[^\s\0]+(?:[ \t][^\r\0]*)?")
_LONGEST = 255
"""Bytes of the line that names an interpreter (BINPRM_BUF_SIZE, less one)."""


class AskedError(AssembleError):
    """Something that cannot be executed."""


def answered(
    recipe: Rootfs, files: Mapping[str, bytes], packages: Sequence[Unpacked], told: Told, reporter: Reporter
) -> Selections:
    """The recipe's answers to the questions of `packages`; those that do nothing are told as warnings.

    `files` are the bytes of the files that the recipe names, by key; `told` says what is told of a warning.
    """
    answers = selections(recipe.debconf, files, packages)
    for warning in answers.warnings:
        reporter.warn(str(told(warning)))
    if recipe.scripts != "computed" or not answers.asking:
        return answers
    unheard = NoMachineError(
        "packages whose questions are answered with secrets have to be executed",
        where=Place(key="rootfs.scripts", package=", ".join(sorted(answers.asking))),
        hint='say scripts = "auto", or leave the answers out',
    )
    return replace(answers, problems=(*answers.problems, unheard))


def unfit(recipe: Rootfs, files: Mapping[str, bytes]) -> Iterator[AskedError]:
    """An error for each step whose first line names an interpreter that Linux would not find, wherever it is."""
    for index, step in enumerate(recipe.run):
        line = brought.script(step, files, index).split(b"\n", 1)[0]
        if len(line) > _LONGEST or not _INTERPRETER.fullmatch(line):
            key = f"rootfs.run[{index}].{'script' if step.file is None else 'file'}"
            hint = "carriage returns are at the ends of its lines" if line.endswith(b"\r") else "as #!/bin/bash -e"
            what = "the first line names no interpreter by an absolute path"
            yield AskedError(what, where=Place(key=key), hint=hint)


def steps(recipe: Rootfs, files: Mapping[str, bytes]) -> tuple[Run, ...]:
    """The recipe's own steps, with the bytes of what they name."""
    return tuple(
        Run(
            name=step.label(index),
            script=brought.script(step, files, index),
            environment=step.environment,
            files=brought.of_step(files, index),
        )
        for index, step in enumerate(recipe.run)
    )
