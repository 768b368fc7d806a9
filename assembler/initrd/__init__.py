"""The initramfs: closures of programs and modules, composed with what lies in initramfs/."""
