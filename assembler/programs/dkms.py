"""dkms(8) 3.0.10 to 3.2: adding the source of modules to its tree, and what is known of them. It compiles nothing.

A dkms.conf is a script for bash. It is understood where it assigns texts alone, line by line; then it is held to what
dkms asks of it, as ``dkms add`` fails otherwise.
"""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

from assembler.programs.inputs import options_of
from assembler.shell.process import Process, Program, as_path
from assembler.shell.streams import Refused
from assembler.tree.content import read, size_of
from assembler.tree.staging import Kind, Tree

_TREE = "/var/lib/dkms"
_SETTINGS = "/etc/dkms"
_LARGEST = 1 << 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*")
_LINE = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:\[(?P<at>\d{1,2})\])?=(?P<value>.*)", re.ASCII)
_PLAIN = r"[A-Za-z0-9_ ,.:/=@%+^|?*()\[\]#&;<>!~-]"
_ASKED = r"\$\(uname -[rm]\)"
_GIVEN = rf"(?:\$\w+|\$\{{\w+(?::-(?:{_ASKED}|\$\w+|[\w./-])*)?\}}|{_ASKED})"
_VALUE = re.compile(
    rf"(?:\"(?:{_PLAIN}|{_GIVEN})*\"|'(?:{_PLAIN})*'|(?:[\w./+:@%-]|{_GIVEN})*)(?:[ \t]+#.*)?", re.ASCII
)
_WORTH = frozenset({
    "PACKAGE_NAME", "PACKAGE_VERSION", "BUILT_MODULE_NAME", "BUILT_MODULE_LOCATION", "DEST_MODULE_NAME",
    "DEST_MODULE_LOCATION", "STRIP", "AUTOINSTALL", "NO_WEAK_MODULES", "BUILD_DEPENDS_REBUILD",
})  # fmt: skip
"""What ``dkms add`` looks at."""
_ARRAYS = ("BUILT_MODULE_NAME", "BUILT_MODULE_LOCATION", "DEST_MODULE_NAME", "DEST_MODULE_LOCATION")
_FRAMEWORK = re.compile(r"\s*(?:#.*|autoinstall_all_kernels=\"?(?:yes)?\"?)?\s*")
Settings = Mapping[tuple[str, int], str]


def dkms(process: Process) -> int:
    """``dkms add`` and ``dkms status`` of one version of a module."""
    action, *words = process.arguments or [""]
    options, names = options_of(process, "m= v= k= a=", arguments=words)
    module, version = options.get("m", ""), options.get("v", "")
    if action not in {"add", "status"} or names or not all(map(_NAME.fullmatch, (module, version))):
        raise Refused("dkms with these arguments", why=" ".join(process.arguments)[:200])
    _framework(process.tree)
    place = f"{_TREE}/{as_path(module)}/{as_path(version)}"
    if action == "status":
        return _status(process, place)
    if options.keys() & {"k", "a"} or process.tree.lexists(place):
        raise Refused("dkms add of what is there")
    source = f"/usr/src/{as_path(module)}-{as_path(version)}"
    if any(fnmatchcase(name, f"{module}*.conf") for name in process.tree.names(_SETTINGS)):
        raise Refused("settings for a module of dkms", why=_SETTINGS)
    _hold(settings(_text(process.tree, f"{source}/dkms.conf")), source)
    process.tree.mkdir(f"{place}/build", parents=True)
    process.tree.symlink(source, f"{place}/source")
    process.print(f"Creating symlink {place}/source -> {source}\n")
    return 0


def _status(process: Process, place: str) -> int:
    """Added, and never built."""
    tree = process.tree
    source = tree.get(f"{place}/source")
    if source is None or source.kind is not Kind.SYMLINK or not tree.is_file(f"{place}/source/dkms.conf"):
        raise Refused("dkms status of what was not added", why=place)
    if set(tree.names(place)) != {"build", "source"}:
        raise Refused("dkms status of what was built", why=place)
    process.print(f"{'/'.join(place.split('/')[-2:])}: added\n")
    return 0


def _text(tree: Tree, path: str) -> str:
    if not tree.is_file(path) or size_of(tree.at(path, follow=True).content) > _LARGEST:
        raise Refused("a file of dkms that is not there, or is long", why=path)
    return read(tree.at(path, follow=True).content).decode("latin-1")


def _framework(tree: Tree) -> None:
    """Refuse dkms's own settings where they are others than Debian's."""
    paths = [f"{_SETTINGS}/framework.conf"]
    paths += [f"{_SETTINGS}/framework.conf.d/{name}" for name in tree.names(f"{_SETTINGS}/framework.conf.d")]
    for path in paths:
        if tree.lexists(path) and not all(map(_FRAMEWORK.fullmatch, _text(tree, path).splitlines())):
            raise Refused("settings of dkms", why=path)


def settings(text: str) -> Settings:
    """What a dkms.conf assigns, by name and place in an array. Raises Refused for one that does anything else."""
    found: dict[tuple[str, int], str] = {}
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        if match is None or _VALUE.fullmatch(match["value"]) is None or match["name"] == "POST_ADD":
            raise Refused("a dkms.conf that does more than to assign texts", why=stripped[:200])
        if match["name"] not in _WORTH:
            continue
        value = re.sub(r"[ \t]+#.*", "", match["value"]) if match["value"][:1] not in {'"', "'"} else match["value"]
        value = value[1:].partition(value[0])[0] if value[:1] in {'"', "'"} else value
        for name in ("PACKAGE_NAME", "PACKAGE_VERSION"):
            for written in (f"${{{name}}}", rf"${name}"):
                value = value.replace(written, found[name, 0]) if (name, 0) in found else value
        if "$" in value:
            raise Refused("a dkms.conf that names modules by variables", why=stripped[:200])
        found[match["name"], int(match["at"] or 0)] = value
    return found


def _hold(given: Settings, source: str) -> None:
    """Refuse what ``dkms add`` does not take, or warns of."""
    number = max((at for name, at in given if name in _ARRAYS), default=-1) + 1
    built = [given.get(("BUILT_MODULE_NAME", at), "") for at in range(number)]
    if number == 1:
        built = [built[0] or given.get(("PACKAGE_NAME", 0), "")]
    there = [given.get(("DEST_MODULE_LOCATION", at), "") for at in range(number)]
    called = [given.get(("DEST_MODULE_NAME", at), "") or built[at] for at in range(number)]
    from_where = [f"{given.get(('BUILT_MODULE_LOCATION', at), '')}/{name}" for at, name in enumerate(built)]
    fine = (
        number > 0
        and all(given.get((name, 0)) for name in ("PACKAGE_NAME", "PACKAGE_VERSION"))
        and all(name and not name.endswith((".o", ".ko")) for name in (*built, *called))
        and all(path.startswith(("/kernel", "/updates", "/extra")) for path in there)
        and len(set(called)) == len(set(from_where)) == number
        and all(
            given.get((name, 0), "").lower() in {"", "yes", "no"}
            for name in ("AUTOINSTALL", "NO_WEAK_MODULES", "BUILD_DEPENDS_REBUILD")
        )
    )
    if not fine:
        raise Refused("a dkms.conf that dkms may not take", why=source)


PROGRAMS: dict[str, Program] = {"dkms": dkms}
"""Programs by name."""
