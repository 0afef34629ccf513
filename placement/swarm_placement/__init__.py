"""Deadline- and locality-aware placement of copies of items on sites and models."""
