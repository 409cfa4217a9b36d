"""What is measured: a weight folder, or a training run not exported yet; both read texts alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nlu_models.emotion.infer import EmotionEncoder, Encoded
from nlu_models.emotion.labels import VAD
from nlu_models.emotion.metrics import DEFAULT_THRESHOLD
from nlu_models.emotion.progress import progress_bar
from nlu_models.emotion.weights import CONFIG_FILE, MODEL_FILE, WeightConfig
from nlu_models.emotion.wording import as_read
from nlu_models.errors import WeightError

if TYPE_CHECKING:
    import torch

RUN_MODEL_FILE = "model.pt"
RUN_BATCH = 32  # texts of about one length
PROGRESS_ROWS = 256


class Reader(Protocol):
    """Reads texts: `EmotionEncoder`, or a run's model through torch."""

    config: WeightConfig

    def encode(self, texts: Sequence[str]) -> Encoded:
        """One row per text, in order."""
        ...


class RunReader:
    """Reads texts with a run's model in float32, as serving would with the exported graph.

    Args:
        run: a run folder.

    Raises:
        WeightError: the folder is incomplete or of another form.
    """

    def __init__(self, run: Path) -> None:
        import torch

        from nlu_models.emotion.teachers import load_teacher

        teacher = load_teacher(run, torch.device("cpu"))
        self._model, self._tokenizer = teacher.model, teacher.tokenizer
        self.config = WeightConfig(
            name=run.resolve().name,
            version="run",
            languages=("en",),
            labels=teacher.labels,
            thresholds=(DEFAULT_THRESHOLD,) * len(teacher.labels),
            confidence={"slope": 1.0, "intercept": 0.0},
            abstain_below=0.0,
            max_tokens=teacher.max_tokens,
            embedding_width=int(teacher.model.embedding.out_features),
        )

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Reads texts of any length; longer ones are cut to the run's `max_tokens`."""
        import torch

        out = Encoded(
            np.zeros((len(texts), len(self.config.labels)), dtype=np.float32),
            np.zeros((len(texts), len(VAD)), dtype=np.float32),
            np.zeros((len(texts), self.config.embedding_width), dtype=np.float32),
        )
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        with torch.inference_mode():
            for start in range(0, len(order), RUN_BATCH):
                rows = order[start : start + RUN_BATCH]
                read = self._model(*self._batch([texts[row] for row in rows]))
                out.probabilities[rows] = torch.sigmoid(read.emotion).numpy()
                out.vad[rows] = read.vad.numpy()
                out.embeddings[rows] = read.embedding.numpy()
        return out

    def _batch(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        plain = [as_read(text, self.config.max_tokens) for text in texts]
        found = self._tokenizer(
            plain, truncation=True, max_length=self.config.max_tokens, padding=True, return_tensors="pt"
        )
        return found["input_ids"], found["attention_mask"]


def open_reader(folder: Path) -> Reader:
    """The reader of a weight folder or a run folder, told apart by what they hold.

    Raises:
        WeightError: it is neither, or can't be used.
    """
    if is_run(folder):
        return RunReader(folder)
    if not (folder / CONFIG_FILE).is_file():
        raise WeightError(
            f"{folder} is neither a weight folder ({CONFIG_FILE}, {MODEL_FILE}) nor a training run "
            f"({RUN_MODEL_FILE})"
        )
    return EmotionEncoder(folder)


def is_run(folder: Path) -> bool:
    """Whether the folder is a training run."""
    return (folder / RUN_MODEL_FILE).is_file()


def model_bytes(folder: Path) -> int:
    """The size of the graph or checkpoint."""
    return (folder / (RUN_MODEL_FILE if is_run(folder) else MODEL_FILE)).stat().st_size


def encode_with_progress(reader: Reader, texts: Sequence[str], title: str) -> Encoded:
    """`encode` over many texts, with a progress bar on stderr."""
    # Sorted as a whole, so that each part holds texts of one length and little padding.
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    parts = []
    with progress_bar(title=title, unit="text", total=len(texts)) as progress:
        for start in range(0, len(order), PROGRESS_ROWS):
            rows = order[start : start + PROGRESS_ROWS]
            parts.append(reader.encode([texts[row] for row in rows]))
            progress.update(len(rows))
    if not parts:
        return reader.encode([])
    back = np.argsort(np.array(order))
    return Encoded(
        np.concatenate([part.probabilities for part in parts])[back],
        np.concatenate([part.vad for part in parts])[back],
        np.concatenate([part.embeddings for part in parts])[back],
    )
