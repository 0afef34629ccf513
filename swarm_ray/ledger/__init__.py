"""Durable storage of logs and bodies in one SQLite file and one folder."""
