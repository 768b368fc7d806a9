"""What cloud-init makes of the files of a NoCloud seed: checked before a node stumbles over it."""
