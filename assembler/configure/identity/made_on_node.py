"""What scripts leave to each node (programs/node_work.py): what is in the image for that, and what is not.

The stand-ins are taken out of the tree. In their place there is a script for each package, which a unit runs when the
machine starts: it carries the commands out and gives what they make its place, owner and mode, as the package's script
would have. What is there already stays.
"""

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from shlex import quote, split

from assembler.errors import AssembleError, Place
from assembler.programs.node_work import Command, HashLink, Made, NodeWork, Text, Word
from assembler.programs.systemd import Systemctl
from assembler.tree.changes import Changes
from assembler.tree.content import Unmade
from assembler.tree.staging import Kind, Tree

DIRECTORY = "/usr/lib/assembler/made-on-node"
"""A script for each package."""
PROGRAM = "/usr/lib/assembler/make-on-node"
UNIT = "made-on-node.service"
_UNITS = "/usr/lib/systemd/system"
_STAGE = re.compile(r"    stage .*")
_VOLATILE = re.compile(r"/(?:dev|proc|run|sys|tmp)/")
"""What is there when a script runs is in no image, or hidden by another file system when a node starts."""
_PLAIN = re.compile(r"[ -~]*")
_OWNER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?")


class NotLeftError(AssembleError):
    """What a script left to nodes and did something with that they cannot do."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where something stays that a node makes."""

    number: int
    path: str
    mode: int
    uid: int
    gid: int


@dataclass(slots=True)
class Work:
    """What nodes do, of all packages."""

    commands: Sequence[Command] = ()
    links: Sequence[HashLink] = ()
    kept: list[Kept] = field(default_factory=list)

    @property
    def packages(self) -> list[str]:
        """Those whose scripts left something that stays, in the order of that."""
        numbers = {each.number for each in self.kept}
        return list(dict.fromkeys(each.package for each in self.commands if each.makes & numbers))

    def paths(self) -> frozenset[str]:
        """Of all that nodes make."""
        return frozenset(each.path for each in self.kept)

    def is_link(self, path: str, target: str) -> bool:
        """Whether a link at `path` to `target` is one by the hash of a certificate that nodes make."""
        return any(
            posixpath.dirname(path) == link.directory and target == link.target and path.endswith(link.end)
            for link in self.links
        )

    def judged(self, changes: Changes, packages: Collection[str]) -> None:
        """Owners and modes are those that executed scripts have given to what was made for them, of `packages`."""
        numbers = {number for each in self.commands if each.package in packages for number in each.makes}
        kept: list[Kept] = []
        for each in self.kept:
            entry = changes.put.get(changes.links.get(each.path, each.path))
            if each.number not in numbers:
                kept.append(each)
            elif entry is not None and entry.kind is Kind.FILE:
                kept.append(replace(each, mode=entry.mode, uid=entry.uid, gid=entry.gid))
        self.kept = kept

    def script(self, package: str, tree: Tree) -> bytes:
        """What a node runs for a package; `tree` is the image, and has the names of owners. Raises NotLeftError."""
        blocks = "\n".join(self._blocks(package, tree))
        head = (resources.files(__package__) / "made-on-node").read_text("utf-8")
        return head.replace("PACKAGE", package).encode() + blocks.encode("latin-1")

    def _blocks(self, package: str, tree: Tree) -> Iterator[str]:
        names = _Names(tree)
        packages = self.packages
        before = packages[: packages.index(package) + 1]
        there = {number for each in self.commands if each.package in before for number in each.makes}
        places: dict[int, list[Kept]] = {}
        for each in self.kept:
            if each.number in there:
                places.setdefault(each.number, []).append(each)
        for block in _blocks([each for each in self.commands if each.package == package], places.keys()):
            made = {number for command in block for number in command.makes}
            kept = [each for number in sorted(made & places.keys()) for each in places[number]]
            if not kept:
                continue
            paths = " ".join(_quoted(each.path) for each in kept)
            yield f"(\n    set -e\n    absent {paths} || exit 0"
            for command in block:
                _check_defaults(command, tree)
                yield from (f"    {line}" for line in _lines(command, made, places))
            for each in kept:
                yield f"    stage {each.number} {names.owner(each)} {each.mode:04o} {_quoted(each.path)}"
            yield f"    finish {paths}\n)\nstatus=$((status | $?))"
            for link in self.links:
                if link.number in made & places.keys():
                    words = (places[link.number][0].path, link.directory, link.end, link.target)
                    yield f"by_hash {' '.join(map(_quoted, words))} || status=1"
        yield 'exit "$status"\n'


def taken_out(tree: Tree, node: NodeWork) -> Work:
    """Take what stands for what nodes make out of `tree`; returns what they do. Raises NotLeftError."""
    work = Work(tuple(node.commands), tuple(node.links))
    if not node.commands:
        return work
    found = [(path, inode) for path, inode in tree.walk() if isinstance(inode.content, Unmade)]
    by_number = {number: each.package for each in node.commands for number in each.makes}
    seen: set[int] = set()
    for path, inode in found:
        number = inode.content.offset if isinstance(inode.content, Unmade) else 0
        if not tree.is_dir(_UNITS):
            raise _not_left("is made by a unit, and the image has no systemd", path, by_number[number])
        if _VOLATILE.match(path):
            raise _not_left("is where no image has anything when it starts", path, by_number[number])
        if id(inode) in seen:
            raise _not_left("is linked to by another name", path, by_number[number])
        seen.add(id(inode))
        if inode.xattrs or not path.isprintable() or posixpath.normpath(path) != path:
            raise _not_left("cannot be given its place by a node", path, by_number[number])
        work.kept.append(Kept(number, path, inode.mode, inode.uid, inode.gid))
    for path, _ in found:
        tree.remove(path)
    return work


def _not_left(how: str, path: str, package: str = "") -> NotLeftError:
    return NotLeftError(f"what each node is to make {how}", where=Place(package=package, path=path))


def claim_links(tree: Tree, node: NodeWork) -> None:
    """Take links out of `tree` whose names are what was told for the hash of a certificate, and note them."""
    if not node.hashes:
        return
    names = re.compile(f"({'|'.join(map(re.escape, node.hashes))})(\\.[0-9])")
    links = [
        (path, found, inode)
        for path, inode in tree.walk()
        if inode.kind is Kind.SYMLINK and (found := names.fullmatch(posixpath.basename(path)))
    ]
    for path, found, inode in links:
        if (inode.uid, inode.gid) == (0, 0):
            tree.remove(path)
            link = HashLink(node.hashes[found[1]], posixpath.dirname(path), found[2], inode.target)
            if link not in node.links:
                node.links.append(link)
    node.hashes.clear()


def prepare(tree: Tree, work: Work) -> None:
    """Have nodes do the work when they start. Raises NotLeftError."""
    if not work.packages:
        return
    own = resources.files(__package__)
    for number, package in enumerate(work.packages):
        tree.write(f"{DIRECTORY}/{number:03}-{package}", work.script(package, tree), 0o700, parents=True)
    tree.write(PROGRAM, (own / "make-on-node").read_bytes(), 0o755)
    tree.write(f"{_UNITS}/{UNIT}", (own / UNIT).read_bytes())
    Systemctl(tree).enable(UNIT)


def places(script: bytes) -> Iterator[tuple[str, str, int]]:
    """What one of the scripts says of what it makes: path, owner and group by name, and mode."""
    for line in script.decode("latin-1").splitlines():
        if _STAGE.fullmatch(line):
            _, _, owner, mode, path = split(line)
            yield path.encode("latin-1").decode("utf-8", "surrogateescape"), owner, int(mode, 8)


class _Names:
    """Owners by name, as chown(1) takes them."""

    def __init__(self, tree: Tree) -> None:
        self._users, self._groups = (_named(tree, path) for path in ("/etc/passwd", "/etc/group"))

    def owner(self, kept: Kept) -> str:
        return f"{self._users.get(str(kept.uid), kept.uid)}:{self._groups.get(str(kept.gid), kept.gid)}"


def _named(tree: Tree, path: str) -> dict[str, str]:
    lines = tree.read_text(path).splitlines() if tree.is_file(path) else []
    fields = [line.split(":") for line in reversed(lines)]
    return {each[2]: each[0] for each in fields if len(each) > 2 and _OWNER.fullmatch(each[0])}


def _blocks(commands: Iterable[Command], kept: Collection[int]) -> list[list[Command]]:
    """Commands that are carried out together: one whose files do not stay, with those that read them, and with those
    between that read anything of these. None reads what a later one makes.
    """
    blocks: list[list[Command]] = []
    for command in commands:
        gone = command.reads.difference(kept)
        made: set[int] = set()
        joined: list[Command] = []
        others: list[list[Command]] = []
        for block in blocks:
            makes = frozenset[int]().union(*(each.makes for each in block))
            if gone & makes or any(made & each.reads for each in block):
                made |= makes
                joined += block
            else:
                others.append(block)
        blocks = [*others, [*joined, command]]
    return blocks


def _check_defaults(command: Command, tree: Tree) -> None:
    for path, text in command.defaults:
        if not tree.is_file(path) or tree.read(path) != text:
            raise _not_left("is made by settings that are others later", path, command.package)


def _lines(command: Command, made: Collection[int], places: Mapping[int, Sequence[Kept]]) -> Iterator[str]:
    def word(each: Word) -> str:
        match each:
            case Made(number) if number not in made and number not in places:
                raise _not_left("is read, and is gone", "", command.package)
            case Made(number):
                return f'"$made/{number}"' if number in made else f'"$root"{_quoted(places[number][0].path)}'
            case Text():
                return '"$made/text"'
            case _:
                return quote(each)

    # No command takes more than one.
    for each in command.words:
        if isinstance(each, Text):
            yield f'{_printf(each.data)} >"$made/text"'
    assigned = [f"{name}={quote(value)}" for name, value in command.environment]
    line = " ".join(("env -i", *assigned, *map(word, command.words)))
    if isinstance(command.stdin, Made):
        line += f" <{word(command.stdin)}"
    elif command.stdin:
        line = f"{_printf(command.stdin)} | {line}"
    else:
        line += " </dev/null"
    yield line + (f" >{word(command.stdout)}" if command.stdout else "")


def _printf(data: bytes) -> str:
    """A command of one line that prints `data`."""
    text = data.decode("latin-1")
    if _PLAIN.fullmatch(text):
        return f"printf %s {quote(text)}"
    escaped = re.sub(r"\\|[^ -~\n]", lambda found: f"\\0{ord(found[0]):03o}", text).replace("\n", "\\n")
    return f"printf %b {quote(escaped)}"


def _quoted(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape").decode("latin-1"))
