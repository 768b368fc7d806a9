"""``assemble rebuild``: build a finished image again."""

from pathlib import Path
from typing import Any

import click

from assembler.cli.differences import tell
from assembler.cli.session import network_options, options, secret_options, session


@click.command(short_help="Build a finished image again from what it holds, and compare.")
@click.argument("image", type=click.Path(dir_okay=False, exists=True, path_type=Path), metavar="IMAGE.iso")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default="rebuilt",
    show_default=True,
    metavar="DIRECTORY",
    help="Write the new image and the statement here; it must be empty or missing.",
)
@click.option(
    "--allow-compile",
    is_flag=True,
    help="Also build an image again whose kernel is compiled, which runs programs of the kernel's source here.",
)
@secret_options
@network_options
@options
def rebuild(
    image: Path,
    out: Path,
    args: dict[str, str],
    *,
    allow_compile: bool,
    offline: bool,
    store: Path | None,
    jobs: int | None,
    **common: Any,
) -> None:
    """Take recipe and lock out of IMAGE.iso, build it again, and say how the new image differs.

    Only downloads are taken from the store: everything is computed again. Passwords that packages were answered are not
    on the image, and have to be given (--arg-file DEBCONF_PASSWORD_1=PATH). DIRECTORY/rebuild.json is an in-toto
    statement of the result. The exit status is 0 when both images are the same, and 1 when they differ.
    """
    with session(store=store, jobs=jobs, **common) as current:
        from assembler import api  # noqa: PLC0415  slow; --help need not wait

        current.hidden.update(args.values())
        workspace = current.workspace(offline=offline)
        result = api.rebuild(image, out, workspace, allow_compile=allow_compile, args=args)
        if result.found is None:
            current.say(f"{image}: built again, byte by byte the same: {result.after}")
        else:
            tell(current, result.found)
            current.say(f"{image}: built again, it differs: {result.before} -> {result.after}")
        current.reporter.result(dict(result.statement))
    click.get_current_context().exit(0 if result.same else 1)
