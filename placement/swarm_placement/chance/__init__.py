"""How probable it is that a plan meets its deadlines."""
