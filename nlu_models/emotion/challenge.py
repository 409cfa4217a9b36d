"""The challenge sets: small, hand-labelled texts on which a reader of emotions is likely to slip.

Each set is one phenomenon (negation, sarcasm, emoji, ...), a JSONL file of `data/challenge/<language>`; the
README there says what the fields mean. A share that is right on average hides what a reader can't do at
all, so that each phenomenon is measured alone, as in CheckList (Ribeiro et al., ACL 2020), and pairs of
texts that differ in the phenomenon only say whether the reader heeds it, as in contrast sets (Gardner et
al., Findings of EMNLP 2020).

Scoring is pure: items and readings in, counts out. Only `measure` opens a weight.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlu_models.emotion.labels import EKMAN, GOEMOTIONS, SENTIMENT
from nlu_models.errors import DataError, WeightError

DEFAULT_DATA = Path(__file__).resolve().parents[2] / "data" / "challenge" / "en"
PARTS = ("dev", "held_out")
ALL = "all"
MAX_ACCEPTED = 4  # of 28 labels; with more, nearly any answer would be right
Z_95 = 1.959964  # of the normal distribution, for an interval of 95 %
DECIMALS = 4
REQUIRED = {"id", "part", "topic", "text", "accept", "reject", "ekman", "sentiment"}
OPTIONAL = {"pair", "note"}
OTHER_GROUP = "-"


@dataclass(frozen=True)
class Item:
    """One labelled text.

    Attributes:
        id: "<set>-<rest>", unique over all sets.
        set: the phenomenon, which is the name of the file.
        part: "dev" for tuning and looking, "held_out" for judging what was tuned.
        topic: what the text is about; a topic lies in one part only.
        text: as it would be written to the assistant.
        accept: one to four labels that a careful reader would take as the main one, best first.
        reject: labels that are plainly wrong, which the phenomenon lures a reader into; may be empty.
        ekman: the Ekman group that is right.
        sentiment: the sentiment that is right.
        pair: id of the text without the phenomenon (a plain text), or None.
        is_plain: whether another item names this one as its pair; plain texts are controls.
    """

    id: str
    set: str
    part: str
    topic: str
    text: str
    accept: tuple[str, ...]
    reject: tuple[str, ...]
    ekman: str
    sentiment: str
    pair: str | None
    is_plain: bool


@dataclass(frozen=True)
class Share:
    """How many of some texts were hits, with Wilson's 95 % interval (Wilson, JASA 1927)."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """In [0, 1]; None of no texts."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Low and high end in [0, 1]; None of no texts."""
        if not self.of:
            return None
        share, square = self.hits / self.of, Z_95**2
        middle = (share + square / (2 * self.of)) / (1 + square / self.of)
        spread = share * (1 - share) / self.of + square / (4 * self.of**2)
        half = Z_95 * spread**0.5 / (1 + square / self.of)
        return max(middle - half, 0.0), min(middle + half, 1.0)

    def as_json(self) -> dict[str, Any]:
        """`{"hits", "of", "share", "low", "high"}`; the last three are null of no texts."""
        low, high = self.interval or (None, None)
        shares = {"share": self.value, "low": low, "high": high}
        rounded = {key: None if value is None else round(value, DECIMALS) for key, value in shares.items()}
        return {"hits": self.hits, "of": self.of, **rounded}


@dataclass(frozen=True)
class Score:
    """How a reader did on some items; plain texts count only where they are named.

    Attributes:
        right: label among the accepted ones.
        trapped: label among the rejected ones, of the items that have some.
        ekman: largest Ekman group is the right one.
        sentiment: largest sentiment is the right one.
        abstained: the reader did not commit itself.
        committed_right: label accepted, of the items on which it committed itself.
        plain_right: label accepted, of the plain texts.
        flipped: item right, of the pairs with no accepted label in common whose plain text was right.
        held: item right, of the other pairs whose plain text was right.
    """

    right: Share
    trapped: Share
    ekman: Share
    sentiment: Share
    abstained: Share
    committed_right: Share
    plain_right: Share
    flipped: Share
    held: Share

    def as_json(self) -> dict[str, Any]:
        """Each share by its name."""
        return {name: getattr(self, name).as_json() for name in SHARES}


SHARES = tuple(Score.__dataclass_fields__)


def load(folder: Path = DEFAULT_DATA) -> list[Item]:
    """The items of all sets of a folder, by set and line.

    Raises:
        DataError: no set is there, or a line breaks a rule; says which file and line, and why.
    """
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise DataError(f"{folder} holds no challenge set (*.jsonl)")
    rows = [(place, path.stem, row) for path in paths for place, row in _read_rows(path)]
    plain = {row["pair"] for _, _, row in rows if row.get("pair")}
    items = [_make_item(place, name, row, row["id"] in plain) for place, name, row in rows]
    _check_together([place for place, _, _ in rows], items)
    return items


def score(items: Sequence[Item], readings: Sequence[Mapping[str, Any]]) -> Score:
    """Counts over items, given the reading of each (as in `docs/contracts.md`), in the same order."""
    read = {item.id: reading for item, reading in zip(items, readings, strict=True)}
    known = {item.id: item for item in items}

    def is_right(item: Item) -> bool:
        return read[item.id]["label"] in item.accept

    def count(those: Iterable[Item], is_hit: Callable[[Item], bool]) -> Share:
        hits = [is_hit(item) for item in those]
        return Share(sum(hits), len(hits))

    hard = [item for item in items if not item.is_plain]
    pairs = [item for item in hard if item.pair is not None and is_right(known[item.pair])]
    must_flip = {
        item.id for item in pairs if item.pair and not set(item.accept) & set(known[item.pair].accept)
    }
    return Score(
        right=count(hard, is_right),
        trapped=count([i for i in hard if i.reject], lambda i: read[i.id]["label"] in i.reject),
        ekman=count(hard, lambda i: _largest(read[i.id]["ekman"]) == i.ekman),
        sentiment=count(hard, lambda i: _largest(read[i.id]["sentiment"]) == i.sentiment),
        abstained=count(hard, lambda i: bool(read[i.id]["abstained"])),
        committed_right=count([i for i in hard if not read[i.id]["abstained"]], is_right),
        plain_right=count([i for i in items if i.is_plain], is_right),
        flipped=count([i for i in pairs if i.id in must_flip], is_right),
        held=count([i for i in pairs if i.id not in must_flip], is_right),
    )


def score_sets(
    items: Sequence[Item], readings: Sequence[Mapping[str, Any]], parts: Sequence[str] = PARTS
) -> dict[str, dict[str, Score]]:
    """The score of each set in each part.

    Returns:
        Set to part to score; the last set, "all", is every set together, and where there are several
        parts, the last, "all", is every part together. A part without items of a set is left out.
    """
    rows = [pair for pair in zip(items, readings, strict=True) if pair[0].part in parts]
    names = sorted({item.set for item, _ in rows})
    tables: dict[str, dict[str, Score]] = {}
    for name in [*names, ALL]:
        tables[name] = {}
        for part in [*parts, ALL] if len(parts) > 1 else parts:
            chosen = [row for row in rows if name in (row[0].set, ALL) and part in (row[0].part, ALL)]
            if chosen:
                tables[name][part] = score([row[0] for row in chosen], [row[1] for row in chosen])
    return tables


def find_errors(items: Sequence[Item], readings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The items, plain texts too, whose label is not accepted, with what was read instead."""
    return [
        {
            "id": item.id,
            "text": item.text,
            "read": reading["label"],
            "accept": list(item.accept),
            "trapped": reading["label"] in item.reject,
            "abstained": bool(reading["abstained"]),
        }
        for item, reading in zip(items, readings, strict=True)
        if reading["label"] not in item.accept
    ]


def measure(
    weights: Path, data: Path = DEFAULT_DATA, parts: Sequence[str] = PARTS
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Reads the sets with a weight, through the code that serves it.

    Args:
        weights: the weight folder.
        data: folder of the sets, in a language the weight reads.
        parts: which parts, of `PARTS`.

    Returns:
        What stands under "challenge" in a weight's `metrics.json`
        (`{"model", "sets": {set: {part: {share: ...}}}}`), and the errors.

    Raises:
        DataError: a set is malformed, or none has texts of those parts.
        WeightError: the weight can't be used, or reads other labels than the sets are labelled with.
    """
    from nlu_models.emotion.infer import EmotionEncoder
    from nlu_models.emotion.reading import make_reading

    items = [item for item in load(data) if item.part in parts]
    if not items:
        raise DataError(f"{data} holds no text of part {' or '.join(parts)}")
    encoder = EmotionEncoder(weights)
    if set(encoder.config.labels) != set(GOEMOTIONS):
        raise WeightError(
            f"{encoder.config.model} does not read GoEmotions' labels, which the sets are about"
        )
    encoded = encoder.encode([item.text for item in items])
    readings = [
        make_reading(scores, axes, encoder.config)
        for scores, axes in zip(encoded.probabilities, encoded.vad, strict=True)
    ]
    tables = score_sets(items, readings, parts)
    sets = {
        name: {part: scored.as_json() for part, scored in by_part.items()} for name, by_part in tables.items()
    }
    return {"model": encoder.config.model, "sets": sets}, find_errors(items, readings)


def _largest(shares: Mapping[str, float]) -> str:
    """The group with the largest share; no group when the two largest are equal."""
    order = sorted(shares, key=lambda group: -shares[group])
    return OTHER_GROUP if len(order) > 1 and shares[order[0]] == shares[order[1]] else order[0]


def _read_rows(path: Path) -> list[tuple[str, dict[str, Any]]]:
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} can't be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{place}: not JSON ({error})") from error
        rows.append((place, _checked(place, row)))
    return rows


def _checked(place: str, row: Any) -> dict[str, Any]:
    """The row, if it has the fields an item has and each is of the right kind."""
    if not isinstance(row, dict):
        raise DataError(f"{place}: expected an object, got {type(row).__name__}")
    if missing := REQUIRED - set(row):
        raise DataError(f"{place}: lacks {', '.join(sorted(missing))}")
    if extra := set(row) - REQUIRED - OPTIONAL:
        raise DataError(f"{place}: unknown field {', '.join(sorted(extra))}")
    for field in sorted((REQUIRED | OPTIONAL) & set(row)):
        value = row[field]
        if field in ("accept", "reject"):
            if not isinstance(value, list) or not all(isinstance(label, str) for label in value):
                raise DataError(f"{place}: {field} is {value!r}, expected a list of labels")
        elif not isinstance(value, str) or not value.strip():
            raise DataError(f"{place}: {field} is {value!r}, expected a text that isn't empty")
    return row


def _make_item(place: str, name: str, row: dict[str, Any], is_plain: bool) -> Item:
    accept, reject = tuple(row["accept"]), tuple(row["reject"])
    if unknown := [label for label in accept + reject if label not in GOEMOTIONS]:
        raise DataError(f"{place}: unknown label {unknown[0]!r}, expected one of GoEmotions' 28")
    if not 1 <= len(accept) <= MAX_ACCEPTED:
        raise DataError(f"{place}: accepts {len(accept)} labels, expected 1 to {MAX_ACCEPTED}")
    if len(set(accept + reject)) < len(accept + reject):
        raise DataError(f"{place}: a label stands twice in accept and reject")
    if row["part"] not in PARTS:
        raise DataError(f"{place}: part is {row['part']!r}, expected {' or '.join(PARTS)}")
    if not row["id"].startswith(f"{name}-"):
        raise DataError(f"{place}: id {row['id']!r} doesn't start with the set's name, {name!r}")
    for field, groups in (("ekman", EKMAN), ("sentiment", SENTIMENT)):
        if row[field] not in groups:
            raise DataError(f"{place}: {field} is {row[field]!r}, expected one of {', '.join(groups)}")
        if not set(groups[row[field]]) & set(accept):
            raise DataError(f"{place}: {field} is {row[field]!r}, which no accepted label belongs to")
    if not set(EKMAN[row["ekman"]]) <= set(SENTIMENT[row["sentiment"]]):
        raise DataError(f"{place}: ekman {row['ekman']!r} is not of sentiment {row['sentiment']!r}")
    return Item(
        id=row["id"], set=name, part=row["part"], topic=row["topic"], text=row["text"], accept=accept,
        reject=reject, ekman=row["ekman"], sentiment=row["sentiment"], pair=row.get("pair"),
        is_plain=is_plain,
    )  # fmt: skip


def _check_together(places: Sequence[str], items: Sequence[Item]) -> None:
    """What one line alone can't tell: ids are unique, pairs are there and topics lie in one part."""
    known: dict[str, Item] = {}
    parts: dict[str, str] = {}
    for place, item in zip(places, items, strict=True):
        if item.id in known:
            raise DataError(f"{place}: id {item.id!r} is used twice")
        known[item.id] = item
        if parts.setdefault(item.topic, item.part) != item.part:
            raise DataError(
                f"{place}: topic {item.topic!r} lies in both parts; move it to {item.part!r} alone"
            )
    for place, item in zip(places, items, strict=True):
        if item.pair is None:
            continue
        plain = known.get(item.pair)
        if plain is None:
            raise DataError(f"{place}: pair {item.pair!r} is missing")
        if item.is_plain or plain.pair is not None:
            raise DataError(f"{place}: pair {item.pair!r} goes on to another pair; a plain text has none")
        if (plain.set, plain.part) != (item.set, item.part):
            raise DataError(f"{place}: pair {item.pair!r} lies in another set or part")
