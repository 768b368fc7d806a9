"""Kernels and their module indexes."""
