"""Commands that change nothing on an image, whatever or whenever they are asked, and those that are refused."""

from assembler.programs.context import Action, ExecutionContext, Maker, failure, nothing
from assembler.programs.options import UsageError

NOT_RUNNING = (
    "invoke-rc.d", "deb-systemd-invoke", "udevadm", "restorecon", "service", "telinit", "sync",
    "systemd-sysctl",
)  # fmt: skip
"""Talk to a running system; dpkg in an image has none."""
_LEFT_OUT = (
    "update-menus",
    "update-initramfs",
    "dracut",
    "update-grub",
)
"""Make caches that the image leaves out or that a finaliser makes; see facts in docs."""


def always_nothing(_arguments: list[str]) -> Action:
    """Any arguments: nothing to do."""
    return nothing


INERT = frozenset(
    {
        *NOT_RUNNING,
        *_LEFT_OUT,
    }
)
"""Commands that leave nothing behind, whatever their arguments are."""
QUERIES = frozenset({"status", "is-active", "is-failed"})
"""Asked of a service, they are answered with failure: nothing is running."""


def not_running(arguments: list[str]) -> Action:
    """Any arguments: nothing to do, and what is asked of a service is answered with failure."""
    return failure if QUERIES & set(arguments) else nothing


def maintscript_helper(arguments: list[str]) -> Action | None:
    """``dpkg-maintscript-helper``: nothing, as there was no older version."""
    # All of these act on what an older version of the package left behind (dpkg-maintscript-helper(1)).
    known = {"supports", "rm_conffile", "mv_conffile", "symlink_to_dir", "dir_to_symlink"}
    return nothing if arguments and arguments[0] in known else None


def ischroot(arguments: list[str]) -> Action | None:
    """``ischroot``: an image is taken for one."""
    return nothing if not arguments else None


def not_there(_arguments: list[str]) -> Action:
    """What asks for a running process or kernel: there is none."""
    return failure


NOT_MADE = (
    "fc-cache", "update-mime-database",
)  # fmt: skip
"""Make caches that nothing else makes, and that the assembler cannot. Scripts call them where they are installed."""


def refused(name: str) -> Maker:
    """Refuses whoever calls `name`."""

    def run(_context: ExecutionContext) -> int:
        raise UsageError(f"{name} makes a cache that the assembler cannot make")

    return lambda _arguments: run


def apparmor_parser(_arguments: list[str]) -> Action:
    """``apparmor_parser``: there is no kernel to load a profile into."""
    return nothing
