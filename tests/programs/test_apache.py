"""Parts of Apache's configuration are turned on as a2enmod and its kind do."""

import pytest

from assembler.programs.apache import ApacheError, enable
from tests.tree.disk import shown, tree_of

FILES = {
    "/etc/apache2/mods-available/a.load": "# Depends: b\nLoadModule a\n",
    "/etc/apache2/mods-available/a.conf": "",
    "/etc/apache2/mods-available/b.load": "\n# a comment\n# Depends: c\n# Conflicts: d\nLoadModule b\n",
    "/etc/apache2/mods-available/c.load": "LoadModule c\n# Depends: missing\n",
    "/etc/apache2/mods-available/d.load": "# Conflicts: b\n",
    "/etc/apache2/conf-available/x.conf": "# Depends: a\n",
    "/etc/apache2/sites-available/000-default.conf": "",
    "/etc/apache2/mods-enabled/": "",
    "/etc/apache2/conf-enabled/": "",
    "/etc/apache2/sites-enabled/": "",
}


def test_modules_bring_what_they_depend_on() -> None:
    tree = tree_of(FILES)
    enable(tree, ["-m", "-q", "a"], program="a2enmod")
    enable(tree, ["-m", "-q", "b", "a"], program="a2enmod")
    links = {path.rpartition("/")[2]: text for path, text in shown(tree).items() if "mods-enabled" in path}
    assert links == {name: f"../mods-available/{name}" for name in ("a.conf", "a.load", "b.load", "c.load")}
    assert tree.names("/var/lib/apache2/module/enabled_by_maint") == ["a", "b", "c"]
    with pytest.raises(ApacheError, match="conflicts with b"):
        enable(tree, ["d"], program="a2enmod")


def test_configurations_and_sites() -> None:
    tree = tree_of(FILES)
    with pytest.raises(ApacheError, match="needs the module a"):
        enable(tree, ["x"], program="a2enconf")
    enable(tree, ["a"], program="a2enmod")
    enable(tree, ["-m", "x.conf"], program="a2enconf")
    enable(tree, ["-q", "000-default"], program="a2ensite")
    files = shown(tree)
    assert files["/etc/apache2/conf-enabled/x.conf"] == "../conf-available/x.conf"
    assert files["/etc/apache2/sites-enabled/000-default.conf"] == "../sites-available/000-default.conf"
    assert "/var/lib/apache2/conf/enabled_by_maint/x" in files
    assert "/var/lib/apache2/site/enabled_by_admin/000-default" in files


@pytest.mark.parametrize("name", ["none", "*", "cgi"])
def test_what_is_not_known_is_refused(name: str) -> None:
    tree = tree_of({**FILES, "/etc/apache2/mods-available/cgi.load": ""})
    with pytest.raises(ApacheError, match="not known"):
        enable(tree, [name], program="a2enmod")


def test_a_note_of_the_other_kind_goes_and_others_stay() -> None:
    notes = "/var/lib/apache2/module"
    tree = tree_of({**FILES, f"{notes}/disabled_by_admin/c": "", f"{notes}/disabled_by_admin/ac": ""})
    enable(tree, ["c"], program="a2enmod")
    assert {path for path in shown(tree) if path.startswith(notes)} == {
        f"{notes}/disabled_by_admin/ac", f"{notes}/enabled_by_admin/c",
    }  # fmt: skip


def test_what_is_on_is_left_alone() -> None:
    tree = tree_of({**FILES, "/etc/apache2/mods-enabled/c.load": "->/nowhere"})
    enable(tree, ["-m", "c"], program="a2enmod")
    assert tree.at("/etc/apache2/mods-enabled/c.load").target == "/nowhere"
    assert not tree.exists("/var/lib/apache2")
