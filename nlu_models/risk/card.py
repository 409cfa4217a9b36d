"""Writes the safety card: what the danger reading rests on, how well it does, and where it fails."""

# ruff: noqa: E501 - a Markdown table's row is one line

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nlu_models.errors import WeightError
from nlu_models.risk.figures_text import tables, verdict
from nlu_models.risk.model import METRICS_FILE, RiskModel

CARD = """# {model}: the safety card

Reads how much danger a message speaks of (none, concern, high, crisis) and of what kind (self-harm, harm to others, abuse,
medical), in English and Chinese. Reviewed patterns decide (`data/risk`); this model adds to them: it may raise any
level, and may lower one thing only, a concern that it is sure is none. It never lowers high or crisis. Without
it, or with an encoder it was not fitted on, the patterns go on alone.

English: a logistic layer over the shared encoder's sentence embedding, its 28 labels and three axes, and hashed words and
pairs of words; long messages window by window. Chinese: hashed runs of one to three characters. Outputs are
calibrated by Platt's method on folds held out of the fit, for danger and harmless texts in equal shares.

## Made from

| texts | rows | danger |
| --- | --- | --- |
{sources}

Lines: written by hand for this project (`data/safety/train`). Moderation: Markov et al., AAAI 2023, MIT. PsyGUARD: Qiu et
al., EMNLP 2024, MIT. GoEmotions: Demszky et al., ACL 2020, CC BY 4.0. CLINC150: Larson et al., EMNLP 2019, CC BY
3.0. Bitext: CDLA-Sharing-1.0. NLU and guidance: this project's own. Texts taken as harmless are those in which
the patterns find nothing; nobody read each of them.

Fitted on the embeddings of {encoder}; `model.onnx` has SHA-256 `{encoder_sha256}`.
Thresholds were chosen on `data/safety/cases/dev` alone: {thresholds}

    attune safety train --goemotions DIR --clinc DIR --bitext DIR --moderation FILE --psyguard FILE
    attune safety evaluate --goemotions DIR --clinc DIR --bitext DIR --into nlu_models/weights/risk/MODEL_CARD.md

{measured}
## Licences of others

The moderation evaluation set: MIT licence, Copyright (c) 2022 OpenAI. PsyGUARD: MIT licence, Copyright (c) its authors.
Both licences ask that this notice goes with what is made from the data.

## Limits

- The cases were written, not collected, by authors who also know what patterns look like; people in danger write
  plainer, longer and stranger than this. Expect other figures in the field, and read `attune safety report` there.
- Precision depends on how rare danger is. Where one message in a thousand is dangerous, most alarms are false even
  with few false alarms in everyday talk: hence a human, not the program, decides what follows.
- The probabilities hold for equal shares of danger and harmless texts and are no probability that a person will
  come to harm. Nothing here is a diagnosis, and no score may keep a person from help.
- Other languages than English and Chinese are read by the patterns only as far as words are shared; a message in
  both languages is read by the model in the one that prevails.
- The model has seen few dangerous lines, most of them about self-harm: for harm to others, abuse and medical danger
  it is weaker, and so it is in Chinese, where it sees characters and no meaning.
- Patterns and thresholds were both shaped on the development cases, where the patterns find nearly everything, so
  those say little of new wording; the gap to the test cases is the honest figure. The test figures were seen once before
  the allowance for false alarms was widened; no test text was looked at.
- The conversation is read by rules (`bot/core/risk_state.py`), judged on few cases.
"""

UNMEASURED = "Not measured on the test cases yet; the second command does so.\n"
MEASURED = """## Measured on {cases}

SHA-256 of the cases `{sha256}`. Shares in percent, 95 % Wilson intervals in brackets. "Danger" is high or crisis, "flagged"
any level but none. Balanced precision is what precision would be at equal shares of danger and harmless texts.
A false alarm of danger may still be a text that deserves a careful answer.

{verdict}

{tables}
"""


def make_card(model: RiskModel, metrics: Mapping[str, Any], report: Mapping[str, Any] | None) -> str:
    """The card.

    Args:
        model: the weight.
        metrics: as training wrote them.
        report: of `attune safety evaluate`; None before it was run.
    """
    sources = "\n".join(
        f"| {name} | {entry['rows']:,} | {entry['danger']:,} |"
        for name, entry in metrics.get("sources", {}).items()
    )
    thresholds = "; ".join(
        f"{language}: high from {limits.high:.3g}, concern from {limits.concern:.3g}, crisis from "
        f"{limits.crisis:.3g}, concern lowered under {limits.lower_below:.3g}"
        for language, limits in sorted(model.thresholds.items())
    )
    measured = UNMEASURED
    if report is not None:
        measured = MEASURED.format(
            cases=report["cases"],
            sha256=report["cases_sha256"],
            verdict=verdict(report),
            tables=tables(report),
        )
    return CARD.format(
        model=f"{model.name}@{model.version}",
        sources=sources,
        encoder=metrics.get("encoder", "an encoder"),
        encoder_sha256=model.encoder_sha256,
        thresholds=f"{thresholds} (1.01: never).",
        measured=measured,
    )


def read_metrics(folder: Path) -> dict[str, Any]:
    """The metrics that training wrote into a weight folder.

    Raises:
        WeightError: they are missing or damaged.
    """
    path = folder / METRICS_FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightError(f"{path} can't be read: {error}") from error
    if not isinstance(found, dict):
        raise WeightError(f"{path} holds no object; fit the model again")
    return found
