"""What an image and an output directory say of themselves: manifest, contents, keys, SBOM, licences, provenance."""
