"""Definitions: YAML or Python in, a checked plan and a packed bundle out."""
