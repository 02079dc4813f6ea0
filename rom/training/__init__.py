"""Losses, objectives, batches, the training loop, validation and checkpoints."""
