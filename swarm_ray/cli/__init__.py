"""The command line: verbs over the client, texts for people, JSON for programs."""

import sys

# Ray puts a submitted job's own files first on the path: its `json.py` is not ours.
sys.path[:] = [entry for entry in sys.path if "/runtime_resources/" not in entry]
