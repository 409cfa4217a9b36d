"""The label sets of the emotion reader, and how the 28 labels group into fewer.

Labels, their order and both groupings are those of GoEmotions (Demszky et al., ACL 2020,
https://aclanthology.org/2020.acl-main.372/): the Ekman grouping of its table 4 and the sentiment
grouping of its figure 2. The order is that of the data set's `labels.txt`; weights depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

GOEMOTIONS: tuple[str, ...] = (
    "admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion",
    "curiosity", "desire", "disappointment", "disapproval", "disgust", "embarrassment",
    "excitement", "fear", "gratitude", "grief", "joy", "love", "nervousness", "optimism",
    "pride", "realization", "relief", "remorse", "sadness", "surprise", "neutral",
)  # fmt: skip

EKMAN: Mapping[str, tuple[str, ...]] = {
    "anger": ("anger", "annoyance", "disapproval"),
    "disgust": ("disgust",),
    "fear": ("fear", "nervousness"),
    "joy": (
        "joy", "amusement", "approval", "excitement", "gratitude", "love", "optimism", "relief",
        "pride", "admiration", "desire", "caring",
    ),
    "sadness": ("sadness", "disappointment", "embarrassment", "grief", "remorse"),
    "surprise": ("surprise", "realization", "confusion", "curiosity"),
    "neutral": ("neutral",),
}  # fmt: skip

SENTIMENT: Mapping[str, tuple[str, ...]] = {
    "positive": EKMAN["joy"],
    "negative": (
        "anger", "annoyance", "disapproval", "disgust", "fear", "nervousness", "sadness",
        "disappointment", "embarrassment", "grief", "remorse",
    ),
    "ambiguous": EKMAN["surprise"],
    "neutral": ("neutral",),
}  # fmt: skip

GROUPINGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {"ekman": EKMAN, "sentiment": SENTIMENT}

VAD: tuple[str, ...] = ("valence", "arousal", "dominance")


def groupings_of(labels: Sequence[str]) -> dict[str, Mapping[str, tuple[str, ...]]]:
    """The groupings that a set of labels allows: each label is of some group, and no group is empty."""
    known = set(labels)
    return {
        name: groups
        for name, groups in GROUPINGS.items()
        if known <= set().union(*groups.values())
        and all(known.intersection(members) for members in groups.values())
    }


def group_scores(scores: Mapping[str, float], groups: Mapping[str, tuple[str, ...]]) -> dict[str, float]:
    """Shares of each group of labels, from independent label probabilities.

    A group holds when any of its labels does, so its probability is the noisy-or of its members;
    the groups are then scaled to sum to 1, since a reader of shares expects that.

    Args:
        scores: label to probability in [0, 1]; labels that are absent count as 0.
        groups: group to its labels.

    Returns:
        Group to share in [0, 1]; the shares sum to 1 (all equal when every score is 0).
    """
    held = {}
    for group, members in groups.items():
        none_holds = 1.0
        for member in members:
            none_holds *= 1.0 - min(max(scores.get(member, 0.0), 0.0), 1.0)
        held[group] = 1.0 - none_holds
    total = sum(held.values())
    if total <= 0.0:
        return {group: 1.0 / len(held) for group in held}
    return {group: value / total for group, value in held.items()}
