"""``assemble sbom``: what a finished image consists of."""

from pathlib import Path

import click

from assembler.cli.session import options, session


@click.command(short_help="Print the bill of materials of a finished image.")
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
def sbom(image: Path, *, kind: str, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Print the bill of materials that IMAGE.iso holds: each package, upstream file and container image, by digest.

    A build writes both bills beside the image as well, sbom.cdx.json and sbom.spdx.json, and provenance.json.
    """
    with session(as_json=as_json, quiet=quiet, verbose=verbose) as current:
        from assembler.api.verify import print_document  # noqa: PLC0415  half a second that --help need not wait

        print_document(current, image, kind)
