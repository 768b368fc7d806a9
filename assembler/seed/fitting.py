"""What is right by cloud-init's schema, and cannot work in the image that it is for.

An error is what makes a unit of cloud-init fail; what is only passed over is a warning. As the modules of cloud-init
25.1 do it (cloudinit/config/cc_*.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from assembler.recipe.shapes import quoted
from assembler.seed.image import Image, package_with
from assembler.seed.texts import Document, SeedError
from assembler.yamltext import Path

_INSTALLS = {
    "chef": "chef-client",
    "mcollective": "mcollectived",
    "puppet": "puppet",
    "salt_minion": "salt-minion",
    "byobu_by_default": "byobu",
}
"""Keys whose modules install a package when the program is not there."""
_NTP = {
    "chrony": "chronyd",
    "ntp": "ntpd",
    "ntpdate": "ntpdate",
    "openntpd": "ntpd",
    "systemd-timesyncd": "systemd-timesyncd",
}
"""Programs of time clients; those that cloud-init looks for by itself are the values."""
_PACKAGES = ("packages", "package_update", "package_upgrade", "apt_update", "apt_upgrade")
_COMMANDS = frozenset(["apt", "apt-get", "sudo", "snap", "doas", "chronyd", "locale-gen", "puppet"])
"""Programs that people have commands begin with."""
_IN_RECIPE = "name the package in the recipe: packages_add = [...] in [rootfs]"
_SWAP_HINT = (
    "filename: /mnt/swap.img is a file of the state disk; or name a partition in mounts, as [LABEL=x, none, swap]"
)
_TAKEN = {
    "/": "the root is an overlay already",
    "/mnt": "the state disk is there, and the root is made of it",
    "/boot": "the kernel that starts is on the medium",
    "/run": "systemd has it",
    "/proc": "the kernel has it",
    "/sys": "the kernel has it",
    "/dev": "the kernel has it",
}
"""Where nothing can be mounted on a live node, and why."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with a seed."""

    errors: list[SeedError] = field(default_factory=list)
    warnings: list[SeedError] = field(default_factory=list)


def check(document: Document, image: Image, schema: Mapping[str, Any]) -> Findings:
    """What of a cloud-config cannot work in `image`, as far as that is known; `schema` tells what module has a key."""
    config = {key: value for key, value in document.value.items() if value not in (None, False)}
    checked = _Check(document, image, config)
    errors = [*checked.packages(), *checked.programs(), *checked.swap(), *checked.time(), *checked.mounts()]
    warnings = [
        *checked.users(),
        *checked.others(),
        *checked.hidden(),
        *checked.commands(),
        *checked.passed_over(schema),
    ]
    return Findings(errors, warnings)


@dataclass(frozen=True, slots=True)
class _Check:
    document: Document
    image: Image
    config: Mapping[Any, Any]

    def missing(self, path: Path, program: str, why: str) -> SeedError:
        """A program that is not in the image; in the recipe it can be."""
        hint = f'packages_add = ["{package_with(program)}"] in [rootfs]'
        return self.document.error(path, f"there is no {program} in the image", why=why, hint=hint)

    # --- errors ---

    def packages(self) -> Iterator[SeedError]:
        """What calls apt-get."""
        if self.image.has("apt-get"):
            return
        for key in _PACKAGES:
            if self.config.get(key):
                hint = "put the packages into the recipe: packages_add = [...] in [rootfs]; or apt, with its sources"
                if key != "packages":
                    hint = 'leave it out: packages come with the image; or packages_add = ["apt"] in [rootfs]'
                yield self.document.error(
                    (key,), "there is no apt-get in the image", why="cloud-final.service would fail", hint=hint
                )

    def programs(self) -> Iterator[SeedError]:
        """Modules that end when they do not find their program, and cannot install it."""
        apt = self.image.has("apt-get")
        for key, program in _INSTALLS.items():
            if self.config.get(key) and not apt and not self._has(program):
                what = f"there is no {program} in the image, and no apt-get that installs it"
                yield self.document.error((key,), what, why="cloud-final.service would fail", hint=_IN_RECIPE)
        snap = self.config.get("snap")
        if isinstance(snap, dict) and (snap.get("commands") or snap.get("assertions")) and not self.image.has("snap"):
            yield self.missing(("snap",), "snap", "cloud-config.service would fail")
        for key in ("ca_certs", "ca-certs"):
            if key in self.config and not self.image.has("update-ca-certificates"):
                yield self.missing((key,), "update-ca-certificates", "cloud-init-network.service would fail")
        locale = self.config.get("locale")
        special = isinstance(locale, str) and locale.lower() in {"c", "c.utf-8", "posix"}
        special = special or locale == self.image.locale
        if isinstance(locale, str) and not special and not self.image.has("locale-gen") and not apt:
            yield self.missing(("locale",), "locale-gen", "cloud-config.service would fail")
        if "keyboard" in self.config and not self.image.has("setupcon"):
            yield self.missing(("keyboard",), "setupcon", "cloud-config.service would fail")
        if "timezone" in self.config and "tzdata" not in self.image.packages and not self.image.executed:
            yield self.document.error(
                ("timezone",),
                "there are no time zones in the image",
                why="cloud-config.service would fail",
                hint='packages_add = ["tzdata"] in [rootfs]',
            )

    def _has(self, program: str) -> bool:
        """As :meth:`Image.has` for programs that are called as their packages are."""
        return program in self.image.packages or (program in {"puppet", "byobu"} and self.image.has(program))

    def swap(self) -> Iterator[SeedError]:
        """A swap file on the root."""
        swap = self.config.get("swap")
        if not isinstance(swap, dict) or not swap.get("size") or not self.image.overlay:
            return
        name = swap.get("filename", "/swap.img")
        if isinstance(name, str) and name:
            yield from self._swap_file(name, ("swap", "filename") if "filename" in swap else ("swap",))

    def _swap_file(self, name: str, path: Path) -> Iterator[SeedError]:
        """A swap file that is on no disk."""
        if name.startswith("/dev/") or (name.startswith("/mnt/") and self.image.state):
            return
        lies = "in memory" if name.startswith("/mnt/") else "on an overlay"
        yield self.document.error(
            path,
            f"{quoted(name)} would lie {lies}, where nothing can be swapped to",
            why="cloud-init-network.service would fail, and nothing of mounts be mounted",
            hint=_SWAP_HINT if self.image.state else "name a partition in mounts, as [LABEL=x, none, swap]",
        )

    def time(self) -> Iterator[SeedError]:
        """A time client that would have to be installed."""
        ntp = self.document.value.get("ntp", False)
        if ntp is False or self.image.has("apt-get") or (isinstance(ntp, dict) and ntp.get("enabled") is False):
            return
        wanted = ntp.get("ntp_client", "auto") if isinstance(ntp, dict) else "auto"
        programs = {"auto": tuple(_NTP.values())}.get(wanted, (_NTP.get(wanted, ""),))
        if isinstance(ntp, dict) and isinstance(ntp.get("config"), dict):
            return
        if programs != ("",) and not any(self.image.has(program) for program in programs):
            path: Path = ("ntp", "ntp_client") if isinstance(ntp, dict) and "ntp_client" in ntp else ("ntp",)
            program = "systemd-timesyncd" if wanted == "auto" else programs[0]
            yield self.missing(path, program, "cloud-config.service would fail")

    def mounts(self) -> Iterator[SeedError]:
        """Mounts onto what the node itself is made of, and swap files."""
        mounts = self.config.get("mounts")
        for index, entry in enumerate(mounts if isinstance(mounts, list) else ()):
            if not isinstance(entry, list) or not self.image.overlay:
                continue
            spec, target, kind, *_ = (*entry, None, None, None)
            path: Path = ("mounts", index)
            point = target.rstrip("/") or "/" if isinstance(target, str) else ""
            if point in _TAKEN:
                yield self.document.error(
                    path,
                    f"nothing can be mounted on {point} of a live node",
                    why=_TAKEN[point],
                    hint="mount it elsewhere, as on /srv/data",
                )
            elif kind == "swap" and isinstance(spec, str) and spec.startswith("/"):
                yield from self._swap_file(spec, path)

    # --- warnings ---

    def users(self) -> Iterator[SeedError]:
        """Accounts that could not do what is meant."""
        users = self.config.get("users")
        listed = users if isinstance(users, list) else []
        if isinstance(users, str):
            yield self.document.error(
                ("users",),
                "nobody could log in as these users",
                why="they have neither keys nor passwords",
                hint="write a list: - {name: ..., ssh_authorized_keys: [...]}",
            )
        own = self.config.get("user")
        default: Path = ("users", listed.index("default")) if "default" in listed else ("user",) if own else ()
        if default and not (isinstance(own, dict) and "sudo" in own) and not self.image.has("sudo"):
            yield self._no_sudo(default, "cloud-init's default user has a sudo rule, and could not become root")
        for index, user in enumerate(listed):
            if isinstance(user, dict):
                yield from self._user(user, ("users", index))
        if isinstance(own, dict):
            yield from self._user(own, ("user",))

    def _user(self, user: Mapping[Any, Any], path: Path) -> Iterator[SeedError]:
        if user.get("sudo") and not self.image.has("sudo"):
            yield self._no_sudo((*path, "sudo"), "the user could not become root")
        if user.get("doas") and not self.image.has("doas"):
            yield self.missing((*path, "doas"), "doas", "the user could not become root")
        shell = user.get("shell")
        if isinstance(shell, str) and not self._has_shell(shell):
            yield self.document.error(
                (*path, "shell"),
                f"there is no {quoted(shell)} in the image",
                why="the user could not log in",
                hint=self._shell_hint(shell),
            )
        for key in ("passwd", "hashed_passwd"):
            given = user.get(key)
            if isinstance(given, str) and given and not given.startswith(("$", "!", "*")):
                yield self.document.error(
                    (*path, key),
                    "this is no hash of a password",
                    why="nobody could log in with it",
                    hint="mkpasswd(1) prints one; in clear it is plain_text_passwd",
                )

    def _no_sudo(self, path: Path, why: str) -> SeedError:
        return self.missing(path, "sudo", why)

    def _has_shell(self, shell: str) -> bool:
        name = shell.rpartition("/")[2]
        return shell in self.image.paths or (
            shell.startswith(("/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/")) and self.image.has(name)
        )

    def _shell_hint(self, shell: str) -> str:
        name = shell.rpartition("/")[2]
        known = name in {"bash", "dash", "fish", "ksh", "mksh", "tcsh", "tmux", "screen", "zsh"}
        return f'packages_add = ["{package_with(name)}"] in [rootfs], and shell: /bin/{name}' if known else "/bin/bash"

    def others(self) -> Iterator[SeedError]:
        """Programs that make partitions and file systems, and others whose lack is passed over."""
        disks = self.config.get("disk_setup")
        for name, disk in disks.items() if isinstance(disks, dict) else ():
            if isinstance(disk, dict) and disk.get("table_type") == "gpt" and not self.image.has("sgdisk"):
                yield self.missing(("disk_setup", name, "table_type"), "sgdisk", "the disk would stay as it is")
        systems = self.config.get("fs_setup")
        for index, system in enumerate(systems if isinstance(systems, list) else ()):
            kind = system.get("filesystem") if isinstance(system, dict) else None
            if isinstance(kind, str) and not self.image.has(f"mkfs.{kind}"):
                path: Path = ("fs_setup", index, "filesystem")
                yield self.missing(path, f"mkfs.{kind}", "the file system would not be made")
        for key, program in (("apt", "apt-get"), ("rsyslog", "rsyslogd")):
            if self.config.get(key) and not self.image.has(program):
                yield self.missing((key,), program, "it would be of no use")
        if self.config.get("ssh_import_id") and not self.image.has("ssh-import-id"):
            yield self.missing(("ssh_import_id",), "ssh-import-id", "no key would come")

    def hidden(self) -> Iterator[SeedError]:
        """Mounts where the recipe has a unit for the same place, which counts instead from the second start on."""
        mounts = self.config.get("mounts")
        for index, entry in enumerate(mounts if isinstance(mounts, list) else ()):
            target = entry[1] if isinstance(entry, list) and len(entry) > 1 else None
            if isinstance(target, str) and f"/etc/systemd/system/{_unit(target)}" in self.image.paths:
                yield self.document.error(
                    ("mounts", index),
                    f"{quoted(target)} has a mount unit in the image, which hides this from the second start on",
                    why="a unit in /etc/systemd/system counts more than a line of /etc/fstab",
                    hint=f"mask or replace {_unit(target)} in the recipe, or mount elsewhere",
                )

    def commands(self) -> Iterator[SeedError]:
        """Commands that begin with a program that is not there."""
        for key in ("bootcmd", "runcmd"):
            commands = self.config.get(key)
            for index, command in enumerate(commands if isinstance(commands, list) else ()):
                words = command.split() if isinstance(command, str) else command
                first = words[0] if isinstance(words, list) and words else ""
                name = first.rpartition("/")[2] if isinstance(first, str) else ""
                if name in _COMMANDS and not self.image.has(name):
                    yield self.missing((key, index), name, "the command would fail")

    def passed_over(self, schema: Mapping[str, Any]) -> Iterator[SeedError]:
        """Keys of modules that the image's cloud-init does not run."""
        own = {"cloud_init_modules", "cloud_config_modules", "cloud_final_modules"} & self.config.keys()
        if not self.image.modules or own:
            return
        for key in self.config:
            modules = {
                name.removeprefix("cc_")
                for name, part in schema.get("$defs", {}).items()
                if name.startswith("cc_") and key in part.get("properties", {})
            }
            if modules and modules.isdisjoint(self.image.modules):
                yield self.document.error(
                    (key,),
                    "cloud-init would pass over this",
                    why=f"its configuration in the image does not name the module {', '.join(sorted(modules))}",
                    hint="name it in a file of /etc/cloud/cloud.cfg.d, or do this with runcmd or the recipe",
                )


def _unit(target: str) -> str:
    """The mount unit of a path (systemd-escape(1), which has more to say of other characters)."""
    return target.strip("/").replace("-", "\\x2d").replace("/", "-") + ".mount"
