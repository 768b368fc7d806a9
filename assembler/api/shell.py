"""Looking around in a root file system: a shell, or a command, in a machine of its own."""

import shlex
from dataclasses import dataclass, replace

from assembler.api.build import open_project
from assembler.api.machines import Machine
from assembler.api.workspace import RecipeFile, Workspace
from assembler.configure import executed
from assembler.configure.job import Job, Run, Shell, Step
from assembler.errors import AssembleError, Place
from assembler.layers import rootfs
from assembler.layers.context import BuildContext
from assembler.layers.plan import kernel, systems
from assembler.tree.changes import Changes
from assembler.tree.staging import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellOptions:
    """Where, and what."""

    at: str = ""
    """The package before whose scripts the tree is shown; empty for the finished tree."""
    command: tuple[str, ...] = ()
    """What is run in place of a shell on this process's terminal."""
    locked: bool = False
    """Whether it fails rather than make a lock."""


class _Found(Exception):
    """The tree as a machine gets it, and its job."""

    def __init__(self, tree: Tree, job: Job) -> None:
        super().__init__()
        self.tree, self.job = tree, job


def shell(recipe: RecipeFile, workspace: Workspace, options: ShellOptions) -> bytes:
    """Give a person a shell in the tree of a `recipe`, on this process's terminal, or run a command there.

    Returns what the command printed, or the end of it. Nothing that is done there is kept. Raises AssembleError of many
    kinds; when the command fails, GuestError.
    """
    make = not (options.locked or workspace.offline)
    with open_project(workspace, recipe.load(), make=make) as context:
        machine = context.means.execute(rootfs.machine(context))
        assert isinstance(machine, Machine)
        tree, before = (
            _before(context, options.at) if options.at else (systems(context, kernel(context)[1])[-1].compose(), ())
        )
        if not options.command:
            machine.attach(tree, Job(steps=(*before, Shell()), epoch=context.epoch))
            return b""
        command = Run(name=options.command[0], script=f"#!/bin/sh\nexec {shlex.join(options.command)}\n".encode())
        return machine.printed(tree, Job(steps=(*before, command), epoch=context.epoch))


def _before(context: BuildContext, package: str) -> tuple[Tree, tuple[Step, ...]]:
    """The tree that a machine gets, and what is done there before dpkg turns to `package`."""

    def capture(tree: Tree, job: Job) -> Changes:
        raise _Found(tree, job)

    try:
        rootfs.layer(replace(context, means=replace(context.means, execute=lambda _: capture))).compose()
    except _Found as found:
        if job := executed.until(found.job, package):
            return found.tree, job.steps
    raise AssembleError(
        "nothing of this package is executed",
        where=Place(package=package),
        hint="assemble check says what is; without --at the finished tree is shown",
    )
