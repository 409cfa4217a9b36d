"""Folders that appear whole or not at all: each is made beside its place, then renamed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nlu_models.errors import NluModelError


@contextmanager
def scratch_beside(target: Path) -> Iterator[Path]:
    """An empty folder on the file system of `target`, to make its successor in; gone afterwards.

    Raises:
        NluModelError: the disk is full, or writing failed otherwise.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
            yield Path(scratch)
    except OSError as error:
        raise NluModelError(
            f"{target} can't be written: {error.strerror or error}; what was there before is kept"
        ) from error


def put_in_place(folder: Path, target: Path, scratch: Path) -> None:
    """Puts a finished folder where the old one was, which comes back if that fails or is interrupted.

    Args:
        folder: the finished one, in `scratch`.
        target: where it belongs; may not exist yet.
        scratch: as from `scratch_beside`; the old folder goes with it.
    """
    old = scratch / "old"
    try:
        if target.exists():
            target.rename(old)
        folder.rename(target)
    except BaseException:
        # An interrupt may also come before anything was moved, or when all is in place.
        if old.exists() and not target.exists():
            old.rename(target)
        raise
