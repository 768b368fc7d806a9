"""Unpacking packages into the staging tree, by dpkg's rules for a fresh installation.

What dpkg's tarobject() decides per member is decided here: directories that are there already are left as they are, a
path that two packages ship needs a Replaces or a diversion, excluded paths are recorded but not made. On top of that,
archives are held to what a Debian package has a reason to contain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assembler.debian.deb import Deb
from assembler.debian.package import Aside, Unpacked
from assembler.debian.paths import PathFilter
from assembler.debian.relations import parse_relations
from assembler.debian.version import satisfies
from assembler.errors import AssembleError, Place, Problems
from assembler.tree.bounds import MAX_OWNER, unfit
from assembler.tree.content import Slice, read
from assembler.tree.digest import md5
from assembler.tree.staging import Inode, Kind, Tree
from assembler.tree.tar import Member

_ACCOUNTS = ("/usr/share/base-passwd/passwd.master", "/usr/share/base-passwd/group.master")
"""The static users and groups, from which base-passwd makes the first passwd and group."""
_MAX_ACCOUNTS = 1 << 20
"""Bytes of the largest list of them."""
MAX_UNLISTED = 10_000
"""Directories that a package may leave out though its files lie in them: they take memory, and no room in the
package."""
MAX_FOLLOWED = 32 << 20
"""Characters of links' targets that finding the directories of all files may go through: one may lead through
160,000."""
MAX_CONFLICTS = 100
"""Paths of several packages that are told, all at once; two versions of one package have all of theirs in common."""
_SUMS = "md5sums"
_MERGED = frozenset({"usr-is-merged", "usrmerge"})
"""Packages of which one is in a system whose /usr is merged."""
_ALIASES = ("/bin", "/sbin", "/lib", "/lib64")
"""The directories that are links then, where an architecture has them."""
_KINDS = {"0": Kind.FILE, "1": Kind.FILE, "2": Kind.SYMLINK, "5": Kind.DIR, "6": Kind.FIFO}


class UnpackError(AssembleError):
    """A package that cannot be unpacked over the others."""


@dataclass(frozen=True, slots=True)
class Diversion:
    """`path`, when another package than `package` ships it, is unpacked as `to` (dpkg-divert(1))."""

    path: str
    to: str
    package: str


def replaces(new: Deb, old: Deb) -> bool:
    """Whether `new` has a Replaces that `old` satisfies (Debian policy 7.6.1). Virtual packages do not count."""
    return any(
        relation.name == old.name and satisfies(old.fields["Version"], relation.operator, relation.version)
        for alternatives in parse_relations(new.fields.get("Replaces", ""), package=new.name)
        for relation in alternatives
    )


@dataclass(slots=True)
class Unpacker:
    """Unpacks packages one after another into `tree`.

    Times later than `latest` (seconds) are clamped to it. An owner's name in a package comes before the number, as dpkg
    and tar have it, where `users` or `groups` has that name.
    """

    tree: Tree
    latest: int
    paths: PathFilter = field(default_factory=PathFilter)
    diversions: Mapping[str, Diversion] = field(default_factory=dict)
    users: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)
    _owners: dict[str, Deb] = field(default_factory=dict)
    _taken: dict[str, set[str]] = field(default_factory=dict)
    _directories: dict[str, tuple[str, Inode]] = field(default_factory=dict)
    _aside: dict[str, list[Aside]] = field(default_factory=dict)
    _named: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    _sums: dict[str, bytes] = field(default_factory=dict)
    _followed: int = field(init=False, default=0)
    _conflicts: list[UnpackError] = field(init=False, default_factory=list)
    _more: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._followed = self.tree.followed

    def unpack(self, deb: Deb) -> None:
        """Unpack one package. A path that is another's is noted for :meth:`require_no_conflicts`.

        Raises UnpackError for hostile content: device nodes, a path listed twice, a path below a symbolic link of the
        same package, a hard link to nothing, very many directories that the package does not list, directories that
        are reached through very long links.
        """
        made: dict[str, Inode | Member] = {}
        links: set[str] = set()
        above = {"/", ""}
        for member in deb.members:
            path = member.path
            if path == "/":
                continue
            if self.tree.followed - self._followed > MAX_FOLLOWED:
                raise UnpackError(
                    "packages' files lie in directories that are reached through absurdly long links",
                    where=Place(package=deb.name, path=path),
                )
            self._check(deb, member, made, links, above)
            is_directory, is_link = member.type == "5", member.type == "2"
            if is_link:
                links.add(path)
            if self.paths.skips(path, directory_or_link=is_directory or is_link):
                made[path] = member
                continue
            where = self._diverted(path, deb)
            parent_path, _, name = where.rpartition("/")
            canonical, parent = self._directory(parent_path, deb)
            here = f"{canonical}/{name}"
            if canonical != parent_path and (why := unfit(here)):
                raise UnpackError(
                    "a package ships a path that is too long behind the links of others",
                    where=Place(package=deb.name, path=path),
                    why=why,
                )
            there = parent.children.get(name)
            keep = (is_link and there is not None and there.kind is Kind.DIR) or (
                is_directory and there is not None and self._is_directory(there, here)
            )
            if not keep:
                other = self._owners.get(here)
                if other is not None and other is not deb:
                    if replaces(deb, other):
                        self._taken.setdefault(other.name, set()).add(path)
                    elif replaces(other, deb):
                        self._taken.setdefault(deb.name, set()).add(path)
                        made[path] = member
                        continue
                    elif there is not None and not is_directory:
                        made[path] = self._conflict(deb, member, other, made)
                        continue
            if keep:
                continue
            inode = self._inode(deb, member, made)
            if there is not None and there.children:
                raise UnpackError(
                    "a package ships a file where a directory with files is",
                    where=Place(package=deb.name, path=path),
                )
            parent.children[name] = made[path] = inode
            self._owners[here] = deb
            user, group = _unknown(member.user, self.users), _unknown(member.group, self.groups)
            if user or group:
                self._named.setdefault(deb.name, []).append((path, user, group))
        if _SUMS not in deb.control:
            self._sums[deb.name] = _sums(deb, made)

    def _conflict(self, deb: Deb, member: Member, other: Deb, made: Mapping[str, Inode | Member]) -> Inode | Member:
        """Note that `other` has what `deb` ships, too: for good, or until scripts have diverted one of them."""
        error = UnpackError(
            "two packages ship the same path",
            where=Place(package=deb.name, path=member.path),
            why=f"{other.name} has it too, and neither Replaces the other",
            hint="drop one of the two packages",
        )
        aside = self._aside.setdefault(deb.name, [])
        conffile = member.path.encode("utf-8", "surrogateescape") in deb.control.get("conffiles", b"").split()
        if len(aside) < MAX_CONFLICTS and member.type in "02" and not conffile and (_diverts(deb) or _diverts(other)):
            inode = self._inode(deb, member, made)
            aside.append(Aside(member.path, inode, other.name, error))
            return inode
        if len(self._conflicts) < MAX_CONFLICTS:
            self._conflicts.append(error)
        else:
            self._more += 1
        return member

    def require_no_conflicts(self) -> None:
        """Raise UnpackError when two packages ship the same path, and Problems with all of them when several do."""
        if len(self._conflicts) == 1:
            raise self._conflicts[0]
        if self._more:
            self._conflicts.append(UnpackError(f"packages ship {self._more} more paths of others"))
        if self._conflicts:
            raise Problems(self._conflicts)

    def _check(
        self, deb: Deb, member: Member, made: Mapping[str, Inode | Member], links: set[str], above: set[str]
    ) -> None:
        """Refuse what no package has a reason to ship. `above` are the directories that members lie in, grown here."""
        path = member.path
        where = Place(package=deb.name, path=path)
        if member.type in "34":
            raise UnpackError("a package ships a device node", where=where, hint="devices are made when booting")
        if "\n" in path:
            raise UnpackError("a package ships a path with a line feed", where=where)
        if path in made:
            raise UnpackError("a package ships the same path twice", where=where)
        if member.type == "2" and path in above:
            raise UnpackError("a package ships a symbolic link where it has a directory", where=where)
        # Every directory is looked at once: a package can be a million files, and a path very deep.
        parent = path.rpartition("/")[0]
        while parent not in above:
            if parent in links:
                raise UnpackError(
                    "a package ships a path below its own symbolic link",
                    where=where,
                    why=f"{parent} is a symbolic link in the same package",
                )
            above.add(parent)
            parent = parent.rpartition("/")[0]
        if len(above) > len(deb.members) + MAX_UNLISTED:
            raise UnpackError(
                "a package's files lie in too many directories that it does not ship",
                where=where,
                why=f"more than {MAX_UNLISTED}",
            )

    def _diverted(self, path: str, deb: Deb) -> str:
        diversion = self.diversions.get(path)
        return path if diversion is None or diversion.package == deb.name else diversion.to

    def _directory(self, path: str, deb: Deb) -> tuple[str, Inode]:
        """The canonical path (without a trailing slash) and inode of a member's parent."""
        found = self._directories.get(path)
        if found is None:
            inode = self.tree.get(path, follow=True)
            if inode is None or inode.kind is not Kind.DIR:
                raise UnpackError(
                    "a package ships a path in a directory that is not there",
                    where=Place(package=deb.name, path=path),
                    hint="dpkg does not make it either: the package has to ship it",
                )
            found = (self.tree.resolve(path, follow=True).rstrip("/"), inode)
            self._directories[path] = found
        return found

    def _is_directory(self, inode: Inode, path: str) -> bool:
        return inode.kind is Kind.DIR or (inode.kind is Kind.SYMLINK and self.tree.is_dir(path))

    def _inode(self, deb: Deb, member: Member, made: Mapping[str, Inode | Member]) -> Inode:
        if member.type == "1":
            target = made.get(member.target)
            if isinstance(target, Inode) and target.kind is Kind.FILE:
                return target
            if isinstance(target, Member) and target.type == "0":
                # The target itself is excluded or replaced: its bytes are still in the package.
                member = target._replace(path=member.path)
            else:
                raise UnpackError(
                    "a hard link to what the package does not ship before it",
                    where=Place(package=deb.name, path=member.path),
                    why=f"its target is {member.target}",
                )
        inode = Inode(
            _KINDS[member.type],
            0o777 if member.type == "2" else member.mode,
            self.users.get(member.user, member.uid),
            self.groups.get(member.group, member.gid),
            min(max(member.mtime, 0), self.latest),
            content=Slice(str(deb.data), member.offset, member.size) if member.type == "0" else b"",
            target=member.target if member.type == "2" else "",
        )
        if member.xattrs:
            inode.xattrs = {key: value.encode("latin-1") for key, value in member.xattrs.items()}
        return inode

    def result(self, debs: Sequence[Deb]) -> list[Unpacked]:
        """What is unpacked, for each of `debs` in that order, with paths that others took over left out."""
        return [
            Unpacked(
                name=deb.name,
                version=deb.fields["Version"],
                architecture=deb.fields["Architecture"],
                fields=deb.fields,
                control=deb.control,
                paths=_listing(deb, self._taken.get(deb.name, set())),
                named=tuple(
                    one for one in self._named.get(deb.name, ()) if one[0] not in self._taken.get(deb.name, ())
                ),
                aside=tuple(self._aside.get(deb.name, ())),
                sums=self._sums.get(deb.name),
            )
            for deb in debs
        ]


def _unknown(name: str, known: Mapping[str, int]) -> str:
    """`name`, unless it is known or root's, which every system has."""
    return "" if name in known or name == "root" else name


def _diverts(deb: Deb) -> bool:
    """Whether a package may divert files of others before it is unpacked."""
    return b"dpkg-divert" in deb.control.get("preinst", b"")


def _sums(deb: Deb, made: Mapping[str, Inode | Member]) -> bytes:
    """The digests of the files of a package that were `made`, as dpkg writes them down where a package has none."""
    digests: dict[int, str] = {}
    lines = []
    for member in deb.members:
        inode = made.get(member.path)
        if isinstance(inode, Inode) and inode.kind is Kind.FILE:
            # The names of a file have one inode.
            if id(inode) not in digests:
                digests[id(inode)] = md5(inode.content)
            lines.append(f"{digests[id(inode)]}  {member.path[1:]}\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


def _listing(deb: Deb, taken: set[str]) -> tuple[str, ...]:
    """What dpkg lists, which makes symbolic links at last, wherever they are in the package."""
    members = sorted(deb.members, key=lambda member: member.type == "2")
    return tuple("/." if member.path == "/" else member.path for member in members if member.path not in taken)


def numbers(debs: Sequence[Deb], path: str) -> dict[str, int]:
    """The accounts of `path`, a passwd(5) or group(5) that one of `debs` ships, by name; of a name the first counts."""
    found: dict[str, int] = {}
    for deb in debs:
        for member in deb.members:
            if member.path == path and member.type == "0" and member.size <= _MAX_ACCOUNTS:
                for line in (
                    read(Slice(str(deb.data), member.offset, member.size)).decode("ascii", "replace").split("\n")
                ):
                    name, _, number, *_ = [*line.split(":", 3), "", "", ""]
                    if number.isdecimal() and len(number) <= 10 and int(number) <= MAX_OWNER:
                        found.setdefault(name, int(number))
    return found


def _merge(tree: Tree, debs: Sequence[Deb], latest: int) -> None:
    """Make the links of a merged /usr in `tree` if the packages want them, do not ship them, and nobody has yet."""
    names = {deb.name for deb in debs}
    if "base-files" not in names or names.isdisjoint(_MERGED):
        return
    shipped = {(member.path, member.type) for deb in debs for member in deb.members if member.path in _ALIASES}
    if any(kind == "2" for _, kind in shipped):
        return
    for path in _ALIASES:
        if (path, "5") in shipped and not tree.lexists(path):
            tree.mkdir(f"/usr{path}", parents=True)
            tree.symlink(f"usr{path}", path)
            for each in ("/usr", f"/usr{path}", path):
                tree.at(each).mtime = latest


def unpack(
    tree: Tree,
    debs: Sequence[Deb],
    *,
    latest: int,
    paths: PathFilter | None = None,
    diversions: Sequence[Diversion] = (),
) -> list[Unpacked]:
    """Unpack `debs` into `tree` in the given order; see :class:`Unpacker`.

    Raises UnpackError, and Problems with all paths that two packages ship. Where the preinst of one of the two may
    divert it, the second is put aside: `aside` of what is returned has it.

    Owners' names are those of Debian's static accounts, when base-passwd is among `debs`. Where packages want the
    directories of /usr merged, and base-files does not ship the links as yet (bookworm), these are there before
    anything is unpacked, as debootstrap makes them.
    """
    _merge(tree, debs, latest)
    users, groups = (numbers(debs, path) for path in _ACCOUNTS)
    unpacker = Unpacker(tree, latest, paths or PathFilter(), {item.path: item for item in diversions}, users, groups)
    try:
        for deb in debs:
            unpacker.unpack(deb)
    except UnpackError:
        # It may come of the conflicts before it.
        unpacker.require_no_conflicts()
        raise
    unpacker.require_no_conflicts()
    return unpacker.result(debs)
