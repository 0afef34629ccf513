"""From fractions to whole copies with a place each."""
