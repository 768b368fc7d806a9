"""The POSIX shell language of maintainer scripts: its syntax, and what is left of a script on a fresh install."""
