"""From where on a human is asked in: every number of the escalation beyond danger, in one place.

They are set in `config.yml`, under `policies.escalation.EscalationPolicy`. Danger has none: it is answered
whatever stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from bot.core.errors import SettingsError

POLICY = "EscalationPolicy"
CERTAINTIES_KEPT = 10  # turns that the certainty is remembered of; no count of unsure turns can be greater


def _count(default: int, high: int, meaning: str, low: int = 1) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "meaning": meaning})


def _number(default: float, high: float, meaning: str) -> Any:
    return field(default=default, metadata={"low": 0.0, "high": high, "meaning": meaning})


@dataclass(frozen=True)
class EscalationThresholds:
    """From where on a human is asked in.

    Attributes:
        ask_human_confidence: of the intent to have a person, [0, 1].
        accept_confidence: of a yes to an offered person, [0, 1].
        anger_turns: angry turns in a row, 1 to 20.
        complaint_turns: complaints in a row, "that didn't help" going on with one, 1 to 20.
        missed_answers: answers that the person said didn't help, until one does, 1 to 20.
        anger_level: level of anger in the conversation, [0, 1]; 1 switches the rule off.
        anger_trend: how much less pleasant the turns get, a turn, [0, 2].
        unsure_turns: turns in a row that weren't understood, 1 to 10.
        unsure_confidence: of the intent, under which a turn wasn't understood, [0, 1]; 0 leaves intents out.
        vulnerable_lowers: by how many turns the counts are lowered for a vulnerable person, 0 to 19.
        offer_again_turns: turns of the person after an offer before the next one, 1 to 100.
    """

    ask_human_confidence: float = _number(0.4, 1.0, "asks for a person: confidence of the intent, from")
    accept_confidence: float = _number(0.8, 1.0, "says yes to an offered person: confidence of it, from")
    anger_turns: int = _count(2, 20, "angry turns in a row before a person is asked in")
    complaint_turns: int = _count(2, 20, "complaints in a row before a person is asked in")
    missed_answers: int = _count(3, 20, "answers that didn't help before a person is asked in")
    anger_level: float = _number(0.6, 1.0, "level of anger, with a falling mood, before a person is offered")
    anger_trend: float = _number(0.1, 2.0, "how far the mood falls a turn, by valence, to count as falling")
    unsure_turns: int = _count(
        4, CERTAINTIES_KEPT, "turns in a row that weren't understood before a person is offered"
    )
    unsure_confidence: float = _number(0.3, 1.0, "confidence of an intent below which it isn't understood")
    vulnerable_lowers: int = _count(
        1, 19, "how many turns earlier a vulnerable person is offered somebody", low=0
    )
    offer_again_turns: int = _count(6, 100, "turns after an offer before a person is offered again")

    def __post_init__(self) -> None:
        for one in fields(self):
            value, low, high = getattr(self, one.name), one.metadata["low"], one.metadata["high"]
            kinds = (int,) if one.type == "int" else (int, float)
            if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
                kind = "a whole number from " if one.type == "int" else ""
                raise SettingsError(f"{POLICY}: {one.name} is {value!r}, expected {kind}{low} to {high}")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of the thresholds."""
        return tuple(one.name for one in fields(cls))

    @classmethod
    def from_config(cls, config: Mapping[str, Any], also: Iterable[str] = ()) -> EscalationThresholds:
        """The thresholds of a policy's configuration; those it leaves out keep their defaults.

        Args:
            config: of the policy.
            also: keys that may stand beside the thresholds.

        Raises:
            SettingsError: one is unknown or out of range.
        """
        unknown = sorted(set(config) - set(cls.names()) - set(also))
        if unknown:
            raise SettingsError(
                f"{POLICY}: {unknown[0]!r} is no threshold; the thresholds are {', '.join(cls.names())}"
            )
        return cls(**{name: config[name] for name in cls.names() if name in config})

    def changed(self, settings: Iterable[str]) -> EscalationThresholds:
        """The thresholds with some of them set anew.

        Args:
            settings: each as "name=value".

        Raises:
            SettingsError: one is malformed, unknown or out of range.
        """
        kinds = {one.name: one.type for one in fields(self)}
        values: dict[str, Any] = {}
        for setting in settings:
            name, equals, text = (part.strip() for part in setting.partition("="))
            if not equals or name not in kinds:
                raise SettingsError(
                    f"{setting!r} sets no threshold, expected NAME=VALUE with a name of {', '.join(kinds)}"
                )
            try:
                values[name] = int(text) if kinds[name] == "int" else float(text)
            except ValueError as error:
                wanted = "a whole number" if kinds[name] == "int" else "a number"
                raise SettingsError(f"{name} is {text!r}, expected {wanted}") from error
        return replace(self, **values)

    def for_vulnerable(self) -> EscalationThresholds:
        """The thresholds with every count of turns lowered by `vulnerable_lowers`, to 1 at least."""
        counts = ("anger_turns", "complaint_turns", "missed_answers", "unsure_turns")
        lowered = {name: max(1, getattr(self, name) - self.vulnerable_lowers) for name in counts}
        return replace(self, **lowered)
