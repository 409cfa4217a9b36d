"""What Attune's own processes run with: environment variables, warnings and log levels."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping

DEFAULTS = {
    "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # Open event streams would otherwise hold up a stop for 15 seconds.
    "SANIC_GRACEFUL_SHUTDOWN_TIMEOUT": "3",
}
# Nothing leaves the machine, whatever Rasa was told elsewhere.
FORCED = {"RASA_TELEMETRY_ENABLED": "false"}
OUR_PACKAGES = ("bot", "actions", "policies", "nlu_models")


def quiet(environment: Mapping[str, str]) -> dict[str, str]:
    """What to set on top of an environment so that nothing chatters and nothing is reported."""
    return {**{name: value for name, value in DEFAULTS.items() if name not in environment}, **FORCED}


def child_environment(**more: str) -> dict[str, str]:
    """The environment for a child process: this one's, made quiet.

    Args:
        **more: variables to set besides.
    """
    environment = {**os.environ, **quiet(os.environ), "PYTHONUNBUFFERED": "1", **more}
    # Without compiled files every start would compile Rasa anew, which takes some 15 seconds.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def set_log_level(level: int) -> None:
    """Lets our own packages log from a level on, and libraries only what is wrong.

    Call it after a library has set up logging. At DEBUG everything logs.

    Args:
        level: one of `logging`'s levels.
    """
    for name in OUR_PACKAGES:
        logging.getLogger(name).setLevel(level)
    libraries = level if level == logging.DEBUG else max(level, logging.WARNING)
    for name in ("", "rasa", "rasa_sdk"):
        logging.getLogger(name).setLevel(libraries)


def silence_deprecations() -> None:
    """Hides what libraries of Rasa's age warn about themselves at every start."""
    # Sanic switches these warnings on when it is imported, so it has to come first.
    import sanic.app  # noqa: F401

    warnings.filterwarnings("ignore", category=DeprecationWarning)
