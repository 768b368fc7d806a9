"""``assemble sbom``: what a finished image consists of."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assembler.cli.session import options, session

if TYPE_CHECKING:
    from assembler.api import DocumentKind


@click.command(short_help="Print the SBOM of a finished image.")
@click.argument("image", type=click.Path(dir_okay=False, exists=True, path_type=Path), metavar="IMAGE.iso")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["cyclonedx", "spdx", "provenance"]),
    default="cyclonedx",
    show_default=True,
    help="CycloneDX 1.6, SPDX 2.3, or the SLSA provenance; all in JSON.",
)
@options
def sbom(image: Path, *, kind: "DocumentKind", **common: Any) -> None:
    """Print the SBOM that IMAGE.iso holds: each package, upstream file and container image, by digest.

    A build writes both SBOMs beside the image as well, sbom.cdx.json and sbom.spdx.json, and provenance.json.
    """
    with session(**common) as current:
        from assembler import api  # noqa: PLC0415  half a second that --help need not wait

        found = api.document(image, kind)
        # Written anew, not the bytes of the image: in ASCII, on lines that are the assembler's.
        current.show(json.dumps(found, indent=1, sort_keys=True))
        current.reporter.result({"image": str(image), "document": found})
