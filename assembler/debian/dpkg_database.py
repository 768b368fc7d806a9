"""Writing dpkg's database: what ``/var/lib/dpkg`` holds once packages are installed.

Follows dpkg 1.22: fields of status in the order of lib/dpkg/parse.c, file names in info/ as lib/dpkg/db-ctrl-format.c
makes them (format 1), conffiles with the MD5 of what the package shipped, the trigger interests of
deb-triggers(5) in triggers/. The state is that of a finished installation: no lock, no journal, nothing pending.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from assembler.debian.package import Unpacked
from assembler.debian.version import compare
from assembler.tree.digest import md5
from assembler.tree.staging import Kind, Tree

ADMINDIR = "/var/lib/dpkg"
CONTROL_DIRECTORY = f"{ADMINDIR}/tmp.ci"  # noqa: S108  dpkg's, in the tree
"""Where the control files of a package are while dpkg unpacks it."""
_FIELDS = (
    "Package", "Essential", "Protected", "Status", "Priority", "Section", "Installed-Size", "Origin", "Maintainer",
    "Bugs", "Architecture", "Multi-Arch", "Source", "Version", "Config-Version", "Replaces", "Provides", "Depends",
    "Pre-Depends", "Recommends", "Suggests", "Breaks", "Conflicts", "Enhances", "Conffiles", "Description",
)  # fmt: skip
"""The fields that dpkg knows, in the order in which it writes them; all others follow as they came."""
_EXECUTABLE = frozenset({"preinst", "postinst", "prerm", "postrm", "config"})
_NOT_KEPT = frozenset({"control"})
_ARCH_NATIVE = "1.22.16"
"""The first dpkg that has a file with the architecture."""
_NO_DIGEST = "newconffile"
"""What dpkg writes for a conffile that it has not installed."""


@dataclass(frozen=True, slots=True)
class Interest:
    """That a package wants to be told: a trigger (a name, or a path for a file trigger) and whether it is awaited."""

    trigger: str
    package: str
    awaited: bool


def info_name(package: Unpacked) -> str:
    """The name by which a package's files in info/ go: with its architecture when it is co-installable."""
    if package.fields.get("Multi-Arch") == "same":
        return f"{package.name}:{package.architecture}"
    return package.name


def trigger_directives(control: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """The directives about triggers in the members of a control archive, and the trigger of each (deb-triggers(5))."""
    lines = control.get("triggers", b"").decode("utf-8", "surrogateescape").splitlines()
    words = [line.partition("#")[0].split() for line in lines]
    return [(each[0], each[1]) for each in words if len(each) == 2]


def read_triggers(package: Unpacked) -> tuple[list[Interest], list[str]]:
    """A package's interests and the triggers that it activates by being installed (deb-triggers(5))."""
    interests: list[Interest] = []
    activates: list[str] = []
    for directive, trigger in trigger_directives(package.control):
        if directive.startswith("interest"):
            interests.append(Interest(trigger, info_name(package), not directive.endswith("-noawait")))
        elif directive.startswith("activate"):
            activates.append(trigger)
    return interests, activates


def conffile_digests(tree: Tree, packages: Sequence[Unpacked]) -> dict[str, str]:
    """The MD5 of every conffile by path, as unpacked; to be taken before anything is configured."""
    digests: dict[str, str] = {}
    for package in packages:
        for path, _ in conffiles(package):
            inode = tree.get(path, follow=True)
            if inode is not None and inode.kind is Kind.FILE:
                digests[path] = md5(inode.content)
    return digests


def conffiles(package: Unpacked) -> list[tuple[str, str]]:
    """The conffiles of a package with their flag: ``remove-on-upgrade`` or none (deb-conffiles(5))."""
    found = []
    for line in package.control.get("conffiles", b"").decode("utf-8", "surrogateescape").splitlines():
        flag, _, path = line.strip().rpartition(" ")
        if path.startswith("/"):
            found.append((path, flag))
    return found


def write(
    tree: Tree, packages: Sequence[Unpacked], digests: Mapping[str, str], arch: str, *, unpacked: Collection[str]
) -> None:
    """Write the database for `packages`; `digests` is from :func:`conffile_digests`.

    Packages named in `unpacked` get that state (their configuration is still to come), all others are installed.
    Alternatives, diversions and statoverrides, which are in the same directory, are left as they are.
    """
    for directory in ("alternatives", "info", "parts", "triggers", "updates"):
        tree.mkdir(f"{ADMINDIR}/{directory}", parents=True)
    _write(tree, "info/format", "1\n")
    for package in packages:
        write_info(tree, package)
    stanzas = [
        _stanza(package, digests, installed=package.name not in unpacked)
        for package in sorted(packages, key=lambda package: (package.name, package.architecture))
    ]
    _write(tree, "status", "".join(stanzas))
    _write(tree, "available", "")
    _write_triggers(tree, packages)
    writes = any(one.name == "dpkg" and compare(one.fields["Version"], _ARCH_NATIVE) >= 0 for one in packages)
    if writes and not tree.lexists(f"{ADMINDIR}/arch-native"):
        _write(tree, "arch-native", f"{arch}\n")


def _write(tree: Tree, name: str, text: str) -> None:
    tree.write(f"{ADMINDIR}/{name}", text.encode("utf-8", "surrogateescape"))


def write_info(tree: Tree, package: Unpacked) -> None:
    """Write what dpkg keeps of a package's control files when it unpacks it, and the list of its paths."""
    tree.mkdir(f"{ADMINDIR}/info", parents=True)
    name = info_name(package)
    _write(tree, f"info/{name}.list", "".join(f"{path}\n" for path in package.paths))
    for member in sorted(package.control.keys() - _NOT_KEPT):
        mode = 0o755 if member in _EXECUTABLE else 0o644
        tree.write(f"{ADMINDIR}/info/{name}.{member}", package.control[member], mode)
    if package.sums is not None:
        tree.write(f"{ADMINDIR}/info/{name}.md5sums", package.sums)


@contextmanager
def control_laid_out(tree: Tree, package: Unpacked) -> Iterator[None]:
    """With the control files of a package where they are while its preinst runs."""
    tree.mkdir(CONTROL_DIRECTORY, parents=True)
    fields = "".join(_field(name, value) for name, value in package.fields.items())
    tree.write(f"{CONTROL_DIRECTORY}/control", fields.encode("utf-8", "surrogateescape"))
    for member, content in package.control.items():
        tree.write(f"{CONTROL_DIRECTORY}/{member}", content, 0o755 if member in _EXECUTABLE else 0o644)
    try:
        yield
    finally:
        tree.discard(CONTROL_DIRECTORY)


def _stanza(package: Unpacked, digests: Mapping[str, str], *, installed: bool) -> str:
    fields = status_fields(package, digests, f"install ok {'installed' if installed else 'unpacked'}")
    return "".join(_field(name, value) for name, value in fields.items()) + "\n"


def status_fields(package: Unpacked, digests: Mapping[str, str], status: str) -> dict[str, str]:
    """The fields of a package in the status file, in their order; `digests` as for `write`."""
    installed = not status.endswith((" unpacked", " half-installed"))
    fields = {**package.fields, "Status": status}
    if shipped := conffiles(package):
        # One that is to be removed is not this package's any more, though another may have it now.
        known = {path: digests[path] for path, flag in shipped if installed and not flag and path in digests}
        # One that is listed twice is installed once: pop.
        lines = [f" {path} {known.pop(path, _NO_DIGEST)}" + (f" {flag}" if flag else "") for path, flag in shipped]
        fields["Conffiles"] = "\n" + "\n".join(lines)
    first = [field for field in _FIELDS if field in fields]
    others = [field for field in fields if field not in _FIELDS]
    return {name: fields[name] for name in (*first, *others)}


def _field(name: str, value: str) -> str:
    return f"{name}:{value}\n" if value.startswith("\n") else f"{name}: {value}\n"


def _write_triggers(tree: Tree, packages: Sequence[Unpacked]) -> None:
    files: list[str] = []
    named: dict[str, list[str]] = {}
    for package in packages:
        for interest in read_triggers(package)[0]:
            line = interest.package + ("" if interest.awaited else "/noawait")
            if interest.trigger.startswith("/"):
                files.append(f"{interest.trigger} {line}\n")
            else:
                named.setdefault(interest.trigger, []).append(f"{line}\n")
    _write(tree, "triggers/File", "".join(files))
    for trigger, lines in named.items():
        _write(tree, f"triggers/{trigger}", "".join(lines))
    _write(tree, "triggers/Unincorp", "")
