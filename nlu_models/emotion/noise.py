"""Typing noise for training texts, drawn anew each epoch and the same in every repetition of a run."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from nlu_models.emotion.attacks import perturb
from nlu_models.emotion.corpus import tokenize


@dataclass(frozen=True)
class TypingNoise:
    """Makes other token ids of some texts.

    Attributes:
        share: of the texts, in [0, 1].
        seed: of which texts and which noise.
        kinds: of noise, out of those `attacks.perturb` knows.
        tokenizer: of the model.
        max_tokens: longer texts are cut.
    """

    share: float
    seed: int
    kinds: Sequence[str]
    tokenizer: PreTrainedTokenizerBase
    max_tokens: int

    def token_ids(self, text: str, row: int, epoch: int) -> list[int] | None:
        """The token ids of a noisy form of the text, or None where it stays clean this time."""
        # Its own generator per text and epoch: a resumed run needs no state to draw the same.
        draw = random.Random(f"{self.seed} {epoch} {row}")
        if draw.random() >= self.share:
            return None
        return tokenize(self.tokenizer, [perturb(text, draw.choice(self.kinds), draw)], self.max_tokens)[0]
