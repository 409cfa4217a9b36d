"""`attune emotion context`: fits and judges the model that reads a turn in context.

The model itself and the state it looks at are `bot.core`'s, the arrays `nlu_models`'; neither may import
the other, so they meet here.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.core.settings import ROOT

if TYPE_CHECKING:
    from bot.core.context import ContextModel
    from bot.core.rolling import Rolled, Said
    from nlu_models.emotion.context.conversations import Conversation
    from nlu_models.emotion.context.fit import Config, Fitted
    from nlu_models.emotion.context.measures import Predicted, Truth
    from nlu_models.emotion.context.rows import Rows

CONVERSATIONS = ROOT / "data" / "conversations" / "en"
READER = ROOT / "nlu_models" / "weights" / "emotion-en"
CONTEXT = ROOT / "nlu_models" / "weights" / "context-en"
NAME = "context-en"
PENALTIES = ("gates", "signs", "hints", "labels", "valence")
BASELINES = ("alone", "alone_fitted", "smoothed")
MEASURES = ("accuracy", "ekman_accuracy", "ekman_macro_f1", "valence_mae", "valence_r")
CALIBRATION_BINS = 10


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `context` to the commands."""
    parser = commands.add_parser(
        "context",
        help="fit and judge the model that reads a turn in its conversation",
        description="The model that reads a turn in the context of its conversation.",
    )
    actions = parser.add_subparsers(dest="context_command", required=True, metavar="COMMAND")
    fit = actions.add_parser("fit", help="fit it to labelled conversations and measure it on others")
    judge = actions.add_parser("evaluate", help="measure it on the held-out conversations")
    for action in (fit, judge):
        action.add_argument(
            "--conversations", type=Path, default=CONVERSATIONS, metavar="DIR",
            help="folder of labelled conversations (default: data/conversations/en)",
        )  # fmt: skip
        action.add_argument(
            "--weights", type=Path, default=READER, metavar="DIR",
            help="weight of the emotion reader (default: nlu_models/weights/emotion-en)",
        )  # fmt: skip
        action.add_argument("--json", action="store_true", help="write the measures to stdout as JSON")
    fit.add_argument(
        "--output", type=Path, default=CONTEXT, metavar="DIR",
        help="folder to write (default: nlu_models/weights/context-en)",
    )  # fmt: skip
    fit.add_argument("--version", default="1.0.0", help="of the weight (default: 1.0.0)")
    for name in PENALTIES:
        fit.add_argument(
            f"--{name}-penalty", type=float, metavar="X",
            help=f"how strongly the {name} are regularised, more than 0",
        )  # fmt: skip
    judge.add_argument(
        "--context", type=Path, default=CONTEXT, metavar="DIR",
        help="the context model (default: nlu_models/weights/context-en)",
    )  # fmt: skip
    judge.add_argument(
        "--errors", action="store_true", help="list the turns that were read wrongly, on stderr"
    )
    fit.set_defaults(execute=execute)
    judge.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Fits or judges; prints the measures."""
    report = _fit(options) if options.context_command == "fit" else _evaluate(options)
    if options.json:
        print(json.dumps(report, indent=1))
    elif report.get("held_out"):
        print(_table(report["held_out"]))
    return 0


def load_model(folder: Path) -> ContextModel:
    """The context model of a weight folder.

    Raises:
        WeightError: it is missing, damaged or doesn't fit this code.
    """
    from bot.core.context import ContextModel
    from bot.core.errors import ContractError
    from nlu_models.emotion.context.weights import read_config
    from nlu_models.errors import WeightError

    try:
        return ContextModel.from_dict(read_config(folder))
    except ContractError as error:
        raise WeightError(f"{folder}: {error}") from error


@dataclass(frozen=True)
class Corpus:
    """Conversations with the readings of their turns' words.

    Attributes:
        conversations: as they were labelled.
        said: their turns, with what was read in each person's words.
        apart: whether every turn is read as if it were the first: what is there without a past.
    """

    conversations: Sequence[Conversation]
    said: Sequence[Sequence[Said]]
    apart: bool = False

    def rolled(self, model: ContextModel) -> list[list[Rolled]]:
        """Per conversation, what a model makes of the person's turns."""
        from bot.core.rolling import roll

        if self.apart:
            return [[one for turn in turns for one in roll(model, [turn])] for turns in self.said]
        return [roll(model, turns) for turns in self.said]

    def of(self, indices: Sequence[int]) -> Corpus:
        """The conversations with these indices."""
        chosen = [self.conversations[one] for one in indices]
        return Corpus(chosen, [self.said[one] for one in indices], self.apart)

    @property
    def topics(self) -> list[str]:
        """What each conversation is about, and who wrote it."""
        return [f"{one.author}: {one.topic}" for one in self.conversations]

    def rows(self, config: Config, indices: Sequence[int]) -> Rows:
        """The rows that a model with these numbers sees in the conversations with these indices."""
        from nlu_models.emotion.context.rows import rows_of

        chosen = self.of(indices)
        moments = [[one.moment for one in turns] for turns in chosen.rolled(_model(config))]
        return rows_of(moments, [[turn.felt for turn in one.person_turns] for one in chosen.conversations])

    def truth(self) -> Truth:
        """What careful readers said of the turns."""
        from bot.core.cues import cues_of
        from nlu_models.emotion.context.measures import truth_of

        felt = [[turn.felt for turn in one.person_turns] for one in self.conversations]
        cues = [[cues_of(turn.text) for turn in one.person_turns] for one in self.conversations]
        return truth_of(felt, [[one.is_filler or one.short > 0 for one in turns] for turns in cues])

    def alone(self) -> list[dict[str, Any]]:
        """The readings of the person's turns by their words alone."""
        return [one.reading.to_dict() for turns in self.said for one in turns if one.reading is not None]

    def in_context(self, config: Config) -> list[dict[str, Any]]:
        """The readings of the person's turns that decisions rest on."""
        return [one.reading.felt.to_dict() for turns in self.rolled(_model(config)) for one in turns]


def read_corpora(conversations: Path, weights: Path) -> dict[str, Corpus]:
    """The conversations of each split that has any, with their turns read.

    Raises:
        DataError: a conversation breaks the form.
        WeightError: the reader's weights can't be used.
    """
    from bot.core.reading import EmotionReading
    from bot.core.rolling import Said
    from bot.core.strategy import Strategy
    from nlu_models.emotion.context.conversations import SPLITS, read_conversations
    from nlu_models.emotion.infer import EmotionEncoder
    from nlu_models.reader import TurnReader

    found = read_conversations(conversations)
    EmotionEncoder(weights)  # says what is wrong with the weights, where a reader would go on without them
    reader = TurnReader(weights)
    texts = [turn.text for one in found for turn in one.person_turns]
    read = iter(EmotionReading.from_dict(one.emotion) for one in reader.read(texts))
    said = [
        [
            Said(
                turn.text,
                turn.gap_s,
                next(read) if turn.felt is not None else None,
                Strategy(turn.strategy) if turn.strategy else None,
            )
            for turn in one.turns
        ]
        for one in found
    ]
    corpora = {}
    for split in SPLITS:
        chosen = [index for index, one in enumerate(found) if one.split == split]
        if chosen:
            corpora[split] = Corpus([found[index] for index in chosen], [said[index] for index in chosen])
    return corpora


def _fit(options: argparse.Namespace) -> dict[str, Any]:
    from bot.core.moment import GATES, SIGNS, VALENCES
    from nlu_models.emotion.context import fit as fitting
    from nlu_models.emotion.context.conversations import TRAIN, digest
    from nlu_models.emotion.context.weights import write_folder
    from nlu_models.errors import DataError

    began = time.monotonic()
    corpora = read_corpora(options.conversations, options.weights)
    if TRAIN not in corpora:
        raise DataError(f"{options.conversations} holds no conversation with the split {TRAIN!r}")
    train = corpora[TRAIN]
    given = {name: getattr(options, f"{name}_penalty") for name in PENALTIES}
    penalties = fitting.Penalties(**{name: value for name, value in given.items() if value is not None})
    start = {"name": NAME, "version": options.version, **fitting.prior(GATES, SIGNS, VALENCES)}
    fitted = fitting.fit(train.rows, train.topics, start, penalties)
    chances = [one for fold, config in fitted.folds for one in _chances(train.of(fold), config)]
    config = fitting.rounded({**fitted.config, **fitting.fit_confidence(chances)})
    apart = replace(train, apart=True)
    fitted_alone = fitting.fit(apart.rows, train.topics, start, penalties)
    alone = fitting.rounded(fitted_alone.config)
    report = {
        "model": f"{NAME}@{options.version}",
        "reader": train.alone()[0]["model"],
        "data": {
            "sha256": digest(options.conversations),
            "parts": {part: _part(corpora.get(part)) for part in ("train", "held_out")},
        },
        "fit": fitting.settings_of(penalties),
        "train_crossfitted": _crossfitted(
            {"alone_fitted": (apart, fitted_alone), "context": (train, fitted)}
        ),
        **_judge(corpora, config, alone),
    }
    write_folder(options.output, {**config, "alone": alone}, report)
    print(f"{options.output} written in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return report


def _evaluate(options: argparse.Namespace) -> dict[str, Any]:
    from nlu_models.emotion.context.conversations import HELD_OUT
    from nlu_models.emotion.context.weights import read_config
    from nlu_models.errors import DataError

    model = load_model(options.context)
    corpora = read_corpora(options.conversations, options.weights)
    if HELD_OUT not in corpora:
        raise DataError(f"{options.conversations} holds no conversation with the split {HELD_OUT!r}")
    config = read_config(options.context)
    if options.errors:
        _print_errors(corpora[HELD_OUT], config)
    return {"model": model.model, **_judge(corpora, config, config.get("alone"))}


def _judge(corpora: dict[str, Corpus], config: Config, alone: Config | None) -> dict[str, Any]:
    """The measures on the held-out conversations, where there are any."""
    from nlu_models.emotion.context.conversations import HELD_OUT, TRAIN
    from nlu_models.emotion.context.measures import best_smoothing, compare, predicted_of

    held_out = corpora.get(HELD_OUT)
    if held_out is None:
        return {}
    tuned_on = corpora.get(TRAIN, held_out)
    weight = best_smoothing(tuned_on.alone(), tuned_on.truth())
    truth, readings = held_out.truth(), held_out.in_context(config)
    methods = _methods(held_out, truth, weight, alone)
    methods["context"] = predicted_of(readings)
    baselines = [name for name in BASELINES if name in methods]
    return {
        "smoothing_weight": weight,
        "held_out": compare(methods, truth, baselines, "context"),
        "confidence": _confidence(readings, methods["context"], truth),
    }


def _methods(corpus: Corpus, truth: Truth, weight: float, alone: Config | None) -> dict[str, Predicted]:
    """What the baselines say."""
    from nlu_models.emotion.context.measures import predicted_of, smoothed

    readings = corpus.alone()
    methods = {"alone": predicted_of(readings)}
    if alone is not None:
        methods["alone_fitted"] = predicted_of(replace(corpus, apart=True).in_context(alone))
    methods["smoothed"] = smoothed(readings, truth.conversation, weight)
    return methods


def _crossfitted(fitted: Mapping[str, tuple[Corpus, Fitted]]) -> dict[str, Any]:
    """The measures on the conversations fitted on, each read by a model fitted without its topic."""
    from nlu_models.emotion.context.measures import best_smoothing, measure, predicted_of, smoothed

    corpus, one = next(iter(fitted.values()))
    shuffled = corpus.of([index for fold, _ in one.folds for index in fold])
    truth, alone = shuffled.truth(), shuffled.alone()
    methods = {"alone": predicted_of(alone)}
    for name, (corpus, one) in fitted.items():
        readings = [reading for fold, config in one.folds for reading in corpus.of(fold).in_context(config)]
        methods[name] = predicted_of(readings)
    methods["smoothed"] = smoothed(alone, truth.conversation, best_smoothing(alone, truth))
    return {
        subset: {
            name: {key: round(value, 4) for key, value in measure(one, truth, chosen).items()}
            for name, one in methods.items()
        }
        for subset, chosen in (("all", None), ("ambiguous", truth.ambiguous))
    }


def _chances(corpus: Corpus, config: Config) -> list[tuple[float, bool]]:
    """Per turn, what the model gives its label, and whether that is accepted."""
    from bot.core.context import labels_within, shares_of

    model, found = _model(config), []
    for one, turns in zip(corpus.conversations, corpus.rolled(model), strict=True):
        for turn, rolled in zip(one.person_turns, turns, strict=True):
            shares = shares_of(model, rolled.moment)
            group = max(shares, key=lambda name: shares[name])
            labels = labels_within(model, rolled.moment, group)
            label = max(labels, key=lambda name: labels[name])
            found.append((shares[group] * labels[label], label in turn.felt.accept))
    return found


def _confidence(readings: Sequence[dict[str, Any]], predicted: Predicted, truth: Truth) -> dict[str, float]:
    """How far the confidence in context can be believed."""
    import numpy as np

    confidence = np.array([reading["confidence"] for reading in readings])
    correct = truth.accepted[np.arange(len(confidence)), predicted.label]
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [
        abs(confidence[bins == one].mean() - correct[bins == one].mean()) * (bins == one).mean()
        for one in np.unique(bins)
    ]
    return {
        "mean": round(float(confidence.mean()), 4),
        "accuracy": round(float(correct.mean()), 4),
        "calibration_error": round(float(sum(gaps)), 4),
        "abstained_share": round(float(np.mean([reading["abstained"] for reading in readings])), 4),
    }


def _part(corpus: Corpus | None) -> dict[str, Any]:
    conversations = corpus.conversations if corpus else ()
    return {
        "conversations": len(conversations),
        "turns": sum(len(one.person_turns) for one in conversations),
        "authors": ", ".join(sorted({one.author for one in conversations})) or "none",
    }


def _model(config: Config) -> ContextModel:
    from bot.core.context import ContextModel

    return ContextModel.from_dict(config)


def _print_errors(corpus: Corpus, config: Config) -> None:
    for one, turns in zip(corpus.conversations, corpus.rolled(_model(config)), strict=True):
        for turn, rolled in zip(one.person_turns, turns, strict=True):
            felt = rolled.reading.felt
            if felt.label not in turn.felt.accept:
                print(
                    f"{one.id}: {turn.text!r}: {felt.label} {felt.valence:+.2f}, "
                    f"alone {rolled.reading.label}; expected {turn.felt.label} {turn.felt.valence:+.2f}",
                    file=sys.stderr,
                )


def _table(report: dict[str, Any]) -> str:
    """The measures as text: a block per subset of the turns."""
    lines = []
    for subset, found in report.items():
        lines.append(
            f"{subset}: {found['turns']} turns in {found['conversations']} conversations, 95 % intervals"
        )
        lines.append(f"{'':24}" + "".join(f"{name:>25}" for name in MEASURES))
        blocks = [(name, values, "") for name, values in found["methods"].items()]
        blocks += [(f"context over {name}", values, "+") for name, values in found["ahead"].items()]
        for name, values, sign in blocks:
            cells = "".join(
                f"{one['value']:>{sign}9.3f} [{one['low']:{sign}.3f},{one['high']:{sign}.3f}]".rjust(25)
                for one in (values[key] for key in MEASURES)
            )
            lines.append(f"{name:24}{cells}")
        lines.append("")
    return "\n".join(lines)
