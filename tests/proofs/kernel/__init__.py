"""Compiled kernels: they boot, kubeadm's validator is content, and they are the same bytes each time."""
