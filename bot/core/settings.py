"""What an operator can set, in one frozen place.

Component parameters live in `config.yml` and wiring in `endpoints.yml` and `credentials.yml`;
everything else is an environment variable that starts with `ATTUNE_`. Unknown ones are refused, since
a misspelt safety setting that is silently ignored is worse than a start that fails.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from bot.core.country import is_country
from bot.core.errors import SettingsError

PREFIX = "ATTUNE_"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """Every setting, with its default.

    Attributes:
        database_url: SQLAlchemy URL (sqlite or postgresql) of everything Attune keeps; empty for
            `attune.db` in `var_dir`.
        var_dir: folder for the database, the generated secret and logs.
        host: address the web server listens on.
        port: port of the web server, 1 to 65535.
        actions_port: port of the action server, on the loopback address only, 1 to 65535.
        emotion_weights: folder of the emotion reader's weights.
        secret: signs web sessions, at least 32 characters; empty to generate one in `var_dir`.
        rest_token: bearer token of the REST channel, at least 16 characters; empty to switch REST off.
        max_message_chars: longest message that is read, 100 to 100,000 characters.
        messages_per_minute: how many messages one person may send, 1 to 10,000.
        answer_within_s: seconds after which a channel answers by itself, with helplines where there is
            danger in the message, 1 to 60.
        allowed_origins: comma-separated origins besides the page's own that may open a chat.
        duty_file: YAML file of the people who are paged when somebody is in danger; empty to page nobody.
        country: ISO 3166-1 alpha-2 code of the country whose emergency numbers and helplines are named to
            people whose own country isn't known; empty for an answer that fits anywhere.
        log_level: DEBUG, INFO, WARNING or ERROR.
    """

    database_url: str = ""
    var_dir: str = str(ROOT / "var")
    host: str = "127.0.0.1"
    port: int = 5005
    actions_port: int = 5055
    emotion_weights: str = str(ROOT / "nlu_models" / "weights" / "emotion-en")
    secret: str = ""
    rest_token: str = ""
    max_message_chars: int = 4000
    messages_per_minute: int = 30
    answer_within_s: int = 20
    allowed_origins: str = ""
    duty_file: str = ""
    country: str = ""
    log_level: str = "INFO"

    def __post_init__(self) -> None:
        for name, low, high in (
            ("port", 1, 65535),
            ("actions_port", 1, 65535),
            ("max_message_chars", 100, 100_000),
            ("messages_per_minute", 1, 10_000),
            ("answer_within_s", 1, 60),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingsError(f"{PREFIX}{name.upper()} is {value}, expected {low} to {high}")
        if self.log_level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise SettingsError(
                f"{PREFIX}LOG_LEVEL is {self.log_level!r}, expected DEBUG, INFO, WARNING or ERROR"
            )
        if self.country and not is_country(self.country):
            raise SettingsError(
                f"{PREFIX}COUNTRY is {self.country!r}, expected an ISO 3166-1 code in capitals, such as GB"
            )
        for name, shortest in (("secret", 32), ("rest_token", 16)):
            value = getattr(self, name)
            if value and len(value) < shortest:
                raise SettingsError(f"{PREFIX}{name.upper()} is shorter than {shortest} characters")

    @property
    def effective_database_url(self) -> str:
        """The database URL, or that of the embedded SQLite file."""
        return self.database_url or f"sqlite:///{Path(self.var_dir) / 'attune.db'}"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """The settings of an environment (the process's own by default).

        Raises:
            SettingsError: a variable is unknown, of the wrong type or out of range.
        """
        given = os.environ if environment is None else environment
        known = {field.name: field.type for field in fields(cls)}
        values: dict[str, object] = {}
        for variable, text in given.items():
            if not variable.startswith(PREFIX):
                continue
            name = variable.removeprefix(PREFIX).lower()
            if name not in known:
                raise SettingsError(
                    f"{variable} is not a setting of Attune; the settings are "
                    + ", ".join(sorted(PREFIX + key.upper() for key in known))
                )
            if known[name] == "int":
                try:
                    values[name] = int(text)
                except ValueError as error:
                    raise SettingsError(f"{variable} is {text!r}, expected a whole number") from error
            else:
                values[name] = text
        return cls(**values)  # type: ignore[arg-type]
