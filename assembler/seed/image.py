"""What of an image decides how its cloud-init carries out a seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Renderer = Literal["ifupdown", "netplan", "network-manager", "networkd"]
"""What cloud-init has a network-config carried out by."""

_PROVIDERS: Mapping[str, tuple[str, ...]] = {
    "apt-get": ("apt",),
    "apt": ("apt",),
    "byobu": ("byobu",),
    "chronyd": ("chrony",),
    "doas": ("opendoas",),
    "locale-gen": ("locales",),
    "mkfs.btrfs": ("btrfs-progs",),
    "mkfs.ext2": ("e2fsprogs",),
    "mkfs.ext3": ("e2fsprogs",),
    "mkfs.ext4": ("e2fsprogs",),
    "mkfs.vfat": ("dosfstools",),
    "mkfs.xfs": ("xfsprogs",),
    "ntpd": ("ntpsec", "ntp", "openntpd"),
    "ntpdate": ("ntpsec-ntpdate", "ntpdate"),
    "puppet": ("puppet-agent", "puppet"),
    "route": ("net-tools",),
    "rsyslogd": ("rsyslog",),
    "setupcon": ("console-setup",),
    "sgdisk": ("gdisk",),
    "snap": ("snapd",),
    "ssh-import-id": ("ssh-import-id",),
    "sudo": ("sudo", "sudo-rs", "sudo-ldap"),
    "systemd-timesyncd": ("systemd-timesyncd",),
    "update-ca-certificates": ("ca-certificates",),
    "bash": ("bash",),
    "dash": ("dash",),
    "fish": ("fish",),
    "ksh": ("ksh", "ksh93u+m", "mksh"),
    "mksh": ("mksh",),
    "rbash": ("bash",),
    "sh": ("dash", "bash"),
    "tcsh": ("tcsh",),
    "tmux": ("tmux",),
    "screen": ("screen",),
    "zsh": ("zsh",),
    "nologin": ("login", "util-linux-extra", "login.defs"),
    "false": ("coreutils",),
    "true": ("coreutils",),
    "sync": ("coreutils",),
}
"""Packages, one of which brings a program; the first is the one to name."""
_DIRECTORIES = ("/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin", "/usr/local/sbin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that a seed is for."""

    packages: frozenset[str]
    """Names of its packages."""
    paths: frozenset[str] = frozenset()
    """Files that the recipe itself adds."""
    executed: bool = False
    """Whether steps of the recipe may have put further programs there."""
    overlay: bool = True
    """Whether its root is an overlay, as a live node's is."""
    state: bool = True
    """Whether it may have a state disk; without one, ``/mnt`` is memory."""
    locale: str = ""
    """The system's."""
    schemas: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The JSON schemas that its cloud-init ships, by the end of their names: ``cloud-config-v1``. Empty for none."""
    modules: frozenset[str] = frozenset()
    """Modules that its cloud-init runs, as ``write_files``; empty where that is not known."""
    chooses: bool = False
    """Whether its configuration of cloud-init says which renderers are preferred."""

    def has(self, program: str) -> bool:
        """Whether it has a program, by its name; what nobody knows may be there."""
        providers = _PROVIDERS.get(program)
        return (
            providers is None
            or self.executed
            or not self.packages.isdisjoint(providers)
            or any(f"{directory}/{program}" in self.paths for directory in _DIRECTORIES)
        )

    @property
    def renderer(self) -> Renderer | None:
        """What cloud-init has a network-config carried out by, as its renderers' own order has it; None where that
        is not known.
        """
        if self.chooses or self.executed:
            return None
        if not self.packages.isdisjoint({"ifupdown", "ifupdown2", "ifupdown-ng"}):
            return "ifupdown"
        if "netplan.io" in self.packages:
            return "netplan"
        return "network-manager" if "network-manager" in self.packages else "networkd"


def package_with(program: str) -> str:
    """The package that brings a program, to be named in a hint."""
    return _PROVIDERS[program][0]
