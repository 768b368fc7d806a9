"""Numbers of accounts that a recipe fixes."""

import pytest

from assembler.configure.ids import IdError, Moved, fix, numbers, unmapped, without
from assembler.errors import Problems
from assembler.lockfile.model import LockedAccounts
from assembler.recipe.load import load
from assembler.recipe.model import Ids
from assembler.tree.staging import Tree

PASSWD = "root:x:0:0::/root:/bin/sh\nman:x:6:12::/:/bin/sh\na:x:100:101::/:/bin/sh\nb:x:101:102::/:/bin/sh\n"
GROUP = "root:x:0:\nman:x:12:\nga:x:101:\ngb:x:102:a\n"


def tree() -> Tree:
    made = Tree()
    made.write("/etc/passwd", PASSWD.encode(), parents=True)
    made.write("/etc/group", GROUP.encode())
    made.write("/a", b"", 0o600, 100, 101)
    made.write("/b", b"", 0o600, 101, 102)
    made.put("/again", made.at("/a"))
    return made


def owners(made: Tree) -> list[tuple[int, int]]:
    return [(made.at(path).uid, made.at(path).gid) for path in ("/a", "/b", "/again")]


def test_a_number_that_is_free() -> None:
    made = tree()
    fix(made, Ids(users={"a": 500}, groups={"gb": 600}))
    assert "a:x:500:101:" in made.read_text("/etc/passwd")
    assert "b:x:101:600:" in made.read_text("/etc/passwd")
    assert "gb:x:600:a" in made.read_text("/etc/group")
    assert owners(made) == [(500, 101), (101, 600), (500, 101)]


def test_a_number_that_another_has_is_exchanged() -> None:
    made = tree()
    fix(made, Ids(users={"a": 101}, groups={"ga": 102, "gb": 101}))
    assert owners(made) == [(101, 102), (100, 101), (101, 102)]
    assert "a:x:101:102:" in made.read_text("/etc/passwd")
    assert "b:x:100:101:" in made.read_text("/etc/passwd")


def test_several_at_once_get_what_they_want() -> None:
    made = tree()
    fix(made, Ids(users={"a": 101, "b": 700}))
    assert [line.split(":")[2] for line in made.read_text("/etc/passwd").splitlines()[2:]] == ["101", "700"]


def test_nothing_to_do() -> None:
    made = Tree()
    fix(made, Ids())


def test_accounts_that_cannot_be_given_a_number() -> None:
    with pytest.raises(Problems) as caught:
        fix(tree(), Ids(users={"man": 500, "bb": 600}, groups={"c": 500}))
    assert [str(error.where) for error in caught.value.errors] == [
        "rootfs.ids.users.man", "rootfs.ids.users.bb", "rootfs.ids.groups.c",
    ]  # fmt: skip
    assert "did you mean b?" in caught.value.errors[1].hint


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ("users.a = 7", ":3:7 rootfs.ids.users.a: must be greater than or equal to 100"),
        ("users.a = 'x'", "must be an integer"),
        ("users.a = 500\nusers.b = 500", ":4:7 rootfs.ids.users.b: a has 500 already"),
        ("user.a = 500", "did you mean users?"),
        ("users.'a b' = 500", "is not an account"),
    ],
)
def test_what_a_recipe_may_say(table: str, what: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("ids") / "r.toml"
    path.write_text(f'name = "r"\n[rootfs.ids]\n{table}\n')
    with pytest.raises(Problems) as caught:
        load(path)
    assert what in str(caught.value)


# --- numbers that a lock keeps ---------------------------------------------------------------------------------------


def kept(groups: dict[str, int] | None = None, **users: int) -> LockedAccounts:
    return LockedAccounts(users=tuple(sorted(users.items())), groups=tuple(sorted((groups or {}).items())))


def uids(made: Tree) -> dict[str, int]:
    lines = [line.split(":") for line in made.read_text("/etc/passwd").splitlines()]
    return {line[0]: int(line[2]) for line in lines}


def with_users(*names: str) -> Tree:
    """A tree in which these came one after the other."""
    made = Tree()
    lines = ["root:x:0:0::/:/bin/sh", *(f"{name}:x:{uid}:100::/:/bin/sh" for uid, name in enumerate(names, 100))]
    made.write("/etc/passwd", "".join(f"{line}\n" for line in lines).encode(), parents=True)
    made.write("/etc/group", b"users:x:100:\n")
    for uid, name in enumerate(names, 100):
        made.write(f"/{name}", b"", 0o600, uid, 100)
    return made


def test_one_more_moves_nobody() -> None:
    first = with_users("a", "b", "c")
    lock = numbers(first, LockedAccounts())
    assert lock == kept({"users": 100}, a=100, b=101, c=102)
    second = with_users("new", "a", "another", "b", "c")
    moved = fix(second, Ids(), lock)
    assert uids(second) == {"root": 0, "a": 100, "b": 101, "c": 102, "new": 103, "another": 104}
    assert {name: second.at(f"/{name}").uid for name in ("a", "b", "c", "new", "another")} == {
        name: uid for name, uid in uids(second).items() if name != "root"
    }
    assert moved == Moved(
        {"new": (100, 103), "a": (101, 100), "another": (102, 104), "b": (103, 101), "c": (104, 102)}, {}
    )
    assert numbers(second, lock) == kept({"users": 100}, a=100, b=101, c=102, another=104, new=103)
    assert fix(with_users("a", "b", "c"), Ids(), lock) == Moved({}, {})


def test_nobody_inherits_the_number_of_one_that_is_gone() -> None:
    lock = numbers(with_users("a", "gone", "b"), LockedAccounts())
    made = with_users("a", "new", "b")
    fix(made, Ids(), lock)
    assert uids(made) == {"root": 0, "a": 100, "new": 103, "b": 102}
    assert dict(numbers(made, lock).users) == {"a": 100, "gone": 101, "b": 102, "new": 103}
    back = with_users("new", "gone", "b", "a")
    fix(back, Ids(), numbers(made, lock))
    assert uids(back) == {"root": 0, "a": 100, "new": 103, "b": 102, "gone": 101}


def test_what_the_recipe_says_wins() -> None:
    made = with_users("a", "b", "c")
    fix(made, Ids(users={"c": 100, "b": 500}), kept(a=100, b=102, c=700, gone=500))
    assert uids(made) == {"root": 0, "a": 102, "b": 500, "c": 100}
    assert without(kept({"g": 101, "h": 102}, a=103, b=104), Ids(users={"a": 105}, groups={"h": 106})) == kept(
        {"g": 101}, b=104
    )


def test_what_a_lock_cannot_move() -> None:
    made = tree()
    assert fix(made, Ids(), kept({"man": 400, "gone": 401}, root=300, man=300)) == Moved({}, {})
    assert uids(made) == {"root": 0, "man": 6, "a": 100, "b": 101}


def test_people_get_no_number_of_system_accounts() -> None:
    made = with_users("a")
    made.write("/etc/passwd", made.read("/etc/passwd") + b"eve:x:1000:100::/:/bin/sh\n")
    fix(made, Ids(), kept(adam=1000, c=101))
    assert uids(made) == {"root": 0, "a": 100, "eve": 1001}
    # All are taken: then it stays as it is.
    full = with_users(*(f"u{number}" for number in range(900)))
    fix(full, Ids(), kept(gone=150))
    assert uids(full)["u50"] == 150


def test_accounts_that_share_a_number_move_together() -> None:
    made = with_users("a", "b")
    made.write("/etc/passwd", made.read("/etc/passwd") + b"b2:x:101:100::/:/bin/sh\n")
    fix(made, Ids(), kept(b=600, b2=601))
    assert uids(made) == {"root": 0, "a": 100, "b": 600, "b2": 600}
    made = with_users("a", "b")
    made.write("/etc/passwd", made.read("/etc/passwd") + b"b2:x:101:100::/:/bin/sh\n")
    fix(made, Ids(users={"b2": 600}))
    assert uids(made) == {"root": 0, "a": 100, "b": 600, "b2": 600}
    assert dict(numbers(made, LockedAccounts()).users) == {"a": 100, "b": 600, "b2": 600}


def test_which_numbers_are_kept() -> None:
    made = Tree()
    users = [("below", 99), ("first", 100), ("last", 59999), ("above", 60000), ("nobody", 65534), ("Debian-x.y", 200)]
    users += [("first", 300), ("b\u00e4d", 301), ("-d", 302), ("machine$", 303)]
    lines = "".join(f"{name}:x:{uid}:0::/:/bin/sh\n" for name, uid in users)
    made.write("/etc/passwd", lines.encode(), parents=True)
    made.write("/etc/group", b"g:x:99:\nh:x:100:\n")
    assert numbers(made, kept()) == kept(
        {"h": 100}, **{"first": 100, "last": 59999, "Debian-x.y": 200, "machine$": 303}
    )
    many = "".join(f"u{number}:x:{number}:0::/:/bin/sh\n" for number in range(100, 10_101))
    made.write("/etc/passwd", many.encode())
    with pytest.raises(IdError, match="more accounts than a lock keeps"):
        numbers(made, kept())
    made.write("/etc/passwd", many.rpartition("u10100")[0].encode())
    assert len(numbers(made, kept()).users) == 10_000


def acl(*entries: tuple[int, int, int]) -> bytes:
    return (2).to_bytes(4, "little") + b"".join(
        tag.to_bytes(2, "little") + mode.to_bytes(2, "little") + number.to_bytes(4, "little")
        for tag, mode, number in entries
    )


def test_access_control_lists_follow() -> None:
    nobody = (1 << 32) - 1
    made = tree()
    before = [(1, 6, nobody), (2, 4, 100), (2, 5, 101), (4, 0, nobody), (8, 1, 101), (16, 7, nobody), (32, 0, nobody)]
    after = [(1, 6, nobody), (2, 5, 101), (2, 4, 102), (4, 0, nobody), (8, 1, 500), (16, 7, nobody), (32, 0, nobody)]
    made.at("/a").xattrs.update({
        "system.posix_acl_access": acl(*before), "user.system.posix_acl_access": acl(*before),
        "system.posix_acl_default": b"broken",
    })  # fmt: skip
    fix(made, Ids(users={"a": 102}, groups={"ga": 500}))
    assert made.at("/a").xattrs == {
        "system.posix_acl_access": acl(*after), "user.system.posix_acl_access": acl(*before),
        "system.posix_acl_default": b"broken",
    }  # fmt: skip


def test_numbers_in_texts_are_named() -> None:
    moved = Moved({"a": (105, 110)}, {"g": (106, 105)})
    made = Tree()
    for path, text in {
        "/etc/found": b"# 105\n; 105\n  // 105\nx\nuid=105\n105",
        "/etc/colons": b"105:106",
        "/etc/group-of": b"gid 106",
        "/etc/shipped": b"105",
        "/etc/passwd": b"a:x:105:",
        "/etc/gshadow-": b"105",
        "/var/lib/dpkg/status": b"Size: 105",
        "/var/cache/x": b"105",
        "/etc/others": b"1105 1051 105.1 1.105 a105 -105 105/ 104 +105",
        "/etc/binary": b"105\0",
        "/etc/large": b" 105" + bytes([32]) * (1 << 20),
    }.items():
        made.write(path, text, parents=True)
    made.symlink("105", "/etc/link")
    # "uid=105" has the sign that base64 has, too.
    found = [(error.where.path, error.why, error.what.partition("file, ")[2]) for error in unmapped(
        made, moved, {"/etc/shipped"}
    )]  # fmt: skip
    user = "and that may have been the number of user a, which has 110 now"
    assert found == [
        ("/etc/colons", "line 1", user),
        ("/etc/found", "line 5", user),
        ("/etc/group-of", "line 1", "and that may have been the number of group g, which has 105 now"),
    ]
    assert list(unmapped(made, Moved({}, {}), ())) == []
