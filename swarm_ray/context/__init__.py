"""The context compiler: exactly what one step may know, and who filled how much of it."""
