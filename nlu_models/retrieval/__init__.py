"""Finds the reviewed guidance that fits what a person said."""
