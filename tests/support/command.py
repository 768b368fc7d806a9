"""What the programs among the tests have in common: proofs, measurements and the fuzzer. scripts/ starts them."""

import argparse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""


def arguments(name: str, description: str | None) -> argparse.ArgumentParser:
    """For the arguments of the program that scripts/`name` starts; its help is the text of its module."""
    return argparse.ArgumentParser(
        prog=name, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
