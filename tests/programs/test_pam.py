"""pam-auth-update against files that the program of Debian 13 wrote from the same profiles."""

from pathlib import Path

import pytest

from assembler.programs.options import UsageError
from assembler.programs.pam import TYPES, PamError, pam_auth_update, parse_profile
from assembler.tree.staging import Tree
from tests.tree.disk import shown, tree_of

DATA = Path(__file__).parent / "data" / "pam"
STOCK = ("unix", "mkhomedir")


def fresh(*profiles: str) -> Tree:
    files = {f"/usr/share/pam/common-{kind}": (DATA / f"common-{kind}").read_bytes() for kind in TYPES}
    tree = tree_of(files)
    for name in profiles:
        add(tree, name)
    return tree


def add(tree: Tree, name: str) -> None:
    tree.write(f"/usr/share/pam-configs/{name}", (DATA / "profiles" / name).read_bytes(), parents=True)


def test_a_fresh_installation() -> None:
    tree = fresh(*STOCK)
    pam_auth_update(tree, ["--root", "", "--package", "--force"])
    for kind in TYPES:
        assert tree.read(f"/etc/pam.d/common-{kind}") == (DATA / "stock" / f"common-{kind}").read_bytes(), kind
    assert tree.read("/var/lib/pam/seen") == b"unix\nmkhomedir\n"


@pytest.mark.parametrize("together", [False, True])
def test_more_profiles_at_once_or_later(together: bool) -> None:  # noqa: FBT001  a parameter
    tree = fresh(*STOCK)
    if not together:
        pam_auth_update(tree, ["--package", "--force"])
    add(tree, "tickets")
    add(tree, "sessions")
    pam_auth_update(tree, ["--package"])
    for kind in TYPES:
        assert tree.read(f"/etc/pam.d/common-{kind}") == (DATA / "result" / f"common-{kind}").read_bytes(), kind
        assert tree.read(f"/var/lib/pam/{kind}") == (DATA / "state" / kind).read_bytes(), kind
    assert tree.read("/var/lib/pam/seen") == (DATA / "state" / "seen").read_bytes()


def test_enable_disable_and_remove() -> None:
    tree = fresh(*STOCK, "tickets")
    pam_auth_update(tree, ["--package"])
    before = shown(tree)
    pam_auth_update(tree, ["--enable", "mkhomedir"])
    assert "pam_mkhomedir.so" in tree.read_text("/etc/pam.d/common-session")
    pam_auth_update(tree, ["--disable", "mkhomedir"])
    assert shown(tree) == before
    pam_auth_update(tree, ["--package", "--remove", "tickets"])
    assert "tickets" not in tree.read_text("/etc/pam.d/common-auth") + tree.read_text("/var/lib/pam/seen")


def test_of_two_that_conflict_the_higher_priority_stays() -> None:
    tree = fresh(*STOCK)
    tree.write(
        "/usr/share/pam-configs/first",
        b"Name: f\nDefault: yes\nPriority: 300\nConflicts: unix, x\nAuth-Type: Primary\nAuth:\n required pam_f.so\n",
    )
    pam_auth_update(tree, ["--package"])
    assert "pam_unix" not in tree.read_text("/etc/pam.d/common-auth")


def test_changes_by_hand_are_not_lost() -> None:
    tree = fresh(*STOCK)
    pam_auth_update(tree, ["--package", "--force"])
    tree.write("/etc/pam.d/common-auth", b"auth required pam_permit.so\n")
    with pytest.raises(PamError) as caught:
        pam_auth_update(tree, ["--package"])
    assert caught.value.where.path == "/etc/pam.d/common-auth"
    pam_auth_update(tree, ["--force", "--package"])
    assert tree.read("/etc/pam.d/common-auth") == (DATA / "stock" / "common-auth").read_bytes()


def test_what_an_editor_leaves_is_no_profile() -> None:
    tree = fresh(*STOCK)
    profile = b"Name: x\nDefault: yes\nPriority: 900\nAuth-Type: Primary\nAuth:\n\trequired pam_evil.so\n"
    for name in ("unix~", "#unix#"):
        tree.write(f"/usr/share/pam-configs/{name}", profile)
    tally = profile.replace(b"pam_evil", b"pam_tally")
    tree.write("/usr/share/pam-configs/tally", tally)
    pam_auth_update(tree, ["--package", "--force"])
    assert tree.read("/var/lib/pam/seen") == b"unix\nmkhomedir\n"
    assert "pam_evil" not in tree.read_text("/etc/pam.d/common-auth")
    tree.write("/usr/share/pam-configs/##", profile)
    pam_auth_update(tree, ["--package", "--force"])
    assert "pam_evil" in tree.read_text("/etc/pam.d/common-auth")


@pytest.mark.parametrize(
    ("profile", "template"),
    [
        ("Name: x\nDefault: no\n", None),
        ("Name: x\nDefault: yes\nPriority: high\n", None),
        ("Name: x\nDefault: yes\nAuth-Type: Primary\nAuth:\n (\n", None),
        ("Name: x\nDefault: yes\n", "no markers\n"),
    ],
)
def test_what_cannot_be_put_together_is_an_error(profile: str, template: str | None) -> None:
    tree = fresh()
    tree.write("/usr/share/pam-configs/x", profile.encode(), parents=True)
    if template:
        tree.write("/usr/share/pam/common-auth", template.encode())
    with pytest.raises(PamError):
        pam_auth_update(tree, ["--package"])


def test_unknown_options_are_errors() -> None:
    with pytest.raises(UsageError):
        pam_auth_update(fresh(*STOCK), ["--frobnicate"])


def test_profiles_have_continuation_lines_and_session_counts_twice() -> None:
    profile = parse_profile("Name: A b\nSession-Type: Additional\nSession-Final:\n\tone\n\n\ttwo\n")
    assert profile["Session"] == profile["Session-noninteractive"] == "one\ntwo"
    assert profile["Session-noninteractive-Type"] == "Additional"
