"""Every key of the recipe decides those steps that a table says, and no other: neither a step's key nor its bytes.

A step that uses what it does not declare would make other bytes under the same key, and one that declares what it does
not use would be made again for nothing. What is not in the table, a new key of the recipe, fails.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from types import UnionType
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from assembler.image.libraries import LIBRARIES
from assembler.initrd.compose import PROGRAMS, REQUIRED
from assembler.layers import rootfs
from assembler.layers.context import BuildContext, Means
from assembler.layers.plan import plan
from assembler.layers.step import Step
from assembler.lockfile.model import Lock, LockedAccounts, LockedPackage
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.model import Recipe
from assembler.recipe.named import NamedFile
from assembler.store.objects import Store
from assembler.tools.toolbox import Toolbox
from tests.debian.debs import deb, directory, item
from tests.initrd.elves import library, module
from tests.initrd.test_compose import RELEASE
from tests.initrd.updates import container
from tests.kernel.test_source import FILES as SOURCE
from tests.kernel.test_source import tarball
from tests.layers.decided import (
    AT_LENGTH,
    COMPILED,
    DECIDES,
    EXECUTED,
    FILES,
    INITRD,
    ISO,
    K8S,
    KERNEL,
    NAMED,
    RECIPE,
    SBOM,
    SEED,
    TREE,
    VANILLA,
)
from tests.lockfile.test_toml import LOCK


@dataclass(frozen=True)
class Project:
    """A recipe with a lock whose packages are in a store."""

    loaded: LoadedRecipe
    lock: Lock
    store: Store

    def context(self, **recipe: Any) -> BuildContext:
        """What the recipe is built from, or another one."""
        means = Means(
            store=self.store,
            fetch=_nothing,
            prove=_nothing,
            toolbox=_no_tools,
            programs=_no_tools,
            fetch_files=_nothing,
            fetch_images=_nothing,
        )
        loaded = replace(self.loaded, **recipe)
        return BuildContext(loaded=loaded, lock=self.lock, means=means, libraries=dict.fromkeys(LIBRARIES, "1"))

    def steps(self, **recipe: Any) -> Mapping[str, Step]:
        """The steps of that."""
        return {step.label: step for step in plan(self.context(**recipe))}


def test_numbers_that_the_lock_keeps_decide_the_tree(tmp_path: Path) -> None:
    project = project_in(tmp_path, RECIPE)
    kept = LockedAccounts(users=(("daemon", 150),))
    other = replace(project, lock=replace(project.lock, accounts=kept))
    assert decided(project.steps(), other.steps()) == {TREE, ISO}
    assert "number of user daemon" in other.steps()[TREE].inputs
    tree = rootfs.layer(other.context()).compose()
    assert "daemon:x:150:101:" in tree.read_text("/etc/passwd")
    # And they are what the lock is to keep.
    assert rootfs.accounts(other.context()) == LockedAccounts(users=kept.users, groups=(("daemon", 101),))


def _nothing(_: object) -> None:
    """What a fetcher does whose things are in the store."""


def _no_tools(_: object, __: str = "") -> Toolbox:
    raise AssertionError("no program is run here")


def _package(name: str, files: Mapping[str, bytes]) -> bytes:
    """A package with `files`, and the directories that they are in."""
    parents = {str(parent) for path in files for parent in PurePosixPath(path).parents} - {"."}
    return deb(
        name,
        *(directory(f"./{path}") for path in sorted(parents)),
        *(item(f"./{path}", data) for path, data in files.items()),
        Version="1.7",
        Architecture="amd64",
    )


def _packages() -> Mapping[str, tuple[str, Mapping[str, bytes]]]:
    """Role and files of the packages, by name: as few as what is made of them allows."""
    modules = {f"usr/lib/modules/{RELEASE}/kernel/{name}.ko": module() for name in REQUIRED}
    return {
        "base": ("rootfs", {
            "etc/passwd": b"root:x:0:0::/root:/bin/sh\ndaemon:x:101:101:::\n",
            "etc/group": b"root:x:0:\ndaemon:x:101:\n",
            "etc/shadow": b"root:*:1:0:99999:7:::\n",
            "etc/gshadow": b"root:*::\n",
            "etc/hosts": b"127.0.0.1\tlocalhost\n",
            "etc/dpkg/dpkg.cfg.d/x": b"",
            "usr/bin/x": b"",
            "usr/share/zoneinfo/Europe/Berlin": b"TZif",
            "usr/share/zoneinfo/Etc/UTC": b"TZif",
            "usr/share/doc/base/copyright": b"Format: x\n",
            "usr/lib/systemd/system/a.service": b"[Install]\nWantedBy=multi-user.target\n",
            "var/lib/dpkg/x": b"",
        }),
        "waiting": ("rootfs", {"usr/share/waiting": b"a"}),
        "amd64-microcode": ("rootfs", {"usr/lib/firmware/amd-ucode/a.bin": container(b"a")}),
        "containerd": ("rootfs", {"usr/bin/containerd": b"a"}),
        "linux-image-a": ("rootfs", {
            f"boot/vmlinuz-{RELEASE}": b"kernel", f"boot/config-{RELEASE}": b"config", **modules,
        }),
        "programs": ("initrd", {
            "usr/bin/busybox": library(),
            **{path[1:]: library() for path in PROGRAMS},
        }),
        "linux-source-6.12": ("kernel-source", {"usr/src/linux-source-6.12.tar.xz": tarball(SOURCE)}),
        "a-dkms": ("modules", {"usr/src/a-1/dkms.conf": b"PACKAGE_NAME=a\n"}),
        "b-dkms": ("modules", {"usr/src/b-1/dkms.conf": b"PACKAGE_NAME=b\n"}),
        "linux-headers-a": ("headers", {"usr/src/h/Makefile": b""}), "gcc-14": ("compiler", {"usr/bin/gcc-14": b""}),
    }  # fmt: skip


def _locked(store: Store) -> Lock:
    packages = [
        LockedPackage(
            name=name,
            version="1.7",
            architecture="amd64",
            source="linux" if name.startswith("linux") else name,
            source_version="1.7",
            size=len(data),
            sha256=store.add(data),
            path=f"pool/{name}.deb",
            archive="trixie",
            roles=(role,),
            why="requested",
        )
        for name, (role, files) in _packages().items()
        for data in [_package(name, files)]
    ]
    (kubelet,) = LOCK.files
    files = (replace(kubelet, size=7, sha256=store.add(b"kubelet")),)
    return replace(LOCK, packages=tuple(packages), files=files, images=(), toolchain=LOCK.tools)


def project_in(directory: Path, recipe: str = RECIPE) -> Project:
    for name, text in FILES.items():
        (directory / name).write_text(text)
        (directory / name.replace("a", "b", 1)).write_text(text)
    (directory / "tree").mkdir(exist_ok=True)
    (directory / "tree/below").write_text("a")
    (directory / "r.toml").write_text(recipe)
    store = Store(directory / "store")
    return Project(load(directory / "r.toml"), _locked(store), store)


def leaves_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key of a recipe that has a value of its own; ``[]`` stands for an entry of a list of tables."""
    for name, field in model.model_fields.items():
        kinds = get_args(field.annotation) if get_origin(field.annotation) is UnionType else (field.annotation,)
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from leaves_of(kind, f"{prefix}{name}.")
                break
            (entry, *_) = (*get_args(kind), None)
            if isinstance(entry, type) and issubclass(entry, BaseModel):
                yield from leaves_of(entry, f"{prefix}{name}[].")
                break
        else:
            yield f"{prefix}{name}"


def _entries(leaf: str) -> list[str]:
    """What the table says of a leaf: keys for a list's, else the first pattern that fits."""
    if "[]" in leaf:
        return [name for name in DECIDES if without_numbers(name) == leaf]
    return next(([name] for name in DECIDES if fnmatchcase(leaf, name)), [])


def without_numbers(name: str) -> str:
    return re.sub(r"\[[0-9]+\]", "[]", name)


def _changed(value: Any, keys: list[str], new: object) -> Any:
    """`value` with what is below `keys` replaced."""
    if not keys:
        return new
    name, _, number = keys[0].rstrip("]").partition("[")
    inner = getattr(value, name)
    if number:
        entry = _changed(inner[int(number)], keys[1:], new)
        return value.model_copy(update={name: [*inner[: int(number)], entry, *inner[int(number) + 1 :]]})
    return value.model_copy(update={name: _changed(inner, keys[1:], new)})


def with_other(recipe: Recipe, leaf: str, new: object) -> Recipe:
    changed = _changed(recipe, leaf.split("."), new)
    if leaf == "kernel.source":
        changed = _changed(changed, ["kernel", "package"], "linux-source-6.12")
    assert isinstance(changed, Recipe)
    assert changed != recipe or not new, leaf
    return changed


def decided(before: Mapping[str, Step], after: Mapping[str, Step]) -> set[str]:
    """The steps whose own inputs differ; all keys have to differ that are made of these, and no others."""
    assert before.keys() == after.keys()
    found: set[str] = set()
    changed: set[str] = set()
    for label, old in before.items():
        new = after[label]
        own = [
            ({name: value for name, value in step.inputs.items() if name not in before}, dict(step.secrets))
            for step in (old, new)
        ]
        if own[0] != own[1]:
            found.add(label)
        if own[0] != own[1] or not changed.isdisjoint(new.inputs):
            changed.add(label)
        assert (old.key != new.key) == (label in changed), label
    return found


@dataclass(frozen=True)
class Changed:
    """A recipe with one thing otherwise."""

    key: str
    new: object
    steps: Mapping[str, Step]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return project_in(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def changed(project: Project) -> list[tuple[Changed, set[str]]]:
    """Each key of the recipe changed, and what the table says of it."""
    found = []
    leaves = [
        leaf for leaf in leaves_of(Recipe) if not any(fnmatchcase(leaf, name) for name in (*EXECUTED, *AT_LENGTH))
    ]
    assert len(leaves) > 80
    for leaf in leaves:
        assert _entries(leaf), f"{leaf} is not in the table: which steps does it decide?"
        for name in _entries(leaf):
            new, expected = DECIDES[name]
            key = leaf if "*" in name else name
            steps = project.steps(recipe=with_other(project.loaded.recipe, key, new))
            found.append((Changed(key, new, steps), expected))
    used = {name for leaf in leaves for name in _entries(leaf)}
    assert used == set(DECIDES), "the table speaks of keys that there are not"
    return found


def test_every_key_of_the_recipe_decides_what_the_table_says(
    project: Project, changed: list[tuple[Changed, set[str]]]
) -> None:
    before = project.steps()
    found = {one.key: decided(before, one.steps) for one, _ in changed}
    assert found == {one.key: expected for one, expected in changed}


def test_every_file_that_the_recipe_names_decides_what_the_table_says(project: Project) -> None:
    before = project.steps()
    files = project.loaded.files
    assert files.keys() == NAMED.keys()
    for name, (data, expected) in NAMED.items():
        after = project.steps(files={**files, name: replace(files[name], data=data)})
        assert decided(before, after) == expected, name


def test_a_kernel_that_is_compiled(tmp_path: Path) -> None:
    project = project_in(tmp_path, VANILLA)
    before = project.steps()
    for leaf, (new, expected) in COMPILED.items():
        assert decided(before, project.steps(recipe=with_other(project.loaded.recipe, leaf, new))) == expected, leaf
    files = project.loaded.files
    fragment = {"kernel.fragments[0]": NamedFile(path=Path("a.config"), data=b"CONFIG_NET=n\n")}
    assert decided(before, project.steps(files={**files, **fragment})) == {KERNEL, ISO}


def test_a_password_in_clear_has_its_salt_from_the_whole_table(tmp_path: Path) -> None:
    """So all of that decides the root file system, as a secret; nothing else of the recipe does."""
    clear = re.sub(r'root_password = "[^"]*"', 'root_password = "clear"', RECIPE)
    (tmp_path / "a").mkdir()
    project = project_in(tmp_path / "a", clear)
    recipe, before = project.loaded.recipe, project.steps()
    for leaf, expected in {
        "rootfs.packages": {TREE, ISO},
        "rootfs.recommends": {TREE, ISO},
        "rootfs.rules": {TREE},
        "livecd.cmdline": {ISO},
        "kernel.base": {ISO},
    }.items():
        changed = with_other(recipe, leaf, DECIDES[leaf][0])
        after = project.steps(recipe=changed)
        assert decided(before, after) == expected, leaf
        (tmp_path / leaf).mkdir()
        made = _made(project_in(tmp_path / leaf, clear).steps(recipe=changed)[TREE], tmp_path / leaf / "after")
        assert (made == _made(before[TREE], tmp_path / leaf / "before")) == (TREE not in expected), leaf


MADE = (KERNEL, TREE, "rootfs.tar.zst", K8S, "kubernetes.tar.zst", SBOM, INITRD, SEED)
"""The steps that take no program."""


OTHERS = frozenset(["kernel.source", "artifacts.formats", "kubernetes.images", "kubernetes.extra_images"])
"""Keys with which there are other steps, or that want another lock."""


@pytest.mark.parametrize("label", MADE)
def test_what_does_not_change_a_key_does_not_change_a_byte(
    project: Project, changed: list[tuple[Changed, set[str]]], label: str, tmp_path: Path
) -> None:
    """Everything else in the recipe is another, all at once, and nothing of what was made before is there."""
    before = project.steps()[label]
    recipe, files = project.loaded.recipe, dict(project.loaded.files)
    free = [one for one, _ in changed if one.steps[label].key == before.key and one.key not in OTHERS]
    assert len(free) > 60
    for one in free:
        recipe = with_other(recipe, one.key, one.new)
    for key, (data, _) in NAMED.items():
        other = {**files, key: replace(files[key], data=data)}
        if project.steps(files=other)[label].key == before.key:
            files = other
    after = project_in(tmp_path).steps(recipe=recipe, files=files)[label]
    assert after.key == before.key
    assert _made(after, tmp_path / "after") == _made(before, tmp_path / "before")


def _made(step: Step, directory: Path) -> Mapping[str, bytes]:
    directory.mkdir()
    step.make(directory)
    found = {path.name: path.read_bytes() for path in directory.iterdir()}
    assert found
    return found


def test_what_changes_bytes_changes_the_key(project: Project, tmp_path: Path) -> None:
    """The table is of what matters: with the changed key, something else is made."""
    recipe = project.loaded.recipe
    before = project.steps()
    for leaf, label in {
        "rootfs.hostname": TREE,
        "rootfs.timezone": TREE,
        "rootfs.files[2].content": TREE,
        "rootfs.first_boot": TREE,
        "kubernetes.version": K8S,
        "livecd.label": INITRD,
        "initrd.modules": INITRD,
        "initrd.from_image": INITRD,
        "initrd.microcode": INITRD,
        "initrd.files[0].content": INITRD,
        "cloudinit.ssh_authorized_keys": SEED,
        "name": SBOM,
    }.items():
        after = project.steps(recipe=with_other(recipe, leaf, DECIDES[leaf][0]))[label]
        assert _made(after, tmp_path / f"{leaf} after") != _made(before[label], tmp_path / f"{leaf} before"), leaf
