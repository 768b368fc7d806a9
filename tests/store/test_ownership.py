"""Who else may change a directory: its owner, its mode, and all that is above it."""

import grp
import os
import pwd
from pathlib import Path

import pytest

from assembler.store.ownership import changeable, intruders

SOMEBODY = 65533
"""A user that owns nothing here."""


def test_a_directory_of_ones_own(tmp_path: Path) -> None:
    directory = tmp_path / "a/b"
    directory.mkdir(parents=True)
    assert intruders(directory) is None, "below the sticky directory for temporary files"
    assert intruders(Path("/")) is None


@pytest.mark.parametrize("mode", [0o777, 0o707, 0o702, 0o1777])
def test_what_others_may_write_to(tmp_path: Path, mode: int) -> None:
    directory = tmp_path / "a"
    directory.mkdir()
    directory.chmod(mode)
    assert intruders(directory) == (directory, f"others may write to it (mode {mode:04o})")
    assert changeable(directory) == f"others may write to it (mode {mode:04o})"


def test_a_directory_above_that_others_may_write_to(tmp_path: Path) -> None:
    directory = tmp_path / "open/b/c"
    directory.mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    found = intruders(directory)
    assert found is not None
    assert found[0] == tmp_path / "open"
    (tmp_path / "open").chmod(0o1777)
    assert intruders(directory) is None, "nobody else may replace what is in a sticky directory"


def test_links_and_where_they_lead(tmp_path: Path) -> None:
    (tmp_path / "open/real").mkdir(parents=True)
    (tmp_path / "safe").mkdir()
    link = tmp_path / "safe/link"
    link.symlink_to("../open/real")
    assert intruders(link) is None
    (tmp_path / "open").chmod(0o777)
    assert intruders(link) == (tmp_path / "open", "others may write to it (mode 0777)")
    absolute = tmp_path / "safe/absolute"
    absolute.symlink_to(tmp_path / "open/real")
    assert intruders(absolute) == intruders(link)
    (tmp_path / "open/back").symlink_to(tmp_path / "safe")
    assert intruders(tmp_path / "open/back") is not None, "the link could be replaced"
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(OSError, match="too many"):
        intruders(loop)


def test_somebody_elses(tmp_path: Path) -> None:
    """Of this user's directory, as another user sees it; root's are everybody's ground, so root gives it away first."""
    directory = tmp_path / "a"
    directory.mkdir()
    if os.geteuid() == 0:
        os.chown(directory, SOMEBODY, SOMEBODY)
        found = intruders(directory)
    else:
        found = intruders(directory, caller=SOMEBODY)
    assert found is not None
    assert found[1].startswith("it belongs to ")


def test_the_group_that_is_the_users_alone(tmp_path: Path) -> None:
    """umask 002 is harmless where each user has a group of its own, and is not where others are in it."""
    directory = tmp_path / "a"
    directory.mkdir()
    directory.chmod(0o775)
    user = pwd.getpwuid(os.geteuid())
    group = grp.getgrgid(directory.stat().st_gid)
    others = [one for one in pwd.getpwall() if one.pw_gid == group.gr_gid and one.pw_name not in {"root", user.pw_name}]
    alone = group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name} and not others
    assert (intruders(directory) is None) == alone
    if os.geteuid() == 0:
        os.chown(directory, 0, SOMEBODY)
        assert intruders(directory) is not None, "a group that is not ours"


def test_further_users_by_an_access_control_list(tmp_path: Path) -> None:
    directory = tmp_path / "a"
    directory.mkdir()
    # user::rwx user:65533:rwx group::--- mask::rwx other::---, as linux/posix_acl_xattr.h has it
    entries = ((0x01, 7, 0xFFFFFFFF), (0x02, 7, SOMEBODY), (0x04, 0, 0xFFFFFFFF), (0x10, 7, 0xFFFFFFFF),
               (0x20, 0, 0xFFFFFFFF))  # fmt: skip
    value = (2).to_bytes(4, "little") + b"".join(
        tag.to_bytes(2, "little") + bits.to_bytes(2, "little") + who.to_bytes(4, "little") for tag, bits, who in entries
    )
    os.setxattr(directory, "system.posix_acl_access", value)
    assert intruders(directory) == (directory, "others may write to it (mode 0770)")


def test_as_many_links_as_the_kernel_follows(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    for number in range(1, 42):
        (tmp_path / str(number)).symlink_to(str(number - 1))
    extra = sum(path.is_symlink() for path in tmp_path.parents)
    assert intruders(tmp_path / str(40 - extra)) is None
    with pytest.raises(OSError, match="too many symbolic links"):
        intruders(tmp_path / str(41 - extra))


def test_who_it_is_is_said(tmp_path: Path) -> None:
    """By name, or by number where there is no such user."""
    path = tmp_path / "a"
    path.touch()
    assert changeable(path) == ""
    path.chmod(0o606)
    assert changeable(path) == "others may write to it (mode 0606)"
    (tmp_path / "link").symlink_to("a")
    assert changeable(tmp_path / "link") == "", "its own mode says nothing"
    if os.geteuid() == 0:
        path.chmod(0o600)
        names = {one.pw_uid: one.pw_name for one in pwd.getpwall()}
        for user in (1, SOMEBODY):
            os.chown(path, user, 0)
            assert changeable(path) == f"it belongs to {names.get(user, f'user {user}')}"
            assert intruders(path) == (path, changeable(path))
    with pytest.raises(FileNotFoundError):
        intruders(tmp_path / "missing/x")
