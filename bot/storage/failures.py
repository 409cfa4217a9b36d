"""What a database error means, in words an operator can act on, and never with a password in them."""

from __future__ import annotations

from typing import Any

BUSY_TIMEOUT_S = 5.0


def place(url: Any) -> str:
    """Where a database is, without user or password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    host = url.host or dict(url.query).get("host") or "the local socket"
    return f"{host}:{url.port}" if url.port else str(host)


def explain(error: BaseException, url: Any) -> str:
    """One line that says what went wrong.

    Args:
        error: from SQLAlchemy or the driver.
        url: SQLAlchemy's URL of the database.
    """
    cause = getattr(error, "orig", None) or error
    text = str(cause)
    if url.get_backend_name() == "sqlite":
        return _explain_sqlite(text, place(url))
    return _explain_postgresql(text, url)


def _explain_sqlite(text: str, path: str) -> str:
    for needle, meaning in (
        ("unable to open database file", f"can't open {path}: its folder must exist and be writable"),
        ("not a database", f"{path} is not a SQLite database; choose another file or move it away"),
        ("malformed", f"{path} is damaged; restore it from a backup"),
        ("readonly", f"{path} is read-only; Attune must be able to write to it and its folder"),
        ("locked", f"{path} stayed locked by another program for {BUSY_TIMEOUT_S:.0f} s"),
        ("is full", f"the disk of {path} is full"),
        ("no such table", f"{path} isn't set up; `attune run` sets it up at its start"),
    ):
        if needle in text:
            return meaning
    return f"the database {path} failed: {_one_line(text)}"


def _explain_postgresql(text: str, url: Any) -> str:
    where, user, database = place(url), url.username, url.database
    for needle, meaning in (
        ("password authentication failed", f"PostgreSQL at {where} refused the password of user {user!r}"),
        ("no password supplied", f"PostgreSQL at {where} wants a password for user {user!r}; none was given"),
        ("Connection refused", f"no PostgreSQL answers at {where}"),
        ("No such file or directory", f"no PostgreSQL answers at {where}"),
        ("could not translate host name", f"the host {where} of the database isn't known"),
        ("timeout expired", f"PostgreSQL at {where} did not answer in {BUSY_TIMEOUT_S:.0f} s"),
        ("no pg_hba.conf entry", f"PostgreSQL at {where} doesn't let user {user!r} in from here"),
        ("read-only transaction", f"the database {database!r} at {where} is read-only"),
        ("permission denied", f"user {user!r} may not write to the database {database!r} at {where}"),
    ):
        if needle in text:
            return meaning
    if "does not exist" in text:
        if "role " in text:
            return f"PostgreSQL at {where} has no user {user!r}"
        if "database " in text:
            return f"PostgreSQL at {where} has no database {database!r}; create it first"
        if "relation " in text:
            return f"the database {database!r} at {where} isn't set up; `attune run` sets it up at its start"
    if url.password:
        text = text.replace(str(url.password), "***")
    return f"the database {database!r} at {where} failed: {_one_line(text)}"


def _one_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"
