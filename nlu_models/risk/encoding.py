"""Reads many texts with the encoder, whole and in parts, for fitting and judging the danger model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from nlu_models.emotion.infer import EmotionEncoder
from nlu_models.emotion.reading import make_readings
from nlu_models.emotion.wording import normalize_wording
from nlu_models.language import detect
from nlu_models.risk.features import Floats, encoder_columns
from nlu_models.risk.sentences import windows

BATCH_TEXTS = 128


@dataclass(frozen=True)
class Said:
    """A text as the danger model is given it.

    Attributes:
        text: as written.
        plain: in plain words.
        language: ISO 639-1 code, or "und".
        columns: (1 + parts, width) of the whole and its parts; None where the encoder doesn't read it.
        emotion: as in `docs/contracts.md`; None likewise.
    """

    text: str
    plain: str
    language: str
    columns: Floats | None
    emotion: dict[str, Any] | None


def parts_of(plain: str) -> list[str]:
    """The parts of a long text that are read besides the whole; none of a short one."""
    found = windows(plain)
    return found if len(found) > 1 else []


def say(texts: Sequence[str], encoder: EmotionEncoder, title: str, whole_only: bool = False) -> list[Said]:
    """What serving would know of each text before it reads danger.

    Args:
        texts: of any language.
        encoder: reads those in its languages.
        title: of the progress bar on stderr.
        whole_only: leaves the parts of long texts out, as for fitting.
    """
    plains = [normalize_wording(text) for text in texts]
    languages = [detect(plain) for plain in plains]
    known = encoder.config.languages
    found: list[Said] = []
    with tqdm(total=len(texts), desc=title, unit="text", disable=None) as progress:
        for start in range(0, len(texts), BATCH_TEXTS):
            batch = range(start, min(start + BATCH_TEXTS, len(texts)))
            rows = [row for row in batch if languages[row] in known]
            groups = [[texts[row], *([] if whole_only else parts_of(plains[row]))] for row in rows]
            read = dict(zip(rows, _encode(encoder, groups), strict=True))
            for row in batch:
                columns, emotion = read.get(row, (None, None))
                found.append(Said(texts[row], plains[row], languages[row], columns, emotion))
            progress.update(len(batch))
    return found


def _encode(encoder: EmotionEncoder, groups: Sequence[Sequence[str]]) -> list[tuple[Floats, dict[str, Any]]]:
    """The columns of each group of texts, and the emotion of its first."""
    if not groups:
        return []
    encoded = encoder.encode([text for group in groups for text in group])
    columns = encoder_columns(encoded.probabilities, encoded.vad, encoded.embeddings)
    ends = np.cumsum([len(group) for group in groups])
    firsts = ends - np.array([len(group) for group in groups])
    emotions = make_readings(encoded.probabilities[firsts], encoded.vad[firsts], encoder.config)
    return [(columns[first:end], emotion) for first, end, emotion in zip(firsts, ends, emotions, strict=True)]
