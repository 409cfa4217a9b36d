"""Turns a training run into the weight folder that serving loads.

Thresholds, calibration and the point of abstention are all found with the exported graph itself, through the
code that serves it, so that they fit what people get. What is fitted and measured is `evaluate`'s affair; how
the graph is written, `quantize`'s.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from nlu_models.emotion import evaluate, exam, metrics, provenance
from nlu_models.emotion.card import write_card
from nlu_models.emotion.crossfit import REPEATS
from nlu_models.emotion.exam import Exam
from nlu_models.emotion.infer import EmotionEncoder, load_tokenizer
from nlu_models.emotion.intents import measure_intents
from nlu_models.emotion.quantize import METHODS, Method, choose_method, load_checkpoint, write_graph
from nlu_models.emotion.subjects import encode_with_progress
from nlu_models.emotion.weights import CONFIG_FILE, METRICS_FILE, MODEL_FILE, TOKENIZER_FILE, WeightConfig
from nlu_models.emotion.whole_folders import put_in_place, scratch_beside
from nlu_models.emotion.wording import as_read
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder, load_base
from nlu_models.errors import InputError, WeightError

MAX_BYTES = 30_000_000  # of a shipped graph
CALIBRATION_TEXTS = 512  # training texts that fixed scales are found with
KEPT_OF_FLOAT = ("macro_f1", "macro_f1_crossfit", "macro_f1_best_thresholds", "micro_f1")


def export(
    run: Path,
    output: Path,
    goemotions: Path | None = None,
    emobank: Path | None = None,
    clinc: Path | None = None,
    name: str = "emotion-en",
    version: str = "1.0.0",
    method: str | None = None,
    max_bytes: int = MAX_BYTES,
    repeats: int = REPEATS,
) -> dict[str, Any]:
    """Writes a weight folder from a run folder.

    Args:
        run: as written by `attune emotion train`.
        output: weight folder to write; replaced as a whole once everything has been measured.
        goemotions: folder of GoEmotions, whose dev split tunes the thresholds; None for the data that the
            run was trained on.
        emobank: folder of EmoBank; None for what the run was trained on, or nothing.
        clinc: folder of CLINC150, to compare the embedding with the base model's; may be left out.
        name: of the weight.
        version: of the weight.
        method: how the graph is quantised, of `quantize.METHODS`; None for the best that the encoder allows.
        max_bytes: a larger graph is refused.
        repeats: of the cross-fitting.

    Returns:
        The contents of `metrics.json`.

    Raises:
        InputError: the output holds something else than a weight, or the run itself.
        NluModelError: the run or a corpus can't be used, the graph came out too large, or a file can't be
            written.
    """
    _check_output(output, run)
    model = load_checkpoint(run)
    training = provenance.training_report(run)
    chosen = choose_method(method, model)
    asked = exam.prepare(run, goemotions, emobank)
    _check_labels(model, asked, run)
    max_tokens = int(training["arguments"]["max_tokens"])
    with scratch_beside(output) as scratch:
        folder = scratch / "weight"
        config = draft_folder(folder, run, model, asked, name, version, max_tokens)
        size = write_graph(
            model, folder / MODEL_FILE, chosen, max_tokens, calibration_ids(folder, asked, max_tokens)
        )
        if size > max_bytes:
            raise WeightError(
                f"the {chosen.name} graph takes {size:,} bytes, expected at most {max_bytes:,}; "
                "use another --method, a smaller base, or --max-mb"
            )
        encoder = EmotionEncoder(folder)
        probabilities = _read(encoder, asked, chosen)
        config = evaluate.fitted_config(config, asked.truth, probabilities)
        config.save(folder)
        report: dict[str, Any] = {
            "model": config.model,
            "bytes": size,
            "method": {"name": chosen.name, "title": chosen.title},
            "int8": evaluate.label_measures(asked.truth, probabilities, config, repeats),
        }
        report["int8"]["axes"] = exam.axis_measures(encoder, asked)
        report["float32"] = _float_measures(model, scratch, folder, config, asked, repeats)
        if clinc is not None:
            report["embedding"] = _embedding_measures(encoder, model, scratch, folder, clinc)
        report["training"] = provenance.public_report(run)
        report["training_commands"] = provenance.training_commands(run)
        report["dev_sha256"] = asked.dev_sha256
        (folder / METRICS_FILE).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        write_card(folder, config, report)
        put_in_place(folder, output, scratch)
    return report


def draft_folder(
    folder: Path,
    run: Path,
    model: MultiTaskEncoder,
    asked: Exam,
    name: str,
    version: str,
    max_tokens: int,
) -> WeightConfig:
    """Makes a weight folder that can be measured: tokenizer and configuration, with nothing fitted yet.

    Raises:
        WeightError: the run has no tokenizer.
    """
    folder.mkdir()
    source = run / "tokenizer" / "tokenizer.json"
    if not source.is_file():
        raise WeightError(f"{source} is missing; `attune emotion train` writes it")
    shutil.copy(source, folder / TOKENIZER_FILE)
    config = WeightConfig(
        name=name,
        version=version,
        languages=("en",),
        labels=asked.labels,
        thresholds=(metrics.DEFAULT_THRESHOLD,) * len(asked.labels),
        confidence={"slope": 1.0, "intercept": 0.0},
        abstain_below=0.0,
        max_tokens=max_tokens,
        embedding_width=int(model.embedding.out_features),
        trained_heads=asked.trained_heads,
    )
    config.save(folder)
    return config


def calibration_ids(
    folder: Path, asked: Exam, max_tokens: int, count: int | None = CALIBRATION_TEXTS
) -> list[list[int]]:
    """Training texts as the weight's tokenizer cuts them: those that fixed scales are found with.

    Args:
        folder: of the weight.
        asked: has the texts.
        max_tokens: longer texts are cut.
        count: how many, at most; None for all.
    """
    tokenizer = load_tokenizer(folder / TOKENIZER_FILE, max_tokens)
    return [list(tokenizer.encode(as_read(text, max_tokens)).ids) for text in asked.train_texts[:count]]


def sibling(folder: Path, other: Path, model: MultiTaskEncoder, method: Method, max_tokens: int) -> Path:
    """A copy of a weight folder with another graph, to be compared with it; the calibration texts none."""
    other.mkdir()
    for path in folder.iterdir():
        if path.name != MODEL_FILE:
            shutil.copy(path, other)
    write_graph(model, other / MODEL_FILE, method, max_tokens)
    return other


def _float_measures(
    model: MultiTaskEncoder, scratch: Path, folder: Path, config: WeightConfig, asked: Exam, repeats: int
) -> dict[str, Any]:
    """What the float32 graph reaches on the same texts, tuned the same way."""
    method = METHODS["float32"]
    float_folder = sibling(folder, scratch / "float", model, method, config.max_tokens)
    found = _read(EmotionEncoder(float_folder), asked, method)
    config = evaluate.fitted_config(config, asked.truth, found)
    measures = evaluate.label_measures(asked.truth, found, config, repeats)
    return {key: measures[key] for key in KEPT_OF_FLOAT}


def _embedding_measures(
    encoder: EmotionEncoder, model: MultiTaskEncoder, scratch: Path, folder: Path, clinc: Path
) -> dict[str, Any]:
    """Nearest-neighbour intent accuracy on CLINC150 of the shipped embedding and the base model's."""
    shipped = measure_intents(encoder, clinc)
    # A fresh embedding head is the identity: what comes out is the base model's own embedding.
    config = EncoderConfig(model.config.base, n_labels=model.config.n_labels)
    base = MultiTaskEncoder(config, load_base(model.config.base)).eval()
    base_folder = sibling(folder, scratch / "base", base, METHODS["float32"], encoder.config.max_tokens)
    theirs = measure_intents(EmotionEncoder(base_folder), clinc)
    return {
        "train": shipped["train"],
        "val": shipped["val"],
        "shipped_p_at_1": shipped["p_at_1"],
        "base_p_at_1": theirs["p_at_1"],
    }


def _read(encoder: EmotionEncoder, asked: Exam, method: Method) -> metrics.Floats:
    """What a weight says about the held-out texts, (texts, labels)."""
    return encode_with_progress(encoder, asked.texts, f"{method.name}, held-out texts").probabilities


def _check_labels(model: MultiTaskEncoder, asked: Exam, run: Path) -> None:
    if model.config.n_labels != len(asked.labels):
        raise WeightError(
            f"{run} reads {model.config.n_labels} labels, but the data has {len(asked.labels)}; "
            "give the data that it was trained on"
        )


def _check_output(output: Path, run: Path) -> None:
    """Refuses to replace anything but a weight folder, before hours are spent.

    Raises:
        InputError: the output is a file, holds something else, or the run is in it.
    """
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file, expected a folder to write or replace")
    if output.resolve() in (run.resolve(), *run.resolve().parents):
        raise InputError(f"{output} holds the run itself, which would be lost; name another --output")
    is_weight = (output / CONFIG_FILE).is_file() and (output / MODEL_FILE).is_file()
    if output.is_dir() and any(output.iterdir()) and not is_weight:
        raise InputError(
            f"{output} holds files but is no weight folder ({CONFIG_FILE}, {MODEL_FILE}); it would be "
            "replaced as a whole: name another --output, or empty it"
        )
