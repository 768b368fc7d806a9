"""``assemble run``: start what was built in QEMU."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assembler.cli.session import options, session, store_option
from assembler.vm.qemu import FIRMWARE, Firmware

if TYPE_CHECKING:
    from assembler.api.run import Acceleration
    from assembler.vm.node import Medium

_FILE = click.Path(dir_okay=False, path_type=Path)
_MIB = {"": 1, "M": 1, "G": 1024}
SMALLEST = 128
"""MiB of memory below which nothing boots."""


def _memory(context: click.Context, parameter: click.Parameter, value: str) -> int:
    """Memory in MiB, from ``2G`` or ``2048M``."""
    match = re.fullmatch(r"([0-9]{1,9})([MG]?)(?:i?B)?", value, re.IGNORECASE)
    size = int(match[1]) * _MIB[match[2].upper()] if match else 0
    if size < SMALLEST:
        raise click.BadParameter(f"'{value}' is not a size of at least {SMALLEST}M, as 2G or 2048M", context, parameter)
    return size


def _processors(context: click.Context, parameter: click.Parameter, value: str) -> int:
    """A number of processors, 0 for all."""
    if value == "all":
        return 0
    if not re.fullmatch(r"[1-9][0-9]{0,2}", value):
        raise click.BadParameter(f"'{value}' is neither a number nor 'all'", context, parameter)
    return int(value)


def _pattern(context: click.Context, parameter: click.Parameter, value: str | None) -> re.Pattern[str] | None:
    try:
        return None if value is None else re.compile(value, re.MULTILINE)
    except re.error as error:
        raise click.BadParameter(f"'{value}' is no regular expression: {error}", context, parameter) from error


@click.command(short_help="Start what was built in QEMU.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default="out",
    show_default=True,
    metavar="DIRECTORY",
    help="What to start: the directory that was built into.",
)
@click.option(
    "--as",
    "medium",
    type=click.Choice(["cd", "disk"]),
    default="cd",
    show_default=True,
    help="What the ISO is to the machine.",
)
@click.option("--firmware", type=click.Choice(FIRMWARE), help="[default: bios, or uefi where there is none]")
@click.option("--memory", callback=_memory, default="2G", show_default=True, metavar="SIZE")
@click.option("--cpus", callback=_processors, default="all", show_default=True, metavar="NUMBER")
@click.option(
    "--ssh-port",
    type=click.IntRange(1, 65535),
    default=2222,
    show_default=True,
    help="Port of 127.0.0.1 that leads to the machine's SSH.",
)
@click.option(
    "--ssh-key",
    "ssh_keys",
    type=_FILE,
    multiple=True,
    metavar="FILE.pub",
    help="Let this public key log in as root. May be repeated.",
)
@click.option(
    "--seed",
    type=_FILE,
    metavar="FILE.iso",
    help="The cloud-init seed, an ISO or FAT image.  [default: the one in DIRECTORY]",
)
@click.option(
    "--disk",
    type=_FILE,
    default="var.qcow2",
    show_default=True,
    metavar="FILE.qcow2",
    help="The state disk: made when it is missing, kept otherwise. A root file system that was built "
    "(out/rootfs.qcow2) is started itself, instead of the ISO.",
)
@click.option(
    "--accel",
    type=click.Choice(["auto", "kvm", "tcg"]),
    default="auto",
    show_default=True,
    help="tcg emulates; auto takes KVM where it works.",
)
@click.option(
    "--expect", callback=_pattern, metavar="REGEX", help="Wait until the console shows this, then end the machine."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="How long --expect waits.",
)
@store_option
@options
def run(  # noqa: PLR0917  click passes all by keyword
    out: Path,
    medium: "Medium",
    firmware: Firmware | None,
    memory: int,
    cpus: int,
    ssh_port: int,
    ssh_keys: tuple[Path, ...],
    seed: Path | None,
    disk: Path,
    accel: "Acceleration",
    expect: re.Pattern[str] | None,
    timeout: float,
    store: Path | None,
    **common: Any,
) -> None:
    """Start the image in out/, its serial console in this terminal.

    Ctrl-A X ends the machine. To log in over SSH: ssh -p 2222 root@127.0.0.1
    """
    with session(store=store, **common) as current:
        from assembler import api  # noqa: PLC0415  half a second that --help need not wait

        wanted = api.MachineOptions(
            medium=medium,
            firmware=firmware,
            memory=memory,
            processors=cpus,
            ssh_port=ssh_port,
            ssh_keys=ssh_keys,
            seed=seed,
            disk=disk,
            accel=accel,
        )
        # With --json, standard output belongs to events.
        ended = api.run(
            out,
            current.workspace(),
            wanted,
            expect=expect,
            timeout=timeout,
            console=lambda line: click.echo(line, err=current.json),
        )
        if ended.matched is not None:
            current.reporter.result({"matched": ended.matched})
    click.get_current_context().exit(ended.status)
