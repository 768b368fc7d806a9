"""The layers of the mission; each only wires stages together."""
