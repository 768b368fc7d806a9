"""The cloudinit layer: the files of a NoCloud seed, checked for what cloud-init would reject or silently pass over.

Pure functions over bytes. The formats are cloud-init's (https://docs.cloudinit.io/: user-data formats, NoCloud, network
configuration versions 1 and 2), as read by cloud-init 25.1.
"""

import base64
import binascii
import email
import hashlib
import ipaddress
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from assembler import yamltext
from assembler.errors import AssembleError, Place, Problems
from assembler.formats.iso import write_iso
from assembler.image import datasource, libraries
from assembler.image.keys import digest
from assembler.image.names import SEED
from assembler.layers.context import BuildContext, Means
from assembler.layers.declared import Epoch, Libraries, secret_data, step_of
from assembler.layers.step import Step
from assembler.recipe.document import did_you_mean
from assembler.recipe.load import LoadedRecipe
from assembler.recipe.shapes import quoted
from assembler.yamltext import YamlError

LABEL = datasource.SEED.label
"""Volume label by which cloud-init finds the seed."""

USER_DATA, META_DATA = datasource.SEED.user_data, datasource.SEED.meta_data
NETWORK_CONFIG = datasource.SEED.network_config


class SeedError(AssembleError):
    """cloud-init would not take this."""


_JINJA = "## template: jinja"
_HEADERS = {
    "#cloud-config-archive": "text/cloud-config-archive",
    "#cloud-config-jsonp": "text/cloud-config-jsonp",
    "#cloud-config": "text/cloud-config",
    "#cloud-boothook": "text/cloud-boothook",
    "#include-once": "text/x-include-once-url",
    "#include": "text/x-include-url",
    "#part-handler": "text/part-handler",
    "#!": "text/x-shellscript",
    _JINJA: "text/jinja2",
}
"""How user-data begins, and its MIME type; a header stands before its own prefixes."""

_V1_TYPES = frozenset(["physical", "loopback", "infiniband", "vlan", "bond", "bridge", "nameserver", "route"])
_V2_KEYS = frozenset(["version", "renderer", "ethernets", "bonds", "bridges", "vlans", "wifis"])
_KEY_TYPES = frozenset(
    [
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    ]
)


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


def from_recipe(loaded: LoadedRecipe, ssh_authorized_keys: Sequence[str] = ()) -> dict[str, bytes]:
    """The seed of a recipe, with further public keys for root; see `seed`."""
    named = {
        USER_DATA: loaded.files.get("cloudinit.user_data"),
        META_DATA: loaded.files.get("cloudinit.meta_data"),
        NETWORK_CONFIG: loaded.files.get("cloudinit.network_config"),
    }
    return seed(
        {name: file.data for name, file in named.items() if file is not None},
        hostname=loaded.recipe.rootfs.hostname,
        ssh_authorized_keys=[*loaded.recipe.cloudinit.ssh_authorized_keys, *ssh_authorized_keys],
        shown={name: str(file.path) for name, file in named.items() if file is not None},
    )


def seed(
    given: Mapping[str, bytes],
    *,
    hostname: str,
    ssh_authorized_keys: Sequence[str] = (),
    shown: Mapping[str, str] | None = None,
) -> dict[str, bytes]:
    """The files of a seed volume by name: user-data, meta-data and, when it is given, network-config.

    `given` has the bytes of any of the three, and they are kept byte for byte unless keys have to be added. Missing or
    empty user-data becomes an empty cloud-config, missing meta-data an instance-id that digests the rest of the seed,
    and `hostname`. `ssh_authorized_keys` are OpenSSH public keys that root gets besides those in user-data. `shown`
    names the files in errors. Raises Problems with everything that cloud-init would stumble over.
    """
    errors: list[AssembleError] = []
    names = {USER_DATA: USER_DATA, META_DATA: META_DATA, NETWORK_CONFIG: NETWORK_CONFIG, **(shown or {})}

    def attempt(check: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return check(*arguments)
        except SeedError as error:
            errors.append(error)
            return None

    keys = [attempt(public_key, key) for key in dict.fromkeys(ssh_authorized_keys)]
    user_data = given.get(USER_DATA, b"").strip() and given[USER_DATA]
    if user_data:
        attempt(_check_user_data, user_data, names[USER_DATA])
    result = {}
    if given.get(NETWORK_CONFIG, b"").strip():
        result[NETWORK_CONFIG] = given[NETWORK_CONFIG]
        attempt(_check_network_config, given[NETWORK_CONFIG], names[NETWORK_CONFIG])
    if given.get(META_DATA, b"").strip():
        result[META_DATA] = given[META_DATA]
        attempt(_check_meta_data, given[META_DATA], names[META_DATA])
    if not errors:
        result[USER_DATA] = attempt(_with_keys, user_data or b"#cloud-config\n{}\n", keys, names[USER_DATA])
    if errors:
        raise Problems(errors)
    if META_DATA not in result:
        result[META_DATA] = _meta_data(result, hostname)
    return dict(sorted(result.items()))


def public_key(text: str) -> str:
    """One OpenSSH public key (RFC 4253, 6.6), checked and with its white space made single. SeedError otherwise."""
    if "PRIVATE KEY" in text:
        raise SeedError("this is a private SSH key", hint="give the public one, the file that ends in .pub")
    kind, _, rest = " ".join(text.split()).partition(" ")
    blob = rest.partition(" ")[0]
    if kind not in _KEY_TYPES:
        hint = did_you_mean(kind, _KEY_TYPES) or f"it begins with one of {', '.join(sorted(_KEY_TYPES))}"
        raise SeedError(f"{quoted(kind)} is no type of public SSH key", hint=hint)
    try:
        data = base64.b64decode(blob, validate=True)
    except binascii.Error as error:
        raise SeedError("a public SSH key is damaged", why=f"its base64: {error}", hint="copy the .pub file") from error
    fields = _ssh_strings(data)
    if len(fields) < 2 or fields[0] != kind.encode():
        raise SeedError("a public SSH key is damaged", why=f"it holds no {kind} key", hint="copy the .pub file whole")
    return f"{kind} {rest}"


def _ssh_strings(data: bytes) -> list[bytes]:
    """The strings (RFC 4251, 5) that `data` consists of; none when it does not."""
    fields = []
    while data:
        end = 4 + int.from_bytes(data[:4], "big")
        if len(data) < end:
            return []
        fields.append(data[4:end])
        data = data[end:]
    return fields


# --- user-data ---------------------------------------------------------------------------------------------------


def _text(data: bytes, name: str) -> str:
    if data.startswith(b"\x1f\x8b"):
        raise SeedError(f"{name} is compressed", where=Place(file=name), hint="give it as it is")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SeedError(f"byte 0x{data[error.start]:02x} is not UTF-8", where=Place(file=name, line=line)) from error


def _is_mime(text: str) -> bool:
    start = text[:4096].lower()
    return start.startswith(("content-type:", "mime-version:", "from nobody ")) or "\nmime-version:" in start


def _header(text: str) -> str:
    """The header that `text` begins with, as cloud-init finds it; empty for none."""
    start = text.lstrip()[:64].lower()
    return next((header for header in _HEADERS if start.startswith(header)), "")


def _check_user_data(data: bytes, name: str) -> None:
    text = _text(data, name)
    if not _is_mime(text):
        _check_part(text, name)
        return
    try:
        _check_message(data, name)
    except RecursionError as error:
        raise SeedError("the MIME message is nested too deeply", where=Place(file=name)) from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:  # what email raises for odd headers
        raise SeedError("the MIME message cannot be read", where=Place(file=name), why="of its headers") from error


def _check_message(data: bytes, name: str) -> None:
    message = email.message_from_bytes(data)
    if message.is_multipart() == (message.get_content_maintype() != "multipart"):
        raise SeedError(
            "the MIME message has no parts", where=Place(file=name), hint="its boundary is missing or wrong"
        )
    for part in message.walk():
        if part.is_multipart():
            continue
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes):
            continue
        kind = part.get_content_type()
        shown = f"{name}, part {(part.get_filename() or kind)[:60]}"
        if kind in ("text/plain", "application/octet-stream", "text/x-not-multipart"):
            _check_part(_text(payload, shown), shown)
        elif kind == "text/cloud-config":
            _cloud_config(_text(payload, shown), shown)


def _check_part(text: str, name: str) -> None:
    header = _require_header(text, name)
    if header == _JINJA:
        # The rest is a template: before it is filled in, only its header can be told.
        _require_header(text.lstrip().partition("\n")[2], name, line=2)
    elif header == "#!" and text.split("\n", 1)[0].endswith("\r"):
        raise SeedError(
            "the script's lines end with CR LF",
            where=Place(file=name, line=1),
            why="its interpreter would not be found",
            hint="save it with Unix line ends",
        )
    elif header == "#cloud-config":
        _cloud_config(text, name)
    elif header == "#cloud-config-archive" and not isinstance(_yaml(text, name), list):
        raise SeedError("a cloud-config-archive is a YAML list", where=Place(file=name))


def _require_header(text: str, name: str, line: int = 1) -> str:
    header = _header(text)
    if header:
        return header
    first = text.strip().split("\n", 1)[0].strip()
    if first.startswith("\ufeff"):
        hint = "save it without a byte order mark"
    else:
        near = did_you_mean(first.replace("# ", "#"), _HEADERS)
        hint = near or "begin with #cloud-config for YAML, with #! for a script"
    raise SeedError(f"{quoted(first)} is no header that cloud-init knows", where=Place(file=name, line=line), hint=hint)


def _cloud_config(text: str, name: str) -> dict[Any, Any]:
    value = _yaml(text, name)
    if value is None:
        raise SeedError("the cloud-config is empty", where=Place(file=name), hint="write {} below its header")
    return _mapping(value, name, "a cloud-config")


def _with_keys(data: bytes, keys: Sequence[str], name: str) -> bytes:
    """User-data that also gives root these keys.

    They become further lines of a cloud-config where that says the same, and a second MIME part everywhere else.
    """
    if not keys:
        return data
    text = data.decode()
    addition: dict[str, Any] = {"ssh_authorized_keys": list(keys), "disable_root": False}
    if _is_mime(text) or _header(text) != "#cloud-config":
        return _multipart(data, addition)
    config = _cloud_config(text, name)
    if config.get("disable_root", False):
        raise SeedError(
            "disable_root keeps root from logging in with the keys that it is given",
            where=Place(file=name, key="disable_root"),
            hint="remove it, or cloudinit.ssh_authorized_keys from the recipe",
        )
    if not config:
        return f"#cloud-config\n{_lines(addition)}".encode()
    if not addition.keys() & config.keys():
        longer = text + ("" if text.endswith("\n") else "\n") + _lines(addition)
        try:
            # Keys only: comparing values that are full of aliases could take forever.
            if [*_cloud_config(longer, name)] == [*config, *addition]:
                return longer.encode()
        except SeedError:
            pass  # a flow mapping, or one that ends with "..."
    return _multipart(data, addition)


def _lines(config: Mapping[str, Any]) -> str:
    """A mapping as YAML lines; its values as JSON, which YAML contains."""
    lines = []
    for key, value in config.items():
        if isinstance(value, list):
            lines += [f"{key}:", *(f"  - {json.dumps(item)}" for item in value)]
        else:
            lines.append(f"{key}: {json.dumps(value)}")
    return "\n".join(lines) + "\n"


def _multipart(data: bytes, addition: Mapping[str, Any]) -> bytes:
    """A MIME message (RFC 2046) of user-data as it is and a cloud-config that is merged into it."""
    text = data.decode()
    first = data if _is_mime(text) else _part(_HEADERS[_header(text)], data)
    # Lists are put after those that are there already; cloud-init would replace them.
    merge = "Merge-Type: list(append)+dict(recurse_list)+str()\n"
    second = _part("text/cloud-config", f"#cloud-config\n{_lines(addition)}".encode(), merge)
    boundary = "=" + hashlib.sha256(first + second).hexdigest()[:32]
    head = f'Content-Type: multipart/mixed; boundary="{boundary}"\nMIME-Version: 1.0\n'
    mark = f"\n--{boundary}"
    return b"".join((head.encode(), f"{mark}\n".encode(), first, f"{mark}\n".encode(), second, f"{mark}--\n".encode()))


def _part(kind: str, data: bytes, headers: str = "") -> bytes:
    head = f'Content-Type: {kind}; charset="utf-8"\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n{headers}\n'
    return head.encode() + base64.encodebytes(data)


# --- meta-data and network-config --------------------------------------------------------------------------------


def _meta_data(rest: Mapping[str, bytes], hostname: str) -> bytes:
    """Meta-data whose instance-id changes when anything in the seed does, so that cloud-init applies it then."""
    state = hashlib.sha256(hostname.encode())
    for name, data in sorted(rest.items()):
        state.update(f"\0{name}\0{len(data)}\0".encode() + data)
    return _lines({"instance-id": f"iid-{state.hexdigest()[:20]}", "local-hostname": hostname}).encode()


def _check_meta_data(data: bytes, name: str) -> None:
    value = _mapping(_yaml(_text(data, name), name), name, "meta-data")
    identifier = value.get("instance-id")
    if isinstance(identifier, bool) or not isinstance(identifier, str | int) or identifier == "":
        raise SeedError(
            "meta-data has no instance-id" if identifier is None else "instance-id is not a string",
            where=Place(file=name, key="instance-id"),
            hint="give one, and another one whenever the seed changes; or leave out meta_data and have one made",
        )


def _check_network_config(data: bytes, name: str) -> None:
    value = _mapping(_yaml(_text(data, name), name), name, "network-config")
    prefix = ""
    if "network" in value:
        value, prefix = _mapping(value["network"], name, "network", "network"), "network."
    if value.get("config") == "disabled":
        return
    version = value.get("version")
    if version not in (1, 2) or isinstance(version, bool):
        raise SeedError(
            "network-config has no version" if version is None else f"version {_shown(version)} is not known",
            where=Place(file=name, key=f"{prefix}version"),
            hint="version: 2 (or 1)",
        )
    if version == 1:
        _check_network_v1(value.get("config"), name, prefix)
        return
    for key, devices in value.items():
        where = f"{prefix}{key}"
        if key not in _V2_KEYS:
            hint = did_you_mean(str(key), _V2_KEYS) or f"it takes {', '.join(sorted(_V2_KEYS))}"
            raise SeedError("unknown key", where=Place(file=name, key=where), hint=hint)
        if key not in ("version", "renderer"):
            for device, settings in _mapping(devices, name, key, where).items():
                _check_device(_mapping(settings, name, "a device", f"{where}.{device}"), name, f"{where}.{device}")


def _check_device(settings: Mapping[Any, Any], name: str, key: str) -> None:
    """What netplan takes in a device of version 2, and cloud-init with networkd does not, or passes over."""
    match = _mapping(settings.get("match", {}), name, "match", f"{key}.match")
    if match and not match.get("macaddress") and not settings.get("set-name"):
        raise SeedError(
            "cloud-init finds this device by its key alone",
            where=Place(file=name, key=f"{key}.match"),
            why="for networkd it looks at no other part of match than macaddress",
            hint="match the macaddress, or make the device's own name the key",
        )
    for index, address in enumerate(_list(settings.get("addresses", []), name, f"{key}.addresses")):
        _address(ipaddress.ip_interface, address, name, f"{key}.addresses[{index}]")
    for index, item in enumerate(_list(settings.get("routes", []), name, f"{key}.routes")):
        where = f"{key}.routes[{index}]"
        route = _mapping(item, name, "a route", where)
        hint = "0.0.0.0/0 or ::/0" if route.get("to") == "default" else ""
        _address(partial(ipaddress.ip_network, strict=False), route.get("to"), name, f"{where}.to", hint)
        _address(ipaddress.ip_address, route.get("via"), name, f"{where}.via")


def _list(value: Any, name: str, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise SeedError("not a YAML list", where=Place(file=name, key=key), hint="write [a, b]")
    return value


def _address(read: Callable[[str], object], value: Any, name: str, key: str, hint: str = "") -> None:
    try:
        read(str(value))
    except ValueError as error:
        raise SeedError(
            "cloud-init takes addresses only", where=Place(file=name, key=key), why=str(error)[:200], hint=hint
        ) from error


def _check_network_v1(config: Any, name: str, prefix: str) -> None:
    if not isinstance(config, list):
        raise SeedError("config is not a list", where=Place(file=name, key=f"{prefix}config"))
    for index, item in enumerate(config):
        where = f"{prefix}config[{index}]"
        kind = _mapping(item, name, "an item", where).get("type")
        if not isinstance(kind, str) or kind not in _V1_TYPES:
            hint = did_you_mean(str(kind), _V1_TYPES) or f"one of {', '.join(sorted(_V1_TYPES))}"
            what = "it has no type" if kind is None else f"type {_shown(kind)} is not known"
            raise SeedError(what, where=Place(file=name, key=where), hint=hint)


# --- YAML --------------------------------------------------------------------------------------------------------


def _shown(value: Any) -> str:
    """A value as it may stand in a message."""
    return quoted(value) if isinstance(value, str) else quoted(str(value))[1:-1]


def _mapping(value: Any, name: str, what: str, key: str = "") -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise SeedError(f"{what} is not a YAML mapping", where=Place(file=name, key=key), hint="write key: value")
    return value


def _yaml(text: str, name: str) -> Any:
    """The value of a YAML 1.1 document as cloud-init reads it, except that a key given twice is an error."""
    try:
        return yamltext.loads(text)
    except YamlError as error:
        where = Place(name, error.line, error.column, error.key)
        hint = "indent with spaces; YAML allows no tabs" if "'\\t'" in error.why else ""
        raise SeedError(error.what, where=where, why=error.why, hint=hint) from error
