"""What a recipe adds to the packages of a root file system: files, directories, accounts and units, as types."""

from typing import Annotated

from pydantic import Field

from assembler.recipe.shapes import Account, FileMode, ImagePath, Password, PublicKey, Sha256, Url
from assembler.recipe.strict import Strict
from assembler.recipe.system_shapes import (
    Below,
    Comment,
    DropInName,
    HomeOrShell,
    OrNobody,
    OrNoMode,
    OwnedBy,
    SudoRule,
    TreePattern,
    UnitText,
)

SystemId = Annotated[int, Field(ge=100, le=59999)]
"""Number of a user or group; those below are Debian's own."""


class File(Strict):
    """One file that the recipe puts into the image."""

    path: ImagePath
    """Absolute path in the image."""
    content: str | None = None
    """Its text. Exactly one of `content`, `source`, `url` and `link` says what the file is."""
    source: str | None = None
    """A host file that holds its bytes, relative to the recipe file that says so. It may be of any size."""
    url: Url = ""
    """An address from where it is fetched when locking, as its `sha256` says."""
    sha256: Sha256 = ""
    """SHA-256 of what `url` has, in hex; required with it."""
    template: bool = False
    """Whether `${NAME}` in the text of `source` stands for an argument, as it does in the recipe itself."""
    link: str | None = None
    """The target, for a symbolic link; it has no mode and belongs to root."""
    mode: FileMode = "0644"
    """Permission bits."""
    owner: Account = "root"
    """User, by its name in the image's passwd or by number."""
    group: Account = "root"
    """Group, by its name in the image's group or by number."""

    @property
    def private(self) -> bool:
        """Whether not everybody on the node may read it; then nothing outside the root file system has its bytes."""
        return self.link is None and not self.url and not int(self.mode, 8) & 0o004


class Directory(Strict):
    """A directory that the recipe puts into the image, or one there is, whose mode and owner it says."""

    path: ImagePath
    """Absolute path in the image."""
    mode: OrNoMode = ""
    """Permission bits. Empty: 0755 for a new one; one that is there keeps its own."""
    owner: OrNobody = ""
    """User, by its name in the image's passwd or by number. Empty: root for a new one."""
    group: OrNobody = ""
    """Group, by its name in the image's group or by number. Empty: root for a new one."""


class FileTree(Strict):
    """A directory of the host whose files the recipe puts into the image: all that is below it.

    Its files come as they would from version control: those that their owner may execute with mode 0755, others with
    0644, directories 0755, all of them root's. Links stay links. Times, owners and other permissions count for nothing.
    """

    source: str
    """The directory, relative to the recipe file that says so."""
    path: Below = "/"
    """The directory in the image that it is laid over."""
    exclude: list[TreePattern] = []
    """What is left out, with all below it: patterns as of `rootfs.exclude` over paths below `source`;
    those without a `/` are over names, at any depth."""
    modes: dict[TreePattern, FileMode] = {}
    """Modes of files and directories by pattern; of several that fit, the last counts."""
    owners: dict[TreePattern, OwnedBy] = {}
    """User, or `USER:GROUP`, by pattern; of several that fit, the last counts."""


class Group(Strict):
    """A group that the recipe adds, as addgroup(8) does."""

    gid: SystemId | None = None
    """Its number. Absent: the first that is free."""
    system: bool = False
    """Whether it is one of the system: its number is below 1000 then."""


class User(Strict):
    """A user that the recipe adds, as adduser(8) does, or says more of: one that a package has made."""

    uid: SystemId | None = None
    """Its number, and that of the group with its name. Absent: the first that is free."""
    system: bool = False
    """Whether it is a user of the system: a number below 1000, no shell and no home directory, unless it has them
    here."""
    comment: Comment = ""
    """Its full name (GECOS)."""
    group: OrNobody = ""
    """The user's own group, which exists; empty for one of the user's name."""
    groups: list[Account] = []
    """Further groups that it is a member of; they exist."""
    home: HomeOrShell = ""
    """Home directory; empty for `/home/NAME`, and none for a user of the system."""
    shell: HomeOrShell = ""
    """Login shell, which the image has; empty for adduser's default."""
    password: Password = Field(default="!", repr=False)
    """Password in clear, or a crypt(5) hash, or `!` for none, as `root_password`."""
    ssh_authorized_keys: list[PublicKey] = []
    """Public keys that it logs in with, in its `~/.ssh/authorized_keys`."""
    sudo: bool | SudoRule = False
    """Whether sudo(8) lets it do everything without asking for a password; or the rule, as sudoers(5) has it after the
    user's name: `ALL=(ALL:ALL) ALL`."""

    @property
    def has_password(self) -> bool:
        """Whether it has one, which is a secret."""
        return self.password != "!"  # noqa: S105  a mark, which is no password


class Unit(Strict):
    """A unit of systemd's: a text of its own, and what is put over another's."""

    content: UnitText = ""
    """Text of the unit, for `/etc/systemd/system`; empty where only `drop_ins` are given, for a unit of a package."""
    drop_ins: dict[DropInName, UnitText] = {}
    """Texts over that of the unit, by name: `10-limits.conf` (systemd.unit(5))."""
    enable: bool = False
    """Whether it is enabled, as with `rootfs.enable`."""
