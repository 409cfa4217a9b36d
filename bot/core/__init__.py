"""The domain in plain Python: readings, states, decisions. Standard library only."""
