"""Confined workers: drivers, zygotes, and the code that runs inside a worker."""
