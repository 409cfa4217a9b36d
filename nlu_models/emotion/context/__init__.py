"""Readings in context: conversations to learn from, the fit, its measures and its weight folder.

Arrays and plain rows only. What a turn's cues and a conversation's state are is `bot.core`'s to say, and
`bot/cli/_emotion_context.py` brings the two together.
"""
