"""Instances and plans as files: plain data, JSON, schemas."""
