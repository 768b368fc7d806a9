"""Debian archives and packages: signed indices, the solver, the .deb reader, unpacking, dpkg's database."""
