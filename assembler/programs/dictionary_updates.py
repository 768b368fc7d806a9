"""update-default-wordlist(8), update-default-ispell(8), update-dictcommon-aspell(8), update-dictcommon-hunspell(8),
aspell-autobuildhash(8) and ispell-autobuildhash(8), programs in perl of dictionaries-common 1.29.5 and 1.30.10 to
1.31.4.

Where a package is being configured, the first two and the last two only activate a trigger of dictionaries-common. What
starts buildhash or aspell, which make files of their own, is refused. Text is bytes, each a character.
"""

from collections.abc import Callable
from functools import partial

from assembler.programs.debconf_client import ask, require_usual_perl
from assembler.programs.dictionaries import (
    CACHE,
    Databases,
    Records,
    entries,
    is_old,
    is_true,
    text_of,
    without_case,
    write,
)
from assembler.programs.dictionary_lists import write_for_emacs, write_for_jed, write_for_squirrelmail
from assembler.programs.packages_known import Packages
from assembler.shell.process import Process, Program, as_path
from assembler.shell.streams import NOWHERE, Refused
from assembler.tree.staging import Kind

_ETC = "/etc/dictionaries-common"
_LIBRARY = {"ispell": "/usr/lib/ispell", "wordlist": "/usr/share/dict"}
_SUFFIXES = {"ispell": (".hash", ".aff"), "wordlist": ("",)}
_STEM = {"ispell": "default", "wordlist": "words"}
_TITLES = {
    "ispell": "dictionaries-common: ispell dictionaries",
    "wordlist": "dictionaries-common: wordlists",
}
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+~/-")
"""What perl and a shell take as it is, besides what is not ASCII."""


def programs(packages: Packages | None) -> dict[str, Program]:
    """The programs by name, with what dpkg knows."""
    return {name: partial(_checked, packages, program) for name, program in _PROGRAMS.items()}


def _checked(packages: Packages | None, program: Callable[[Process, Databases], int], process: Process) -> int:
    require_usual_perl(process)
    if "DICT_COMMON_DEBUG" in process.environment:
        raise Refused("a program of dictionaries that tells what it does")
    return program(process, Databases(process, old=is_old(packages)))


def _activated(process: Process, trigger: str) -> None:
    """Activate a trigger, as programs do while dpkg runs."""
    if not process.environment.get("DPKG_MAINTSCRIPT_PACKAGE"):
        raise Refused("a program of dictionaries that dpkg does not call")
    if process.call(["dpkg-trigger", "--no-await", trigger], process.environment, process.streams):
        raise Refused("a program of dictionaries whose trigger is not activated", why=trigger)


def _no_words(process: Process) -> None:
    if process.arguments:
        raise Refused("a program of dictionaries with arguments", why=" ".join(process.arguments)[:200])


def update_hunspell(process: Process, databases: Databases) -> int:
    """``update-dictcommon-hunspell``."""
    _no_words(process)
    databases.update("hunspell")
    write_for_emacs(process, databases)
    write_for_squirrelmail(process, databases)
    return 0


def update_aspell(process: Process, databases: Databases) -> int:
    """``update-dictcommon-aspell``."""
    _no_words(process)
    databases.update("aspell")
    write_for_emacs(process, databases)
    write_for_squirrelmail(process, databases)
    write_for_jed(process, databases)
    _require_no_orphans(process, "aspell")
    if process.call(["aspell-autobuildhash"], process.environment, process.streams):
        raise Refused("aspell-autobuildhash fails")
    return 0


def _require_no_orphans(process: Process, kind: str) -> None:
    """Raise Refused where notes of hashes that were made are to be removed, or their directory."""
    directory = f"/var/lib/{kind}"
    for name in entries(process, directory, ".remove"):
        if not process.tree.exists(as_path(f"{directory}/{name.removesuffix('.remove')}.compat")):
            raise Refused("hashes of a dictionary that is gone are removed", why=name)
    if process.tree.is_dir(directory) and not entries(process, directory):
        raise Refused("a directory of dictionaries without any file", why=directory)


def _autobuild(kind: str, process: Process, _databases: Databases) -> int:
    """``aspell-autobuildhash``, ``ispell-autobuildhash``, with ``--triggered`` where there is nothing to make."""
    match process.arguments:
        case []:
            _activated(process, f"{kind}-autobuildhash")
            return 0
        case ["--triggered"]:
            pass
        case words:
            raise Refused(f"{kind}-autobuildhash with these arguments", why=" ".join(words)[:200])
    if kind == "aspell" and not _has_program(process, "aspell"):
        return 0
    compatible = f"/usr/share/{kind}/{kind}.compat"
    names = entries(process, f"/var/lib/{kind}", ".compat")
    if not names:
        return 0
    if not process.tree.exists(compatible):
        if kind == "ispell" and not _has_program(process, "ispell"):
            return 0
        raise Refused(f"{kind} makes the hashes of dictionaries", why=" ".join(names))
    wanted = _first_line(process, compatible)
    if kind == "ispell" and not is_true(wanted):
        return 0
    for name in names:
        if not is_true(wanted) or (_first_line(process, f"/var/lib/{kind}/{name}") or "0") != wanted:
            raise Refused(f"{kind} makes the hash of a dictionary", why=name.removesuffix(".compat"))
    return 0


def _first_line(process: Process, path: str) -> str:
    return text_of(process, path).partition("\n")[0]


def _has_program(process: Process, name: str) -> bool:
    """What ``command -v`` of sh says, which has the same status where there is no sh."""
    if not process.tree.is_file("/bin/sh"):
        raise Refused("a program of dictionaries without a shell")
    words = ["/bin/sh", "-c", f"command -v {name} >/dev/null"]
    return not process.call(words, process.environment, {0: NOWHERE, 1: NOWHERE, 2: NOWHERE})


# --- the default -----------------------------------------------------------------------------------------------------


def update_default(kind: str, process: Process, databases: Databases) -> int:
    """``update-default-CLASS [--rebuild] [--triggered] [--skip-symlinks]``."""
    options = set(process.arguments)
    if not options <= {"--rebuild", "--triggered", "--skip-symlinks"}:
        raise Refused("update-default of dictionaries with these arguments", why=" ".join(process.arguments)[:200])
    ask(process, "VERSION", "2.0")
    databases.update(kind)
    records = databases.load(kind)
    _links_to_default(process, kind, records)
    if "--triggered" not in options:
        _activated(process, f"update-default-{kind}")
        return 0
    flag = f"{CACHE}/flag-{kind}-new"
    if process.tree.is_file(flag):
        process.tree.discard(flag)
    value = _chosen(process, kind, records)
    _set_system(process, kind, value or "")
    if kind == "ispell":
        _more_of_ispell(process, databases, records, value)
    if value is not None and "--skip-symlinks" not in options:
        _link(process, kind, databases.load(kind), value)
    return 0


def _links_to_default(process: Process, kind: str, records: Records) -> None:
    """dico_preprocess_default_symlinks."""
    tree = process.tree
    for suffix in _SUFFIXES[kind]:
        ours, theirs = (f"{directory}/{_STEM[kind]}{suffix}" for directory in (_ETC, _LIBRARY[kind]))
        if not tree.is_dir(_LIBRARY[kind]):
            raise Refused("a directory of dictionaries is missing", why=_LIBRARY[kind])
        if records:
            if not tree.lexists(theirs):
                tree.symlink(ours, theirs)
            continue
        for path in (ours, theirs):
            inode = tree.get(path)
            if inode is None:
                continue
            if inode.kind is not Kind.SYMLINK:
                process.complain(f"Leaving {path} behind")
            elif not inode.target.startswith("/"):
                raise Refused("a link to a default dictionary is relative", why=path)
            elif tree.exists(inode.target):
                process.complain(f"Leaving {path} behind")
            else:
                tree.remove(path)


def _chosen(process: Process, kind: str, records: Records) -> str | None:
    """What is the default; None when links are set by hand, or there is nothing."""
    question = f"dictionaries-common/default-{kind}"
    code, value = ask(process, "GET", question)
    if not is_true(code) and is_true(value):
        if value.lower().startswith("manual"):
            return None
        if not records:
            ask(process, "SET", question, "")
            return None
    elif not records:
        return None
    else:
        _tell_of_corruption(process, kind, records)
    if value in records:
        return value
    choices = without_case(records)
    process.complain("trying to get a default value")
    if not is_true(choices[0]):
        raise Refused("no dictionary can be the default")
    invalid = "dictionaries-common/invalid_debconf_value"
    if is_true(value):
        ask(process, "SUBST", invalid, "value", value)
        ask(process, "FSET", invalid, "seen", "false")
        ask(process, "INPUT", "high", invalid)
    ask(process, "SUBST", question, "choices", ", ".join(choices))
    ask(process, "SUBST", question, "echoices", ", ".join(choices))
    ask(process, "SET", question, choices[0])
    ask(process, "FSET", question, "seen", "false")
    ask(process, "INPUT", "critical", question)
    ask(process, "TITLE", _TITLES[kind])
    ask(process, "GO")
    code, value = ask(process, "GET", question)
    if code != "0":
        raise Refused("debconf does not know the default dictionary")
    return None if value.lower().startswith("manual") else value


def _tell_of_corruption(process: Process, kind: str, records: Records) -> None:
    """What is asked where debconf has no answer. Raises Refused where there was one before."""
    question = f"dictionaries-common/default-{kind}"
    corrupt = "dictionaries-common/debconf_database_corruption"
    packages = {fields["package"] for fields in records.values() if "package" in fields}
    ask(process, "SUBST", corrupt, "class_packages", ", ".join(sorted(packages)))
    ask(process, "SUBST", corrupt, "question", question)
    ask(process, "FSET", corrupt, "seen", "false")
    ask(process, "INPUT", "high", corrupt)
    ask(process, "TITLE", _TITLES[kind])
    ask(process, "GO")
    path = f"{CACHE}/{kind}-default"
    if process.tree.is_file(path):
        raise Refused("debconf has lost the default dictionary", why=path)


def _set_system(process: Process, kind: str, value: str) -> None:
    """dico_setsysdefault."""
    tree = process.tree
    default, other = f"{CACHE}/{kind}-default", f"{_ETC}/ispell-default"
    if not tree.is_dir(_ETC):
        raise Refused("a directory of dictionaries is missing", why=_ETC)
    for path in (default, other):
        if tree.is_dir(path):
            raise Refused("a directory is in the place of the default dictionary", why=path)
    if is_true(value):
        write(process, default, value)
    elif tree.exists(default):
        tree.remove(default)
    if kind == "ispell":
        tree.discard(other)
        if is_true(value):
            tree.symlink(default, other)
        else:
            write(process, other, "")


def _more_of_ispell(process: Process, databases: Databases, records: Records, value: str | None) -> None:
    """What update-default-ispell does besides."""
    name = "nil"
    if value is not None:
        fields = records.get(value, {})
        if fields.get("emacs-display", "").lower() != "no":
            known = fields.get("emacsen-name", fields.get("hash-name"))
            name = "nil" if known is None else f'"{known}"'
    write(process, f"{CACHE}/ispell-dicts-list.txt", "".join(f"{key}\n" for key in sorted(records)))
    write(
        process,
        f"{CACHE}/emacsen-ispell-default.el",
        ";; File automatically generated by update-default-ispell\n;;\n"
        ";; Do not manually edit!! Use select-default-ispell script instead\n\n"
        f"(set-variable 'debian-ispell-dictionary {name})\n",
    )
    if process.call(["ispell-autobuildhash", "--triggered"], process.environment, process.streams):
        raise Refused("ispell-autobuildhash fails")
    write_for_emacs(process, databases)
    write_for_jed(process, databases)
    write_for_squirrelmail(process, databases)
    _require_no_orphans(process, "ispell")


def _link(process: Process, kind: str, records: Records, value: str) -> None:
    """dico_set_default_symlink. Raises Refused where the real one fails."""
    name = records.get(value, {}).get("hash-name")
    if name is None or not is_true(value):
        raise Refused("a dictionary without a hash is the default", why=value)
    for suffix in _SUFFIXES[kind]:
        target = f"{_LIBRARY[kind]}/{name}{suffix}"
        if not process.tree.exists(as_path(target)) or not all(char in _PLAIN or char > "\x7f" for char in target):
            raise Refused("the file of a default dictionary", why=target)
        link = f"{_ETC}/{_STEM[kind]}{suffix}"
        if process.tree.is_dir(link):
            raise Refused("a directory is in the place of the default dictionary", why=link)
        if process.call(["ln", "-fs", target, link], process.environment, process.streams):
            raise Refused("a link to a default dictionary cannot be made", why=link)


_PROGRAMS: dict[str, Callable[[Process, Databases], int]] = {
    "aspell-autobuildhash": partial(_autobuild, "aspell"),
    "ispell-autobuildhash": partial(_autobuild, "ispell"),
    "update-default-aspell": update_aspell,
    "update-default-ispell": partial(update_default, "ispell"),
    "update-default-wordlist": partial(update_default, "wordlist"),
    "update-dictcommon-aspell": update_aspell,
    "update-dictcommon-hunspell": update_hunspell,
}
NAMES = frozenset(_PROGRAMS)
"""The names of all."""
