"""The commands of maintainer scripts that are understood, each as what it does to the tree.

:data:`COMMANDS` maps a name to a maker: arguments in, an action out, or None when these arguments are not understood.
Makers look only at the arguments, so what is understood does not depend on the tree. Manuals followed: POSIX.1-2017 and
GNU coreutils for files, dpkg-statoverride(1), dpkg-divert(1), dpkg-trigger(1), getent(1), setcap(8).
"""

from collections.abc import Callable
from functools import partial

from assembler.programs import (
    adduser,
    alternatives,
    apache,
    ca_certificates,
    capabilities,
    copying,
    deb_systemd_helper,
    dpkg_helpers,
    files,
    inert,
    markup_catalogs,
    permissions,
    shadow,
    systemd,
    sysusers,
    sysv,
    tmpfiles,
)
from assembler.programs.context import Action, ExecutionContext, Maker, nothing
from assembler.programs.options import UsageError
from assembler.programs.shells import update_shells
from assembler.tree.staging import Tree


def _engine(run: Callable[[Tree, list[str]], object]) -> Maker:
    """A command that a module of its own carries out; a False from it is exit status 1."""

    def make(arguments: list[str]) -> Action:
        return lambda context: 1 if run(context.tree, arguments) is False else 0

    return make


def _update_ca_certificates(arguments: list[str]) -> Action | None:
    without_hooks = arguments == ["--hooksdir", ""]

    def run(context: ExecutionContext) -> int:
        if not without_hooks and context.tree.names("/etc/ca-certificates/update.d"):
            raise UsageError("update-ca-certificates with hooks", why="/etc/ca-certificates/update.d")
        ca_certificates.update_ca_certificates(context.tree)
        return 0

    # With --fresh, links that are there are removed first: in a new tree there are none.
    return run if without_hooks or arguments in ([], ["--fresh"]) else None


def _deb_systemd_helper(arguments: list[str]) -> Action:
    def run(context: ExecutionContext) -> int:
        has_systemctl = context.program("systemctl")
        return 0 if deb_systemd_helper.deb_systemd_helper(context.tree, arguments, has_systemctl=has_systemctl) else 1

    return run


def _systemctl(arguments: list[str]) -> Action:
    user = "--global" in arguments or "--user" in arguments
    return lambda context: 0 if systemd.Systemctl(context.tree, user=user).call(arguments) else 1


def _sysusers(arguments: list[str]) -> Action | None:
    if any(argument.startswith("-") for argument in arguments):
        return None

    def run(context: ExecutionContext) -> int:
        sysusers.sysusers(context.tree, arguments)
        return 0

    return run


def _tmpfiles(arguments: list[str]) -> Action | None:
    names = [argument for argument in arguments if not argument.startswith("-")]
    if set(arguments) - set(names) != {"--create"}:
        return None

    def run(context: ExecutionContext) -> int:
        return tmpfiles.exit_status(tmpfiles.tmpfiles_create(context.tree, names))

    return run


def _depmod(arguments: list[str]) -> Action | None:
    """``depmod`` of one kernel."""
    words = [argument for argument in arguments if argument not in {"-a", "-q", "--quick"}]
    if len(words) != 1 or words[0].startswith("-"):
        return None

    def run(context: ExecutionContext) -> int:
        context.depmod(context.tree, words[0])
        return 0

    return run


def _journalctl(arguments: list[str]) -> Action | None:
    """``journalctl --update-catalog``: a unit does that at boot (configure/caches.py)."""
    return nothing if arguments == ["--update-catalog"] else None


def _setcap(arguments: list[str]) -> Action | None:
    if len(arguments) != 2:
        return None
    try:
        capabilities.encode(arguments[0])
    except capabilities.CapabilityError:
        return None

    def run(context: ExecutionContext) -> int:
        if not context.tree.is_file(arguments[1]):
            return 1
        capabilities.setcap(context.tree, arguments)
        return 0

    return run


COMMANDS: dict[str, Maker] = {
    **dict.fromkeys(inert.INERT, inert.always_nothing),
    **dict.fromkeys(inert.NOT_RUNNING, inert.not_running),
    **{name: inert.refused(name) for name in inert.NOT_MADE},
    **dict.fromkeys(("aa-enabled", "aa-status", "killall", "modprobe", "pidof", "pkill", "rmmod"), inert.not_there),
    "dpkg-maintscript-helper": inert.maintscript_helper,
    "ischroot": inert.ischroot,
    "apparmor_parser": inert.apparmor_parser,
    # Files, after POSIX.1-2017 and GNU coreutils.
    "chmod": permissions.chmod,
    "chown": permissions.make_chown(group_only=False),
    "chgrp": permissions.make_chown(group_only=True),
    "mkdir": files.mkdir,
    "rmdir": files.rmdir,
    "rm": files.rm,
    "touch": files.touch,
    "ln": files.ln,
    "cp": copying.cp,
    "mv": files.mv,
    "install": copying.install,
    "cmp": files.cmp,
    "setcap": _setcap,
    "depmod": _depmod,
    "journalctl": _journalctl,
    # Users and groups.
    "adduser": _engine(adduser.adduser),
    "addgroup": _engine(adduser.addgroup),
    "useradd": _engine(shadow.useradd),
    "groupadd": _engine(shadow.groupadd),
    "usermod": _engine(shadow.usermod),
    "shadowconfig": _engine(lambda tree, _arguments: shadow.shadowconfig(tree)),
    "systemd-sysusers": _sysusers,
    # Services.
    "systemctl": _systemctl,
    "deb-systemd-helper": _deb_systemd_helper,
    "systemd-tmpfiles": _tmpfiles,
    "update-rc.d": _engine(sysv.update_rcd),
    # dpkg's own helpers.
    "dpkg-trigger": dpkg_helpers.trigger,
    "dpkg-statoverride": dpkg_helpers.statoverride,
    "dpkg-divert": dpkg_helpers.divert,
    # Registries of configuration.
    **{name: _engine(partial(apache.enable, program=name)) for name in apache.PROGRAMS},
    "update-alternatives": _engine(alternatives.update_alternatives),
    "update-catalog": _engine(markup_catalogs.update_catalog),
    "update-xmlcatalog": _engine(markup_catalogs.update_xmlcatalog),
    "update-shells": _engine(lambda tree, _arguments: update_shells(tree)),
    "update-ca-certificates": _update_ca_certificates,
}
"""What each command does, by its name in scripts."""
