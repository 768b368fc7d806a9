"""The commands of maintainer scripts that are understood, each as what it does to the tree.

:data:`COMMANDS` maps a name to a maker: arguments in, an action out, or None when these arguments are not understood.
Makers look only at the arguments, so what is understood does not depend on the tree. Manuals followed: POSIX.1-2017 and
GNU coreutils for files, dpkg-statoverride(1), dpkg-divert(1), dpkg-trigger(1), getent(1), setcap(8).
"""

from collections.abc import Callable
from functools import partial

from assembler.kernel import kmod30
from assembler.kernel.depmod import indexed
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
from assembler.programs.accounts import NoAccount
from assembler.programs.context import Action, ExecutionContext, Maker
from assembler.programs.options import UsageError
from assembler.programs.packages_known import is_before
from assembler.programs.shells import STATE, is_current, update_shells
from assembler.tree.staging import Tree


def _engine(run: Callable[[Tree, list[str]], object]) -> Maker:
    """A command that a module of its own carries out; a False from it is exit status 1."""

    def make(arguments: list[str]) -> Action:
        return lambda context: 1 if run(context.tree, arguments) is False else 0

    return make


def _has_minimum(context: ExecutionContext) -> bool:
    return is_before(context.packages, "passwd", "1:4.17", "1:4.20", otherwise=True)


def _of_shadow(run: Callable[[ExecutionContext, list[str]], object]) -> Maker:
    """A command of shadow's, whose exit status tells what is not there."""

    def make(arguments: list[str]) -> Action:
        def carry_out(context: ExecutionContext) -> int:
            try:
                run(context, arguments)
            except NoAccount as error:
                raise error.exits(shadow.NOT_FOUND) from error
            return 0

        return carry_out

    return make


def _of_adduser(run: Callable[..., object]) -> Maker:
    """A command of adduser's, which does it as the image's version."""

    def make(arguments: list[str]) -> Action:
        def carry_out(context: ExecutionContext) -> int:
            ways = adduser.Ways(
                is_old=is_before(context.packages, "adduser", "3.134", "3.152"),
                same_number=not is_before(context.packages, "adduser", "3.152", "3.159", otherwise=True),
                has_minimum=_has_minimum(context),
            )
            run(context.tree, arguments, ways=ways)
            return 0

        return carry_out

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


def _update_shells(arguments: list[str]) -> Action | None:
    def run(context: ExecutionContext) -> int:
        repeats = is_before(context.packages, "debianutils", "5.7", "5.23")
        if not context.tree.exists(STATE):
            update_shells(context.tree, context.absent(), repeats=repeats)
        # As soon as others are unpacked, their trigger has it run again, before any of them is configured. What comes
        # after that was no call of its own: another one would leave out what an older one repeats.
        if not is_current(context.tree, repeats=repeats):
            update_shells(context.tree, repeats=repeats)
        return 0

    return None if arguments else run


def _is_split(context: ExecutionContext) -> bool:
    """Whether systemd looks for units in /lib, too, first."""
    return is_before(context.packages, "systemd", "252", "257")


def _deb_systemd_helper(arguments: list[str]) -> Action:
    def run(context: ExecutionContext) -> int:
        has_systemctl = context.program("systemctl")
        done = deb_systemd_helper.deb_systemd_helper(
            context.tree, arguments, has_systemctl=has_systemctl, split=has_systemctl and _is_split(context)
        )
        return 0 if done else 1

    return run


def _systemctl(arguments: list[str]) -> Action:
    user = "--global" in arguments or "--user" in arguments

    def run(context: ExecutionContext) -> int:
        return 0 if systemd.Systemctl(context.tree, user=user, split=_is_split(context)).call(arguments) else 1

    return run


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
        indexed(context.tree, words[0], context.keep)
        if is_before(context.packages, "kmod", "30", "34"):
            kmod30.as_before(context.tree, words[0])
        return 0

    return run


def _setcap(arguments: list[str]) -> Action | None:
    if not arguments or len(arguments) % 2:
        return None
    try:
        for text in arguments[::2]:
            capabilities.encode(text)
    except capabilities.CapabilityError:
        return None

    def run(context: ExecutionContext) -> int:
        for pair in zip(arguments[::2], arguments[1::2], strict=True):
            if not context.tree.is_file(pair[1]):
                return 1
            capabilities.setcap(context.tree, list(pair))
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
    # Users and groups.
    "adduser": _of_adduser(adduser.adduser),
    "addgroup": _of_adduser(adduser.addgroup),
    "deluser": _of_adduser(adduser.deluser),
    "useradd": _of_shadow(
        lambda context, arguments: shadow.useradd(context.tree, arguments, has_minimum=_has_minimum(context))
    ),
    "groupadd": _of_shadow(lambda context, arguments: shadow.groupadd(context.tree, arguments)),
    "usermod": _of_shadow(lambda context, arguments: shadow.usermod(context.tree, arguments)),
    "passwd": _engine(shadow.passwd),
    "chsh": _engine(shadow.chsh),
    "chfn": _engine(shadow.chfn),
    "shadowconfig": _of_shadow(
        lambda context, _arguments: shadow.shadowconfig(context.tree, has_minimum=_has_minimum(context))
    ),
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
    "update-shells": _update_shells,
    "update-ca-certificates": _update_ca_certificates,
}
"""What each command does, by its name in scripts."""
