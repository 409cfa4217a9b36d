"""Turns a training run into the weight folder that serving loads.

    python -m nlu_models.emotion.export --run runs/en --goemotions DIR --emobank DIR \\
        --output nlu_models/weights/emotion-en

Thresholds, the confidence curve and the point of abstention are all found with the int8 graph itself,
through the code that serves it, so that they fit what people get.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from nlu_models.emotion import data, evaluate, metrics
from nlu_models.emotion.card import write_card
from nlu_models.emotion.infer import EmotionEncoder, Encoded
from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.emotion.quantize import Quantization, load_checkpoint, write_float, write_int8
from nlu_models.emotion.train import TrainingArguments
from nlu_models.emotion.weights import METRICS_FILE, MODEL_FILE, TOKENIZER_FILE, WeightConfig
from nlu_models.encoder import MultiTaskEncoder, load_base
from nlu_models.errors import NluModelError, WeightError

MAX_BYTES = 30_000_000  # of a shipped graph
TARGET_ERROR = 0.33  # of the label, among turns the reader commits itself on
MAX_ABSTAINED = 0.15  # share of turns
PROGRESS_ROWS = 256
CLINC_PER_INTENT = 20  # utterances of each part that the embedding is measured on


def export(
    run: Path,
    goemotions: Path,
    emobank: Path,
    output: Path,
    clinc: Path | None = None,
    name: str = "emotion-en",
    version: str = "1.0.0",
    how: Quantization | None = None,
) -> dict[str, Any]:
    """Writes a weight folder from a run folder.

    Args:
        run: as written by `nlu_models.emotion.train`.
        goemotions: folder of GoEmotions; its dev split tunes the thresholds.
        emobank: folder of EmoBank.
        output: weight folder to write; replaced as a whole once everything has been measured.
        clinc: folder of CLINC150, to compare the embedding with the base model's; may be left out.
        name: of the weight.
        version: of the weight.
        how: how it is quantised.

    Returns:
        The contents of `metrics.json`.

    Raises:
        NluModelError: the run or a corpus can't be used, or the graph came out too large.
    """
    how = how or Quantization()
    model = load_checkpoint(run)
    training = _training_report(run)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as scratch:
        folder = Path(scratch) / "int8"
        folder.mkdir()
        _copy_tokenizer(run, folder)
        write_int8(model, folder / MODEL_FILE, how)
        size = (folder / MODEL_FILE).stat().st_size
        if size > MAX_BYTES:
            raise WeightError(f"the int8 graph takes {size:,} bytes, expected at most {MAX_BYTES:,}")
        config = WeightConfig(
            name=name,
            version=version,
            languages=("en",),
            labels=GOEMOTIONS,
            thresholds=(metrics.DEFAULT_THRESHOLD,) * len(GOEMOTIONS),
            confidence={"slope": 1.0, "intercept": 0.0},
            abstain_below=0.0,
            max_tokens=int(training["arguments"]["max_tokens"]),
            embedding_width=int(model.embedding.out_features),
        )
        config.save(folder)
        rows = data.read_goemotions(goemotions, "dev")
        truth = evaluate.truth_of(rows)
        texts = [row.text for row in rows]
        encoded = encode_with_progress(EmotionEncoder(folder), texts, "int8 on GoEmotions dev")
        config = calibrate(config, truth, encoded.probabilities)
        config.save(folder)
        encoder = EmotionEncoder(folder)

        report: dict[str, Any] = {"model": config.model, "bytes": size, "quantization": vars(how).copy()}
        report["int8"] = evaluate.label_measures(truth, encoded.probabilities, config)
        report["int8"]["axes"] = evaluate.axis_measures(encoder, emobank)
        report["float32"] = _float_measures(model, folder, config, texts, truth)
        if clinc is not None:
            report["embedding"] = _embedding_measures(encoder, clinc, training)
        report["training"] = training
        report["training_commands"] = training_commands(run)
        report["dev_sha256"] = data.hash_files([goemotions / "dev.tsv", emobank / "dev.csv"])
        (folder / METRICS_FILE).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        write_card(folder, config, report)
        _replace(output, folder)
    return report


def calibrate(
    config: WeightConfig, truth: NDArray[np.bool_], probabilities: NDArray[np.floating[Any]]
) -> WeightConfig:
    """The configuration with thresholds, confidence curve and point of abstention that fit these rows.

    Args:
        config: its thresholds, confidence and abstain_below are replaced.
        truth: (texts, labels).
        probabilities: (texts, labels) in [0, 1].
    """
    thresholds = metrics.tune_thresholds_smoothly(truth, probabilities)
    config = replace(config, thresholds=tuple(round(float(value), 4) for value in thresholds))
    top, _ = evaluate.top_labels(probabilities, config)
    rows = np.arange(len(truth))
    correct = truth[rows, top]
    slope, intercept = metrics.fit_confidence(probabilities[rows, top], correct)
    curve = {"slope": round(slope, 4), "intercept": round(intercept, 4)}
    config = replace(config, confidence=curve)
    _, confidence = evaluate.top_labels(probabilities, config)
    point = abstention_point(confidence, correct)
    # Rounded down, so that no more texts are abstained on than was allowed.
    return replace(config, abstain_below=math.floor(point * 10_000) / 10_000)


def abstention_point(
    confidence: NDArray[np.floating[Any]],
    correct: NDArray[np.bool_],
    target_error: float = TARGET_ERROR,
    max_share: float = MAX_ABSTAINED,
) -> float:
    """The confidence under which the reader should not commit itself.

    Args:
        confidence: (texts,) in [0, 1].
        correct: (texts,) whether the reported label was right.
        target_error: how often it may be wrong on the rest.
        max_share: at most this share of texts may be abstained on, even if the error stays higher.

    Returns:
        The lowest confidence that reaches the target error within the share, else the highest that
        keeps to the share.
    """
    ordered = np.sort(confidence)
    allowed = int(max_share * len(ordered))
    for dropped in range(allowed + 1):
        point = float(ordered[dropped])
        if 1.0 - correct[confidence >= point].mean() <= target_error:
            return point if dropped else 0.0
    return float(ordered[allowed])


def encode_with_progress(encoder: EmotionEncoder, texts: list[str], title: str) -> Encoded:
    """`EmotionEncoder.encode` over many texts, with a progress bar on stderr."""
    # Sorted as a whole, so that each part holds texts of one length and little padding.
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    parts = []
    with tqdm(total=len(texts), unit="text", desc=title) as progress:
        for start in range(0, len(order), PROGRESS_ROWS):
            rows = order[start : start + PROGRESS_ROWS]
            parts.append(encoder.encode([texts[row] for row in rows]))
            progress.update(len(rows))
    back = np.argsort(np.array(order))
    return Encoded(
        np.concatenate([part.probabilities for part in parts])[back],
        np.concatenate([part.vad for part in parts])[back],
        np.concatenate([part.embeddings for part in parts])[back],
    )


def training_commands(run: Path) -> list[str]:
    """The commands that made a run, those of the runs it rests on first; data folders read as DIR."""
    report = _training_report(run)
    merged = [Path(folder) for folder in report.get("average_of", ())]
    if merged:
        names = " ".join(f"runs/{folder.name}" for folder in merged)
        command = f"python -m nlu_models.emotion.average --runs {names} --output runs/{run.name}"
        commands = [line for folder in merged for line in training_commands(folder)]
        return [*dict.fromkeys(commands), command]
    arguments = report["arguments"]
    usual = dataclasses.asdict(TrainingArguments())
    flags = "".join(
        f" --{name.replace('_', '-')} {value}"
        for name, value in arguments.items()
        if value != usual.get(name, value)
    )
    command = "python -m nlu_models.emotion.train --goemotions DIR --emobank DIR --clinc DIR"
    before = training_commands(Path(arguments["init"]).parent) if arguments.get("init") else []
    return [*before, f"{command}{flags} --output runs/{run.name}"]


def _float_measures(
    model: MultiTaskEncoder, folder: Path, config: WeightConfig, texts: list[str], truth: NDArray[np.bool_]
) -> dict[str, Any]:
    """What the float32 graph reaches on the same texts, tuned the same way."""
    encoder = _float_encoder(model, folder)
    encoded = encode_with_progress(encoder, texts, "float32 on GoEmotions dev")
    config = calibrate(config, truth, encoded.probabilities)
    measures = evaluate.label_measures(truth, encoded.probabilities, config)
    kept = ("macro_f1", "macro_f1_crossfit", "macro_f1_best_thresholds", "micro_f1")
    return {key: measures[key] for key in kept}


def _embedding_measures(encoder: EmotionEncoder, clinc: Path, training: dict[str, Any]) -> dict[str, Any]:
    """Nearest-neighbour intent accuracy on CLINC150 of the shipped embedding and the base model's."""
    train_texts, train_intents = evaluate.read_clinc_intents(clinc, "train", CLINC_PER_INTENT)
    held_texts, held_intents = evaluate.read_clinc_intents(clinc, "val", CLINC_PER_INTENT)
    base = MultiTaskEncoder(load_checkpoint_config(training), load_base(training["arguments"]["base"])).eval()
    scores: dict[str, Any] = {"train": len(train_texts), "val": len(held_texts)}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        shutil.copy(encoder.tokenizer_path, folder / TOKENIZER_FILE)
        encoder.config.save(folder)
        write_float(base, folder / MODEL_FILE)  # a fresh head is the identity: the base model's own embedding
        for key, reader in (("shipped", encoder), ("base", EmotionEncoder(folder))):
            train = encode_with_progress(reader, train_texts, f"{key} on CLINC150 train").embeddings
            held = encode_with_progress(reader, held_texts, f"{key} on CLINC150 val").embeddings
            score = evaluate.intent_neighbours(train, train_intents, held, held_intents)
            scores[f"{key}_p_at_1"] = round(score, 4)
    return scores


def load_checkpoint_config(training: dict[str, Any]) -> Any:
    """The architecture of the run that a training report describes."""
    from nlu_models.encoder import EncoderConfig

    return EncoderConfig(base=training["arguments"]["base"], dropout=training["arguments"]["dropout"])


def _float_encoder(model: nn.Module, folder: Path) -> EmotionEncoder:
    float_folder = folder.parent / "float"
    float_folder.mkdir()
    for path in folder.iterdir():
        if path.name != MODEL_FILE:
            shutil.copy(path, float_folder)
    assert isinstance(model, MultiTaskEncoder)
    write_float(model, float_folder / MODEL_FILE)
    return EmotionEncoder(float_folder)


def _training_report(run: Path) -> dict[str, Any]:
    """The run's `metrics.json`.

    Raises:
        WeightError: it is missing or malformed, which also means that the run didn't finish.
    """
    path = run / "metrics.json"
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        report["arguments"]["max_tokens"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightError(f"{path} can't be used ({error!r}); has the training run finished?") from error
    return report


def _copy_tokenizer(run: Path, folder: Path) -> None:
    source = run / "tokenizer" / "tokenizer.json"
    if not source.is_file():
        raise WeightError(f"{source} is missing; nlu_models.emotion.train writes it")
    shutil.copy(source, folder / TOKENIZER_FILE)


def _replace(output: Path, folder: Path) -> None:
    """Puts a finished folder where the old one was; there is never half a folder."""
    old = folder.parent / "old"
    if output.exists():
        output.rename(old)
    folder.rename(output)


def main() -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m nlu_models.emotion.export",
        description="Turn a training run into a weight folder.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--run", type=Path, required=True, help="run folder of nlu_models.emotion.train")
    parser.add_argument("--goemotions", type=Path, required=True, help="folder of GoEmotions")
    parser.add_argument("--emobank", type=Path, required=True, help="folder of EmoBank")
    parser.add_argument("--clinc", type=Path, help="folder of CLINC150, to measure the embedding")
    parser.add_argument("--output", type=Path, required=True, help="weight folder to write")
    parser.add_argument("--name", default="emotion-en", help="of the weight")
    parser.add_argument("--version", default="1.0.0", help="of the weight")
    options = parser.parse_args()
    try:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        report = export(
            options.run,
            options.goemotions,
            options.emobank,
            options.output,
            options.clinc,
            options.name,
            options.version,
        )
    except (NluModelError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(evaluate.table({"model": report["model"], **report["int8"]}), file=sys.stderr)
    shown = {key: report[key] for key in ("model", "bytes", "float32", "embedding") if key in report}
    print(json.dumps({**shown, "int8": {key: report["int8"][key] for key in report["float32"]}}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
