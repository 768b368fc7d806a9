"""The commands of maintainer scripts that are understood, each as what it does to the tree.

:data:`COMMANDS` maps a name to a maker: arguments in, an action out, or None when these arguments are not understood.
Makers look only at the arguments, so what is understood does not depend on the tree. Manuals followed: POSIX.1-2017 and
GNU coreutils for files, dpkg-statoverride(1), dpkg-divert(1), dpkg-trigger(1), getent(1), setcap(8).
"""

import posixpath
import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from functools import partial

from assembler.errors import AssembleError, Place
from assembler.kernel.depmod import depmod
from assembler.programs import (
    accounts,
    alternatives,
    apache,
    ca_certificates,
    capabilities,
    markup_catalogs,
    pam,
    systemd,
    sysv,
    tmpfiles,
    ucf,
)
from assembler.programs.options import UsageError, parse_options
from assembler.programs.shells import update_shells
from assembler.tree.content import Content, size_of
from assembler.tree.staging import Inode, Kind, Tree

PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""Where dpkg looks for programs, and scripts with it."""
STATOVERRIDE = "/var/lib/dpkg/statoverride"
DIVERSIONS = "/var/lib/dpkg/diversions"


@dataclass(slots=True)
class Machine:
    """What actions work on."""

    tree: Tree
    arch: str
    package: str = ""
    """The package whose script is being carried out."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables assigned on the command's own line."""
    triggers: set[str] = field(default_factory=set)
    """Triggers activated by dpkg-trigger."""
    depmod: Callable[[Tree, str], object] = depmod
    """Indexes the modules of a release (``/lib/modules/RELEASE``)."""
    exits_on_error: bool = False
    """Whether the script is under ``set -e``."""
    tolerant: int = 0
    """How many conditions, and left sides of && and ||, enclose the command that is carried out."""
    owners: Callable[[str], Container[str]] = lambda _path: ()
    """The packages that ship a path."""
    hidden: frozenset[str] = frozenset()
    """Programs of packages that are not unpacked yet, by name: the tree has all packages from the start."""

    def program(self, name: str) -> bool:
        """Whether `name` is found in the image's PATH and may be executed."""
        return name not in self.hidden and any(_is_executable(self.tree, f"{directory}/{name}") for directory in PATH)

    def write(self, path: str, content: Content) -> None:
        """Write a file as a shell's ``>`` does under umask 022."""
        self.tree.write(path, content, 0o644)


Action = Callable[[Machine], int]
Maker = Callable[[list[str]], Action | None]
COMMANDS: dict[str, Maker] = {}


class CommandError(AssembleError):
    """A command that would have failed."""


def _command(*names: str) -> Callable[[Maker], Maker]:
    def register(maker: Maker) -> Maker:
        for name in names:
            COMMANDS[name] = maker
        return maker

    return register


def _options(arguments: Sequence[str], specification: str) -> tuple[dict[str, str], list[str]] | None:
    try:
        return parse_options(arguments, specification, program="")
    except UsageError:
        return None


def _is_executable(tree: Tree, path: str) -> bool:
    inode = tree.get(path, follow=True)
    return inode is not None and inode.kind is Kind.FILE and bool(inode.mode & 0o111)


def _nothing(_machine: Machine) -> int:
    return 0


def _failure(_machine: Machine) -> int:
    return 1


# --- nothing to do on an image -----------------------------------------------------------------------------------

_NOT_RUNNING = (
    "invoke-rc.d", "deb-systemd-invoke", "udevadm", "restorecon", "service", "telinit", "sync",
)  # fmt: skip
"""Talk to a running system; dpkg in an image has none."""
_LEFT_OUT = (
    "py3compile",
    "pypy3compile",
    "ldconfig",
    "update-initramfs",
    "update-menus",
    "systemd-hwdb",
    "update-grub",
)
"""Make caches that the image leaves out or that a finaliser makes; see facts in docs."""
_DEBCONF = ("db_version", "db_capb", "db_stop", "db_go", "db_purge", "db_title")
"""Change no answer of debconf."""


def _always_nothing(_arguments: list[str]) -> Action:
    return _nothing


INERT = frozenset({*_NOT_RUNNING, *_LEFT_OUT, *_DEBCONF, "echo", "printf"})
"""Commands that leave nothing behind, whatever their arguments are."""
COMMANDS.update(dict.fromkeys(INERT, _always_nothing))
QUERIES = frozenset({"status", "is-active", "is-failed"})
"""Asked of a service, they are answered with failure: nothing is running."""


def _not_running(arguments: list[str]) -> Action:
    return _failure if QUERIES & set(arguments) else _nothing


COMMANDS.update(dict.fromkeys(_NOT_RUNNING, _not_running))


@_command("set", "umask", "export")
def _shell_state(arguments: list[str]) -> Action | None:
    # Only what changes no effect of the other commands: error handling, the usual umask, the locale.
    harmless = re.compile(r"[-+][efux]+|022|0022|(LC_ALL|LANG|LANGUAGE)(=.*)?")
    return _nothing if arguments and all(harmless.fullmatch(word) for word in arguments) else None


@_command(".")
def _source(arguments: list[str]) -> Action | None:
    return _nothing if arguments == ["/usr/share/debconf/confmodule"] else None


@_command("dpkg-maintscript-helper")
def _maintscript_helper(arguments: list[str]) -> Action | None:
    # All of these act on what an older version of the package left behind (dpkg-maintscript-helper(1)).
    known = {"supports", "rm_conffile", "mv_conffile", "symlink_to_dir", "dir_to_symlink"}
    return _nothing if arguments and arguments[0] in known else None


@_command("ischroot")
def _ischroot(arguments: list[str]) -> Action | None:
    return _nothing if not arguments else None


@_command("aa-enabled", "killall", "pidof", "pkill")
def _not_there(_arguments: list[str]) -> Action:
    return _failure


_NOT_MADE = (
    "fc-cache", "glib-compile-schemas", "gtk-update-icon-cache", "update-desktop-database", "update-icon-caches",
    "update-mime-database",
)  # fmt: skip
"""Make caches that nothing else makes, and that the assembler cannot. Scripts call them where they are installed."""


def _refused(name: str) -> Maker:
    def run(_machine: Machine) -> int:
        raise UsageError(f"{name} makes a cache that the assembler cannot make")

    return lambda _arguments: run


for _name in _NOT_MADE:
    COMMANDS[_name] = _refused(_name)


@_command("apparmor_parser")
def _apparmor_parser(_arguments: list[str]) -> Action:
    return _nothing


# --- engines -----------------------------------------------------------------------------------------------------


def _engine(run: Callable[[Tree, list[str]], object]) -> Maker:
    """A command that a module of its own carries out; a False from it is exit status 1."""

    def make(arguments: list[str]) -> Action:
        return lambda machine: 1 if run(machine.tree, arguments) is False else 0

    return make


COMMANDS.update(
    {
        **{name: _engine(partial(apache.enable, program=name)) for name in apache.PROGRAMS},
        "adduser": _engine(accounts.adduser),
        "addgroup": _engine(accounts.addgroup),
        "useradd": _engine(accounts.useradd),
        "groupadd": _engine(accounts.groupadd),
        "usermod": _engine(accounts.usermod),
        "update-rc.d": _engine(sysv.update_rcd),
        "update-alternatives": _engine(alternatives.update_alternatives),
        "ucf": _engine(ucf.ucf),
        "ucfr": _engine(ucf.ucfr),
        "pam-auth-update": _engine(pam.pam_auth_update),
        "update-catalog": _engine(markup_catalogs.update_catalog),
        "update-xmlcatalog": _engine(markup_catalogs.update_xmlcatalog),
        "update-shells": _engine(lambda tree, _arguments: update_shells(tree)),
        "shadowconfig": _engine(lambda tree, _arguments: accounts.shadowconfig(tree)),
    }
)


@_command("update-ca-certificates")
def _update_ca_certificates(arguments: list[str]) -> Action | None:
    def run(machine: Machine) -> int:
        ca_certificates.update_ca_certificates(machine.tree)
        return 0

    # With --fresh, links that are there are removed first: in a new tree there are none.
    return run if arguments in ([], ["--fresh"]) else None


@_command("deb-systemd-helper")
def _deb_systemd_helper(arguments: list[str]) -> Action:
    def run(machine: Machine) -> int:
        has_systemctl = machine.program("systemctl")
        return 0 if systemd.deb_systemd_helper(machine.tree, arguments, has_systemctl=has_systemctl) else 1

    return run


@_command("/usr/lib/runit-helper/runit-helper")
def _runit_helper(arguments: list[str]) -> Action | None:
    if arguments[:1] != ["postinst"]:
        return None

    def run(machine: Machine) -> int:
        directory, name = "/etc/runit/runsvdir/default", machine.environment.get("NAME", "")
        links = (f"{directory}/.{name}", f"{directory}/{name}")
        enabled = machine.environment.get("ENABLE") == "yes" and machine.tree.is_dir(directory)
        if enabled and not any(machine.tree.lexists(link) for link in links):
            machine.tree.symlink(f"/etc/sv/{name}", links[1])
        return 0

    return run


@_command("systemctl")
def _systemctl(arguments: list[str]) -> Action:
    user = "--global" in arguments or "--user" in arguments
    return lambda machine: 0 if systemd.Systemctl(machine.tree, user=user).call(arguments) else 1


@_command("systemd-sysusers")
def _sysusers(arguments: list[str]) -> Action | None:
    if any(argument.startswith("-") for argument in arguments):
        return None

    def run(machine: Machine) -> int:
        accounts.sysusers(machine.tree, arguments)
        return 0

    return run


@_command("systemd-tmpfiles")
def _tmpfiles(arguments: list[str]) -> Action | None:
    names = [argument for argument in arguments if not argument.startswith("-")]
    if set(arguments) - set(names) != {"--create"}:
        return None

    def run(machine: Machine) -> int:
        tmpfiles.tmpfiles_create(machine.tree, names)
        return 0

    return run


@_command("getent")
def _getent(arguments: list[str]) -> Action | None:
    match arguments:
        case ["passwd", name]:
            return lambda machine: 0 if _has_user(machine.tree, name) else 2
        case ["group", name]:
            return lambda machine: 0 if _has_group(machine.tree, name) else 2
        case _:
            return None


def _has_user(tree: Tree, name: str) -> bool:
    return accounts.Accounts(tree).user(name) is not None


def _has_group(tree: Tree, name: str) -> bool:
    return accounts.Accounts(tree).group(name) is not None


@_command("id")
def _id(arguments: list[str]) -> Action | None:
    match arguments:
        case ["-u" | "-g", name] | [name] if not name.startswith("-"):
            return lambda machine: 0 if _has_user(machine.tree, name) else 1
        case _:
            return None


# --- dpkg's own helpers ------------------------------------------------------------------------------------------


@_command("dpkg-trigger")
def _trigger(arguments: list[str]) -> Action | None:
    names = [argument for argument in arguments if not argument.startswith("-")]
    if len(names) != 1:
        return None

    def run(machine: Machine) -> int:
        machine.triggers.add(names[0])
        return 0

    return run


@_command("dpkg-statoverride")
def _statoverride(arguments: list[str]) -> Action | None:
    parsed = _options(arguments, "update add list remove force quiet")
    if parsed is None:
        return None
    options, rest = parsed
    if set(options) <= {"list", "quiet"} and len(rest) == 1:
        return lambda machine: 0 if rest[0] in statoverrides(machine.tree) else 1
    if "add" in options and "remove" not in options and len(rest) == 4 and re.fullmatch("[0-7]{1,4}", rest[2]):
        user, group, mode, path = rest
        if any(re.search(r"\s", word) for word in (user, group)) or "\n" in path:
            return None

        def run(machine: Machine) -> int:
            entries = statoverrides(machine.tree)
            entries[path] = f"{user} {group} {int(mode, 8):o} {path}"
            text = "".join(f"{line}\n" for line in entries.values())
            machine.tree.write(STATOVERRIDE, text.encode(), parents=True)
            if "update" in options and machine.tree.exists(path):
                change_owner(machine.tree, machine.tree.at(path, follow=True), user, group)
                machine.tree.chmod(path, int(mode, 8))
            return 0

        return run
    return None


def statoverrides(tree: Tree) -> dict[str, str]:
    """The lines of dpkg's statoverride database by path."""
    if not tree.is_file(STATOVERRIDE):
        return {}
    lines = tree.read_text(STATOVERRIDE).split("\n")[:-1]
    if not all(line.count(" ") >= 3 for line in lines):
        raise CommandError("dpkg's database of overrides is damaged", where=Place(path=STATOVERRIDE))
    return {line.split(" ", 3)[3]: line for line in lines}


def diversions(tree: Tree) -> list[tuple[str, str, str]]:
    """The diversions of dpkg: (path, diverted to, package or ``:`` for a local one)."""
    if not tree.is_file(DIVERSIONS):
        return []
    lines = tree.read_text(DIVERSIONS).split("\n")[:-1]
    if len(lines) % 3:
        raise CommandError("dpkg's database of diversions is damaged", where=Place(path=DIVERSIONS))
    return list(zip(lines[::3], lines[1::3], lines[2::3], strict=True))


def _write_diversions(tree: Tree, entries: Sequence[tuple[str, str, str]]) -> None:
    tree.write(DIVERSIONS, "".join(f"{line}\n" for entry in entries for line in entry).encode(), parents=True)


@_command("dpkg-divert")
def _divert(arguments: list[str]) -> Action | None:
    parsed = _options(arguments, "quiet local package= divert= rename no-rename add remove")
    if parsed is None or len(parsed[1]) != 1:
        return None
    options, (path,) = parsed
    if ("rename" in options) is ("no-rename" in options):
        return None
    to = options.get("divert", f"{path}.distrib")
    if any("\n" in word for word in (path, to, options.get("package", ""))):
        return None

    def run(machine: Machine) -> int:
        if "rename" in options and machine.tree.lexists(to):
            # Whose file that is depends on the order of unpacking, and here all are unpacked.
            raise UsageError("a file is in the way of a diversion", where=Place(path=to))
        package = ":" if "local" in options else options.get("package", machine.package)
        entries = diversions(machine.tree)
        if "remove" in options:
            kept = [entry for entry in entries if entry[0] != path]
            if len(kept) != len(entries):
                _write_diversions(machine.tree, kept)
        elif (path, to, package) not in entries:
            # A package's own files are not diverted. Those of others are unpacked before this script runs here, so that
            # they are moved whatever the order of unpacking would have made of them.
            if "rename" in options and machine.tree.lexists(path) and package not in machine.owners(path):
                machine.tree.rename(path, to)
            _write_diversions(machine.tree, [*entries, (path, to, package)])
        return 0

    return run


# --- files -------------------------------------------------------------------------------------------------------


def change_owner(tree: Tree, inode: Inode, user: str, group: str) -> None:
    """Give an inode to a user and group by name or number; an empty one stays as it is."""
    table = accounts.Accounts(tree)
    if user:
        inode.uid = table.uid(user)
    if group:
        inode.gid = table.gid(group)


def parse_mode(text: str, old: int) -> int | None:
    """Mode bits after ``chmod text``, octal or symbolic (without ``X`` and copying); None when not understood."""
    if re.fullmatch(r"[0-7]{1,5}", text):
        return int(text, 8)
    mode = old
    for clause in text.split(","):
        match = re.fullmatch(r"([ugoa]*)([-+=])([rwxst]*)", clause)
        if match is None:
            return None
        who = match.group(1).replace("a", "ugo") or "ugo"
        bits = 0
        for user, shift, setid in (("u", 6, 0o4000), ("g", 3, 0o2000), ("o", 0, 0)):
            if user in who:
                for letter in match.group(3):
                    bits |= {"r": 4 << shift, "w": 2 << shift, "x": 1 << shift, "s": setid, "t": 0}[letter]
        if "t" in match.group(3):
            bits |= 0o1000
        if match.group(2) == "+":
            mode |= bits
        elif match.group(2) == "-":
            mode &= ~bits
        else:
            covered = sum(7 << shift for user, shift in (("u", 6), ("g", 3), ("o", 0)) if user in who)
            mode = (mode & ~covered) | bits
    return mode


def _each(tree: Tree, path: str, *, recursive: bool) -> list[Inode]:
    if not tree.lexists(path):
        raise CommandError("no such file", where=Place(path=path))
    if not recursive:
        return [tree.at(path, follow=True)]
    return [inode for _, inode in tree.walk(path) if inode.kind is not Kind.SYMLINK]


@_command("chmod")
def _chmod(arguments: list[str]) -> Action | None:
    recursive = arguments[:1] == ["-R"]
    words = arguments[1:] if recursive else arguments
    if len(words) < 2 or parse_mode(words[0], 0) is None or any(word.startswith("-") for word in words[1:]):
        return None

    def run(machine: Machine) -> int:
        for path in words[1:]:
            if not machine.tree.exists(path):
                return 1
            for inode in _each(machine.tree, path, recursive=recursive):
                inode.mode = parse_mode(words[0], inode.mode) or 0
        return 0

    return run


def _make_chown(*, group_only: bool) -> Maker:
    def make(arguments: list[str]) -> Action | None:
        parsed = _options(arguments, "R|recursive h|no-dereference f|silent|quiet")
        if parsed is None or len(parsed[1]) < 2:
            return None
        options, (owner, *paths) = parsed
        user, separator, group = ("", ":", owner) if group_only else owner.partition(":")

        def run(machine: Machine) -> int:
            primary = group
            if separator and not group:
                entry = accounts.Accounts(machine.tree).user(user)
                primary = str(entry.gid) if entry is not None else ""
            for path in paths:
                if not machine.tree.lexists(path):
                    return 1
                for inode in _each(machine.tree, path, recursive="R" in options):
                    change_owner(machine.tree, inode, user, primary)
            return 0

        return run

    return make


COMMANDS["chown"] = _make_chown(group_only=False)
COMMANDS["chgrp"] = _make_chown(group_only=True)


@_command("mkdir")
def _mkdir(arguments: list[str]) -> Action | None:
    parsed = _options(arguments, "p|parents m|mode= v|verbose")
    if parsed is None or not parsed[1]:
        return None
    options, paths = parsed
    mode = parse_mode(options.get("m", "755"), 0)
    if mode is None:
        return None

    def run(machine: Machine) -> int:
        for path in paths:
            if machine.tree.lexists(path) and ("p" not in options or not machine.tree.is_dir(path)):
                return 1
            machine.tree.mkdir(path, mode, parents="p" in options)
        return 0

    return run


@_command("rmdir")
def _rmdir(arguments: list[str]) -> Action | None:
    parsed = _options(arguments, "ignore-fail-on-non-empty p|parents")
    if parsed is None or "p" in parsed[0]:
        return None
    options, paths = parsed

    def run(machine: Machine) -> int:
        for path in paths:
            inode = machine.tree.get(path)
            if inode is None or inode.kind is not Kind.DIR or inode.children:
                return 0 if inode is not None and inode.children and options else 1
            machine.tree.remove(path)
        return 0

    return run


@_command("rm")
def _rm(arguments: list[str]) -> Action | None:
    parsed = _options(arguments, "f|force r|R|recursive v|verbose")
    if parsed is None or not parsed[1] or any(path.strip("/.") == "" for path in parsed[1]):
        return None
    options, paths = parsed

    def run(machine: Machine) -> int:
        status = 0
        for path in paths:
            inode = machine.tree.get(path)
            if inode is None:
                status = status if "f" in options else 1
            elif inode.kind is Kind.DIR and "r" not in options:
                status = 1
            else:
                machine.tree.discard(path)
        return status

    return run


@_command("touch")
def _touch(arguments: list[str]) -> Action | None:
    if not arguments or any(argument.startswith("-") for argument in arguments):
        return None

    def run(machine: Machine) -> int:
        for path in arguments:
            if not machine.tree.exists(path):
                machine.write(path, b"")
        return 0

    return run


@_command("ln")
def _ln(arguments: list[str]) -> Action | None:
    parsed = _options(arguments, "s|symbolic f|force n|no-dereference r|relative T|no-target-directory v|verbose")
    if parsed is None or len(parsed[1]) != 2:
        return None
    options, (target, path) = parsed

    def run(machine: Machine) -> int:
        place = path
        if "T" not in options and not ("n" in options and not _is_real_dir(machine.tree, path)):
            place = _into(machine.tree, target, path)
        found = machine.tree.get(place)
        if found is not None and ("f" not in options or found.kind is Kind.DIR):
            return 1
        if "s" not in options:
            machine.tree.link(target, place)
            return 0
        text = target
        if "r" in options:
            directory = machine.tree.resolve(posixpath.dirname(place) or "/", follow=True)
            text = posixpath.relpath(machine.tree.resolve(target, follow=True), directory)
        machine.tree.symlink(text, place)
        return 0

    return run


def _is_real_dir(tree: Tree, path: str) -> bool:
    inode = tree.get(path)
    return inode is not None and inode.kind is Kind.DIR


def _into(tree: Tree, source: str, path: str) -> str:
    """`path`, or the name of `source` in it when it is a directory."""
    return f"{path.rstrip('/')}/{posixpath.basename(source.rstrip('/'))}" if tree.is_dir(path) else path


@_command("cp")
def _cp(arguments: list[str]) -> Action | None:
    # -Z sets the default SELinux context, which nothing in the tree has.
    parsed = _options(arguments, "p a|archive d f|force n|no-clobber Z v|verbose T|no-target-directory")
    if parsed is None or len(parsed[1]) != 2:
        return None
    options, (source, path) = parsed

    def run(machine: Machine) -> int:
        inode = machine.tree.get(source, follow="a" not in options and "d" not in options)
        if inode is None or inode.kind is Kind.DIR:
            return 1
        place = path if "T" in options else _into(machine.tree, source, path)
        if "n" in options and machine.tree.lexists(place):
            return 0
        if inode.kind is Kind.SYMLINK:
            machine.tree.symlink(inode.target, place)
            return 0
        new = machine.tree.write(place, inode.content, inode.mode & ~0o022 & 0o777)
        if "p" in options or "a" in options:
            new.mode, new.uid, new.gid, new.mtime = inode.mode, inode.uid, inode.gid, inode.mtime
        return 0

    return run


@_command("mv")
def _mv(arguments: list[str]) -> Action | None:
    parsed = _options(arguments, "f|force n|no-clobber v|verbose T|no-target-directory")
    if parsed is None or len(parsed[1]) != 2:
        return None
    options, (source, path) = parsed

    def run(machine: Machine) -> int:
        if not machine.tree.lexists(source):
            return 1
        place = path if "T" in options else _into(machine.tree, source, path)
        if "n" in options and machine.tree.lexists(place):
            return 0
        machine.tree.rename(source, place)
        return 0

    return run


@_command("install")
def _install(arguments: list[str]) -> Action | None:
    parsed = _options(arguments, "d|directory D m|mode= o|owner= g|group= p|preserve-timestamps v|verbose T")
    if parsed is None or not parsed[1]:
        return None
    options, paths = parsed
    mode = parse_mode(options.get("m", "755"), 0)
    if mode is None or ("d" not in options and len(paths) != 2):
        return None

    def run(machine: Machine) -> int:
        tree = machine.tree
        if "d" in options:
            made = [tree.mkdir(path, parents=True) for path in paths]
        else:
            content: Content = b""
            if paths[0] != "/dev/null":
                source = tree.get(paths[0], follow=True)
                if source is None or source.kind is not Kind.FILE:
                    return 1
                content = source.content
            place = paths[1] if "T" in options else _into(tree, paths[0], paths[1])
            inode = Inode(Kind.FILE, mode, mtime=tree.mtime, content=content)
            made = [tree.put(place, inode, parents="D" in options)]
        for inode in made:
            inode.mode = mode
            change_owner(tree, inode, options.get("o", ""), options.get("g", ""))
        return 0

    return run


@_command("cmp")
def _cmp(arguments: list[str]) -> Action | None:
    names = [argument for argument in arguments if argument not in {"-s", "--quiet", "--silent"}]
    if len(names) != 2 or any(name.startswith("-") for name in names):
        return None

    def run(machine: Machine) -> int:
        if not all(machine.tree.is_file(name) for name in names):
            return 2
        return 0 if machine.tree.read(names[0]) == machine.tree.read(names[1]) else 1

    return run


# --- capabilities ------------------------------------------------------------------------------------------------


@_command("setcap")
def _setcap(arguments: list[str]) -> Action | None:
    if len(arguments) != 2:
        return None
    try:
        capabilities.encode(arguments[0])
    except capabilities.CapabilityError:
        return None

    def run(machine: Machine) -> int:
        if not machine.tree.is_file(arguments[1]):
            return 1
        capabilities.setcap(machine.tree, arguments)
        return 0

    return run


# --- questions ---------------------------------------------------------------------------------------------------

Question = Callable[[Machine], bool]


def file_test(operands: list[str]) -> Question | None:
    """The question that ``test operands`` asks about files and strings; None when it is not understood."""
    for joiner in ("-o", "-a"):
        if joiner in operands[1:-1]:
            at = operands.index(joiner, 1)
            left, right = file_test(operands[:at]), file_test(operands[at + 1 :])
            if left is None or right is None:
                return None
            if joiner == "-o":
                return lambda machine: left(machine) or right(machine)
            return lambda machine: left(machine) and right(machine)
    match operands:
        case ["!", *rest] if rest:
            inner = file_test(rest)
            return None if inner is None else lambda machine: not inner(machine)
        case [flag, path] if flag in _FILE_TESTS and path:
            check = _FILE_TESTS[flag]
            return lambda machine: check(machine.tree, path)
        case ["-n", value]:
            return lambda _machine: bool(value)
        case ["-z", value]:
            return lambda _machine: not value
        case [left_text, "=" | "==", right_text]:
            return lambda _machine: left_text == right_text
        case [left_text, "!=", right_text]:
            return lambda _machine: left_text != right_text
        case _:
            return None


def _has_size(tree: Tree, path: str) -> bool:
    inode = tree.get(path, follow=True)
    return inode is not None and (inode.kind is not Kind.FILE or size_of(inode.content) > 0)


def _is_link(tree: Tree, path: str) -> bool:
    inode = tree.get(path)
    return inode is not None and inode.kind is Kind.SYMLINK


def _may_execute(tree: Tree, path: str) -> bool:
    inode = tree.get(path, follow=True)
    return inode is not None and (inode.kind is Kind.DIR or bool(inode.mode & 0o111))


_FILE_TESTS: dict[str, Callable[[Tree, str], bool]] = {
    "-e": Tree.exists,
    "-f": Tree.is_file,
    "-d": Tree.is_dir,
    "-L": _is_link,
    "-h": _is_link,
    "-s": _has_size,
    "-x": _may_execute,
    # Root may read and write whatever there is.
    "-r": Tree.exists,
    "-w": Tree.exists,
    # No socket, device or pipe of a running system is there.
    "-S": lambda _tree, _path: False,
}
