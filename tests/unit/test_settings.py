"""Settings are read strictly."""

import pytest

from bot.core.errors import SettingsError
from bot.core.settings import Settings


def test_defaults_need_no_environment() -> None:
    settings = Settings.from_environment({"PATH": "/bin"})
    assert settings.effective_database_url.startswith("sqlite:///")
    assert settings.rest_token == ""


def test_values_are_read_and_typed() -> None:
    settings = Settings.from_environment({"ATTUNE_PORT": "8080", "ATTUNE_DATABASE_URL": "postgresql://x/y"})
    assert (settings.port, settings.effective_database_url) == (8080, "postgresql://x/y")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ATTUNE_PROT", "8080"),
        ("ATTUNE_PORT", "http"),
        ("ATTUNE_PORT", "70000"),
        ("ATTUNE_MAX_MESSAGE_CHARS", "5"),
        ("ATTUNE_LOG_LEVEL", "LOUD"),
        ("ATTUNE_ANSWER_WITHIN_S", "0"),
        ("ATTUNE_COUNTRY", "UK"),
        ("ATTUNE_SECRET", "short"),
        ("ATTUNE_REST_TOKEN", "short"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.from_environment({variable: value})


def test_a_refused_secret_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({"ATTUNE_SECRET": "hunter2"})
    assert "hunter2" not in str(caught.value)
