"""A second opinion that shares no code with the solver."""
