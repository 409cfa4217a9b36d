"""Says which words of a text moved a reading, and how far: integrated gradients over the word embeddings.

Integrated gradients (Sundararajan, Taly & Yan, ICML 2017, https://arxiv.org/abs/1703.01365) walk in a
straight line from a baseline, the same text with every word blanked, to the text itself, and add up the
gradient on the way. The scores of all words sum to what the text says more than the blank one; how far they
miss that sum is the convergence error, which is reported; while it is large, smaller steps are taken.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nlu_models.emotion.infer import load_tokenizer
from nlu_models.emotion.labels import GOEMOTIONS, VAD
from nlu_models.emotion.suggest import pick
from nlu_models.emotion.weights import TOKENIZER_FILE, WeightConfig
from nlu_models.emotion.word_spans import Pair, align, place_of
from nlu_models.emotion.wording import CHARS_PER_TOKEN, as_read, normalize_wording
from nlu_models.encoder import MultiTaskEncoder
from nlu_models.errors import InputError, WeightError

DEFAULT_STEPS = 50
MOST_STEPS = 1600
MOST_DOUBLINGS = 3
SHARE_OF_ERROR = 0.05  # of the difference that is explained, up to which the sum may miss it
LEAST_ERROR = 0.02  # in log-odds, or on the axis; smaller errors are never worth more steps
PASS_ROWS = 16  # points of the path in one pass
BLANKS = ("[PAD]", "[MASK]")


@dataclass(frozen=True)
class WordScore:
    """A word and how far it moved the reading.

    Attributes:
        word: as it was written.
        start: of the word in the text, in characters.
        end: behind its last character.
        score: in log-odds of the label, or on the axis; positive speaks for it, negative against it.
    """

    word: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Explanation:
    """Why a text was given a label, or its place on an axis.

    Attributes:
        text: as it was given.
        target: the label or axis.
        is_axis: whether the target is valence, arousal or dominance.
        is_reported: whether it is the label that the reader reports for the text.
        value: the label's log-odds before calibration, or the place on the axis, [-1, 1].
        baseline: the same for the blank text.
        probability: of the label, as it is served (so calibrated where the weight is); None for an axis.
        words: in the order of the text.
        error: the sum of all scores minus (value - baseline).
        has_converged: whether the error is small; scores of one that isn't are rough.
        steps: how many steps were taken.
        blank: the token that stands for no word.
        cut_at: where reading stopped, in characters; None when all was read.
        model: that was asked.
    """

    text: str
    target: str
    is_axis: bool
    is_reported: bool
    value: float
    baseline: float
    probability: float | None
    words: tuple[WordScore, ...]
    error: float
    has_converged: bool
    steps: int
    blank: str
    cut_at: int | None
    model: str

    def to_json(self) -> dict[str, Any]:
        """As `attune emotion explain --json` prints it."""
        rounded = {name: round(getattr(self, name), 4) for name in ("value", "baseline", "error")}
        return {
            "target": self.target,
            "unit": "axis" if self.is_axis else "log-odds",
            "reported": self.is_reported,
            **rounded,
            "probability": None if self.probability is None else round(self.probability, 4),
            "converged": self.has_converged,
            "steps": self.steps,
            "blank": self.blank,
            "characters": len(self.text),
            "cut_at": self.cut_at,
            "model": self.model,
            "words": [
                {"word": word.word, "start": word.start, "end": word.end, "score": round(word.score, 4)}
                for word in self.words
            ],
        }


class Explainer:
    """A torch model, the tokenizer it reads with, and how it names its labels.

    Args:
        model: in eval mode.
        tokenizer: of the `tokenizers` package.
        labels: in the order of the model's outputs.
        max_tokens: longer texts are cut.
        name: of the model, for the record.
        report: the reading that is served for a text ("label" and "scores"); by default the model's own
            probabilities, uncalibrated, and the most probable label.
        reword: what serving does to a text before it tokenises it.
        axes: those that have been trained.
    """

    def __init__(
        self,
        model: MultiTaskEncoder,
        tokenizer: Any,
        labels: Sequence[str],
        max_tokens: int,
        name: str,
        report: Callable[[str], Mapping[str, Any]] | None = None,
        reword: Callable[[str], str] = str,
        axes: Sequence[str] = VAD,
    ) -> None:
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length=max_tokens)
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.labels = tuple(labels)
        self.max_tokens = max_tokens
        self.name = name
        self._report = report
        self._reword = reword
        self._axes = tuple(axes)

    def explain(
        self, text: str, target: str | None = None, steps: int = DEFAULT_STEPS, blank: str = BLANKS[0]
    ) -> Explanation:
        """The words that speak for and against a label.

        Args:
            text: of any length; it is cut where the reader cuts it.
            target: a label, or valence, arousal or dominance; the reported label by default.
            steps: of the path, 8 to 1600; more are taken while the error is large.
            blank: the token that stands for no word, "[PAD]" or "[MASK]".

        Raises:
            InputError: the text is empty, or the target, the steps or the blank won't do.
        """
        if not 8 <= steps <= MOST_STEPS:
            raise InputError(f"steps is {steps}, expected 8 to {MOST_STEPS}")
        read = self.tokenize(text)
        reading = self._reading(text, read)
        reported = str(reading["label"])
        target = reported if target is None else pick(target, (*self.labels, *self._axes), "label")
        blanks = self.blanked(read, range(len(read.pairs)), blank)
        forward = _Target(self.model, self.labels, target)
        ids, blank_ids = (torch.tensor([rows]) for rows in (read.ids, blanks))
        with torch.no_grad():
            value, baseline = float(forward(ids)), float(forward(blank_ids))
        allowed = max(SHARE_OF_ERROR * abs(value - baseline), LEAST_ERROR)
        scores, error = _integrate(forward, ids, blank_ids, steps)
        for _ in range(MOST_DOUBLINGS):
            if abs(error) <= allowed or steps * 2 > MOST_STEPS:
                break
            steps *= 2
            scores, error = _integrate(forward, ids, blank_ids, steps)
        is_axis = target not in self.labels
        return Explanation(
            text=text,
            target=target,
            is_axis=is_axis,
            is_reported=target == reported,
            value=value,
            baseline=baseline,
            probability=None if is_axis else float(reading["scores"][target]),
            words=read.words(text, scores),
            error=error,
            has_converged=abs(error) <= allowed,
            steps=steps,
            blank=blank,
            cut_at=read.cut_at,
            model=self.name,
        )

    def tokenize(self, text: str) -> ReadText:
        """A text as the model reads it, with the word that each token belongs to.

        Raises:
            InputError: there is nothing to read in it.
        """
        if not text.strip():
            raise InputError("the text is empty; give a text to explain")
        head = text[: self.max_tokens * CHARS_PER_TOKEN]
        plain = as_read(text, self.max_tokens, self._reword)
        encoded = self.tokenizer.encode(plain)
        pairs = align(head, plain)
        places = [
            None if special else place_of(pairs, *span)
            for span, special in zip(encoded.offsets, encoded.special_tokens_mask, strict=True)
        ]
        if not any(place is not None for place in places):
            raise InputError("the text has no words that the model could read")
        is_cut = bool(encoded.overflowing) or len(head) < len(text)
        read_up_to = max(place for place in places if place is not None)
        cut_at = pairs[read_up_to].written.end if is_cut else None
        kept = pairs[: read_up_to + 1] if is_cut else pairs
        return ReadText(tuple(encoded.ids), tuple(places), tuple(kept), cut_at)

    def blanked(self, read: ReadText, words: Sequence[int], blank: str = BLANKS[0]) -> list[int]:
        """The token ids of a text with some words blanked; what begins and ends a text stays.

        Args:
            read: the text.
            words: places in `read.pairs`.
            blank: the token to put there.

        Raises:
            InputError: the tokenizer has no such token.
        """
        blank_id = self.tokenizer.token_to_id(blank) if blank in BLANKS else None
        if blank_id is None:
            known = [name for name in BLANKS if self.tokenizer.token_to_id(name) is not None]
            raise InputError(f"the blank is {blank!r}, expected one of {', '.join(known)}")
        gone = set(words)
        return [
            blank_id if place in gone else token for token, place in zip(read.ids, read.places, strict=True)
        ]

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def probabilities(self, ids: Sequence[int]) -> Any:
        """The probabilities (labels,) of a text given as token ids."""
        rows = torch.tensor([list(ids)])
        return torch.sigmoid(self.model(rows, torch.ones_like(rows)).emotion[0]).numpy()

    def _reading(self, text: str, read: ReadText) -> Mapping[str, Any]:
        if self._report is not None:
            return self._report(text)
        scores = self.probabilities(read.ids)
        label = self.labels[int(np.argmax(scores))]
        return {"label": label, "scores": dict(zip(self.labels, scores, strict=True))}


@dataclass(frozen=True)
class ReadText:
    """A text as token ids.

    Attributes:
        ids: with those that begin and end a text.
        places: the word in `pairs` that each token belongs to; None for those that begin and end a text.
        pairs: the words.
        cut_at: where reading stopped, in characters of the text; None when all was read.
    """

    ids: tuple[int, ...]
    places: tuple[int | None, ...]
    pairs: tuple[Pair, ...]
    cut_at: int | None

    def words(self, text: str, scores: Sequence[float]) -> tuple[WordScore, ...]:
        """The words with the scores of their tokens added up."""
        sums = [0.0] * len(self.pairs)
        for place, score in zip(self.places, scores, strict=True):
            if place is not None:
                sums[place] += score
        return tuple(
            WordScore(
                text[pair.written.start : pair.written.end], pair.written.start, pair.written.end, total
            )
            for pair, total in zip(self.pairs, sums, strict=True)
        )


def load_from_weights(weights: Path) -> Explainer:
    """An explainer of a weight folder: its graph turned back into torch, its tokenizer and its thresholds.

    Raises:
        WeightError: the folder is incomplete, or its graph can't be turned back.
    """
    from nlu_models.emotion.dequantize import load_weights
    from nlu_models.emotion.infer import EmotionEncoder
    from nlu_models.emotion.reading import make_reading

    config = WeightConfig.load(weights)
    tokenizer = load_tokenizer(weights / TOKENIZER_FILE, config.max_tokens)
    model = load_weights(weights)
    encoder = EmotionEncoder(weights)

    def report(text: str) -> Mapping[str, Any]:
        read = encoder.encode([text])
        return make_reading(read.probabilities[0], read.vad[0], encoder.config)

    axes = VAD if "vad" in config.trained_heads else ()
    return Explainer(
        model, tokenizer, config.labels, config.max_tokens, config.model, report, normalize_wording, axes
    )


def load_from_run(run: Path) -> Explainer:
    """An explainer of a run folder of `attune emotion train`.

    Raises:
        WeightError: the folder is incomplete.
    """
    from nlu_models.emotion.quantize import load_checkpoint

    model = load_checkpoint(run)
    path = run / "metrics.json"
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        max_tokens = int(report["arguments"]["max_tokens"])
        labels = tuple(str(label) for label in report.get("labels", GOEMOTIONS))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightError(f"{path} can't be used ({error!r}); has the training run finished?") from error
    if len(labels) != model.config.n_labels:
        raise WeightError(f"{run} names {len(labels)} labels, but its model has {model.config.n_labels}")
    tokenizer = load_tokenizer(run / "tokenizer" / TOKENIZER_FILE, max_tokens)
    return Explainer(model, tokenizer, labels, max_tokens, f"run {run.name}", reword=normalize_wording)


class _Target:
    """The one number that is explained, for rows of token ids without padding."""

    def __init__(self, model: MultiTaskEncoder, labels: Sequence[str], target: str) -> None:
        self.model = model
        self._label = labels.index(target) if target in labels else None
        self._axis = VAD.index(target) if self._label is None else 0

    def __call__(self, ids: Tensor) -> Tensor:
        """(rows,) log-odds of the label, or places on the axis."""
        # No token is hidden from the model: a blank is a token that is read and says nothing.
        outputs = self.model(ids, torch.ones_like(ids))
        return outputs.vad[:, self._axis] if self._label is None else outputs.emotion[:, self._label]


def _integrate(forward: _Target, ids: Tensor, blank_ids: Tensor, steps: int) -> tuple[list[float], float]:
    """The scores of the tokens, and how far their sum misses the difference."""
    from captum.attr import LayerIntegratedGradients  # type: ignore[import-untyped]

    layer = forward.model.encoder.get_input_embeddings()
    gradients = LayerIntegratedGradients(forward, layer)
    scores, error = gradients.attribute(
        ids,
        baselines=blank_ids,
        n_steps=steps,
        internal_batch_size=min(PASS_ROWS, steps),
        return_convergence_delta=True,
    )
    return scores.sum(dim=-1)[0].tolist(), float(error[0])
