"""Starting Attune: the checks before, the trained model, the processes, and what they import."""
