"""Assembles bootable Kubernetes node images from a recipe; see README.md for the map."""

import logging

__version__ = "0.1.0"
"""As in pyproject.toml; here as well, because a checkout is used without being installed."""

# What is logged is for whoever asks for it.
logging.getLogger(__name__).addHandler(logging.NullHandler())
