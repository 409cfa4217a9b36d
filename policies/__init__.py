"""Rasa policies: each turns one pure decision of `bot.core` into action probabilities."""
