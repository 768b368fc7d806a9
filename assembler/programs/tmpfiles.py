"""systemd-tmpfiles(8) ``--create`` on a tree that is not running, after tmpfiles.d(5) of systemd 257.

Lines for directories that are mounted over at boot (:data:`VOLATILE`) and lines marked ``!`` are for the running
system and are passed over, as are lines that depend on a credential (``^``) or on what only a running machine knows
(``%m`` before there is a machine id, ``%b``). ACLs (``a``, ``A``) and file attributes (``h``, ``H``) cannot be kept
in an image; systemd-tmpfiles-setup.service sets them at boot. ``--remove`` and ``--clean`` are not here.
"""

import base64
import binascii
import fnmatch
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from assembler.errors import AssembleError, Place
from assembler.programs.accounts import AccountError, Accounts, number_of
from assembler.programs.options import UsageError
from assembler.programs.specifiers import ConfError, NoValue, Specifiers, conf_files, unquote
from assembler.tree.bounds import MAX_MAJOR, MAX_MINOR
from assembler.tree.staging import Inode, Kind, Tree, TreeError

VOLATILE = ("/dev", "/proc", "/run", "/sys")
"""Directories whose contents in an image nobody sees."""
_FACTORY = "/usr/share/factory"
_GLOBS = "wxXrRzZtTaAhHem"
_OWNERS = "fFdDvqQpLcbCwexXrR"
_NOT_AT_BUILD = "xXrRaAhH"
_FOUND_SAFELY = "zmtahew"
"""Types that look at whose the directory of what they find is; those that go down do not."""
_DIRECTORIES = "dDvqQ"
_WRONG, _NOT_MADE = 65, 73
"""Exit statuses, after sysexits.h: a line that is wrong, and what cannot be made."""


class TmpfilesError(AssembleError):
    """A line of tmpfiles.d that is wrong or cannot be carried out."""

    status: int = _WRONG
    """The program's exit status for it."""


def _not_made(what: str, where: Place, *, status: int = _NOT_MADE) -> TmpfilesError:
    error = TmpfilesError(what, where=where)
    error.status = status
    return error


def exit_status(problems: Iterable[AssembleError]) -> int:
    """What the program ends with that complained of `problems`: a line that is wrong counts first."""
    found = {problem.status if isinstance(problem, TmpfilesError) else _WRONG for problem in problems}
    return _WRONG if _WRONG in found else max(found, default=0)


@dataclass(frozen=True, slots=True)
class _Line:
    """One line, its specifiers expanded and its names looked up."""

    type: str
    modifiers: str
    path: str
    mode: int | None
    mode_new: bool
    """The mode counts only for what is made new (``:``)."""
    mode_masked: bool
    """The mode is cut down by what the file has (``~``)."""
    uid: int | None
    uid_new: bool
    gid: int | None
    gid_new: bool
    argument: str
    where: Place

    @property
    def rest(self) -> tuple[object, ...]:
        """What two lines for one path must agree on."""
        return self.mode, self.mode_masked, self.uid, self.gid, self.argument


def tmpfiles_create(tree: Tree, names: Sequence[str] = ()) -> list[AssembleError]:
    """``systemd-tmpfiles --create [NAME...]``: carry out the named files of tmpfiles.d, or all of them.

    Lines that the program would complain of and pass over (an unknown user, say) are passed over and returned as
    errors. Raises ConfError when a named file is missing.
    """
    problems: list[AssembleError] = []
    accounts = Accounts(tree)
    specifiers = Specifiers(tree)
    # What is made and what is looked for by pattern go separate ways, as in the program.
    made: dict[str, list[_Line]] = {}
    globs: dict[str, list[_Line]] = {}
    for file in conf_files(tree, "tmpfiles.d", names):
        for number, text in enumerate(tree.read_text(file).splitlines(), start=1):
            if not text.strip() or text.lstrip()[0] in "#;":
                continue
            try:
                line = _parse(accounts, specifiers, text, Place(path=file, line=number))
            except NoValue:
                continue
            except (ConfError, TmpfilesError) as error:
                problems.append(error)
                continue
            if line is None:
                continue
            same = (globs if line.type in _GLOBS else made).setdefault(line.path, [])
            if line.type in _OWNERS and any(other.type in _OWNERS and other.rest != line.rest for other in same):
                continue  # the first line to make a path wins
            same.append(line)
    worker = _Worker(tree)
    for line in _ordered(made, globs):
        try:
            worker.carry_out(line)
        except TmpfilesError as error:
            if "-" not in line.modifiers:
                problems.append(error)
        except TreeError as error:
            if "-" not in line.modifiers:
                status = 0 if line.type in _DIRECTORIES else _NOT_MADE
                problems.append(_not_made(f"{error.what}: {line.path}", line.where, status=status))
    return problems


def _ordered(made: Mapping[str, Sequence[_Line]], globs: Mapping[str, Sequence[_Line]]) -> Iterator[_Line]:
    """The lines in their order: what makes something first, and before a path the nearest one above that has lines."""
    done: set[tuple[bool, str]] = set()
    for top in [(False, path) for path in made] + [(True, path) for path in globs]:
        chain: list[tuple[bool, str]] = [top]
        while chain[-1] not in done:
            above = [path for path in reversed(_parents(chain[-1][1])) if path in made or path in globs]
            if not above:
                break
            chain.append((above[0] not in made, above[0]))
        for key in reversed(chain):
            if key not in done:
                done.add(key)
                lines = (globs if key[0] else made)[key[1]]
                yield from sorted(lines, key=lambda line: (line.type not in _OWNERS, line.type))


def listed(texts: Iterable[str]) -> Callable[[str], bool]:
    """Tells of a path whether some files of tmpfiles.d have a line that sets its access control list at every boot.

    Lines with specifiers or quotes are passed over.
    """
    patterns: list[tuple[list[str], bool]] = []
    for text in texts:
        for line in text.splitlines():
            kind, path, *_ = [*line.split(None, 2), "", ""]
            if kind[:1] in {"a", "A"} and path.startswith("/") and not set("%\"'\\").intersection(path):
                patterns.append((path.rstrip("/").split("/"), kind[0] == "A"))

    def covers(path: str) -> bool:
        parts = path.split("/")
        return any(
            (len(parts) == len(wanted) or (below and len(parts) > len(wanted)))
            and all(map(fnmatch.fnmatchcase, parts, wanted))
            for wanted, below in patterns
        )

    return covers


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(2, len(parts))]


def _parse(accounts: Accounts, specifiers: Specifiers, text: str, where: Place) -> _Line | None:
    """Read one line; None when it has no effect on an image. Raises NoValue, ConfError, TmpfilesError."""
    words = unquote(text, where, maximum=6, unescape=True)
    action, path, mode, user, group, _, argument = [*words, *[""] * 7][:7]
    kind, modifiers = action[:1], action[1:]
    if not kind or kind not in "fFdDvqQpLcbCwexXrRzZtTaAhHm" or modifiers.strip("!-+=~^$?"):
        raise TmpfilesError(f"unknown type {action!r}", where=where)
    if not path:
        raise TmpfilesError("the line names no path", where=where)
    if "!" in modifiers or "^" in modifiers:
        return None
    path = posixpath.normpath(specifiers.expand(path, where))
    if not path.startswith("/"):
        raise TmpfilesError("the path is not absolute", where=where)
    path = "/" + path.lstrip("/")
    if any(path == directory or path.startswith(directory + "/") for directory in VOLATILE):
        return None
    argument = "" if argument == "-" else argument
    if "~" in modifiers:
        try:
            argument = base64.b64decode(argument, validate=True).decode("utf-8", "surrogateescape")
        except binascii.Error as error:
            raise TmpfilesError("the argument is no Base64", where=where, why=str(error)) from error
    elif kind in "fFwLCtT":
        argument = specifiers.expand(argument, where)
    if kind in "fFw" and "~" not in modifiers:
        argument = _unescape(argument, where)
    number = re.fullmatch(r"([:~]*)([0-7]+|-|)", mode)
    if number is None:
        raise TmpfilesError(f"{mode!r} is no mode", where=where)
    try:
        uid, uid_new = _owner(accounts.uid, specifiers.expand(user, where))
        gid, gid_new = _owner(accounts.gid, specifiers.expand(group, where))
    except AccountError as error:
        raise TmpfilesError(error.what, where=where) from error
    return _Line(
        "z" if kind == "m" else kind,
        modifiers,
        path,
        int(number[2], 8) & 0o7777 if number[2] not in {"", "-"} else None,
        ":" in number[1],
        "~" in number[1],
        uid,
        uid_new,
        gid,
        gid_new,
        argument,
        where,
    )


def _owner(look_up: Callable[[str], int], text: str) -> tuple[int | None, bool]:
    name = text.removeprefix(":")
    return (None if name in {"", "-"} else look_up(name)), text.startswith(":")


def _unescape(text: str, where: Place) -> str:
    """Read the C escapes of an argument, which is not split at blanks."""
    if "\\" not in text:
        return text
    quoted = text.replace('"', '\\"')
    return unquote(f'"{quoted}"', where, unescape=True)[0]


def _require_safe(owner: int, inode: Inode, path: str) -> None:
    """Raise UsageError when `owner`, who has the directory that it is in, may have put another's file there."""
    if owner not in {0, inode.uid}:
        raise UsageError("systemd-tmpfiles with what lies in another user's directory", why=path)


class _Worker:
    """Carries lines out."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    def carry_out(self, line: _Line) -> None:
        """Raises TmpfilesError, TreeError, and UsageError where others than root own what the path leads through.

        The program does not go from there to what somebody else owns.
        """
        for path in _glob(self.tree, line.path) if line.type in _GLOBS else (line.path,):
            owner = 0
            for above in _parents(path):
                inode = self.tree.get(above, follow=True)
                if inode is None and self.tree.lexists(above):
                    raise UsageError("systemd-tmpfiles with what lies behind a dangling link", why=above)
                if inode is None:
                    break
                _require_safe(owner, inode, above)
                owner = inode.uid
            if line.type in _FOUND_SAFELY and (found := self.tree.get(path)) is not None:
                _require_safe(owner, found, path)
        if line.type in _NOT_AT_BUILD:
            return
        if line.type in _GLOBS:
            for path in list(_glob(self.tree, line.path)):
                self._adjust_found(line, path)
        elif line.type in _DIRECTORIES:
            self._directory(line)
        elif line.type in "fF":
            self._file(line)
        elif line.type == "L":
            self._symlink(line)
        elif line.type == "C":
            self._copy(line)
        else:
            self._special(line)

    def _adjust_found(self, line: _Line, path: str) -> None:
        inode = self.tree.get(path, follow=line.type in "we")
        if inode is None:
            return
        if line.type == "w":
            data = line.argument.encode("utf-8", "surrogateescape")
            old = self.tree.read(path)
            # Without "+" the file is written over from its start, but not cut.
            self.tree.write(path, old + data if "+" in line.modifiers else data + old[len(data) :])
        elif line.type in "tT":
            for _, found in self.tree.walk(path) if line.type == "T" else [(path, inode)]:
                for word in unquote(line.argument, line.where):
                    name, equals, value = word.partition("=")
                    if not equals:
                        raise TmpfilesError(f"{word!r} is no attribute and value", where=line.where)
                    found.xattrs[name] = value.encode("utf-8", "surrogateescape")
        elif line.type == "Z":
            for _, found in self.tree.walk(path):
                self._adjust(line, found)
        elif line.type != "e" or inode.kind is Kind.DIR:
            self._adjust(line, inode)

    def _adjust(self, line: _Line, inode: Inode, *, new: bool = False) -> None:
        """Set owner and mode as far as the line gives them."""
        if line.uid is not None and (new or not line.uid_new):
            inode.uid = line.uid
        if line.gid is not None and (new or not line.gid_new):
            inode.gid = line.gid
        if line.mode is None or inode.kind is Kind.SYMLINK or (line.mode_new and not new):
            return
        mode = line.mode
        if line.mode_masked and not new:
            old = inode.mode
            if not old & 0o111:
                mode &= ~0o111
            if not old & 0o222:
                mode &= ~0o222
            if not old & 0o444:
                mode &= ~0o444
            if inode.kind is not Kind.DIR:
                mode &= ~0o7000
        inode.mode = mode

    def _in_the_way(self, line: _Line, kind: Kind) -> Inode | None:
        """What is at the path: with ``=`` (or ``+`` for links and devices), another kind of file is removed first."""
        found = self.tree.get(line.path)
        if found is not None and found.kind is not kind and "=" in line.modifiers:
            self.tree.discard(line.path)
            return None
        return found

    def _directory(self, line: _Line) -> None:
        found = self._in_the_way(line, Kind.DIR)
        if found is not None:
            if found.kind is Kind.SYMLINK:
                return
            if found.kind is not Kind.DIR:
                # The program says so, and that is all.
                raise _not_made("a file is in the way of a directory", line.where, status=0)
            self._adjust(line, found)
            return
        self._adjust(line, self.tree.mkdir(line.path, parents=True), new=True)

    def _file(self, line: _Line) -> None:
        found = self._in_the_way(line, Kind.FILE)
        if found is not None and found.kind is not Kind.FILE:
            raise _not_made("something that is no file is in the way of one", line.where)
        data = line.argument.encode("utf-8", "surrogateescape")
        if found is None:
            self._adjust(line, self.tree.write(line.path, data, parents=True), new=True)
            return
        if line.type == "F" or "+" in line.modifiers:
            self.tree.write(line.path, data)
        self._adjust(line, found)

    def _symlink(self, line: _Line) -> None:
        target = line.argument or f"{_FACTORY}{line.path}"
        if "?" in line.modifiers and not self.tree.exists(posixpath.join(posixpath.dirname(line.path), target)):
            return
        found = self._in_the_way(line, Kind.SYMLINK)
        if found is not None:
            if found.kind is Kind.SYMLINK and found.target == target:
                self._adjust(line, found)
                return
            if "+" not in line.modifiers:
                return
            self.tree.discard(line.path)
        self._adjust(line, self.tree.symlink(target, line.path, parents=True), new=True)

    def _copy(self, line: _Line) -> None:
        source = line.argument or f"{_FACTORY}{line.path}"
        origin = self.tree.get(source, follow=True)
        if origin is None:
            return
        found = self.tree.get(line.path)
        if (
            found is None
            or ("+" in line.modifiers and found.kind is Kind.DIR)
            or (found.kind is Kind.DIR and origin.kind is Kind.DIR and not found.children)
        ):
            directory = posixpath.dirname(line.path)
            self.tree.mkdir(directory, parents=True)
            top = self.tree.resolve(source, follow=True)
            for path, inode in list(self.tree.walk(top)):
                self._copy_one(inode, line.path + path[len(top) :])
        self._adjust(line, self.tree.at(line.path), new=found is None)

    def _copy_one(self, inode: Inode, path: str) -> None:
        if self.tree.lexists(path):
            return
        copy = Inode(
            inode.kind, inode.mode, inode.uid, inode.gid, self.tree.mtime, content=inode.content, target=inode.target,
            device=inode.device,
        )  # fmt: skip
        copy.xattrs.update(inode.xattrs)
        self.tree.put(path, copy)

    def _special(self, line: _Line) -> None:
        kind = {"p": Kind.FIFO, "c": Kind.CHAR, "b": Kind.BLOCK}[line.type]
        found = self.tree.get(line.path)
        if found is not None and found.kind is not kind and {"+", "="} & set(line.modifiers):
            self.tree.discard(line.path)
            found = None
        if found is None:
            device = (0, 0)
            if kind is not Kind.FIFO:
                major, _, minor = line.argument.partition(":")
                numbers = number_of(major), number_of(minor)
                if numbers[0] is None or numbers[1] is None or numbers[0] > MAX_MAJOR or numbers[1] > MAX_MINOR:
                    raise TmpfilesError(f"{line.argument!r} is no device number", where=line.where)
                device = numbers[0], numbers[1]
            found = self.tree.put(line.path, Inode(kind, 0o644, mtime=self.tree.mtime, device=device), parents=True)
            self._adjust(line, found, new=True)
        elif found.kind is kind:
            self._adjust(line, found)


def _glob(tree: Tree, pattern: str) -> Iterator[str]:
    """The paths that match a pattern of glob(7) with braces, sorted; a name that starts with a dot needs one."""
    brace = re.search(r"\{([^{}]*)\}", pattern)
    if brace:
        for choice in brace[1].split(","):
            yield from _glob(tree, pattern[: brace.start()] + choice + pattern[brace.end() :])
        return
    found = [""]
    for part in pattern.strip("/").split("/"):
        if not re.search(r"[*?\[]", part):
            found = [f"{path}/{part}" for path in found]
            continue
        found = [
            f"{path}/{name}"
            for path in found
            for name in tree.names(path or "/")
            if fnmatch.fnmatchcase(name, part) and (not name.startswith(".") or part.startswith("."))
        ]
    yield from (path for path in found if tree.lexists(path))
