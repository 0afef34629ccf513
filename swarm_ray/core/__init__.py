"""Pure state machines: run, step, swarm, item, attempt, host. They decide and never ask."""
