"""What of a network-config would be dropped without a word by what carries it out in an image.

As cloud-init 25.1 does it (net/network_state.py, net/networkd.py, net/eni.py): a configuration of version 2 becomes
one of version 1 first, unless netplan is there, which gets it as it is. networkd gets ``.network`` files and nothing
else: no netdevs, no links.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assembler.recipe.document import did_you_mean
from assembler.seed.image import Image, Renderer
from assembler.seed.network import NetworkConfig, devices
from assembler.seed.texts import SeedError
from assembler.yamltext import Path

NETPLAN_HINT = 'packages_add = ["netplan.io"] in [rootfs] does it all'
_COMMON = frozenset(
    ["addresses", "dhcp4", "dhcp6", "dhcp4-overrides", "dhcp6-overrides", "gateway4", "gateway6", "mtu", "nameservers",
     "renderer", "routes"]
)  # fmt: skip
_MORE_OF_NETPLAN = frozenset(
    ["activation-mode", "auth", "critical", "delay-virtual-functions-rebind", "dhcp-identifier",
     "embedded-switch-mode", "emit-lldp", "generic-receive-offload", "generic-segmentation-offload",
     "hairpin", "ignore-carrier", "infiniband-mode", "ipv6-address-generation", "ipv6-address-token", "ipv6-mtu",
     "ipv6-privacy", "large-receive-offload", "link-local", "macaddress", "neigh-suppress", "openvswitch",
     "optional-addresses", "port-mac-learning", "ra-overrides", "receive-checksum-offload", "routing-policy",
     "tcp-segmentation-offload", "tcp6-segmentation-offload", "transmit-checksum-offload",
     "virtual-function-count", "networkmanager"]
)  # fmt: skip
"""Keys of devices that netplan knows, and cloud-init's own renderers drop."""
_HARMLESS: Mapping[str, Sequence[Any]] = {
    "link-local": [["ipv6"]],
    "dhcp-identifier": ["duid"],
    "on-link": [False],
    "scope": ["global"],
    "type": ["unicast"],
}
"""Values that say what is so anyway; so does false of any key but these."""
_SWITCHES = frozenset(
    ["critical", "emit-lldp", "hairpin", "ignore-carrier", "ipv6-privacy", "neigh-suppress", "optional",
     "wakeonlan"]
)  # fmt: skip
"""Keys that are off unless they are said."""
_OVERRIDES: Mapping[str, frozenset[str]] = {
    "dhcp4-overrides": frozenset(
        ["hostname", "route-metric", "send-hostname", "use-dns", "use-domains", "use-hostname", "use-mtu", "use-ntp",
         "use-routes"]
    ),
    "dhcp6-overrides": frozenset(["use-dns", "use-domains", "use-hostname", "use-ntp"]),
}  # fmt: skip
_ALL_OVERRIDES = _OVERRIDES["dhcp4-overrides"] | {"use-gateway", "use-sip"}
_BOND = frozenset(
    ["ad-select", "arp-interval", "arp-ip-target", "arp-validate", "down-delay", "fail-over-mac-policy", "lacp-rate",
     "mii-monitor-interval", "min-links", "mode", "gratuitous-arp", "gratuitious-arp", "primary",
     "primary-reselect-policy", "up-delay", "transmit-hash-policy"]
)  # fmt: skip
_BRIDGE = frozenset(
    ["ageing-time", "priority", "forward-delay", "hello-time", "max-age", "path-cost", "port-priority", "stp"]
)
_PARAMETERS: Mapping[str, frozenset[str]] = {"bonds": _BOND, "bridges": _BRIDGE}
"""Parameters that cloud-init knows; others end in a KeyError, and no interface is configured at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Abilities:
    """What a renderer of cloud-init's own does."""

    name: str
    """In messages."""
    netdevs: Mapping[str, str]
    """Kinds of devices that it makes, by their keys in version 2, each with the package that it takes, or nothing."""
    ethernet: frozenset[str]
    """Keys of an ethernet, besides the common ones."""
    overrides: Mapping[str, frozenset[str]]
    subnet: frozenset[str]
    """Keys of a subnet of version 1 that need an address beside them."""


_NETWORKD = _Abilities(
    name="networkd",
    netdevs={},
    ethernet=frozenset(["match", "set-name", "accept-ra", "optional", "dhcp4domain", "dhcp6domain"]),
    overrides=_OVERRIDES,
    subnet=frozenset(["type", "address", "netmask", "prefix", "gateway", "dns_nameservers", "dns_search", "routes"]),
)
_IFUPDOWN = _Abilities(
    name="ifupdown",
    netdevs={"bonds": "ifenslave", "vlans": "vlan", "bridges": "bridge-utils"},
    ethernet=frozenset(["match", "set-name", "accept-ra", "wakeonlan"]),
    overrides={key: frozenset(["route-metric"]) for key in _OVERRIDES},
    subnet=_NETWORKD.subnet | {"broadcast", "metric", "pointopoint", "mtu", "scope", "control"},
)
_NETWORK_MANAGER = _Abilities(
    name="NetworkManager",
    netdevs={"bonds": "", "vlans": "", "bridges": ""},
    ethernet=frozenset(["match", "set-name"]),
    overrides={key: frozenset[str]() for key in _OVERRIDES},
    subnet=_NETWORKD.subnet,
)
_RENDERERS: Mapping[Renderer, _Abilities] = {
    "networkd": _NETWORKD,
    "ifupdown": _IFUPDOWN,
    "network-manager": _NETWORK_MANAGER,
}
_OF_V1 = {"bond": "bonds", "vlan": "vlans", "bridge": "bridges"}


def dropped(config: NetworkConfig, image: Image) -> list[SeedError]:
    """What of `config` the image would drop, by name; nothing where netplan has it, or where nobody knows."""
    renderer = image.renderer
    if renderer is None or renderer == "netplan" or not config.version:
        return []
    check = _Version2 if config.version == 2 else _Version1
    return list(check(config, image, _RENDERERS[renderer]).dropped())


@dataclass(frozen=True, slots=True)
class _Check:
    config: NetworkConfig
    image: Image
    able: _Abilities

    def error(self, path: Path, what: str, *, why: str = "", hint: str = "") -> SeedError:
        way_out = hint or (NETPLAN_HINT if self.able.name != "ifupdown" else "netplan does it, without ifupdown")
        return self.config.document.error(path, what, why=why, hint=way_out)

    def drops(self, path: Path, why: str = "", hint: str = "") -> SeedError:
        reason = why or f"cloud-init gives {self.able.name} nothing of it"
        return self.error(path, "this would be dropped without a word", why=reason, hint=hint)

    def netdev(self, kind: str, path: Path) -> Iterator[SeedError]:
        """A device that has to be made."""
        if kind not in self.able.netdevs:
            why = f"cloud-init has {self.able.name} make no {kind}"
            yield self.error(path, "the device would be missing", why=why)
        elif (package := self.able.netdevs[kind]) and package not in self.image.packages:
            yield self.error(
                path,
                "the device would be missing",
                why=f"{self.able.name} makes {kind} with {package}",
                hint=f'packages_add = ["{package}"] in [rootfs]',
            )

    def routes(self, path: Path) -> Iterator[SeedError]:
        """Ifupdown's routes, which cloud-init writes as calls of route(8) whose failure is passed over."""
        if self.able is _IFUPDOWN and not self.image.has("route"):
            yield self.error(
                path,
                "the routes would be missing",
                why="cloud-init sets them with route(8)",
                hint='packages_add = ["net-tools"] in [rootfs]',
            )


class _Version2(_Check):
    __slots__ = ()

    def dropped(self) -> Iterator[SeedError]:
        renderer = self.config.value.get("renderer")
        if renderer == "NetworkManager" and self.able is not _NETWORK_MANAGER:
            path = (*self.config.path, "renderer")
            yield self.drops(path, f"cloud-init uses {self.able.name}, as the image has it", "leave it out")
        for kind, path, settings in devices(self.config):
            if kind == "ethernets":
                yield from self.keys(settings, path, _COMMON | self.able.ethernet)
            elif kind in _OF_V1.values() and kind in self.able.netdevs:
                own = {"id", "link"} if kind == "vlans" else {"interfaces", "parameters"}
                yield from self.netdev(kind, path)
                yield from self.keys(settings, path, (_COMMON | own) - _OVERRIDES.keys())
                yield from self.parameters(kind, settings, path)
            else:
                yield from self.netdev(kind, path)
                continue
            yield from self.addresses(settings, path)

    def keys(self, settings: Mapping[Any, Any], path: Path, able: frozenset[str]) -> Iterator[SeedError]:
        for key, value in settings.items():
            where = (*path, key)
            if key in able or _harmless(key, value):
                continue
            every = _COMMON | _MORE_OF_NETPLAN | _NETWORKD.ethernet | _IFUPDOWN.ethernet | {"interfaces", "parameters"}
            if key in every:
                yield self.drops(where)
            else:
                hint = did_you_mean(str(key), every) or "cloud-init and netplan know no such key"
                yield self.config.document.error(where, "unknown key", hint=hint)
        for key, known in self.able.overrides.items():
            inside = settings.get(key)
            if key in able and isinstance(inside, dict):
                yield from self.overrides(inside, (*path, key), known)
                if inside and self.able is _NETWORKD and _by_address(settings):
                    why = "cloud-init looks for them by the name that the device has, and it is found by its address"
                    yield self.drops((*path, key), why, f"add set-name: {path[-1]}")

    def overrides(self, inside: Mapping[Any, Any], path: Path, known: frozenset[str]) -> Iterator[SeedError]:
        for key in inside:
            if key not in known:
                where = (*path, key)
                if key in _ALL_OVERRIDES:
                    yield self.drops(where)
                else:
                    yield self.config.document.error(where, "unknown key", hint=did_you_mean(str(key), _ALL_OVERRIDES))

    def parameters(self, kind: str, settings: Mapping[Any, Any], path: Path) -> Iterator[SeedError]:
        known, inside = _PARAMETERS.get(kind, frozenset()), settings.get("parameters")
        for key in inside if isinstance(inside, dict) and known else ():
            if key not in known:
                why = "cloud-init ends at it, and configures no interface at all"
                yield self.error(
                    (*path, "parameters", key),
                    "cloud-init does not know this",
                    why=why,
                    hint=did_you_mean(str(key), known),
                )

    def addresses(self, settings: Mapping[Any, Any], path: Path) -> Iterator[SeedError]:
        addresses = settings.get("addresses") if isinstance(settings.get("addresses"), list) else []
        families = {":" in str(address) for address in addresses or ()}
        for key, family in (("gateway4", False), ("gateway6", True)):
            if settings.get(key) and family not in families:
                yield self.drops((*path, key), "cloud-init sets it with an address of its family, and there is none")
        names = settings.get("nameservers")
        if isinstance(names, dict) and names.get("search") and not names.get("addresses") and not addresses:
            where = (*path, "nameservers", "search")
            yield self.drops(where, "cloud-init passes over nameservers without addresses", "name a DNS server, too")
        routes = settings.get("routes")
        if not isinstance(routes, list) or not routes:
            return
        yield from self.routes((*path, "routes"))
        if not (addresses or settings.get("dhcp4") or settings.get("dhcp6")):
            why = "cloud-init sets routes with an address or DHCP, and there is neither"
            yield self.drops((*path, "routes"), why, "give the device an address, or dhcp4: true")
        for index, route in enumerate(routes):
            for key, value in route.items() if isinstance(route, dict) else ():
                known = {"to", "via", "metric"} | ({"mtu"} if self.able is _NETWORK_MANAGER else set())
                if key not in known and not _harmless(key, value):
                    yield self.drops((*path, "routes", index, key), hint=_instead(key, route))


class _Version1(_Check):
    __slots__ = ()

    def dropped(self) -> Iterator[SeedError]:
        items = self.config.value["config"]
        names = {item.get("name") for item in items if isinstance(item, dict)}
        for index, item in enumerate(items):
            path = (*self.config.path, "config", index)
            if not isinstance(item, dict):
                continue
            kind = item.get("type")
            if kind in _OF_V1:
                yield from self.netdev(_OF_V1[kind], path)
                if _OF_V1[kind] not in self.able.netdevs:
                    continue
            if kind == "nameserver":
                yield from self.nameserver(item, path, names)
            elif kind == "route":
                yield from self.routes(path)
            else:
                yield from self.interface(item, path)

    def nameserver(self, item: Mapping[Any, Any], path: Path, names: set[Any]) -> Iterator[SeedError]:
        if not item.get("address"):
            yield self.drops(path, "cloud-init passes over a nameserver without address", "name a DNS server, too")
        if "interface" in item and item["interface"] not in names:
            why = "cloud-init ends at it, and configures no interface at all"
            hint = did_you_mean(str(item["interface"]), [str(name) for name in names if name]) or "name one of config"
            yield self.error((*path, "interface"), "there is no such interface in config", why=why, hint=hint)

    def interface(self, item: Mapping[Any, Any], path: Path) -> Iterator[SeedError]:
        if item.get("wakeonlan") and "wakeonlan" not in self.able.ethernet:
            yield self.drops((*path, "wakeonlan"))
        subnets = item.get("subnets")
        for index, subnet in enumerate(subnets if isinstance(subnets, list) else ()):
            if isinstance(subnet, dict):
                yield from self.subnet(subnet, (*path, "subnets", index))

    def subnet(self, subnet: Mapping[Any, Any], path: Path) -> Iterator[SeedError]:
        static = subnet.get("address") is not None
        for key, value in subnet.items():
            where = (*path, key)
            if key not in self.able.subnet:
                if value and not (key == "control" and value == "auto") and key not in ("ipv4", "ipv6"):
                    yield self.drops(where)
            elif key.startswith("dns_") and value and not static and self.able is _NETWORKD:
                why = "cloud-init gives it to networkd with an address only"
                yield self.drops(where, why, "an item {type: nameserver, interface: NAME, address: [...]} does it")
            elif key == "gateway" and value and not static and self.able is _NETWORKD:
                yield self.drops(where, "cloud-init gives it to networkd with an address only", "use routes")
        if subnet.get("routes"):
            yield from self.routes((*path, "routes"))


def _by_address(settings: Mapping[Any, Any]) -> bool:
    match = settings.get("match")
    return isinstance(match, dict) and bool(match.get("macaddress")) and not settings.get("set-name")


def _harmless(key: Any, value: Any) -> bool:
    return value in _HARMLESS.get(key, ()) or (key in _SWITCHES and value is False) or value is None


def _instead(key: str, route: Mapping[Any, Any]) -> str:
    if key != "on-link" or route.get("to") not in ("0.0.0.0/0", "::/0", "default"):
        return ""
    gateway = "gateway6" if ":" in str(route.get("via")) else "gateway4"
    return f"{gateway}: {route.get('via')} beside addresses sets such a default route, instead; or {NETPLAN_HINT}"
