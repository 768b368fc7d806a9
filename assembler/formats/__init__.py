"""Image formats, one a file: cpio, squashfs, FAT, ISO 9660, partition tables."""
