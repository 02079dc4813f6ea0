"""Known dynamics."""
