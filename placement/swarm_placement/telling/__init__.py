"""What a plan means, for people: reports, explanations, pictures."""
