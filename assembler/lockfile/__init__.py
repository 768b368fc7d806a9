"""The lock's values and its canonical TOML: ground for everyone."""
