"""TOML, for recipes, rules, locks and configuration alike: reading within bounds, where each value stands, writing."""
