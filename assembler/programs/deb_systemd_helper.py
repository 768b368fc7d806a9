"""deb-systemd-helper(1p): units on and off, with what it remembers of them.

deb-systemd-invoke(1p), and all that talks to a running manager, has nothing to do here.
"""

import posixpath
import re
from collections.abc import Sequence

from assembler.errors import Place
from assembler.programs.options import UsageError, parse_options
from assembler.programs.specifiers import is_masked
from assembler.programs.systemd import Systemctl, UnitError
from assembler.tree.staging import Kind, Tree


class _Helper:
    """The state of deb-systemd-helper for one manager; see :func:`deb_systemd_helper`."""

    def __init__(self, tree: Tree, *, user: bool, has_systemctl: bool, split: bool) -> None:
        self.tree = tree
        self.split = split
        self.user = user
        self.instance = "user" if user else "system"
        middle = "deb-systemd-user-helper" if user else "deb-systemd-helper"
        self.enabled = f"/var/lib/systemd/{middle}-enabled"
        self.masked = f"/var/lib/systemd/{middle}-masked"
        self.etc = f"/etc/systemd/{self.instance}"
        self.has_systemctl = has_systemctl

    def find(self, name: str) -> str:
        for root in ("/etc", "/lib", "/usr/lib"):
            if self.tree.is_file(f"{root}/systemd/{self.instance}/{name}"):
                return f"{root}/systemd/{self.instance}/{name}"
        return name

    def state(self, name: str) -> str:
        return f"{self.enabled}/{posixpath.basename(name)}.dsh-also"

    def entries(self, name: str) -> list[str]:
        path = self.state(name)
        return self.tree.read_text(path).splitlines() if self.tree.is_file(path) else []

    def links(self, path: str, visited: list[str]) -> list[tuple[str, str]]:
        """The (unit file, link) pairs of a unit and its Also=, in the order of the file.

        Kept from the original is that an unquoted Alias= with several names makes each link from the whole value.
        """
        if not self.tree.is_file(path) or not path.startswith("/"):
            raise UnitError("deb-systemd-helper cannot read the unit", where=Place(path=path))
        unit = wanted = posixpath.basename(path)
        links: list[tuple[str, str]] = []
        directories: list[str] = []
        for line in self.tree.read_text(path).split("\n"):
            match = re.match(r"\s*(WantedBy|RequiredBy|Also|Alias)=(.+)$", line, re.IGNORECASE)
            if match:
                key, value = match[1].lower(), match[2]
                for word in re.split(r"\s+", value.rstrip()):
                    quoted = re.fullmatch(r"([\"'])(.*)\1", word)
                    name = quoted[2] if quoted else word
                    if key in {"wantedby", "requiredby"}:
                        exact = "" if quoted else {"WantedBy": ".wants", "RequiredBy": ".requires"}.get(match[1], "")
                        directories.append(f"{self.etc}/{name}{exact}")
                    elif key == "alias" and name != unit:
                        links.append((path, f"{self.etc}/{quoted[1] if quoted else value}"))
                    elif key == "also" and name != unit and name not in visited:
                        visited.append(name)
                        links += self.links(self.find(name), list(visited))
            match = re.match(r"\s*DefaultInstance=\s*([\"']?)(.+)\1\s*$", line, re.IGNORECASE)
            if match:
                template = re.fullmatch(r"(.*@)(\.\w+)", unit)
                wanted = f"{template[1]}{match[2]}{template[2]}" if template else unit
        return links + [(path, f"{directory}/{wanted}") for directory in directories]

    def _is_link(self, path: str) -> bool:
        inode = self.tree.get(path)
        return inode is not None and inode.kind is Kind.SYMLINK

    def was_enabled(self, name: str) -> bool:
        return all(map(self._is_link, self.entries(name)))

    def is_enabled(self, name: str) -> bool:
        return all(self._is_link(link) for _, link in self.links(self.find(name), []))

    def debian_installed(self, name: str) -> bool:
        return self.tree.is_file(self.state(name))

    def update_state(self, name: str) -> None:
        links = self.links(self.find(name), [])
        self._write_state(name, [link for _, link in links])

    def _write_state(self, name: str, lines: Sequence[str]) -> None:
        self.tree.write(self.state(name), "".join(f"{line}\n" for line in lines).encode(), parents=True)

    def enable(self, name: str) -> None:
        create = True
        if self.has_systemctl:
            if self.debian_installed(name):
                create = any(self._is_link(link) for _, link in self.links(self.find(name), []))
            else:
                Systemctl(self.tree, user=self.user, split=self.split).preset(name, enable_only=True)
                create = False
        self.make_links(name, create=create)

    def make_links(self, name: str, *, create: bool) -> None:
        for target, link in self.links(self.find(name), []):
            entries = self.entries(name)
            if link not in entries:
                self._write_state(name, [*entries, link])
            marker = self.enabled + link.removeprefix(self.etc)
            if self.tree.exists(marker):
                continue
            if create and not self._is_link(link):
                self.tree.symlink(target, link, parents=True)
            self.tree.write(marker, b"", parents=True)

    def remove_links(self, path: str, *, purge: bool) -> None:
        """Undo :meth:`make_links` for a unit and those that it names in Also=."""
        seen: set[str] = set()
        pending = [path]
        while pending:
            path = pending.pop(0)
            if path in seen:
                continue
            seen.add(path)
            entries = self.entries(path)
            if purge:
                self.tree.discard(self.state(path))
            for link in entries:
                there = self._is_link(link)
                if purge or there:
                    self.tree.discard(self.enabled + link.removeprefix(self.etc))
                if there:
                    self.tree.remove(link)
            if path.startswith("/") and self.tree.is_file(path):
                text = self.tree.read_text(path)
                pending += [self.find(name) for name in re.findall(r"(?im)^[ \t]*Also=(.+)$", text)]

    def disable(self, name: str, *, purge: bool) -> None:
        self.remove_links(self.find(name), purge=purge)
        for directory in (
            "/var/lib/systemd/deb-systemd-helper-enabled",
            "/var/lib/systemd/deb-systemd-user-helper-enabled",
        ):
            self._prune(directory)
        for root in ("/etc/systemd/system", "/etc/systemd/user"):
            for below in self.tree.names(root):
                self._prune(f"{root}/{below}")

    def _prune(self, directory: str) -> None:
        """Remove a directory and those below it, so far as they are empty."""
        inode = self.tree.get(directory)
        if inode is None or inode.kind is not Kind.DIR:
            return
        for name in self.tree.names(directory):
            self._prune(f"{directory}/{name}")
        if not inode.children:
            self.tree.remove(directory)

    def mask(self, name: str) -> None:
        name = posixpath.basename(self.find(name))
        link = f"{self.etc}/{name}"
        if self.tree.exists(link) or (self.tree.lexists(link) and is_masked(self.tree, link)):
            return
        self.tree.symlink("/dev/null", link, parents=True)
        self.tree.write(f"{self.masked}/{name}", b"", parents=True)

    def unmask(self, name: str) -> None:
        name = posixpath.basename(self.find(name))
        link, state = f"{self.etc}/{name}", f"{self.masked}/{name}"
        inode = self.tree.get(link)
        if inode is not None and inode.target == "/dev/null" and self.tree.exists(state):
            self.tree.remove(link)
            self.tree.remove(state)
        for directory in (
            "/var/lib/systemd/deb-systemd-helper-masked",
            "/var/lib/systemd/deb-systemd-user-helper-masked",
        ):
            self._prune(directory)


def deb_systemd_helper(
    tree: Tree, arguments: Sequence[str], *, has_systemctl: bool | None = None, split: bool = False
) -> bool:
    """``deb-systemd-helper [--quiet] [--user] ACTION UNIT...``; False is exit status 1 of a question.

    `has_systemctl` is whether systemctl was installed when the package was configured; it decides between presets with
    targets under ``/usr/lib`` and plain links with targets under ``/lib``. None looks for the program in the tree. With
    `split`, it looks for units in ``/lib``, too.
    Raises UnitError where the program exits with an error, with what it had done until then left in place.
    """
    options, words = parse_options(arguments, "quiet user system", program="deb-systemd-helper")
    action, *names = words or [""]
    if has_systemctl is None:
        has_systemctl = tree.exists("/usr/bin/systemctl")
    helper = _Helper(tree, user="user" in options, has_systemctl=has_systemctl, split=split)
    questions = {
        "was-enabled": helper.was_enabled, "is-enabled": helper.is_enabled, "debian-installed": helper.debian_installed,
    }  # fmt: skip
    if action in questions:
        return any(questions[action](name) for name in names)
    for name in names:
        if action == "enable":
            helper.enable(name)
        elif action == "update-state":
            helper.update_state(name)
        elif action == "unmask":
            helper.unmask(name)
        elif action == "mask":
            helper.mask(name)
        elif action in {"disable", "purge"}:
            helper.disable(name, purge=action == "purge")
        elif action == "reenable":
            helper.remove_links(helper.find(name), purge=False)
            helper.make_links(name, create=True)
        elif not action:
            raise UsageError("deb-systemd-helper without an action")
        # An action that it does not know it passes over, with success.
    return True
