"""The risk check: whether a message speaks of danger. It runs before anything else and needs no model."""
