"""The deterministic machine: what is not computed runs there, and comes out the same everywhere."""
