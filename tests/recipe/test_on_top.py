"""What a recipe changes of those that it extends, without repeating them."""

from pathlib import Path

import pytest

from assembler.errors import AssembleError, Place, Problems
from assembler.recipe.load import load
from assembler.recipe.model import Recipe

BASE = """
name = "base"
[rootfs]
packages = ["systemd-sysv", "systemd-timesyncd", "curl/trixie-backports"]
enable = ["ssh.service", "a.service"]
mask = ["b.service"]
exclude = ["/usr/share/doc/*", "/usr/share/man/*"]
[[rootfs.files]]
path = "/etc/a"
content = "base"
mode = "0600"
[[rootfs.files]]
path = "/etc/b"
content = "base"
[kubernetes]
version = "1.36"
extra_images = ["example.org/a:1", "example.org/b:1"]
"""


def on_top(directory: Path, text: str, *more: str) -> Recipe:
    (directory / "base.toml").write_text(BASE)
    for number, each in enumerate(more):
        (directory / f"{number}.toml").write_text(each)
    bases = ["base.toml", *(f"{number}.toml" for number in range(len(more)))]
    path = directory / "top.toml"
    path.write_text(f"extends = {bases!r}\nname = 'top'\n{text}")
    return load(path).recipe


def wrong(directory: Path, text: str) -> list[str]:
    with pytest.raises(Problems) as caught:
        on_top(directory, text)
    return [str(error).removeprefix(f"{directory}/") for error in caught.value.errors]


def test_something_is_taken_out_of_lists(tmp_path: Path) -> None:
    text = """
    [rootfs]
    packages_remove = ["systemd-timesyncd", "curl"]
    packages_add = ["chrony"]
    enable_remove = ["a.service"]
    exclude_remove = ["/usr/share/man/*"]
    files_remove = ["/etc/a"]
    [kubernetes]
    extra_images_remove = ["example.org/a:1"]
    """
    recipe = on_top(tmp_path, text)
    assert recipe.rootfs.packages == ["systemd-sysv", "chrony"]
    assert recipe.rootfs.enable == ["ssh.service"]
    assert recipe.rootfs.exclude == ["/usr/share/doc/*"]
    assert [file.path for file in recipe.rootfs.files] == ["/etc/b"]
    assert recipe.kubernetes is not None
    assert recipe.kubernetes.extra_images == ["example.org/b:1"]


def test_what_is_taken_out_may_come_again(tmp_path: Path) -> None:
    less, more = "rootfs.packages_remove = ['curl']\n", "rootfs.packages_add = ['curl']\n"
    assert on_top(tmp_path, "", less, more).rootfs.packages[-1] == "curl"
    # In one file, what is there before is taken away, and what is added comes after it.
    assert on_top(tmp_path, less + more).rootfs.packages[-1] == "curl"
    own = "rootfs.packages = ['jq']\nrootfs.packages_remove = ['curl']\n"
    assert on_top(tmp_path, own).rootfs.packages == ["jq"]


def test_what_nobody_has_cannot_be_taken_out(tmp_path: Path) -> None:
    text = """
    [rootfs]
    packages_remove = ["systemd-timesynd", "x", 3]
    files_remove = ["/etc/c"]
    first_boot_remove = ["x"]
    hostname_remove = ["x"]
    enable_remove = "a.service"
    """
    assert wrong(tmp_path, text) == [
        "top.toml:5:24 rootfs.packages_remove[0]: no recipe below has it in packages (did you mean systemd-timesyncd?)",
        "top.toml:5:44 rootfs.packages_remove[1]: no recipe below has it in packages (leave it out)",
        "top.toml:5:49 rootfs.packages_remove[2]: no recipe below has it in packages (leave it out)",
        "top.toml:6:21 rootfs.files_remove[0]: no recipe below has it in files (did you mean /etc/b?)",
        "top.toml:7:26 rootfs.first_boot_remove[0]: no recipe below has it in first_boot (leave it out)",
        "top.toml:8:5 rootfs.hostname_remove: unknown key (did you mean enable_remove?)",
        "top.toml:9:5 rootfs.enable_remove: must be an array",
    ]


def test_a_name_before_a_slash_is_one_of_packages_alone(tmp_path: Path) -> None:
    for text in ("rootfs.exclude_remove = ['/usr/share/doc']", "kubernetes.extra_images_remove = ['example.org']"):
        (error,) = wrong(tmp_path, f"{text}\n")
        assert "no recipe below has it" in error


def test_a_file_stands_for_one_of_the_same_path(tmp_path: Path) -> None:
    own = "[[rootfs.files_add]]\npath = '/etc/a'\ncontent = 'top'\n"
    found = {file.path: (file.content, file.mode) for file in on_top(tmp_path, own).rootfs.files}
    assert found == {"/etc/b": ("base", "0644"), "/etc/a": ("top", "0644")}
    link = "[[rootfs.files_add]]\npath = '/etc/a'\nlink = 'b'\n"
    (file,) = (file for file in on_top(tmp_path, link, own).rootfs.files if file.path == "/etc/a")
    assert (file.link, file.content) == ("b", None)
    # Twice in one file is a mistake.
    (error,) = wrong(tmp_path, own + own)
    assert error.startswith("top.toml:7:1 rootfs.files_add[1].path: ")
    assert "'/etc/a' is given twice" in error


@pytest.mark.parametrize(
    ("text", "enable", "disable", "mask"),
    [
        ("disable_add = ['ssh.service']", ["a.service"], ["ssh.service"], ["b.service"]),
        ("disable = ['ssh.service']", ["a.service"], ["ssh.service"], ["b.service"]),
        ("mask_add = ['a.service']", ["ssh.service"], [], ["b.service", "a.service"]),
        ("enable_add = ['b.service']", ["ssh.service", "a.service", "b.service"], [], []),
        ("mask_remove = ['b.service']", ["ssh.service", "a.service"], [], []),
    ],
)
def test_a_unit_is_where_the_last_recipe_has_it(
    tmp_path: Path, text: str, enable: list[str], disable: list[str], mask: list[str]
) -> None:
    rootfs = on_top(tmp_path, f"[rootfs]\n{text}\n").rootfs
    assert (rootfs.enable, rootfs.disable, rootfs.mask) == (enable, disable, mask)


def test_one_recipe_does_not_contradict_itself(tmp_path: Path) -> None:
    (error,) = wrong(tmp_path, "[rootfs]\nenable_add = ['c.service']\nmask_add = ['c.service']\n")
    assert "is in enable too" in error
    (error,) = wrong(tmp_path, "rootfs.enable_add = ['c.service', 'c.service']\n")
    assert "'c.service' is listed twice" in error


def test_two_recipes_may_add_the_same(tmp_path: Path) -> None:
    more = "[rootfs]\npackages_add = ['jq', 'systemd-sysv']\nenable_add = ['a.service']\n"
    recipe = on_top(tmp_path, more, more)
    assert recipe.rootfs.packages[3:] == ["jq"]
    assert recipe.rootfs.enable == ["ssh.service", "a.service"]


def test_errors_of_packages_say_who_asks_for_them(tmp_path: Path) -> None:
    on_top(tmp_path, "rootfs.packages_add = ['jq=1']\n")
    loaded = load(tmp_path / "top.toml")
    for name, place in (("curl", "base.toml:4:"), ("jq", "top.toml:3:24"), ("other", "other: ")):
        with pytest.raises(AssembleError) as caught, loaded.discreet():
            raise AssembleError("x", where=Place(package=name))
        assert str(caught.value).removeprefix(f"{tmp_path}/").startswith(place)


def test_a_mode_that_is_a_number(tmp_path: Path) -> None:
    (error,) = wrong(tmp_path, "[[rootfs.files_add]]\npath = '/etc/x'\ncontent = ''\nmode = 0644\n")
    assert error.endswith("(a mode is text, in quotes)")


def test_a_name_that_no_file_system_has(tmp_path: Path) -> None:
    for name, fits in (("é" * 127, True), ("é" * 128, False)):
        text = f"[[rootfs.files_add]]\npath = '/etc/{name}/x'\ncontent = ''\n"
        if fits:
            assert on_top(tmp_path, text)
        else:
            assert "a name has at most 255 bytes" in wrong(tmp_path, text)[0]
