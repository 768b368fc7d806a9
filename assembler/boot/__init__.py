"""Boot loaders: GRUB images and configuration, the EFI system partition, hybrid boot records."""
