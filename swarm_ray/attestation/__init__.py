"""Statements, signatures, keys: who says what about which execution."""
