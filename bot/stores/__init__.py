"""Rasa's tracker store and lock store over Attune's own database."""
