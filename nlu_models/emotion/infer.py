"""Runs an exported encoder with onnxruntime: texts in; logits, axes and embeddings out.

Each text is a pass of its own. The int8 graph scales its activations to whatever is in a batch, so that
in a batch a text's reading would depend on the texts beside it; alone it is the same every time, nothing
is spent on padding, and several texts side by side are read faster than batched.

Serving needs no torch and no transformers. Several threads may call one `EmotionEncoder` at once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion.labels import VAD
from nlu_models.emotion.weights import MODEL_FILE, TOKENIZER_FILE, WeightConfig
from nlu_models.errors import WeightError

Floats = NDArray[np.float32]

DEFAULT_THREADS = 2  # at most; more cores are better spent on other requests
CHARS_PER_TOKEN = 40  # texts are cut to max_tokens times this before tokenising, which is far more than fits
OUTPUTS = ("emotion", "vad", "embedding")


@dataclass(frozen=True)
class Encoded:
    """What one encoder pass yields, in the order of the texts.

    Attributes:
        probabilities: (texts, labels) in [0, 1].
        vad: (texts, 3) valence, arousal and dominance in [-1, 1].
        embeddings: (texts, width) of length 1.
    """

    probabilities: Floats
    vad: Floats
    embeddings: Floats


class EmotionEncoder:
    """The exported encoder and its tokenizer.

    Args:
        weights: a weight folder, as written by `nlu_models.emotion.export`.
        threads: how many cores one text, or several texts side by side, may use; by default two, or one
            on a single core.

    Raises:
        WeightError: the folder is incomplete, truncated or of another format.
    """

    def __init__(self, weights: Path, threads: int | None = None) -> None:
        self.config = WeightConfig.load(weights)
        self._path = weights / MODEL_FILE
        self.tokenizer_path = weights / TOKENIZER_FILE
        self._threads = threads or min(DEFAULT_THREADS, os.cpu_count() or 1)
        self._tokenizer = _load_tokenizer(self.tokenizer_path, self.config.max_tokens)
        self._lock = threading.Lock()
        self._sessions = {self._threads: self._open(self._threads)}
        self._process = os.getpid()

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Reads texts of any length; longer ones are cut to the weight's `max_tokens`.

        Args:
            texts: may be empty, and may hold empty texts.

        Returns:
            One row per text, in order.
        """
        ids = [self._tokenize(text) for text in texts]
        out = Encoded(
            np.zeros((len(texts), len(self.config.labels)), dtype=np.float32),
            np.zeros((len(texts), len(VAD)), dtype=np.float32),
            np.zeros((len(texts), self.config.embedding_width), dtype=np.float32),
        )
        side_by_side = len(texts) > 1 and self._threads > 1
        session = self._session(1 if side_by_side else self._threads)

        def read(row: int) -> None:
            input_ids = np.array([ids[row]], dtype=np.int64)
            inputs = {"input_ids": input_ids, "attention_mask": np.ones_like(input_ids)}
            logits, vad, embedding = session.run(OUTPUTS, inputs)
            out.probabilities[row] = 1.0 / (1.0 + np.exp(-np.clip(logits[0], -50.0, 50.0)))
            out.vad[row] = np.clip(vad[0], -1.0, 1.0)
            out.embeddings[row] = embedding[0]

        if side_by_side:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(read, range(len(texts))))
        else:
            for row in range(len(texts)):
                read(row)
        return out

    def _tokenize(self, text: str) -> list[int]:
        cut = text[: self.config.max_tokens * CHARS_PER_TOKEN]
        # A lone surrogate (half an emoji) can't be UTF-8, which the tokenizer insists on.
        clean = cut.encode("utf-8", "replace").decode("utf-8")
        # Text by text: the tokenizer's own batching starts a thread pool that a fork would break.
        return list(self._tokenizer.encode(clean).ids)

    def _session(self, cores: int) -> Any:
        """The session whose passes use so many cores; anew in a forked process, where threads are gone."""
        with self._lock:
            if self._process != os.getpid():
                self._sessions = {}
                self._process = os.getpid()
            if cores not in self._sessions:
                self._sessions[cores] = self._open(cores)
            return self._sessions[cores]

    def _open(self, cores: int) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # an arena never shrinks after the longest batch
        options.log_severity_level = 3
        # Threads that wait by spinning halve a pass, but must let go of the core when it is over.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if not self._path.is_file():
            raise WeightError(f"{self._path} is missing; docs/training.md says how it is made")
        try:
            session = onnxruntime.InferenceSession(
                str(self._path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no public base class
            raise WeightError(f"{self._path} can't be loaded: {str(error).splitlines()[0]}") from error
        self._check(session)
        return session

    def _check(self, session: Any) -> None:
        names = {output.name: output.shape[-1] for output in session.get_outputs()}
        widths = (len(self.config.labels), len(VAD), self.config.embedding_width)
        expected = dict(zip(OUTPUTS, widths, strict=True))
        if names != expected:
            raise WeightError(f"{self._path} has outputs {names}, expected {expected}")


def _load_tokenizer(path: Path, max_tokens: int) -> Any:
    from tokenizers import Tokenizer

    if not path.is_file():
        raise WeightError(f"{path} is missing; docs/training.md says how it is made")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers package raises bare Exception
        raise WeightError(f"{path} can't be loaded: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=max_tokens)
    return tokenizer
