"""Append, decide, act: the loop that feeds durable events to the machines."""
