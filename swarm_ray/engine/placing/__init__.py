"""The adapter of the placement solver; the only package that imports `swarm_placement`."""
