"""Writes the model card of a weight from its configuration and measures."""

# ruff: noqa: E501 - a Markdown table's row is one line

from __future__ import annotations

from pathlib import Path
from typing import Any

from nlu_models.emotion.weights import CARD_FILE, WeightConfig

CARD = """# {model}

Reads English text: 28 emotions, valence, arousal and dominance, and a sentence embedding, from one pass
through a 6-layer transformer (22.7 million parameters, int8, {megabytes:.1f} MB).

## Use

`nlu_models.reader.TurnReader` loads this folder; it needs onnxruntime and tokenizers only. Inputs of
`model.onnx`: `input_ids`, `attention_mask` (int64, batch x tokens). Outputs: `emotion` (logits, batch x 28),
`vad` (batch x 3, in [-1, 1]), `embedding` (batch x {width}, length 1). `config.json` holds the labels in order,
the threshold of each, the confidence curve, and the confidence under which the reader abstains. Texts are
cut to {max_tokens} tokens.

## Made from

| what | licence | used for |
| --- | --- | --- |
| GoEmotions, train split: 43,410 Reddit comments (Demszky et al., ACL 2020) | CC BY 4.0 | the 28 labels |
| EmoBank, train split: 8,062 sentences (Buechel & Hahn, EACL 2017) | CC BY-SA 4.0 | valence, arousal, dominance |
| CLINC150, training utterances without their intents (Larson et al., EMNLP 2019) | CC BY 3.0 | keeping the embedding general |
| sentence-transformers/all-MiniLM-L6-v2, the base encoder | Apache-2.0 | starting point, and teacher of the embedding |

EmoBank asks that what is made from it is shared alike: these weights are offered under CC BY-SA 4.0. None of
the texts is in this folder.

## Made with

{training_commands}
    python -m nlu_models.emotion.export --run {run} --goemotions DIR --emobank DIR --clinc DIR \\
        --output nlu_models/weights/{name} --version {version}

The last run: {epochs} epochs, batches of {batch_size}, learning rate {learning_rate:g}, seed {seed}, on {device}, at commit
`{commit}`; SHA-256 of the training files `{data_sha256}`.
`docs/training.md` says where the data is. Measures below:

    python -m nlu_models.emotion.evaluate --weights nlu_models/weights/{name} --goemotions DIR --emobank DIR

## Measures

GoEmotions dev ({texts:,} texts), which also tuned the thresholds. "Cross-fitted" means that each text is judged
by thresholds tuned on the other four fifths of dev: what to expect on new text of the same kind.

| measure | int8 (this folder) | float32 before quantising |
| --- | --- | --- |
| macro-F1 over 28 labels, shipped thresholds | {macro_f1:.4f} | {float_macro_f1:.4f} |
| macro-F1, cross-fitted | {macro_f1_crossfit:.4f} | {float_macro_f1_crossfit:.4f} |
| macro-F1 with each threshold at its best on dev | {macro_f1_best_thresholds:.4f} | {float_macro_f1_best_thresholds:.4f} |
| micro-F1 | {micro_f1:.4f} | {float_micro_f1:.4f} |

The shipped thresholds are not the best on dev: they lie in the middle of a stretch of good thresholds, which
costs a little on dev and holds better on text they were not tuned on.

| grouped | macro-F1 | per group |
| --- | --- | --- |
| Ekman (6 and neutral) | {ekman_macro:.4f} | {ekman_groups} |
| sentiment (4) | {sentiment_macro:.4f} | {sentiment_groups} |

Pearson's r on EmoBank dev (1,000 sentences): valence {r_valence:.3f}, arousal {r_arousal:.3f}, dominance
{r_dominance:.3f}.

**Confidence.** The reported label is among the annotators' for {accuracy:.1%} of texts; expected calibration error
{calibration_error:.3f}. Under a confidence of {abstain_below:.3f} the reader abstains: {abstained_share:.1%} of texts. Where it
commits itself the label is wrong for {error_committed:.1%}, where it abstains it would have been for
{error_abstained}. (Human annotators of GoEmotions themselves often disagree.)
{embedding}
| label | F1 | threshold | dev rows |
| --- | --- | --- | --- |
{labels}

## Limits

- English only. Other languages are not read: the reader says so instead of guessing.
- Learned from Reddit comments of 2005 to 2019, whose writers were mostly young, male and American. Formal text,
  dialects, irony and slang since then are read less well, and the corpora carry their annotators' biases.
- Rare emotions (grief, pride, relief, nervousness) were learned from few examples; see the table.
- Valence, arousal and dominance were learned from news, fiction and letters; dominance is barely readable from
  text, and should not carry a decision by itself.
- One text at a time, without what was said before, and its first {max_tokens} tokens only.
- It reads what the words express, not what a person feels, and is no instrument of diagnosis. It must not be used
  to judge people (hiring, credit, policing). Danger is not read from it: that is the risk check's task.
"""

EMBEDDING = """
**Embedding.** Nearest-neighbour intent accuracy (P@1) on CLINC150, {val:,} validation utterances against
{train:,} training utterances: {shipped_p_at_1:.4f} with this folder, {base_p_at_1:.4f} with the base model in float32.
"""


def write_card(folder: Path, config: WeightConfig, report: dict[str, Any]) -> None:
    """Writes `MODEL_CARD.md` into a weight folder.

    Args:
        folder: the weight folder.
        config: of the weight.
        report: as in its `metrics.json`.
    """
    measures, training = report["int8"], report["training"]
    confidence = measures["confidence"]
    when_abstained = confidence["error_when_abstained"]
    text = CARD.format(
        model=config.model,
        name=config.name,
        version=config.version,
        width=config.embedding_width,
        max_tokens=config.max_tokens,
        megabytes=report["bytes"] / 1e6,
        training_commands="\n".join(f"    {command}" for command in report["training_commands"]),
        run=report["training_commands"][-1].rsplit(" ", 1)[1],
        epochs=training["arguments"]["epochs"],
        batch_size=training["arguments"]["batch_size"],
        learning_rate=training["arguments"]["learning_rate"],
        seed=training["arguments"]["seed"],
        device=training["device"],
        commit=training["commit"],
        data_sha256=training["data_sha256"],
        texts=measures["texts"],
        **{key: measures[key] for key in report["float32"]},
        **{f"float_{key}": value for key, value in report["float32"].items()},
        ekman_macro=measures["ekman"]["macro_f1"],
        ekman_groups=_listed(measures["ekman"]["f1"]),
        sentiment_macro=measures["sentiment"]["macro_f1"],
        sentiment_groups=_listed(measures["sentiment"]["f1"]),
        **measures["axes"],
        accuracy=confidence["top_label_accuracy"],
        calibration_error=confidence["calibration_error"],
        abstain_below=confidence["abstain_below"],
        abstained_share=confidence["abstained_share"],
        error_committed=confidence["error_when_committed"],
        error_abstained="none" if when_abstained is None else f"{when_abstained:.1%}",
        embedding=EMBEDDING.format(**report["embedding"]) if "embedding" in report else "",
        labels="\n".join(
            f"| {label} | {row['f1']:.3f} | {row['threshold']:.3f} | {row['rows']:,} |"
            for label, row in measures["labels"].items()
        ),
    )
    (folder / CARD_FILE).write_text(text, encoding="utf-8")


def _listed(scores: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in scores.items())
