"""Files that appear whole or not at all: each is written beside its place, then renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nlu_models.errors import NluModelError


def write_text(path: Path, text: str, mode: int = 0o666) -> None:
    """Writes a UTF-8 file, whole or not at all.

    Args:
        path: of the file.
        text: its contents.
        mode: who may do what with it, as far as the process's own mask allows.

    Raises:
        NluModelError: it can't be written.
    """
    with replacing(path, mode) as target:
        target.write(text.encode("utf-8"))


@contextmanager
def replacing(path: Path, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when the block ends well, and vanishes when it doesn't.

    Raises:
        NluModelError: writing failed.
    """
    scratch: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as target:
            scratch = Path(target.name)
            yield target
            target.flush()
            os.fsync(target.fileno())
        scratch.chmod(mode & ~_umask())
        scratch.replace(path)
        scratch = None
    except OSError as error:
        raise NluModelError(_cannot_write(path, error)) from error
    except RuntimeError as error:
        # torch reports a failed write as a RuntimeError about its archive.
        cause = error.__cause__ or error.__context__
        if isinstance(cause, OSError):
            raise NluModelError(_cannot_write(path, cause)) from error
        if "PytorchStreamWriter" in str(error) or "unexpected pos" in str(error):
            raise NluModelError(
                f"{path} can't be written (is the disk full?); what was there is kept"
            ) from error
        raise
    finally:
        if scratch is not None:
            scratch.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> str:
    return f"{path} can't be written: {error.strerror or error}; what was there before is kept"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
