"""What a file of rules says, as types."""

from typing import Annotated, Literal

from pydantic import Field

from assembler.recipe.shapes import Account, FileMode, ImagePath, Shape, UnitName
from assembler.recipe.strict import Strict

Id = Annotated[int, Field(ge=1, le=65533)]
"""Number of a user or group; root and nobody are not given."""
Name = Annotated[
    str, Shape(r"[a-z_][a-z0-9_-]{0,31}", "an account name", "lower-case letters, digits, _ and -, 32 at most")
]
PackagePattern = Annotated[
    str, Shape(r"[a-z0-9*][a-z0-9+.*-]+", "a package", "a package name, perhaps with one * for a version in it")
]
Sha256 = Annotated[str, Shape(r"[0-9a-f]{64}", "a digest", "SHA-256 in hexadecimal, as assemble check prints it")]
Text = Annotated[str, Shape(r"[^\x00-\x1f\x7f]+", "a line of text", "one line, not empty")]
Trigger = Annotated[str, Shape(r"[^\s\x00-\x1f\x7f]+", "a trigger", "a name, or a path for a file trigger")]


class Group(Strict):
    """A system group, made when there is none of that name."""

    name: Name
    gid: Id | None = None
    """Its number. Absent: the next free one of system groups."""


class User(Strict):
    """A system user without a password, made when there is none of that name."""

    name: Name
    uid: Id | None = None
    """Its number. Absent: the next free one of system users."""
    group: Name | None = None
    """Its primary group, which exists. Absent: one of its own name."""
    groups: list[Name] = []
    """Further groups that it belongs to."""
    home: ImagePath = "/nonexistent"
    """Its home, which is not made."""
    shell: ImagePath = "/usr/sbin/nologin"
    comment: Annotated[str, Shape(r"[^:,=\x00-\x1f\x7f]*", "a comment", "text without : , and =")] = ""


class Directory(Strict):
    """A directory, made with its parents."""

    path: ImagePath
    mode: FileMode = "0755"
    owner: Account = "root"
    group: Account = "root"


class File(Strict):
    """A file; what is there is replaced."""

    path: ImagePath
    content: str = ""
    mode: FileMode = "0644"
    owner: Account = "root"
    group: Account = "root"


class Link(Strict):
    """A symbolic link; a file or link that is there is replaced."""

    path: ImagePath
    target: Annotated[str, Shape(r"[^\x00-\x1f\x7f]+", "a target", "a path, absolute or relative to the link")]


class Mode(Strict):
    """Mode, owner and capabilities of what a package ships. What is not given stays."""

    path: ImagePath
    mode: FileMode | None = None
    owner: Account | None = None
    group: Account | None = None
    capabilities: Text | None = None
    """As setcap(8) takes them: `cap_net_raw=ep`."""


class Slave(Strict):
    """A link that follows its alternative."""

    name: Text
    link: ImagePath
    path: ImagePath


class Alternative(Strict):
    """An alternative, as `update-alternatives --install LINK NAME PATH PRIORITY`."""

    name: Text
    link: ImagePath
    path: ImagePath
    priority: int
    slaves: list[Slave] = []


class Units(Strict):
    """systemd units, as systemctl changes them."""

    enable: list[UnitName] = []
    disable: list[UnitName] = []
    mask: list[UnitName] = []


class Rule(Strict):
    """What a person says that a script or a command does on a fresh install, or what is to be done besides a package's
    scripts.

    The parts are carried out in the order of the keys.
    """

    package: PackagePattern
    """The package that it is for."""
    script: Literal["", "preinst", "postinst", "triggered"] = ""
    """The script that it stands for. Without it and `command`, it is carried out after the package is configured."""
    trigger: list[Trigger] = []
    """For `triggered`: what triggers it."""
    digest: list[Sha256] = []
    """With `script`: SHA-256 of the scripts that it is right for, as `assemble check` prints it; several for several
    versions."""
    command: str = ""
    """The command that it stands for, in all scripts of the package: words, in each of which `*` and `?` may stand for
    other characters; a last word `*` stands for any further words."""
    reason: Text
    """What the script does on a fresh install, or why there is nothing to do"""
    do: str = ""
    """A script of its own, carried out on the image's tree as those of packages are; nothing is run. What it prints is
    what the command prints, and its exit status the command's."""
    groups: list[Group] = []
    users: list[User] = []
    directories: list[Directory] = []
    files: list[File] = []
    links: list[Link] = []
    modes: list[Mode] = []
    alternatives: list[Alternative] = []
    units: Units = Units()


class Rules(Strict):
    """A whole file."""

    rule: list[Rule] = []
