"""Thin Rasa graph components around `nlu_models`."""
