"""Training curves as TensorBoard event files: `tensorboard --logdir RUN/tensorboard`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from nlu_models.emotion.run_folder import CURVES_FOLDER
from nlu_models.errors import NluModelError

FLUSH_SECONDS = 30


class Curves:
    """Writes scalars under a run folder.

    Args:
        run: the run folder; None writes nothing, as in all processes but the main one.
        step: the first step that is written; later ones of an earlier, killed process are hidden.
    """

    def __init__(self, run: Path | None, step: int = 0) -> None:
        self._run = run
        self._step = step
        self._writer: Any = None

    def __enter__(self) -> Curves:
        if self._run is not None:
            # TensorBoard imports all of TensorFlow where it is installed, for remote file systems that are
            # not used here; this is the switch by which its own builds leave that out.
            sys.modules.setdefault("tensorboard.compat.notf", ModuleType("tensorboard.compat.notf"))
            from torch.utils.tensorboard import SummaryWriter

            try:
                self._writer = SummaryWriter(
                    str(self._run / CURVES_FOLDER), purge_step=self._step or None, flush_secs=FLUSH_SECONDS
                )
            except OSError as error:
                raise self._unwritten(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            try:
                self._writer.close()
            except OSError as unwritten:
                # What else went wrong is more important than the curves' last seconds.
                if error is None:
                    raise self._unwritten(unwritten) from unwritten

    def add(self, group: str, values: Mapping[str, float], step: int) -> None:
        """Writes one point of each curve.

        Raises:
            NluModelError: they can't be written, for instance because the disk is full.
        """
        if self._writer is None:
            return
        try:
            for name, value in values.items():
                self._writer.add_scalar(f"{group}/{name}", value, step)
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> NluModelError:
        return NluModelError(f"the curves in {self._run} can't be written: {error.strerror or error}")
