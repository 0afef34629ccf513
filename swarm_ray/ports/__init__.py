"""Protocols between the machines and the services around them."""
