"""What of an image decides how a seed is carried out: from its lock, its recipe, and its package of cloud-init."""

from collections.abc import Mapping, Sequence
from typing import Any

from assembler import yamltext
from assembler.debian.deb import Deb, open_package
from assembler.errors import AssembleError, Place
from assembler.jsontext import parse
from assembler.layers.context import BuildContext
from assembler.lockfile.model import LockedPackage
from assembler.seed.image import Image
from assembler.tree.content import Slice, read

_SCHEMAS = "/usr/lib/python3/dist-packages/cloudinit/config/schemas/schema-"
_CONFIG = "/etc/cloud/cloud.cfg"
_LARGEST = 4 << 20
"""Bytes of a schema at most."""
_MODULE_LISTS = ("cloud_init_modules", "cloud_config_modules", "cloud_final_modules")


def image_of(context: BuildContext) -> tuple[Image | None, list[AssembleError]]:
    """The image of a recipe and its lock, and what is to be told of it: that there are no schemas, and why.

    None for an image without cloud-init: a seed is for another one then.
    """
    locked = context.lock.role("rootfs")
    rootfs = context.recipe.rootfs
    own = [package for package in locked if package.name == "cloud-init" or package.name.startswith("cloud-init-")]
    if not own:
        return None, []
    files, notes = _files_of(context, own)
    schemas, damaged = _schemas(files)
    configured = [_yaml(files.get(_CONFIG, b"")), *_configurations(context)]
    image = Image(
        packages=frozenset(package.name for package in locked),
        paths=frozenset(file.path for file in rootfs.files),
        executed=bool(rootfs.run),
        state=context.recipe.livecd.state != "none",
        locale=rootfs.locale,
        schemas=schemas,
        modules=_modules(configured),
        chooses=any("renderers" in str(each.get("system_info", {})) for each in configured),
    )
    return image, [*notes, *damaged]


def _files_of(context: BuildContext, packages: Sequence[LockedPackage]) -> tuple[dict[str, bytes], list[AssembleError]]:
    """The schemas and the configuration in the image's packages of cloud-init, by path."""
    try:
        if not all(context.means.store.has(package.sha256) for package in packages):
            context.means.fetch(packages)
        debs = [open_package(context.means.store, package.sha256, package.name) for package in packages]
    except AssembleError as error:
        return {}, [_untold(f"its package cannot be had: {error}")]
    found = {path: data for deb in debs for path, data in _wanted(deb).items()}
    missing = [] if any(path.startswith(_SCHEMAS) for path in found) else [_untold("its package has no schema")]
    return found, missing


def _wanted(deb: Deb) -> dict[str, bytes]:
    return {
        member.path: read(Slice(str(deb.data), member.offset, member.size))
        for member in deb.members
        if member.type == "0"
        and member.size <= _LARGEST
        and (member.path == _CONFIG or member.path.startswith(_SCHEMAS))
    }


def _untold(why: str) -> AssembleError:
    return AssembleError(
        "the seed is not held against the schema of the image's cloud-init",
        where=Place(key="cloudinit"),
        why=why,
    )


def _schemas(files: Mapping[str, bytes]) -> tuple[dict[str, Any], list[AssembleError]]:
    """The schemas by the end of their names, and what is wrong with some."""
    found, errors = {}, []
    for path, data in files.items():
        if path.startswith(_SCHEMAS):
            try:
                found[path.removeprefix(_SCHEMAS).removesuffix(".json")] = parse(data, limit=_LARGEST)
            except ValueError as error:
                errors.append(_untold(f"{path} is no JSON: {error}"))
    return found, errors


def _configurations(context: BuildContext) -> list[dict[Any, Any]]:
    """The recipe's own configuration of cloud-init, in the order in which it counts."""
    found = {}
    for index, file in enumerate(context.recipe.rootfs.files):
        if file.path.startswith("/etc/cloud/"):
            named = context.loaded.files.get(f"rootfs.files[{index}].source")
            data = named.data if named else (file.content or "").encode()
            found[file.path] = _yaml(data)
    return [config for _, config in sorted(found.items())]


def _yaml(data: bytes) -> dict[Any, Any]:
    """A mapping in YAML; an empty one for anything else, which is cloud-init's own business."""
    try:
        value = yamltext.loads(data.decode())
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _modules(configured: Sequence[Mapping[Any, Any]]) -> frozenset[str]:
    """The modules that run, by the last configuration that lists them."""
    lists: dict[str, Any] = {}
    for config in configured:
        lists |= {key: config[key] for key in _MODULE_LISTS if isinstance(config.get(key), list)}
    names = [entry[0] if isinstance(entry, list) and entry else entry for each in lists.values() for entry in each]
    return frozenset(str(name).replace("-", "_") for name in names)
