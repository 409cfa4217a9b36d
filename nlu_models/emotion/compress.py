"""Compares ways to make a run smaller and faster, each exported, measured and timed as it would serve."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlu_models.emotion import exam
from nlu_models.emotion.candidates import Candidate, parse
from nlu_models.emotion.card import make_card, write_card
from nlu_models.emotion.exam import Exam
from nlu_models.emotion.export import calibration_ids, draft_folder
from nlu_models.emotion.infer import EmotionEncoder
from nlu_models.emotion.intents import measure_intents
from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.emotion.provenance import training_report
from nlu_models.emotion.prune import Importance, count_parameters, measure_importance
from nlu_models.emotion.pruned_run import labelled_batches
from nlu_models.emotion.quantize import choose_method, load_checkpoint, write_graph
from nlu_models.emotion.recovery import recover
from nlu_models.emotion.run_folder import TOKENIZER_FOLDER, RunFolder
from nlu_models.emotion.subjects import encode_with_progress
from nlu_models.emotion.tables import read_text
from nlu_models.emotion.weights import METRICS_FILE, MODEL_FILE, TOKENIZER_FILE, WeightConfig
from nlu_models.emotion.whole_files import write_text
from nlu_models.encoder import MultiTaskEncoder
from nlu_models.errors import InputError, WeightError

TIMED_SINGLES = 60
TIMED_BATCHES = 8
BATCH_TEXTS = 32
DECIMALS = 4
UNCUT = Importance([], [])
COLUMNS = (
    ("macro-F1", "macro_f1", "{:.4f}"), ("Ekman", "ekman_macro_f1", "{:.4f}"),
    ("r valence", "r_valence", "{:.3f}"), ("P@1", "p_at_1", "{:.3f}"), ("MB", "megabytes", "{:.1f}"),
    ("ms/text", "ms_per_text", "{:.2f}"), ("texts/s", "texts_per_s", "{:.0f}"),
    ("x single", "times_faster_single", "{:.1f}"), ("x batch", "times_faster_batch", "{:.1f}"),
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What to try, and how.

    Attributes:
        names: of `candidates`.
        students: run folders of distilled models to compare with, exported by the default method.
        recovery_steps: of the fine-tuning after cutting.
        repeats: of the cross-fitting.
        clinc: folder of CLINC150; None leaves the embedding unmeasured.
    """

    names: tuple[str, ...]
    students: tuple[Path, ...] = ()
    recovery_steps: int = 200
    repeats: int = 3
    clinc: Path | None = None

    def __post_init__(self) -> None:
        for name in self.names:
            parse(name)
        if not self.names and not self.students:
            raise InputError("there is nothing to try; name at least one method or student")
        if self.recovery_steps < 1:
            raise InputError(f"{self.recovery_steps} recovery steps; expected at least 1")
        if self.repeats < 1:
            raise InputError(f"{self.repeats} repeats of cross-fitting; expected at least 1")


class Compression:
    """The trying of one run's candidates.

    Args:
        run: its folder.
        asked: what candidates are measured on.
        plan: what to try.

    Raises:
        WeightError: the run or a student can't be used, or has other labels than the texts.
    """

    def __init__(self, run: Path, asked: Exam, plan: Plan) -> None:
        self._run, self._asked, self._plan = run, asked, plan
        self._model = load_checkpoint(run)
        self._max_tokens = _max_tokens(run, self._model, asked)
        # All of them now rather than in an hour; they are loaded again, so that one is in memory at a time.
        self._students = [
            (student, _max_tokens(student, load_checkpoint(student), asked)) for student in plan.students
        ]
        self._importance: Importance | None = None
        self._token_ids: list[list[int]] | None = None

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row per candidate, as they are done; speeds are compared with the float32 graph's."""
        with tempfile.TemporaryDirectory() as name:
            scratch = Path(name)
            length = self._max_tokens
            reference = self._write(scratch / "reference", self._run, self._model, "float32", length)
            for number, chosen in enumerate(self._plan.names):
                candidate = parse(chosen)
                model = self._made(candidate, reference)
                folder = self._write(scratch / str(number), self._run, model, candidate.method, length)
                yield self._row(candidate.name, candidate.title, folder, model, reference)
            for number, (student, student_length) in enumerate(self._students):
                model = load_checkpoint(student)
                folder = self._write(scratch / f"student-{number}", student, model, None, student_length)
                yield self._row(f"student:{student.name}", "distilled", folder, model, reference)

    def _made(self, candidate: Candidate, reference: Path) -> MultiTaskEncoder:
        """The candidate's model: cut, and recovered where that is asked for."""
        if candidate.part is None:
            return self._model
        if candidate.part != "layers" and self._importance is None:
            texts = labelled_batches(self._tokens(reference), self._asked.train_truth)
            self._importance = measure_importance(self._model, texts)
        model = candidate.cut(self._model, self._importance or UNCUT)
        if candidate.is_recovered:
            recover(
                model,
                self._model,
                self._tokens(reference),
                self._plan.recovery_steps,
                f"{candidate.name}: recovery",
            )
        return model

    def _write(
        self, folder: Path, run: Path, model: MultiTaskEncoder, method: str | None, max_tokens: int
    ) -> Path:
        """A weight folder that can be measured."""
        chosen = choose_method(method, model)
        draft_folder(folder, run, model, self._asked, "candidate", "0", max_tokens)
        texts = calibration_ids(folder, self._asked, max_tokens) if chosen.needs_texts else ()
        write_graph(model, folder / MODEL_FILE, chosen, max_tokens, texts)
        return folder

    def _row(
        self, name: str, title: str, folder: Path, model: MultiTaskEncoder, reference: Path
    ) -> dict[str, Any]:
        encoder = EmotionEncoder(folder)
        found = encode_with_progress(encoder, self._asked.texts, name)
        row: dict[str, Any] = {"name": name, "title": title}
        row |= {
            key: round(value, DECIMALS)
            for key, value in exam.fair_measures(self._asked, found.probabilities, self._plan.repeats).items()
        }
        row |= exam.axis_measures(encoder, self._asked)
        if self._plan.clinc is not None:
            row["p_at_1"] = measure_intents(encoder, self._plan.clinc)["p_at_1"]
        row["megabytes"] = round((folder / MODEL_FILE).stat().st_size / 1e6, 2)
        row["million_parameters"] = round(count_parameters(model) / 1e6, 2)
        return row | pace(encoder, EmotionEncoder(reference), self._asked.texts)

    def _tokens(self, reference: Path) -> list[list[int]]:
        if self._token_ids is None:
            self._token_ids = calibration_ids(reference, self._asked, self._max_tokens, None)
        return self._token_ids


def compress(
    run: Path,
    plan: Plan,
    goemotions: Path | None = None,
    emobank: Path | None = None,
    output: Path | None = None,
    into: Path | None = None,
    tell: Callable[[str], object] = lambda line: None,
) -> dict[str, Any]:
    """Tries everything in a plan.

    Args:
        run: folder of the run.
        plan: what to try.
        goemotions: folder of GoEmotions; None for the data that the run was trained on.
        emobank: folder of EmoBank, or None.
        output: JSON file that the table is written to, anew after each row.
        into: weight folder whose `metrics.json` and card get the table at the end.
        tell: is called with each line of the readable table.

    Returns:
        `rows`, and what they were measured on.

    Raises:
        NluModelError: the run, a student or a corpus can't be used, or a file can't be written.
    """
    if into is not None:
        _read_metrics(into)  # now rather than in an hour
    if output is not None and not output.parent.is_dir():
        raise InputError(f"the folder {output.parent} isn't there; make it, or name another --output")
    asked = exam.prepare(run, goemotions, emobank)
    trials = Compression(run, asked, plan)
    report: dict[str, Any] = {
        "run": run.name,
        "texts": len(asked.texts),
        "dev_sha256": asked.dev_sha256,
        "repeats": plan.repeats,
        "recovery_steps": plan.recovery_steps,
        "is_complete": False,
        "rows": [],
    }
    tell(table_head())
    for row in trials.rows():
        report["rows"].append(row)
        tell(table_line(row))
        if output is not None:
            write_text(output, json.dumps(report, indent=1) + "\n")
    report["is_complete"] = True
    if output is not None:
        write_text(output, json.dumps(report, indent=1) + "\n")
    if into is not None:
        metrics = {**_read_metrics(into), "compression": report}
        write_text(into / METRICS_FILE, json.dumps(metrics, indent=1) + "\n")
        write_card(into, WeightConfig.load(into), metrics)
    return report


def pace(encoder: EmotionEncoder, reference: EmotionEncoder, texts: Sequence[str]) -> dict[str, float]:
    """How fast a weight reads, by itself and compared; both take turns, so that load slows both alike.

    Args:
        encoder: to be timed.
        reference: to compare with.
        texts: to read; at least one.

    Returns:
        Medians: `ms_per_text` one at a time and `texts_per_s` in batches of 32; and how many times faster
        than the reference each is.
    """
    single = _alternate((encoder, reference), [[text] for text in texts[:TIMED_SINGLES]])
    starts = range(0, min(len(texts), TIMED_BATCHES * BATCH_TEXTS), BATCH_TEXTS)
    batch = _alternate((encoder, reference), [list(texts[start : start + BATCH_TEXTS]) for start in starts])
    return {
        "ms_per_text": round(1000.0 * single[0], 3),
        "texts_per_s": round(1.0 / batch[0], 1),
        "times_faster_single": round(single[1] / single[0], 2),
        "times_faster_batch": round(batch[1] / batch[0], 2),
    }


def table_head() -> str:
    """The headings of the readable table."""
    return f"{'':32}" + "".join(f"{head:>10}" for head, _, _ in COLUMNS)


def table_line(row: dict[str, Any]) -> str:
    """A row of the readable table."""
    cells = (form.format(row[key]) if key in row else "-" for _, key, form in COLUMNS)
    return f"{row['name']:32}" + "".join(f"{cell:>10}" for cell in cells)


def _alternate(encoders: Sequence[EmotionEncoder], batches: Sequence[list[str]]) -> list[float]:
    """Median seconds per text of each encoder."""
    spent: list[list[float]] = [[] for _ in encoders]
    for encoder in encoders:
        encoder.encode(batches[0])  # first calls allocate
    for batch in batches:
        for encoder, seconds in zip(encoders, spent, strict=True):
            started = time.perf_counter()
            encoder.encode(batch)
            seconds.append((time.perf_counter() - started) / len(batch))
    return [statistics.median(seconds) for seconds in spent]


def _max_tokens(run: Path, model: MultiTaskEncoder, asked: Exam) -> int:
    """The length that a run reads texts to, once it is sure that it can be measured on them."""
    labels = RunFolder(run).labels()
    # Runs from before labels were written down all have GoEmotions', in its order.
    if model.config.n_labels != len(asked.labels) or (labels or GOEMOTIONS) != asked.labels:
        raise WeightError(
            f"{run} reads {model.config.n_labels} labels, expected the {len(asked.labels)} of the texts, in "
            "the same order"
        )
    if not (path := run / TOKENIZER_FOLDER / TOKENIZER_FILE).is_file():
        raise WeightError(f"{path} is missing; `attune emotion train` writes it")
    return int(training_report(run)["arguments"]["max_tokens"])


def _read_metrics(folder: Path) -> dict[str, Any]:
    """The measures of a weight folder, which a card can be made of."""
    config = WeightConfig.load(folder)
    path = folder / METRICS_FILE
    try:
        metrics = json.loads(read_text(path))
    except ValueError as error:
        raise WeightError(f"{path} is damaged: {error}") from error
    if not isinstance(metrics, dict):
        raise WeightError(f"{path} is damaged: expected an object")
    try:
        make_card(config, metrics)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise WeightError(
            f"{path} lacks what a model card says ({error!r}); "
            "give a folder that `attune emotion export` wrote"
        ) from error
    return metrics
