"""Learning from corrections: what to ask about, what was said, how to train on it, and when to refuse."""
