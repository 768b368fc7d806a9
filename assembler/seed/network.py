"""Network-config, versions 1 and 2: what cloud-init would stumble over, whatever carries it out.

Specification: https://docs.cloud-init.io/, "Networking config Version 1" and "Version 2".
"""

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from assembler.recipe.document import did_you_mean
from assembler.seed.texts import Document, SeedError, decoded, mapping, read_yaml, shown
from assembler.yamltext import Path

V1_TYPES = frozenset(["physical", "loopback", "infiniband", "vlan", "bond", "bridge", "nameserver", "route"])
"""Types of items of version 1."""
_V2_KEYS = frozenset(["version", "renderer", "ethernets", "bonds", "bridges", "vlans", "wifis"])
_NETPLAN_KEYS = frozenset(
    ["tunnels", "vrfs", "modems", "dummy-devices", "virtual-ethernets", "nm-devices", "openvswitch"]
)
"""What only netplan knows besides, which gets version 2 as it is."""


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """A network-config whose shape is sound."""

    document: Document
    path: Path
    """Where in it the configuration is: below ``network``, or at the top."""
    version: int
    """1 or 2; 0 for one that switches configuration off."""

    @property
    def value(self) -> Any:
        """The configuration itself."""
        return self.document.value[self.path[0]] if self.path else self.document.value


def read(data: bytes, name: str) -> NetworkConfig:
    """A network-config, with its version. Raises SeedError when it has none."""
    document = read_yaml(decoded(data, name), name)
    value = mapping(document.value, name, "network-config")
    if "network" in value:
        if not isinstance(value["network"], dict):
            raise document.error(("network",), "network is not a YAML mapping", hint="write key: value")
        return _versioned(document, value["network"], ("network",))
    return _versioned(document, value, ())


def _versioned(document: Document, value: dict[Any, Any], path: Path) -> NetworkConfig:
    if value.get("config") == "disabled":
        return NetworkConfig(document, path, 0)
    version = value.get("version")
    if version not in (1, 2) or isinstance(version, bool):
        raise document.error(
            (*path, "version"),
            "network-config has no version" if version is None else f"version {shown(version)} is not known",
            hint="version: 2 (or 1)",
        )
    return NetworkConfig(document, path, version)


def check(config: NetworkConfig, *, netplan: bool = False) -> list[SeedError]:
    """All that is wrong with its shape; where `netplan` gets version 2 as it is, little is asked of that."""
    if config.version == 1:
        return list(_check_v1(config))
    return list(_check_v2(config, netplan=netplan)) if config.version else []


def devices(config: NetworkConfig) -> Iterator[tuple[str, Path, dict[Any, Any]]]:
    """The devices of version 2: their kind (``bonds``), where they are, and their settings."""
    for kind, inside in config.value.items():
        if kind not in ("version", "renderer") and isinstance(inside, dict):
            for device, settings in inside.items():
                if isinstance(settings, dict):
                    yield kind, (*config.path, kind, device), settings


def _check_v2(config: NetworkConfig, *, netplan: bool) -> Iterator[SeedError]:
    known = _V2_KEYS | _NETPLAN_KEYS if netplan else _V2_KEYS
    for key, inside in config.value.items():
        path = (*config.path, key)
        if key not in known:
            hint = did_you_mean(str(key), known) or f"it takes {', '.join(sorted(known))}"
            if key in _NETPLAN_KEYS:
                hint = 'netplan does this: packages_add = ["netplan.io"]'
            yield config.document.error(path, "unknown key", hint=hint)
        elif key not in ("version", "renderer"):
            yield from _check_devices(config.document, inside, path, netplan=netplan)


def _check_devices(document: Document, inside: Any, path: Path, *, netplan: bool) -> Iterator[SeedError]:
    if not isinstance(inside, dict):
        yield document.error(path, f"{path[-1]} is not a YAML mapping", hint="write key: value")
        return
    for device, settings in inside.items():
        if not isinstance(settings, dict):
            yield document.error((*path, device), "a device is not a YAML mapping", hint="write key: value")
        elif not netplan:
            yield from _check_device(document, settings, (*path, device))


def _check_device(document: Document, settings: dict[Any, Any], path: Path) -> Iterator[SeedError]:
    """What netplan takes in a device of version 2, and cloud-init itself does not, or passes over."""
    match = settings.get("match", {})
    if not isinstance(match, dict):
        yield document.error((*path, "match"), "match is not a YAML mapping", hint="write key: value")
    elif match and not match.get("macaddress") and not settings.get("set-name"):
        yield document.error(
            (*path, "match"),
            "cloud-init finds this device by its key alone",
            why="for networkd it looks at no other part of match than macaddress",
            hint="match the macaddress, or make the device's own name the key",
        )
    for key in ("addresses", "routes"):
        if not isinstance(settings.get(key, []), list):
            yield document.error((*path, key), "not a YAML list", hint="write [a, b]")
    for where, address in _items(settings, (*path, "addresses")):
        yield from _address(ipaddress.ip_interface, address, document, where)
    for where, route in _items(settings, (*path, "routes")):
        if not isinstance(route, dict):
            yield document.error(where, "a route is not a YAML mapping", hint="write key: value")
            continue
        hint = "0.0.0.0/0 or ::/0" if route.get("to") == "default" else ""
        network = partial(ipaddress.ip_network, strict=False)
        yield from _address(network, route.get("to"), document, (*where, "to"), hint)
        yield from _address(ipaddress.ip_address, route.get("via"), document, (*where, "via"))


def _items(settings: dict[Any, Any], path: Path) -> Iterator[tuple[Path, Any]]:
    value = settings.get(path[-1])
    if isinstance(value, list):
        yield from (((*path, index), item) for index, item in enumerate(value))


def _address(
    read_address: Callable[[str], object], value: Any, document: Document, path: Path, hint: str = ""
) -> Iterator[SeedError]:
    try:
        read_address(str(value))
    except ValueError as error:
        yield document.error(path, "cloud-init takes addresses only", why=str(error)[:200], hint=hint)


def _check_v1(config: NetworkConfig) -> Iterator[SeedError]:
    items, path = config.value.get("config"), (*config.path, "config")
    if not isinstance(items, list):
        yield config.document.error(path, "config is not a list")
        return
    for index, item in enumerate(items):
        where = (*path, index)
        if not isinstance(item, dict):
            yield config.document.error(where, "an item is not a YAML mapping", hint="write key: value")
            continue
        kind = item.get("type")
        if not isinstance(kind, str) or kind not in V1_TYPES:
            hint = did_you_mean(str(kind), V1_TYPES) or f"one of {', '.join(sorted(V1_TYPES))}"
            what = "it has no type" if kind is None else f"type {shown(kind)} is not known"
            yield config.document.error(where, what, hint=hint)
