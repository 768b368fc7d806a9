"""What scripts do, for people and programs that compare: accounts, units, alternatives, answers, files, line by line.

Effects are told from what became other in the tree, not by the programs that did it: what none of them would tell is
told as well.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal

from assembler.tree.changes import Entry
from assembler.tree.content import Unmade, chunks, read, size_of
from assembler.tree.staging import Kind, Tree
from assembler.tree.watched import Became, Watch

EffectKind = Literal[
    "user", "group", "password", "unit", "alternative", "diversion", "override", "answer", "trigger", "file",
    "directory", "link", "device", "mode", "owner", "attribute",
]  # fmt: skip
"""What is other: an account, a unit of systemd, an entry of dpkg's databases, an answer to debconf, or a path."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that a script does."""

    kind: EffectKind
    subject: str
    """The account, unit, question or path."""
    before: str
    """What it was; empty when it was not there."""
    after: str
    """What it is; empty when it is gone."""
    line: int = 0
    """The line of the script that does it; 0 when none does, as it is done by a rule or by what dpkg does besides."""


def told(became: Sequence[Became], tree: Tree, line: int = 0) -> list[Effect]:
    """The effects that led to what became other in `tree`; all in `line` of a script."""
    found: list[Effect] = []
    names = _Names(tree)
    for one in became:
        read_as = _database(one.path)
        if read_as is not None and all(each is None or each.kind is Kind.FILE for each in (one.before, one.after)):
            kind, parse = read_as
            before, after = (parse(_text(each)) if each else {} for each in (one.before, one.after))
            found += [
                Effect(kind, subject, before.get(subject, ""), after.get(subject, ""), line)
                for subject in sorted(before.keys() | after.keys())
                if before.get(subject, "") != after.get(subject, "")
            ]
            continue
        found += [
            Effect(kind, subject, before, after, line)
            for kind, subject, before, after in _of_path(one, names)
            if before != after
        ]
    return found


def described(effect: Effect) -> str:
    """An effect in a line."""
    if effect.before and effect.after:
        how = f"{effect.before} -> {effect.after}"
    else:
        how = effect.after or f"gone, was {effect.before}"
    return f"{effect.kind:11}  {effect.subject}  {how}"


def other(before: Sequence[Effect], after: Sequence[Effect]) -> tuple[tuple[Effect, ...], tuple[Effect, ...]]:
    """The effects of one version of a script that another has not, and those that only the other has, whatever the
    lines.
    """
    old, new = ({replace(effect, line=0) for effect in effects} for effects in (before, after))
    return (
        tuple(effect for effect in before if replace(effect, line=0) not in new),
        tuple(effect for effect in after if replace(effect, line=0) not in old),
    )


class EffectsOf:
    """What a script does in a tree that is watched, from now on, and which `triggers` it activates."""

    def __init__(self, watch: Watch, triggers: Sequence[str]) -> None:
        watch.forget()
        self._watch, self._triggers, self._activated = watch, triggers, len(triggers)
        self.found: list[Effect] = []

    def done(self, line: int) -> None:
        """Take all that is other since the last call for the work of `line`."""
        if became := self._watch.became():
            self.found += told(became, self._watch.tree, line)
        new = self._triggers[self._activated :]
        self.found += [Effect("trigger", name, "", "activated", line) for name in new]
        self._activated += len(new)


# --- paths -----------------------------------------------------------------------------------------------------------

_KINDS: Mapping[Kind, EffectKind] = {
    Kind.FILE: "file",
    Kind.DIR: "directory",
    Kind.SYMLINK: "link",
    Kind.CHAR: "device",
    Kind.BLOCK: "device",
    Kind.FIFO: "device",
}
_LINKED = {"wants": "wanted", "requires": "required", "upholds": "upheld"}
_UNIT = re.compile(r"/etc/systemd/(system|user)/(?:([^/]+)\.(wants|requires|upholds)/)?([^/]+)")


class _Names:
    """The names of owners in a tree."""

    def __init__(self, tree: Tree) -> None:
        self._users, self._groups = (
            {fields[2]: fields[0] for line in _lines(tree, path) if len(fields := line.split(":")) > 2}
            for path in ("/etc/passwd", "/etc/group")
        )

    def owner(self, entry: Entry) -> str:
        """As chown(1) takes it."""
        return f"{self._users.get(str(entry.uid), entry.uid)}:{self._groups.get(str(entry.gid), entry.gid)}"


def _lines(tree: Tree, path: str) -> list[str]:
    return tree.read_text(path).splitlines() if tree.is_file(path) else []


def _of_path(one: Became, names: _Names) -> Iterator[tuple[EffectKind, str, str, str]]:
    before, after, path = one.before, one.after, one.path
    first = after or before
    assert first is not None
    if (found := _UNIT.fullmatch(path)) and first.kind is Kind.SYMLINK:
        unit = found[4] if found[1] == "system" else f"{found[4]} (user)"
        yield "unit", unit, _link(before, found), _link(after, found)
        return
    if before is None or after is None or before.kind is not after.kind:
        if before and after and before.kind is not after.kind:
            yield _KINDS[before.kind], path, _what(before, names), ""
            before = None
        yield _KINDS[first.kind], path, _what(before, names), _what(after, names)
        return
    yield _KINDS[first.kind], path, _content(before), _content(after)
    yield "mode", path, f"{before.mode:04o}", f"{after.mode:04o}"
    yield "owner", path, names.owner(before), names.owner(after)
    for name in sorted({*before.xattrs, *after.xattrs}):
        yield "attribute", f"{path} {name}", before.xattrs.get(name, b"").hex(), after.xattrs.get(name, b"").hex()


def _link(entry: Entry | None, found: re.Match[str]) -> str:
    """What a link in the configuration of systemd does to a unit."""
    if entry is None:
        return ""
    if found[2]:
        return f"{_LINKED[found[3]]} by {found[2]}"
    if entry.target == "/dev/null":
        return "masked"
    return f"stands for {entry.target}"


def _what(entry: Entry | None, names: _Names) -> str:
    """All about a path that is new or gone."""
    if entry is None:
        return ""
    words = [_content(entry)]
    if entry.kind is not Kind.SYMLINK:
        words.append(f"{entry.mode:04o}")
    if entry.kind is not Kind.SYMLINK or (entry.uid, entry.gid) != (0, 0):
        words.append(names.owner(entry))
    words += [f"{name}={value.hex()}" for name, value in sorted(entry.xattrs.items())]
    return " ".join(word for word in words if word)


def _content(entry: Entry) -> str:
    match entry.kind:
        case Kind.FILE if isinstance(entry.content, Unmade):
            return "made by each node"
        case Kind.FILE:
            digest = sha256()
            for chunk in chunks(entry.content):
                digest.update(chunk)
            return f"{size_of(entry.content)} bytes, SHA-256 {digest.hexdigest()[:12]}"
        case Kind.SYMLINK:
            return f"to {entry.target}"
        case Kind.CHAR | Kind.BLOCK:
            return f"{entry.kind.name.lower()} {entry.device[0]}:{entry.device[1]}"
        case Kind.FIFO:
            return "FIFO"
        case Kind.DIR:
            return ""


# --- databases -------------------------------------------------------------------------------------------------------

_Parse = Callable[[str], dict[str, str]]


def _database(path: str) -> tuple[EffectKind, _Parse] | None:
    """How a file is read whose entries say more than its bytes."""
    if path.startswith("/var/lib/dpkg/alternatives/"):
        name = path.rpartition("/")[2]
        return "alternative", lambda text: {name: _alternative(text)} if text else {}
    return _DATABASES.get(path)


def _text(entry: Entry) -> str:
    return read(entry.content).decode("utf-8", "surrogateescape")


def _users(text: str) -> dict[str, str]:
    fields = [line.split(":") for line in text.splitlines()]
    return {
        each[0]: f"number {each[2]}, group {each[3]}, home {each[5]}, shell {each[6]}, {each[4]!r}"
        for each in fields
        if len(each) == 7
    }


def _groups(text: str) -> dict[str, str]:
    fields = [line.split(":") for line in text.splitlines()]
    return {
        each[0]: f"number {each[2]}" + (f", with {each[3]}" if each[3] else "") for each in fields if len(each) == 4
    }


def _passwords(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        password = rest.partition(":")[0]
        found[name] = "locked" if password[:1] in {"!", "*"} else "set" if password else "empty"
    return found


def _alternative(text: str) -> str:
    """Status, link, and what may stand there; see the source of update-alternatives(1) for the format."""
    lines = text.split("\n")
    choices = lines[lines.index("") + 1 :] if "" in lines else []
    paths = [f"{path} ({choices[at + 1]})" for at, path in enumerate(choices[:-1]) if path.startswith("/")]
    return f"{lines[0]}, {lines[1] if len(lines) > 1 else ''}: {', '.join(paths)}"


def _diversions(text: str) -> dict[str, str]:
    lines = text.splitlines()
    return {
        path: f"to {to} by {package}" for path, to, package in zip(lines[::3], lines[1::3], lines[2::3], strict=False)
    }


def _overrides(text: str) -> dict[str, str]:
    fields = [line.split(" ", 3) for line in text.splitlines()]
    return {each[3]: f"{each[2]} {each[0]}:{each[1]}" for each in fields if len(each) == 4}


def _answers(text: str) -> dict[str, str]:
    """What debconf's database of questions has: values, of which some are for this node alone and not shown."""
    found = {}
    for stanza in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if re.match(r"[A-Z]\w*: ", line))
        if "Name" in fields:
            seen = ", seen" if "seen" in fields.get("Flags", "") else ""
            found[fields["Name"]] = f"{fields.get('Value', 'its default')!r}{seen}"
    return found


def _secret(text: str) -> dict[str, str]:
    return dict.fromkeys(_answers(text), "kept secret")


_DATABASES: Mapping[str, tuple[EffectKind, _Parse]] = {
    "/etc/passwd": ("user", _users),
    "/etc/group": ("group", _groups),
    "/etc/shadow": ("password", _passwords),
    "/var/lib/dpkg/diversions": ("diversion", _diversions),
    "/var/lib/dpkg/statoverride": ("override", _overrides),
    "/var/cache/debconf/config.dat": ("answer", _answers),
    "/var/cache/debconf/passwords.dat": ("answer", _secret),
}
