"""Models behind one service: any OpenAI-compatible endpoint, within an attempt's slice."""
