"""A recipe's seed against the image that is built: with Debian's package of cloud-init, and without."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from assembler.errors import Problems
from assembler.layers import cloudinit
from assembler.layers.build import build
from assembler.layers.cloudinit_image import image_of
from assembler.layers.context import BuildContext
from assembler.lockfile.model import LockedPackage
from assembler.recipe.load import load
from assembler.seed.image import Image
from assembler.store.download import OfflineError
from assembler.store.objects import Store
from tests.layers.test_keys import project_in
from tests.support.cloud_init import locked_cloud_init
from tests.support.reporters import Recorder

RECIPE = 'name = "x"\nrootfs.packages = ["cloud-init"]\ncloudinit.user_data = "user-data"\n'
FILE = '[[rootfs.files]]\npath = "/etc/cloud/cloud.cfg.d/{}.cfg"\ncontent = """\n{}\n"""\n'


@dataclass(frozen=True)
class Given:
    context: BuildContext
    reporter: Recorder

    def image(self) -> Image:
        image, notes = image_of(self.context)
        assert image is not None
        assert not notes
        return image


def given(directory: Path, recipe: str = RECIPE, user_data: str = "#cloud-config\n{}\n") -> Given:
    """A recipe's build whose lock has Debian's cloud-init and all that it needs."""
    store, lock = locked_cloud_init()
    project = project_in(directory)
    (directory / "user-data").write_text(user_data)
    (directory / "r.toml").write_text(recipe)
    found = replace(project, loaded=load(directory / "r.toml"), lock=lock, store=store).context()
    reporter = Recorder()
    return Given(replace(found, means=replace(found.means, reporter=reporter)), reporter)


def test_what_the_package_tells(tmp_path: Path) -> None:
    image = given(tmp_path).image()
    assert {"cloud-init", "python3"} <= image.packages
    assert {"cloud-config-v1", "network-config-v1", "network-config-v2"} <= image.schemas.keys()
    assert {"write_files", "runcmd", "users_groups", "package_update_upgrade_install"} <= image.modules
    assert "wireguard" not in image.modules
    # python3-netplan comes with cloud-init, and netplan itself does not.
    assert image.renderer == "networkd"


def test_what_the_recipe_tells(tmp_path: Path) -> None:
    lists = FILE.format("50-a", "cloud_config_modules: [runcmd, [wireguard, always]]")
    image = given(tmp_path, RECIPE + FILE.format("90-b", "cloud_config_modules: [runcmd]") + lists).image()
    assert "wireguard" not in image.modules
    image = given(tmp_path, RECIPE + lists + FILE.format("40-b", "cloud_config_modules: [runcmd]")).image()
    assert "wireguard" in image.modules
    assert "locale" not in image.modules
    assert "write_files" in image.modules
    assert "/etc/cloud/cloud.cfg.d/50-a.cfg" in image.paths
    renderers = FILE.format("a", "system_info: {network: {renderers: [netplan]}}")
    assert given(tmp_path, RECIPE + renderers).image().renderer is None
    # What is no YAML is cloud-init's own business.
    assert given(tmp_path, RECIPE + FILE.format("a", "a: [")).image().modules


def test_all_that_would_not_work_is_told_at_once(tmp_path: Path) -> None:
    text = "#cloud-config\nruncmds: [a]\npackages: [a]\nusers: [{name: a, sudo: b}]\n"
    recipe = f'{RECIPE}cloudinit.network_config = "network-config"\n'
    (tmp_path / "network-config").write_text("version: 2\nvlans: {v: {id: 1, link: a}}\n")
    found = given(tmp_path, recipe, text)
    with pytest.raises(Problems) as caught:
        build(found.context, tmp_path / "out", only=["cloudinit"])
    assert [(Path(one.where.file).name, one.where.line, one.where.key) for one in caught.value.errors] == [
        ("user-data", 2, "runcmds"),
        ("user-data", 3, "packages"),
        ("network-config", 2, "vlans.v"),
    ]
    (warning,) = found.reporter.warnings
    assert "user-data:4:19 users[0].sudo: there is no sudo in the image" in warning
    assert not (tmp_path / "out").exists()


def test_only_a_seed_that_is_built_is_looked_at(tmp_path: Path) -> None:
    found = given(tmp_path, RECIPE, "#cloud-config\nruncmds: [a]\n")
    for chosen in ({"only": ["kernel"]}, {"skip": ["cloudinit"]}):
        with pytest.raises(Exception) as caught:  # noqa: PT011  nothing of this can be built here
            build(found.context, tmp_path / "out", **chosen)
        assert "runcmds" not in str(caught.value)


def test_a_seed_that_is_fine(tmp_path: Path) -> None:
    found = given(tmp_path, RECIPE, "#cloud-config\nruncmd: [a]\n")
    cloudinit.check(found.context)
    assert found.reporter.warnings == found.reporter.messages == []


def fetched_by(found: Given, store: Store, fetch: Callable[[Iterable[LockedPackage]], None]) -> Given:
    return replace(found, context=replace(found.context, means=replace(found.context.means, store=store, fetch=fetch)))


def test_the_package_is_fetched_when_it_is_not_there(tmp_path: Path) -> None:
    found = given(tmp_path, RECIPE, "#cloud-config\nruncmds: [a]\n")
    there, empty = found.context.means.store, Store(tmp_path / "empty")
    asked = []

    def fetch(packages: Iterable[LockedPackage]) -> None:
        for package in packages:
            asked.append(package.name)
            empty.add(there.get(package.sha256).read_bytes())

    with pytest.raises(Problems, match=r"did you mean runcmd\?"):
        cloudinit.check(fetched_by(found, empty, fetch).context)
    assert asked == ["cloud-init"]


def test_without_the_package_what_was_checked_before_still_is(tmp_path: Path) -> None:
    def offline(_: Iterable[LockedPackage]) -> None:
        raise OfflineError("nothing is fetched")

    found = fetched_by(given(tmp_path, RECIPE, "#cloud-config\nruncmds: [a]\n"), Store(tmp_path / "empty"), offline)
    cloudinit.check(found.context)
    (warning,) = found.reporter.warnings
    assert "the seed is not held against the schema of the image's cloud-init" in warning
    assert "its package cannot be had: nothing is fetched" in warning
    # What is known from the lock alone is told nevertheless.
    (tmp_path / "user-data").write_text("#cloud-config\npackages: [a]\nruncmds: [a]\n")
    again = replace(found.context, loaded=load(tmp_path / "r.toml"))
    with pytest.raises(Problems, match="there is no apt-get in the image"):
        cloudinit.check(again)


def test_a_recipe_without_user_data_has_nothing_to_check(tmp_path: Path) -> None:
    found = given(tmp_path, 'name = "x"\nrootfs.packages = ["cloud-init"]\n')
    cloudinit.check(found.context)
    assert found.reporter.warnings == found.reporter.messages == []


def test_an_image_without_cloud_init(tmp_path: Path) -> None:
    project = project_in(tmp_path)
    assert image_of(project.context()) == (None, [])
