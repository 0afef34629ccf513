"""What is decided, as arrays: arcs, rows, and the linear program over them."""
