"""Container images: their names, registries, layouts, and locking them to digests."""
