"""Judges of plans and policies: independent of the solver, random only through what is handed in."""
