"""Files and directories of a recipe in a tree, and what it removes."""

import pytest

from assembler.configure import added, settings
from assembler.errors import Problems
from assembler.recipe.additions import Directory, File
from assembler.recipe.model import Rootfs
from assembler.tree.content import Slice
from assembler.tree.staging import Tree
from tests.debian.unpacked import package
from tests.tree.disk import tree_of

FILES = {
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\napp:x:100:101:::\n",
    "/etc/group": "root:x:0:\nstaff:x:50:\n",
    "/etc/shadow": "root:*:1:0:99999:7:::\n",
    "/etc/app/a.conf": "",
    "/etc/app/b.conf": "",
    "/usr/share/doc/x/copyright": "",
    "/usr/share/doc/y/": "",
    "/srv/link": "->/etc/app",
}


def made(**values: object) -> Tree:
    tree = tree_of(FILES)
    tree.chmod("/etc/app", 0o750)
    settings.apply(tree, Rootfs.model_validate(values), {"rootfs.files[0].url": b"fetched"}, 0)
    return tree


def test_directories_are_made_or_changed() -> None:
    tree = made(
        directories=[
            Directory(path="/srv/data", mode="2775", owner="app", group="staff"),
            Directory(path="/srv/plain"),
            Directory(path="/etc/app"),
            Directory(path="/srv/link", owner="app"),
        ]
    )
    data, plain, app = (tree.at(path) for path in ("/srv/data", "/srv/plain", "/etc/app"))
    assert (data.mode, data.uid, data.gid) == (0o2775, 100, 50)
    assert (plain.mode, plain.uid, plain.gid) == (0o755, 0, 0)
    assert (app.mode, app.uid, app.gid) == (0o750, 100, 0)
    with pytest.raises(Problems, match=r"rootfs.directories\[0\].*: a file is in the way of a directory"):
        made(directories=[Directory(path="/etc/passwd")])
    with pytest.raises(Problems, match=r"rootfs.directories\[0\] /srv/x: there is no user 'who'"):
        made(directories=[Directory(path="/srv/x", owner="who")])


def test_files_from_an_address_and_large_ones_are_content_alone() -> None:
    tree = made(files=[File(path="/usr/bin/tool", url="https://example.org/tool", sha256="0" * 64, mode="0755")])
    assert (tree.read("/usr/bin/tool"), tree.at("/usr/bin/tool").mode) == (b"fetched", 0o755)
    large = Slice("/not/read", 0, 1 << 40)
    tree = tree_of(FILES)
    recipe = Rootfs(files=[File(path="/model", source="model")])
    settings.apply(tree, recipe, {"rootfs.files[0].source": large}, 0)
    assert tree.at("/model").content is large


def removed(*patterns: str) -> set[str]:
    tree = tree_of(FILES)
    before = {path for path, _ in tree.walk()}
    conf = ("/etc/app/a.conf", "/etc/app/b.conf")
    app = package(tree, "app", files=dict.fromkeys(conf, ""), conffiles="".join(f"{path}\n" for path in conf))
    added.remove(tree, patterns, [app])
    return before - {path for path, _ in tree.walk()}


def test_what_is_removed() -> None:
    assert removed("/usr/share/doc/*") == {
        "/usr/share/doc/x", "/usr/share/doc/x/copyright", "/usr/share/doc/y",
    }  # fmt: skip
    assert removed("/usr/share/doc") == {
        "/usr/share/doc", "/usr/share/doc/x", "/usr/share/doc/x/copyright", "/usr/share/doc/y",
    }  # fmt: skip
    assert removed("/srv/link") == {"/srv/link"}
    assert removed("/etc/app/a.conf", "/etc/app/b.conf") == {"/etc/app/a.conf", "/etc/app/b.conf"}


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("/etc/app/*", "/etc/app/a.conf and 1 more: dpkg takes a conffile that is missing for deleted"),
        ("/etc/app", "this takes conffiles away"),
        ("/etc/app/?.conf", "this takes conffiles away"),
        ("/nothing*", "nothing in the image fits this"),
    ],
)
def test_what_is_not_removed(pattern: str, told: str) -> None:
    with pytest.raises(Problems, match=r"rootfs.remove\[0\]") as caught:
        removed(pattern, "/srv/link")
    assert told in str(caught.value)
