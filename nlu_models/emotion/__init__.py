"""The emotion reader: 28 GoEmotions labels and valence, arousal, dominance from one encoder pass."""
