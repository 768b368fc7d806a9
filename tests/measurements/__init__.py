"""Measurements: what the assembler takes beside its peers, and how much of Debian it handles. scripts/ starts them."""
