"""Environment variables that Attune's own processes run with."""

from __future__ import annotations

import os
from collections.abc import Mapping

DEFAULTS = {
    "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # Open event streams would otherwise hold up a stop for 15 seconds.
    "SANIC_GRACEFUL_SHUTDOWN_TIMEOUT": "3",
}
# Nothing leaves the machine, whatever Rasa was told elsewhere.
FORCED = {"RASA_TELEMETRY_ENABLED": "false"}


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
