"""The command line: verbs over the client, texts for people, JSON for programs."""
