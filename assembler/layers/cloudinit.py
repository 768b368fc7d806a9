"""The cloudinit layer: the files of a NoCloud seed, checked for what cloud-init would reject or silently pass over.

The formats are cloud-init's (https://docs.cloud-init.io/: user-data formats, NoCloud, network configuration versions 1
and 2), as read by cloud-init 25.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from assembler.errors import AssembleError, Problems
from assembler.formats.iso import write_iso
from assembler.image import datasource, libraries
from assembler.image.keys import digest
from assembler.image.names import SEED
from assembler.layers.cloudinit_image import image_of
from assembler.layers.context import BuildContext, Means
from assembler.layers.declared import Epoch, Libraries, secret_data, step_of
from assembler.layers.step import Step
from assembler.recipe.load import LoadedRecipe
from assembler.seed import userdata
from assembler.seed.examine import examined
from assembler.seed.identity import instance_id
from assembler.seed.image import Image
from assembler.seed.keys import public_key
from assembler.seed.texts import SeedError

LABEL = datasource.SEED.label
"""Volume label by which cloud-init finds the seed."""

USER_DATA, META_DATA = datasource.SEED.user_data, datasource.SEED.meta_data
NETWORK_CONFIG = datasource.SEED.network_config


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seed:
    """A NoCloud seed as an ISO."""

    files: Annotated[Mapping[str, bytes], secret_data("{}")]
    """By name. They may hold passwords and tokens."""
    epoch: Epoch
    libraries: Libraries

    def make(self, _: Means, directory: Path) -> None:
        write_iso(
            directory / SEED,
            {f"/{name}": data for name, data in self.files.items()},
            label=LABEL,
            epoch=self.epoch,
            joliet=True,
            identity=digest(seed=self.files),
            private=["/*"],
        )


def layer(context: BuildContext) -> Step:
    """The recipe's NoCloud seed as an ISO. Raises Problems with everything that cloud-init would stumble over."""
    declared = _Seed(files=from_recipe(context.loaded), epoch=context.epoch, libraries=context.writers(*libraries.ISO))
    return step_of(declared, context.means, layer="cloudinit", name="seed", outputs=(SEED,), cached=False)


def check(context: BuildContext) -> None:
    """Hold the recipe's seed against the image that is built: the schema of its cloud-init, and what is in it.

    For the schema, the package of cloud-init is fetched when the store does not have it. The reporter is warned of what
    would be passed over, and when there is no schema; an image without cloud-init is told of, and not looked at. Raises
    Problems with all that would not work.
    """
    given, shown = _given(context.loaded)
    if not given:
        return
    image, notes = image_of(context)
    if image is None:
        context.reporter.info("there is no cloud-init in the image: the seed is not held against its schema")
    found = examined(given, names={**_NAMES, **shown}, image=image)
    for warning in (*notes, *found.warnings):
        context.reporter.warn(str(context.loaded.told(warning)))
    if found.errors:
        raise Problems(found.errors)


_NAMES = {name: name for name in (USER_DATA, META_DATA, NETWORK_CONFIG)}


def _given(loaded: LoadedRecipe) -> tuple[dict[str, bytes], dict[str, str]]:
    """The files of the seed that the recipe names, and what they are called on the host."""
    named = {
        USER_DATA: loaded.files.get("cloudinit.user_data"),
        META_DATA: loaded.files.get("cloudinit.meta_data"),
        NETWORK_CONFIG: loaded.files.get("cloudinit.network_config"),
    }
    there = {name: file for name, file in named.items() if file is not None}
    return {name: file.data for name, file in there.items()}, {name: str(file.path) for name, file in there.items()}


def from_recipe(loaded: LoadedRecipe, ssh_authorized_keys: Sequence[str] = ()) -> dict[str, bytes]:
    """The seed of a recipe, with further public keys for root; see `seed`."""
    given, shown = _given(loaded)
    return seed(
        given,
        hostname=loaded.recipe.rootfs.hostname,
        ssh_authorized_keys=[*loaded.recipe.cloudinit.ssh_authorized_keys, *ssh_authorized_keys],
        shown=shown,
    )


def seed(
    given: Mapping[str, bytes],
    *,
    hostname: str,
    ssh_authorized_keys: Sequence[str] = (),
    shown: Mapping[str, str] | None = None,
    image: Image | None = None,
) -> dict[str, bytes]:
    """The files of a seed volume by name: user-data, meta-data and, when it is given, network-config.

    `given` has the bytes of any of the three, and they are kept byte for byte unless keys have to be added. Missing or
    empty user-data becomes an empty cloud-config, missing meta-data an instance-id (see seed/identity.py) and
    `hostname`. `ssh_authorized_keys` are OpenSSH public keys that root gets besides those in user-data. `shown`
    names the files in errors; `image` is what they are for, where that is known. Raises Problems with everything that
    cloud-init would stumble over.
    """
    names = {**_NAMES, **(shown or {})}
    errors: list[AssembleError] = []
    keys = []
    for key in dict.fromkeys(ssh_authorized_keys):
        try:
            keys.append(public_key(key))
        except SeedError as error:
            errors.append(error)
    errors += examined(given, names=names, image=image).errors
    if errors:
        raise Problems(errors)
    files = {name: given[name] for name in (NETWORK_CONFIG, META_DATA) if given.get(name, b"").strip()}
    user_data = given.get(USER_DATA, b"").strip() and given[USER_DATA]
    try:
        files[USER_DATA] = userdata.with_keys(user_data or b"#cloud-config\n{}\n", keys, names[USER_DATA])
    except SeedError as error:
        raise Problems([error]) from error
    if META_DATA not in files:
        files[META_DATA] = _meta_data(hostname, user_data, names[USER_DATA])
    return dict(sorted(files.items()))


def _meta_data(hostname: str, user_data: bytes, name: str) -> bytes:
    config = userdata.plain(user_data, name) if user_data else {}
    identifier = instance_id(hostname, user_data, config)
    return userdata.lines({"instance-id": identifier, "local-hostname": hostname}).encode()
