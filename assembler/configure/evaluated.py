"""Scripts carried out on the tree: maintainer scripts, as dpkg would have them carried out, and those of rules."""

from collections.abc import Callable, Collection, Sequence

from assembler.configure import rules
from assembler.configure.rules import Rule
from assembler.configure.rules.effects import effects
from assembler.programs import known
from assembler.programs.context import PATH, ExecutionContext
from assembler.programs.debconf import set_selections
from assembler.shell.evaluate import INITIAL, Shell, run_in
from assembler.shell.heads import is_for_bash, options_of, parsed
from assembler.shell.process import AsScript, Process, Program, as_text
from assembler.shell.state import State, World
from assembler.shell.streams import NOWHERE, Budget, Pipe, Refused, Stream
from assembler.tree.content import UnmadeError


def environment(package: str, file: str, context: ExecutionContext) -> dict[str, str]:
    """What dpkg gives a script in the control file `file`, in the machine and in a chroot likewise (dpkg(1))."""
    return {
        "PATH": ":".join(PATH),
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        "DEBCONF_NONINTERACTIVE_SEEN": "true",
        "SOURCE_DATE_EPOCH": str(context.tree.mtime),
        "DPKG_ROOT": "",
        "DPKG_ADMINDIR": "/var/lib/dpkg",
        "DPKG_MAINTSCRIPT_NAME": file,
        "DPKG_MAINTSCRIPT_PACKAGE": package,
        "DPKG_MAINTSCRIPT_ARCH": context.arch,
    }


def carry_out(
    text: bytes,
    arguments: Sequence[str],
    context: ExecutionContext,
    *,
    file: str,
    own: Sequence[Rule] = (),
    path: str = "",
) -> tuple[int, int]:
    """Carry out a script of the context's package whose first line names sh; its exit status, and the line where it
    ended.

    `file` is the control file that it is, and `path` where that is in the tree; `own` are rules that come before the
    built-in ones. Raises Refused, with the
    line, for what is not computed; the tree may then have been changed in part.
    """
    package = context.package
    instead = rules.for_commands((*own, *rules.built_in()), package)

    def program(name: str, path: str) -> Program | None:
        found = known.program(name, path, context)
        mine = [rule for rule in instead if rules.may_stand_for(rule, {name, path})]
        return _ruled(mine, {name, path}, found, stand_in) if mine else found

    def stand_in(rule: Rule, process: Process) -> int:
        do, name = as_text(rule.values.do), f"rule for {rule.values.command}"
        status = run_in(world, process, name, do, process.arguments, options={"e"})
        if not status:
            _declared(rule, context)
        return status

    def done(script: str, line: int) -> None:
        if context.done is not None and script == name:
            context.done(line)

    world = World(
        context.tree,
        Budget(order=context.order, supposed=context.supposed),
        program,
        context.hidden,
        done if context.done else None,
    )
    written, name = text.decode("latin-1"), path or file
    variables = environment(package, file, context)
    streams: dict[int, Stream] = {0: NOWHERE, 1: NOWHERE, 2: NOWHERE}
    state = State(
        world, {**INITIAL, **variables}, set(variables), arguments=list(arguments),
        name=name, options=options_of(written), streams=streams, bash=is_for_bash(written),
    )  # fmt: skip
    try:
        return Shell(state).script(parsed(written)), state.line
    except RecursionError as error:
        raise Refused("commands within one another are too many") from error
    except UnmadeError as error:
        refused = Refused(error.what)
        refused.line = state.line
        raise refused from error
    except Refused as error:
        error.line = state.line
        raise


def answer(selections: str, context: ExecutionContext) -> None:
    """Give debconf answers before packages ask. Raises Refused."""
    if not selections:
        return
    budget = Budget()
    text = Pipe(budget)
    text.write(selections.encode("utf-8", "surrogateescape"))
    variables = environment("", "", context)
    process = Process(context.tree, [], variables, "/", 0o022, {0: text}, budget)
    if set_selections(context.debconf)(process):
        raise Refused("debconf does not take the answers of the recipe")


def carry_out_rule(rule: Rule, arguments: Sequence[str], context: ExecutionContext) -> int:
    """Carry out what a rule for a script, or besides one, says; the exit status. Raises Refused, and AssembleError."""
    text = f"#!/bin/sh -e\n{rule.values.do}".encode()
    file = "preinst" if rule.values.script == "preinst" else "postinst"
    status, _ = carry_out(text, arguments, context, file=file)
    if not status:
        _declared(rule, context)
    return status


def _declared(rule: Rule, context: ExecutionContext) -> None:
    for effect in effects(rule.values):
        effect(context)


def _ruled(
    mine: Sequence[Rule], names: Collection[str], otherwise: Program | None, carry: Callable[[Rule, Process], int]
) -> Program:
    """A program for some of whose calls there are rules."""

    def run(process: Process) -> int:
        for rule in mine:
            if any(rules.stands_for(rule, [word, *process.arguments]) for word in names):
                return carry(rule, process)
        if otherwise is None:
            raise AsScript
        return otherwise(process)

    return run
