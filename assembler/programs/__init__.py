"""Commands that maintainer scripts call, as programs over the staging tree: one file a program or family."""
