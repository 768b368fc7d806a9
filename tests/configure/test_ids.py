"""Numbers of accounts that a recipe fixes."""

import pytest

from assembler.configure.ids import fix
from assembler.errors import Problems
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
