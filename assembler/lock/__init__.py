"""Every input by digest: the lock's model, its canonical TOML, and resolving a recipe to it."""
