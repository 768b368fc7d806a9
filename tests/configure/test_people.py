"""Users and groups of a recipe's own."""

import re

import pytest

from assembler.configure import ids, passwords, people
from assembler.errors import Problems
from assembler.recipe.model import Ids, Rootfs
from assembler.tree.staging import Tree
from tests.tree.disk import tree_of

FILES = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nagent:x:101:101::/var/lib/agent:/usr/sbin/nologin\n",
    "/etc/group": "root:x:0:\nadm:x:4:\nsudo:x:27:\nusers:x:100:\nagent:x:101:\n",
    "/etc/shadow": "root:*:20000:0:99999:7:::\nagent:!:20000::::::\n",
    "/etc/gshadow": "root:*::\nadm:*::\nsudo:*::\nusers:*::\nagent:!::\n",
    "/etc/skel/.bashrc": "skel\n",
    "/bin/bash": "",
    "/bin/sh": "",
    "/home/": "",
    "/root/": "",
    "/var/lib/": "",
}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me"


def made(**values: object) -> Tree:
    tree = tree_of(FILES)
    people.add(tree, Rootfs.model_validate(values), 20001 * 86400)
    return tree


def line(tree: Tree, path: str, name: str) -> str:
    return next((line for line in tree.read_text(path).splitlines() if line.startswith(f"{name}:")), "")


def refused(**values: object) -> list[str]:
    with pytest.raises(Problems) as caught:
        made(**values)
    return [str(error) for error in caught.value.errors]


def test_a_user_is_as_adduser_leaves_it() -> None:
    tree = made(users={"kim": {"comment": "Kim", "groups": ["adm"], "ssh_authorized_keys": [KEY]}})
    assert line(tree, "/etc/passwd", "kim") == "kim:x:1000:1000:Kim:/home/kim:/bin/bash"
    assert line(tree, "/etc/shadow", "kim") == "kim:!:20001::::::"
    assert line(tree, "/etc/group", "kim") == "kim:x:1000:"
    assert line(tree, "/etc/group", "adm") == "adm:x:4:kim"
    assert line(tree, "/etc/group", "users") == "users:x:100:kim"
    home = tree.at("/home/kim")
    assert (home.mode, home.uid, home.gid) == (0o700, 1000, 1000)
    assert tree.read_text("/home/kim/.bashrc") == "skel\n"
    keys = tree.at("/home/kim/.ssh/authorized_keys")
    assert (tree.read_text("/home/kim/.ssh/authorized_keys"), keys.mode, keys.uid) == (f"{KEY}\n", 0o600, 1000)
    assert (tree.at("/home/kim/.ssh").mode, tree.at("/home/kim/.ssh").gid) == (0o700, 1000)


def test_a_user_of_the_system() -> None:
    tree = made(users={"backup2": {"system": True, "home": "/var/lib/backup2", "shell": "/bin/sh"}})
    assert re.fullmatch(r"backup2:x:10[0-9]:10[0-9]::/var/lib/backup2:/bin/sh", line(tree, "/etc/passwd", "backup2"))
    assert tree.at("/var/lib/backup2").mode == 0o755
    tree = made(users={"quiet": {"system": True, "group": "adm"}})
    assert line(tree, "/etc/passwd", "quiet").endswith(":4::/nonexistent:/usr/sbin/nologin")


def test_more_is_said_of_those_that_are_there() -> None:
    tree = made(users={"agent": {"shell": "/bin/sh", "groups": ["adm"]}, "root": {"ssh_authorized_keys": [KEY]}})
    assert line(tree, "/etc/passwd", "agent") == "agent:x:101:101::/var/lib/agent:/bin/sh"
    assert line(tree, "/etc/group", "adm") == "adm:x:4:agent"
    assert tree.read_text("/root/.ssh/authorized_keys") == f"{KEY}\n"


def test_numbers_are_those_of_the_recipe() -> None:
    recipe = Rootfs.model_validate(
        {"users": {"kim": {"uid": 1005}, "lee": {"uid": 1006, "group": "adm"}}, "groups": {"ops": {"gid": 1000}}}
    )
    assert people.numbers(recipe) == Ids(users={"kim": 1005, "lee": 1006}, groups={"kim": 1005, "ops": 1000})
    tree = tree_of(FILES)
    people.add(tree, recipe, 0)
    # Whoever has none does not take those of others.
    assert line(tree, "/etc/group", "ops") == "ops:x:1000:"
    assert line(tree, "/etc/passwd", "lee").startswith("lee:x:1006:4:")
    ids.fix(tree, people.numbers(recipe))
    assert line(tree, "/etc/passwd", "kim").startswith("kim:x:1005:1005:")
    assert line(tree, "/etc/passwd", "lee").startswith("lee:x:1006:4:")
    assert line(tree, "/etc/group", "ops") == "ops:x:1000:"
    assert tree.at("/home/kim/.bashrc").gid == 1005


def test_numbers_that_others_have_are_exchanged() -> None:
    recipe = Rootfs.model_validate({"users": {"kim": {"uid": 101}}})
    tree = tree_of(FILES)
    people.add(tree, recipe, 0)
    ids.fix(tree, people.numbers(recipe))
    assert line(tree, "/etc/passwd", "kim").startswith("kim:x:101:101:")
    assert line(tree, "/etc/passwd", "agent").startswith("agent:x:1000:1000:")


def test_a_group_of_its_name_is_its_own() -> None:
    tree = made(groups={"kim": {}}, users={"kim": {}})
    assert line(tree, "/etc/passwd", "kim").split(":")[3] == line(tree, "/etc/group", "kim").split(":")[2]


def test_passwords_are_hashed_each_with_a_salt_of_its_own() -> None:
    users = {"a": {"password": "same"}, "b": {"password": "same"}, "c": {"password": "$6$salt$" + "a" * 86}}
    tree = made(users=users)
    a, b, c = (line(tree, "/etc/shadow", name).split(":")[1] for name in "abc")
    assert a.startswith("$6$")
    assert a != b
    assert c == "$6$salt$" + "a" * 86
    recipe = Rootfs.model_validate({"users": users})
    assert passwords.of_users(recipe)["a"].password == a
    # The salt does not come from the password, and root's is what it was before there were users.
    other = Rootfs.model_validate({"root_password": "x", "users": {**users, "a": {"password": "other"}}})
    assert passwords.of_users(other)["b"].password == b
    assert passwords.of_root(other) == passwords.of_root(Rootfs(root_password="x"))


def test_what_cannot_be_made_is_told_at_once() -> None:
    found = refused(
        users={
            "kim": {"groups": ["sdo"]},
            "lee": {"shell": "/bin/zsh"},
            "agent": {"group": "adm", "ssh_authorized_keys": [KEY]},
            "bot": {"system": True, "ssh_authorized_keys": [KEY]},
        }
    )
    assert len(found) == 4, found
    assert any("there is no group 'sdo' (did you mean sudo?)" in error for error in found)
    assert any("the image has no such shell" in error for error in found)
    assert any("with a group of its own" in error for error in found)
    assert any("no home directory for SSH keys" in error for error in found)
