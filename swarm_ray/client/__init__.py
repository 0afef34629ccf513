"""The SDK: start and map, one handle per run, its result, story and page."""
