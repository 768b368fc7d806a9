"""Lets ``python -P -m assembler`` be the same as ``assemble``."""

from assembler.cli.main import main

main()
