"""Virtual machines: starting QEMU, talking to its serial console and forwarding SSH."""
