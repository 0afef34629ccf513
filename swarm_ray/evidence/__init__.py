"""Evidence for strangers: copies of runs that can be checked offline, and their check."""
