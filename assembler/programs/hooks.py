"""Programs that carry out others: run-parts(8) of debianutils 5.7 to 5.24, env(1), linux-run-hooks(1) and more."""

import re
from collections.abc import Sequence

from assembler.programs.options import UsageError, parse_options
from assembler.programs.packages_known import Packages, is_before
from assembler.shell.process import Process, Program, as_path, as_text
from assembler.shell.streams import Refused
from assembler.tree.staging import Inode, Kind

_RUN_PARTS_NAME = re.compile(r"[A-Za-z0-9_-]+")
_LSB_NAME = re.compile(r"[a-z0-9]+|_?(?:[a-z0-9_.]+-)+[a-z0-9]+|[A-Za-z0-9_-]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def run_parts(process: Process, packages: Packages | None) -> int:
    """``run-parts [--report] [--exit-on-error] [--arg=ARGUMENT] DIRECTORY...``: the programs in them, by name.

    Of several of the same name, that of the first directory counts. debianutils before 5.21 takes one directory, which
    has to be there, and ends with 1 when a program fails. Later ones pass over what is no directory, and end with the
    status of the last program that failed.
    """
    try:
        options, directories = parse_options(
            process.arguments, "report verbose v exit-on-error arg|a= umask|u= test list lsbsysinit",
            program="run-parts", repeated=frozenset({"arg"}),
        )  # fmt: skip
    except UsageError as error:
        raise Refused(error.what, why=error.why) from error
    if {"umask", "test", "verbose", "v"} & options.keys() or not directories:
        raise Refused("run-parts with these arguments", why=" ".join(process.arguments))
    if any("\n" in argument for argument in process.arguments):
        raise Refused("an argument of more than a line")
    arguments = options["arg"].split("\n") if "arg" in options else []
    missing = [name for name in directories if not process.tree.is_dir(process.place(name))]
    if (missing or len(directories) > 1) and _is_old(packages):
        process.complain("run-parts: not a directory")
        return 1
    named = _LSB_NAME if "lsbsysinit" in options else _RUN_PARTS_NAME
    status = 0
    for path, inode in _parts(process, directories):
        if not named.fullmatch(path.rpartition("/")[2]) or inode.kind is not Kind.FILE:
            continue
        if "list" in options:
            process.print(f"{path}\n")
            continue
        if not inode.mode & 0o111:
            continue
        result = process.call([path, *arguments], process.environment, process.streams)
        if result:
            process.complain(f"run-parts: {path} exited with return code {result}")
            status = 1 if _is_old(packages) else result
            if "exit-on-error" in options:
                break
    return status


def _is_old(packages: Packages | None) -> bool:
    """Whether it is that of debianutils before 5.21. Raises Refused where that is not known."""
    return is_before(packages, "debianutils", "5.20", "5.22")


def _parts(process: Process, directories: Sequence[str]) -> list[tuple[str, Inode]]:
    """What is in the directories, in order of the names, and of each name what is first there."""
    found: dict[str, tuple[str, Inode]] = {}
    for directory in directories:
        inode = process.tree.get(process.place(directory), follow=True)
        if inode is None or inode.kind is not Kind.DIR:
            continue
        for name in map(as_text, inode.children):
            path = f"{directory.rstrip('/')}/{name}"
            part = process.tree.get(process.place(path), follow=True)
            if part is not None:
                found.setdefault(name, (path, part))
    return [found[name] for name in sorted(found)]


def env(process: Process) -> int:
    """``env [-i] [-u NAME] [NAME=VALUE...] PROGRAM [ARGUMENT...]``."""
    environment = dict(process.environment)
    words = list(process.arguments)
    while words and words[0] in {"-i", "-", "-u"}:
        option = words.pop(0)
        if option == "-u":
            if not words:
                raise Refused("env -u without a name")
            environment.pop(words.pop(0), None)
        else:
            environment.clear()
    while words and "=" in words[0] and not words[0].startswith("-"):
        name, _, value = words.pop(0).partition("=")
        if not _NAME.fullmatch(name):
            raise Refused("env with a name that is none of a variable")
        environment[name] = value
    if not words or words[0].startswith("-"):
        raise Refused("env with these arguments", why=" ".join(process.arguments))
    if "PATH" not in environment:
        raise Refused("a program that is looked for without a PATH")
    return process.call(words, environment, process.streams)


def nice(process: Process) -> int:
    """``nice [-n NUMBER] PROGRAM``, and ``ionice`` likewise: nothing here runs at another speed."""
    words = list(process.arguments)
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if not re.fullmatch(r"-(?:[nc]?[0-9]+|n|c|-)", option):
            raise Refused("a priority with these options", why=" ".join(process.arguments))
        if option in {"-n", "-c"} and words:
            words.pop(0)
    if not words:
        raise Refused("a priority without a program")
    return process.call(words, process.environment, process.streams)


def linux_run_hooks(process: Process) -> int:
    """``linux-run-hooks image SCRIPT VERSION PATH -- ...`` of linux-base 4: the hooks of kernels in /etc and
    /usr/share.
    """
    words = process.arguments
    takes = {"image": 2, "headers": 1}.get(words[0] if words else "", 0)
    is_usual = len(words) > 2 + takes and words[2 + takes] == "--" and "--" not in words[2 : 2 + takes]
    if not takes or not is_usual or not re.fullmatch(r"(?:pre|post)(?:inst|rm)", words[1]):
        raise Refused("linux-run-hooks with these arguments", why=" ".join(words))
    kind = words[1] if words[0] == "image" else f"header_{words[1]}"
    candidates = (f"/etc/kernel/{kind}.d", f"/usr/share/kernel/{kind}.d")
    directories = [path for path in candidates if process.tree.is_dir(as_path(path))]
    if not directories:
        return 0
    environment = {**process.environment, "DEB_MAINT_PARAMS": " ".join(words[3 + takes :])}
    arguments = [f"--arg={word}" for word in words[2 : 2 + takes]]
    return process.call(
        ["run-parts", "--report", "--exit-on-error", *arguments, *directories], environment, process.streams
    )


PROGRAMS: dict[str, Program] = {
    "env": env,
    "nice": nice,
    "ionice": nice,
    "linux-run-hooks": linux_run_hooks,
}
