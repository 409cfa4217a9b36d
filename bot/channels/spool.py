"""Dangers that couldn't be written to the database, in a small file until they can.

One JSON object a line, only ever added to, and on disk before `add` returns. It holds no words and no names:
when, on which channel, how much danger of which kind, and keyed digests of the sender and the message.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import math
import os
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.core.errors import ContractError
from bot.core.reading import RiskKind, RiskLevel

FILE = "danger_spool.jsonl"
MAX_BYTES = 4 * 2**20  # some 15,000 events; what comes on top is only held in memory

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SpooledDanger:
    """One message in which danger was read.

    Attributes:
        key: digest of its sender and message id.
        sender: digest of the sender.
        channel: where it was written.
        at: when, seconds since 1970 UTC.
        level: of the danger.
        kind: of the danger.
    """

    key: str
    sender: str
    channel: str
    at: float
    level: RiskLevel
    kind: RiskKind

    @classmethod
    def from_json(cls, line: bytes) -> SpooledDanger:
        """The danger on a line.

        Raises:
            ContractError: the line isn't one, as where a power cut ended it.
        """
        try:
            data = json.loads(line)
            at = float(data["at"])
            if not math.isfinite(at):
                raise ValueError("at is not a time")
            return cls(
                key=str(data["key"]),
                sender=str(data["sender"]),
                channel=str(data["channel"]),
                at=at,
                level=RiskLevel(data["level"]),
                kind=RiskKind(data["kind"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ContractError(f"not a spooled danger: {type(error).__name__}") from error

    def to_json(self) -> bytes:
        """Its line."""
        data = {**asdict(self), "level": self.level.value, "kind": self.kind.value}
        return json.dumps(data, separators=(",", ":")).encode() + b"\n"


@dataclass(frozen=True)
class Contents:
    """What the file held at a moment.

    Attributes:
        raw: its bytes.
        dangers: that could be read from them, oldest first.
    """

    raw: bytes = b""
    dangers: tuple[SpooledDanger, ...] = ()


class Spool:
    """The file; several processes may use it at once.

    Args:
        folder: the installation's, `Settings.var_dir`.
        max_bytes: how long the file may get.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = folder / FILE
        self._max_bytes = max_bytes

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits in it, as far as can be seen."""
        try:
            return self.path.stat().st_size == 0
        except OSError:
            return True

    def add(self, danger: SpooledDanger) -> bool:
        """Writes a danger through to the disk; gives False when the file is full.

        Raises:
            OSError: it can't be written.
        """
        line = danger.to_json()
        with self._locked(os.O_WRONLY | os.O_APPEND | os.O_CREAT) as descriptor:
            size = os.fstat(descriptor).st_size
            if size + len(line) > self._max_bytes:
                return False
            try:
                if os.write(descriptor, line) != len(line):
                    raise OSError("the disk took only a part of the line")
            except OSError:
                os.ftruncate(descriptor, size)  # half a line would spoil the next one
                raise
            os.fsync(descriptor)
        return True

    def read(self) -> Contents:
        """What waits; lines that can't be read are logged and left out.

        Raises:
            OSError: the file is there and can't be read.
        """
        try:
            with self._locked(os.O_RDONLY) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
                raw = file.read()
        except FileNotFoundError:
            return Contents()
        dangers = []
        for line in raw.splitlines():
            try:
                dangers.append(SpooledDanger.from_json(line))
            except ContractError as error:
                logger.error("spool.line_unreadable error=%s", error)
        return Contents(raw, tuple(dangers))

    def drop(self, contents: Contents, kept: Collection[SpooledDanger] = ()) -> None:
        """Takes out what was read, but for some of it; what was added since stays.

        Raises:
            OSError: the file can't be written.
        """
        with self._locked(os.O_RDWR) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
            now = file.read()
            if not now.startswith(contents.raw):
                return  # another process was first
            left = b"".join(danger.to_json() for danger in kept) + now[len(contents.raw) :]
            # Never longer than it was. After a crash in between, lines are taken in twice, which is harmless.
            os.pwrite(descriptor, left, 0)
            os.ftruncate(descriptor, len(left))
            os.fsync(descriptor)

    @contextlib.contextmanager
    def _locked(self, flags: int) -> Iterator[int]:
        descriptor = os.open(self.path, flags | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)
