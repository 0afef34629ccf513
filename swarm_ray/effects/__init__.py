"""Effects: proposals, grants, and a broker process that touches the world."""
