def add_up(inputs, ctx):  # noqa: ARG001  # every skill is called so
    """Return the number of an invoice and the sum of its lines in cents."""
    total = sum(line["cents"] * line["count"] for line in inputs["lines"])
    return {"number": inputs["number"], "total_cents": total}
