"""A witness: cosigns checkpoints of logs that only grow. The only FastAPI code besides the gateway."""
