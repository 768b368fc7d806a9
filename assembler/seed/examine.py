"""All that is to be said of a seed before a node has it."""

from collections.abc import Mapping

from assembler.errors import Place
from assembler.image.datasource import SEED
from assembler.jsonschema import SchemaError
from assembler.seed import fitting, network, renderers, schema, userdata
from assembler.seed.fitting import Findings
from assembler.seed.image import Image
from assembler.seed.texts import Document, SeedError, decoded, mapping, read_yaml


def examined(files: Mapping[str, bytes], *, names: Mapping[str, str], image: Image | None) -> Findings:
    """What is wrong with the files of a seed, which messages call by `names`.

    That is what cloud-init would not take; and with an `image`, also what the schema of its cloud-init refuses and what
    could not be done there.
    """
    found = Findings()
    for name, check in (
        (SEED.user_data, _user_data),
        (SEED.network_config, _network_config),
        (SEED.meta_data, _meta_data),
    ):
        if files.get(name, b"").strip():
            try:
                check(files[name], names[name], image, found)
            except SeedError as error:
                found.errors.append(error)
    return found


def _user_data(data: bytes, name: str, image: Image | None, found: Findings) -> None:
    configs, errors = userdata.read(data, name)
    found.errors.extend(errors)
    for config in configs if image else ():
        assert image is not None
        more = _cloud_config(config, image, found)
        found.errors.extend(_in_order(more.errors))
        found.warnings.extend(_in_order(more.warnings))


def _cloud_config(config: Document, image: Image, found: Findings) -> Findings:
    """What is wrong with one cloud-config in `image`; told is also when its schema is of no use."""
    own = image.schemas.get("cloud-config-v1", {})
    errors: list[SeedError] = []
    try:
        errors += schema.check(config, own) if own else []
    except SchemaError as error:
        found.warnings.append(_unchecked(config.name, error))
    fit = fitting.check(config, image, own)
    return Findings(_once([*errors, *fit.errors]), _once(fit.warnings))


def _network_config(data: bytes, name: str, image: Image | None, found: Findings) -> None:
    config = network.read(data, name)
    netplan = image is not None and image.renderer == "netplan" and config.version == 2
    errors = network.check(config, netplan=netplan)
    if image is not None and not errors and not netplan and config.version:
        errors = renderers.dropped(config, image)
        own = image.schemas.get(f"network-config-v{config.version}", {})
        try:
            errors += schema.check_network(config, own) if own else []
        except SchemaError as error:
            found.warnings.append(_unchecked(name, error))
    found.errors.extend(_once(_in_order(errors)))


def _meta_data(data: bytes, name: str, _: Image | None, found: Findings) -> None:
    document = read_yaml(decoded(data, name), name)
    identifier = mapping(document.value, name, "meta-data").get("instance-id")
    if isinstance(identifier, bool) or not isinstance(identifier, str | int) or identifier == "":
        found.errors.append(
            document.error(
                ("instance-id",),
                "meta-data has no instance-id" if identifier is None else "instance-id is not a string",
                hint="give one, and another one for another machine; or leave out meta_data and have one made",
            )
        )


def _unchecked(name: str, error: SchemaError) -> SeedError:
    return SeedError(
        "this is not held against the schema of the image's cloud-init", where=Place(file=name), why=str(error)
    )


def _in_order(errors: list[SeedError]) -> list[SeedError]:
    return sorted(errors, key=lambda one: (one.where.line, one.where.column))


def _once(errors: list[SeedError]) -> list[SeedError]:
    """The first error of each place."""
    return list({(one.where.line, one.where.column, one.where.key): one for one in reversed(errors)}.values())[::-1]
