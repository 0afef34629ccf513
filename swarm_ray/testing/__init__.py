"""Shipped fakes: real implementations of the ports that live in memory and break on demand."""
