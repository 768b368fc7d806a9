"""What single keys of a recipe may be, and which keys there are."""

from pathlib import Path

import pytest

from assembler.configure.rules.model import Rule, Rules
from assembler.errors import Problems
from assembler.recipe.additions import File
from assembler.recipe.load import load
from assembler.recipe.model import Recipe
from assembler.recipe.tables import homes, keys, table_at


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "r.toml"
    path.write_text(f"name = 'x'\n{text}")
    with pytest.raises(Problems) as caught:
        load(path)
    return [str(error).removeprefix(f"{path}:") for error in caught.value.errors]


def test_only_recipes_are_extended_and_appended_to() -> None:
    assert keys(Rule, Rules) == list(Rule.model_fields)
    assert {"extends", "rootfs"} <= set(keys(Recipe))
    rootfs = table_at(("rootfs",))
    assert rootfs is not None
    assert {"packages", "packages_add"} <= set(keys(rootfs))
    assert "extends" not in keys(rootfs)
    assert homes("packages_add") == ["rootfs"]
    assert homes("residual_add", Rules) == []


@pytest.mark.parametrize(
    ("mode", "link", "private"),
    [("0644", None, False), ("0604", None, False), ("0600", None, True), ("0602", None, True), ("0601", None, True),
     ("0640", None, True), ("0600", "x", False)],
)  # fmt: skip
def test_who_may_read_a_file_of_a_recipe(mode: str, link: str | None, *, private: bool) -> None:
    content = "" if link is None else None
    file = File(path="/x", mode=mode, link=link, content=content)
    assert file.private is private


def test_a_list_is_appended_to_a_list_only(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text("[rootfs]\npackages = 3\n")
    (told,) = problems(tmp_path, "extends = 'base.toml'\n[rootfs]\npackages_add = ['mc']\n")
    assert "base.toml:2:1 rootfs.packages: must be an array, not an integer" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[rootfs]\nrules = ['']\n", "rootfs.rules[0]: is empty"),
        ("[rootfs]\nrules = [3]\n", "rootfs.rules[0]: must be a string, not an integer"),
        ("[kernel]\nsource = 'vanilla'\n", "2:2 kernel: a kernel is not compiled from a package of binaries"),
        (
            "[kernel]\nsource = 'vanilla'\npackage = 'linux-image-amd64'\n",
            "4:1 kernel.package: a kernel is not compiled from a package of binaries",
        ),
    ],
)
def test_a_value_is_refused_where_it_stands(tmp_path: Path, text: str, told: str) -> None:
    (found,) = problems(tmp_path, text)
    assert told in found


def test_entries_of_modules(tmp_path: Path) -> None:
    digest = "b" * 64
    told = problems(
        tmp_path,
        f"""
[[kernel.modules]]
package = "zfs-dkms"
[[kernel.modules]]
[[kernel.modules]]
package = "zfs-dkms"
url = "https://example.org/a.tar.gz"
[[kernel.modules]]
url = "https://example.org/a.tar.gz"
[[kernel.modules]]
sha256 = "{digest}"
package = "zfs-dkms"
""",
    )
    assert len(told) == 4
    assert "kernel.modules[1]: needs exactly one of package and url" in told[0]
    assert "kernel.modules[2]: needs exactly one of package and url" in told[1]
    assert "kernel.modules[3].url: nothing says which tarball that has to be" in told[2]
    assert "kernel.modules[4].sha256: there is no url that it is of" in told[3]


@pytest.mark.parametrize(
    "text",
    [
        "[kernel]\nmodules_key = '-----BEGIN'\n",
        "[kernel]\nmodules_key = '${KEY}x'\n[args]\nKEY = ''\n",
        "[kernel]\nmodules_key = '${KEY}'\n[args]\nKEY = '-----BEGIN'\n",
    ],
)
def test_keys_that_modules_are_signed_with_stand_in_no_recipe(tmp_path: Path, text: str) -> None:
    (told,) = problems(tmp_path, text)
    assert "kernel.modules_key stands in the recipe: it is a secret" in told
    assert "BEGIN" not in told
