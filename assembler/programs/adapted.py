"""Programs that are written as actions on a tree, for the shell that carries scripts out."""

from collections.abc import Collection

from assembler.errors import AssembleError
from assembler.programs import dpkg_shown
from assembler.programs.commands import COMMANDS
from assembler.programs.context import ExecutionContext, Maker
from assembler.programs.inert import INERT
from assembler.programs.options import ProgramError, UsageError
from assembler.shell.process import Process, Program, as_path
from assembler.shell.streams import Refused
from assembler.tree.content import UnmadeError

_SILENT = frozenset({
    "chmod", "chown", "chgrp", "mkdir", "rmdir", "rm", "touch", "ln", "cp", "mv", "install", "setcap", "ischroot",
    "systemd-sysusers", "systemd-tmpfiles", "dpkg-trigger", "dpkg-maintscript-helper", "aa-enabled", "update-shells",
})  # fmt: skip
"""Print nothing without -v, unless they fail."""
_RELATIVE = frozenset({
    "chmod", "chown", "chgrp", "mkdir", "rmdir", "rm", "touch", "ln", "cp", "mv", "install", "cmp", "dpkg-trigger",
})  # fmt: skip
"""Work in any directory; operands that are paths may be relative to it."""
_ANY_UMASK = INERT | _RELATIVE | {"dpkg-maintscript-helper"}
"""Do the same under any umask, or as it says."""
_USUAL_UMASK = 0o022


def adapted(name: str, context: ExecutionContext) -> Program | None:
    """The program `name` of `commands.py`; None when there is none."""
    if name in dpkg_shown.PROGRAMS:
        return _shown(name, context)
    maker = COMMANDS.get(name)
    return None if maker is None else _program(name, maker, context)


def _shown(name: str, context: ExecutionContext) -> Program:
    otherwise = _program(name, COMMANDS[name], context)

    def run(process: Process) -> int:
        shown, without = dpkg_shown.PROGRAMS[name]
        text = shown(process)
        if text is None:
            return otherwise(process)
        process.print(text)
        return 0 if text else without

    return run


def _program(name: str, maker: Maker, context: ExecutionContext) -> Program:
    def run(process: Process) -> int:
        arguments = [as_path(argument) for argument in process.arguments]
        action = maker(arguments)
        if process.captured and (name not in _SILENT or _is_verbose(arguments)):
            raise Refused(f"what {name} prints is read")
        if process.umask != _USUAL_UMASK and name not in _ANY_UMASK:
            raise Refused(f"{name} under another umask than 022")
        if process.directory != "/" and name not in _RELATIVE:
            raise Refused(f"{name} in another directory than /")
        if action is None:
            raise Refused(f"{name} with these arguments", why=" ".join([name, *process.arguments])[:200])
        context.environment = {variable: as_path(process.environment[variable]) for variable in process.own}
        context.umask = process.umask
        context.tree.here = process.directory.rstrip("/")
        try:
            status = action(context)
        except UsageError as error:
            raise Refused(error.what, why=error.why) from error
        except (Refused, UnmadeError):
            raise
        except AssembleError as error:
            process.complain(str(error))
            return error.status if isinstance(error, ProgramError) else 1
        finally:
            context.environment, context.umask = {}, _USUAL_UMASK
            context.tree.here = ""
        if status:
            process.complain(f"{name} fails")
        return status

    return run


def _is_verbose(arguments: Collection[str]) -> bool:
    return any(
        word.startswith("--v") or (word.startswith("-") and word[1:2] != "-" and "v" in word) for word in arguments
    )
