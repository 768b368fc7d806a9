"""What scripts leave and no image has is taken out of what a machine made."""

import struct

from assembler.configure.leftovers import left_over, take_lists, take_out, without, without_mask
from assembler.tree.changes import Changes, Entry
from assembler.tree.staging import Kind, Tree
from tests.tree.disk import tree_of


def entry(content: bytes = b"", *, kind: Kind = Kind.FILE, mode: int = 0o644, **fields: object) -> Entry:
    return Entry(kind=kind, mode=mode, uid=0, gid=0, mtime=5, content=content, **fields)  # type: ignore[arg-type]


def test_the_machine_has_no_identity() -> None:
    changes = without(
        Changes(
            put={
                "/etc/machine-id": entry(b"0123456789abcdef0123456789abcdef\n"),
                "/var/lib/dbus/machine-id": entry(b"0123456789abcdef0123456789abcdef\n"),
                "/etc/ssh/ssh_host_rsa_key": entry(b"secret", mode=0o600),
                "/etc/motd": entry(b"hello\n"),
            }
        )
    )
    assert changes.put == {
        "/etc/machine-id": entry(mode=0o444),
        "/var/lib/dbus/machine-id": entry(kind=Kind.SYMLINK, mode=0o777, target="/etc/machine-id"),
        "/etc/motd": entry(b"hello\n"),
    }


def test_one_identity_under_two_names() -> None:
    both = Changes(put={"/etc/machine-id": entry(b"1")}, links={"/var/lib/dbus/machine-id": "/etc/machine-id"})
    changes = without(both)
    assert changes.links == {}
    assert changes.put["/var/lib/dbus/machine-id"].target == "/etc/machine-id"


def test_a_computed_identity_stays() -> None:
    """What a machine takes away of it is there again."""
    tree = Tree()
    tree.write("/etc/machine-id", b"", 0o444, parents=True)
    before = tree.copy()
    without(Changes(put={"/etc/machine-id": entry(b"1", mode=0o444)})).apply(tree)
    assert tree.read("/etc/machine-id") == before.read("/etc/machine-id")


def test_a_file_whose_first_name_is_left_out_has_the_next() -> None:
    put = {"/run/a": entry(b"kept")}
    changes = without(Changes(put=put, links={"/srv/b": "/run/a", "/srv/c": "/run/a", "/run/d": "/run/a"}))
    assert changes == Changes(put={"/srv/b": entry(b"kept")}, links={"/srv/c": "/srv/b"})


def test_what_packages_ship_is_not_left_over() -> None:
    """Computed trees have it as well."""
    put = {"/usr/lib/a/__pycache__": entry(kind=Kind.DIR), "/usr/lib/b/__pycache__": entry(kind=Kind.DIR)}
    changes = without(Changes(put=put, removed=tuple(put)), ["/usr/lib/a/__pycache__"])
    assert (list(changes.put), changes.removed) == (["/usr/lib/a/__pycache__"], ("/usr/lib/a/__pycache__",))


def test_byte_code_is_in_images_that_have_some() -> None:
    put = {"/usr/lib/a/__pycache__": entry(kind=Kind.DIR), "/usr/lib/a/__pycache__/b.cpython-313.pyc": entry(b"code")}
    assert without(Changes(put=put), byte_code=True) == Changes(put=put)
    tree = tree_of({"/usr/lib/a/__pycache__/b.cpython-313.pyc": "code"})
    take_out(tree, (), byte_code=True)
    assert tree.exists("/usr/lib/a/__pycache__/b.cpython-313.pyc")
    take_out(tree, ())
    assert not tree.exists("/usr/lib/a/__pycache__")


def test_directories_of_run_are_kept_and_nothing_else_of_it() -> None:
    put = {"/run/a": entry(kind=Kind.DIR), "/run/a/b": entry(b"pid"), "/dev/shm": entry(kind=Kind.DIR)}
    assert list(without(Changes(put=put)).put) == ["/run/a"]


def test_the_journal_has_no_access_control_list() -> None:
    """No image holds one, and systemd-tmpfiles sets it at every boot; what else has one keeps it, and is refused."""
    xattrs = {"system.posix_acl_access": b"a", "system.posix_acl_default": b"d", "user.x": b"y"}
    directory = entry(kind=Kind.DIR, mode=0o2755, xattrs=xattrs)
    changes = without(Changes(put={"/var/log/journal": directory, "/srv": directory}))
    assert changes.put["/var/log/journal"].xattrs == {"user.x": b"y"}
    assert changes.put["/srv"].xattrs == xattrs


def test_access_control_lists_that_are_set_at_boot_are_taken() -> None:
    """Where tmpfiles.d says so in the end; others stay, and are refused."""
    tree = Tree()
    lines = (
        "d /var/a 2775 a a -",
        "a+ /var/a - - - - d:g:a:rwx",
        "A /var/c/* - - - - u:a:r",
        "a /var/%m - - - - u:a:r",
    )
    tree.write("/usr/lib/tmpfiles.d/a.conf", "\n".join(lines).encode(), parents=True)
    tree.write("/usr/lib/tmpfiles.d/masked.conf", b"a /var/masked - - - - u:a:r\n")
    tree.symlink("/dev/null", "/etc/tmpfiles.d/masked.conf", parents=True)
    paths = ["/var/a", "/var/a/b", "/var/c", "/var/c/d", "/var/c/d/e", "/var/masked", "/var/%m"]
    for path in paths:
        tree.mkdir(path, parents=True).xattrs.update({"system.posix_acl_default": b"d", "user.x": b"y"})
    take_lists(tree, [*paths, "/no"])
    taken = {path for path in paths if tree.at(path).xattrs == {"user.x": b"y"}}
    assert taken == {"/var/a", "/var/c/d", "/var/c/d/e"}


def _list(*entries: tuple[int, int, int]) -> bytes:
    """An access control list of tags, permissions and numbers."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NOBODY = 0xFFFFFFFF
READABLE = _list((1, 7, NOBODY), (2, 7, 5), (4, 5, NOBODY), (16, 7, NOBODY), (32, 0, NOBODY))
"""As setfacl makes it: the group may read, the user 5 anything, so that the mask, which the mode shows, is all."""


def test_a_group_does_not_keep_the_mask_of_a_list_that_is_taken() -> None:
    tree = Tree()
    tree.write("/usr/lib/tmpfiles.d/a.conf", b"a+ /var/a - - - - u:games:rwx\n", parents=True)
    for path, mode in (("/var/a", 0o2770), ("/var/b", 0o770)):
        made = tree.mkdir(path, parents=True)
        made.mode = mode
        made.xattrs["system.posix_acl_access"] = READABLE
    take_lists(tree, ["/var/a", "/var/b"])
    assert (tree.at("/var/a").mode, tree.at("/var/a").xattrs, tree.at("/var/b").mode) == (0o2750, {}, 0o770)
    assert [without_mask(0o664, each) for each in (b"", b"damaged", _list((4, 0, NOBODY)), _list((4, 6, NOBODY)))] == [
        0o664, 0o664, 0o604, 0o664,
    ]  # fmt: skip
    # The mask cuts down what the list says.
    assert without_mask(0o640, _list((4, 6, NOBODY))) == 0o640


def test_what_is_left_over() -> None:
    for path in ("/etc/passwd-", "/usr/lib/python3/dist-packages/a/__pycache__", "/boot/initrd.img-6.12", "/run/x/y"):
        assert left_over(path)
    for path in ("/etc/passwd", "/run", "/etc/ssh/ssh_config", "/var/log/apt", "/boot/vmlinuz-6.12", "/etc/machine-id"):
        assert not left_over(path)
