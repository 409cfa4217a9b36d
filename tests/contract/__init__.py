"""One suite each for every part that has several implementations."""
