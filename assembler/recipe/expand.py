"""What a recipe says in short, said at length: everything that becomes files of the image is in its list of files.

Directories of the host, certificates, units, kernel parameters and rules of sudo are conveniences of the recipe: what
builds the image, names it in keys and writes it onto a medium knows files, directories and accounts only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assembler.recipe.additions import Directory, File, Unit
from assembler.recipe.model import Recipe, Rootfs
from assembler.recipe.short import own_name
from assembler.recipe.trees import laid_over

AUTHORITIES = "/usr/local/share/ca-certificates"
"""Where update-ca-certificates(8) looks for certificates that no package has."""
UNITS = "/etc/systemd/system"
SYSCTL = "/etc/sysctl.d/90-recipe.conf"
MODULES = "/etc/modules-load.d/recipe.conf"


@dataclass(slots=True)
class Expanded:
    """A recipe at length."""

    recipe: Recipe
    sources: dict[str, tuple[int, Path]] = field(default_factory=dict)
    """Host files that it names now and did not before, by the key that does so, each with the number of its tree."""
    data: dict[str, str] = field(default_factory=dict)
    """Keys of files that had another key before, with that: the bytes are known already."""
    origins: dict[str, str] = field(default_factory=dict)
    """What stands at length, with the key that said it in short: ``rootfs.files[7]`` of ``rootfs.trees[0]``."""


@dataclass(frozen=True, slots=True)
class Laid:
    """What a directory of the host has for the image."""

    entries: Sequence[File | Directory]
    """Files name their sources as the recipe would."""
    base: Path
    """The directory that these names are relative to."""


def expand(recipe: Recipe, trees: Sequence[Laid]) -> Expanded:
    """`recipe` at length; `trees` is what the directories in its list of trees have, one for one."""
    rootfs = recipe.rootfs
    result = Expanded(recipe)
    files, directories = list(rootfs.files), list(rootfs.directories)

    def add(file: File, origin: str) -> str:
        key = f"rootfs.files[{len(files)}]"
        result.origins[key] = origin
        files.append(file)
        return key

    for number, entry in laid_over([tree.entries for tree in trees], [*files, *directories]):
        if isinstance(entry, Directory):
            result.origins[f"rootfs.directories[{len(directories)}]"] = f"rootfs.trees[{number}]"
            directories.append(entry)
            continue
        key = add(entry, f"rootfs.trees[{number}]")
        if entry.source is not None:
            result.sources[f"{key}.source"] = number, trees[number].base / entry.source
    for index, name in enumerate(rootfs.certificates):
        origin = f"rootfs.certificates[{index}]"
        key = add(File(path=f"{AUTHORITIES}/{authority(name)}", source=name), origin)
        result.data[f"{key}.source"] = origin
    for origin, file in _texts(rootfs):
        add(file, origin)
    enabled = [name for name, unit in rootfs.units.items() if unit.enable and name not in rootfs.enable]
    for index, name in enumerate(enabled, len(rootfs.enable)):
        result.origins[f"rootfs.enable[{index}]"] = f"rootfs.units.'{name}'"
    result.recipe = recipe.model_copy(
        update={
            "rootfs": rootfs.model_copy(
                update={
                    "files": [file.model_copy(update={"template": False}) for file in files],
                    "directories": directories,
                    "enable": [*rootfs.enable, *enabled],
                    "trees": [],
                    "certificates": [],
                    "units": {},
                    "sysctl": {},
                    "modules": [],
                    "users": {name: user.model_copy(update={"sudo": False}) for name, user in rootfs.users.items()},
                }
            )
        }
    )
    return result


def authority(name: str) -> str:
    """What the file with a certificate of the host's name `name` is called in the image."""
    last = own_name(name)
    stem = last.rpartition(".")[0] if last.endswith((".pem", ".crt", ".cer")) else last
    return f"{stem}.crt"


def _parameters(values: Mapping[str, str]) -> str:
    """The text of sysctl.d(5) with these parameters."""
    return "".join(f"{name} = {value}\n" for name, value in values.items())


def _texts(rootfs: Rootfs) -> Iterator[tuple[str, File]]:
    """Files whose text stands in the recipe elsewhere, each with the key that says so."""
    if rootfs.sysctl:
        yield "rootfs.sysctl", File(path=SYSCTL, content=_parameters(rootfs.sysctl))
    if rootfs.modules:
        yield "rootfs.modules", File(path=MODULES, content="".join(f"{name}\n" for name in rootfs.modules))
    for name, unit in rootfs.units.items():
        yield from _unit(name, unit)
    for name, user in rootfs.users.items():
        if user.sudo:
            rule = "ALL=(ALL:ALL) NOPASSWD: ALL" if user.sudo is True else user.sudo
            file = File(path=f"/etc/sudoers.d/90-{name}", content=f"{name} {rule}\n", mode="0440")
            yield f"rootfs.users.{name}.sudo", file


def _unit(name: str, unit: Unit) -> Iterator[tuple[str, File]]:
    key = f"rootfs.units.'{name}'"
    if unit.content:
        yield key, File(path=f"{UNITS}/{name}", content=_ended(unit.content))
    for drop_in, text in unit.drop_ins.items():
        yield key, File(path=f"{UNITS}/{name}.d/{drop_in}", content=_ended(text))


def _ended(text: str) -> str:
    """A text whose last line ends."""
    return text if text.endswith("\n") else f"{text}\n"
