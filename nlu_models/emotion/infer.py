"""Runs an exported encoder with onnxruntime: texts in; probabilities, axes and embeddings out.

A text's numbers don't depend on what it is read together with. A graph that scales its activations by what is
in the batch is therefore given one text at a time. One with fixed scales, or a scale per token, says so in
its metadata (`graph.PAD_TO`): its texts are read in passes of equal padded length, where each text's sums
are taken in one order whoever its neighbours are, and its numbers are the same to the last bit.

Serving needs no torch and no transformers. Several threads may call one `EmotionEncoder` at once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion.labels import VAD
from nlu_models.emotion.passes import Pass, plan
from nlu_models.emotion.weights import MODEL_FILE, TOKENIZER_FILE, WeightConfig
from nlu_models.emotion.wording import as_read
from nlu_models.errors import InputError, WeightError

Floats = NDArray[np.float32]

DEFAULT_THREADS = 2  # at most; more cores are better spent on other requests
OUTPUTS = ("emotion", "vad", "embedding", "risk")
OPTIONAL_OUTPUTS = ("risk",)  # a weight from before the risk head has none
PAD_TO = "attune.pad_to"  # in a graph's metadata: texts may be batched if padded to a multiple of this
DEVICES = ("cpu", "cuda", "auto")
CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
LARGEST_LOGIT = 50.0  # beyond, a probability is 0 or 1 in float32 anyway


@dataclass(frozen=True)
class Encoded:
    """What one encoder pass yields, in the order of the texts.

    Attributes:
        probabilities: (texts, labels) in [0, 1].
        vad: (texts, 3) valence, arousal and dominance in [-1, 1].
        embeddings: (texts, width) of length 1.
        risk_logits: (texts, n), or None when the weight has no risk head.
    """

    probabilities: Floats
    vad: Floats
    embeddings: Floats
    risk_logits: Floats | None = None


class EmotionEncoder:
    """The exported encoder and its tokenizer.

    Args:
        weights: a weight folder, as written by `attune emotion export`.
        threads: how many cores one text, or several texts side by side, may use; by default two, or one
            on a single core.
        device: "cpu"; "cuda", where this onnxruntime has it; or "auto", the latter if there.

    Raises:
        InputError: there is no such device here.
        WeightError: the folder is incomplete, truncated or of another format.
    """

    def __init__(self, weights: Path, threads: int | None = None, device: str = "cpu") -> None:
        self.config = WeightConfig.load(weights)
        self._path = weights / MODEL_FILE
        self.tokenizer_path = weights / TOKENIZER_FILE
        self._threads = threads or min(DEFAULT_THREADS, os.cpu_count() or 1)
        self._providers = _providers(device)
        self._tokenizer = load_tokenizer(self.tokenizer_path, self.config.max_tokens)
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._pool: Executor | None = None
        session = self._open(self._threads)
        self._sessions = {self._threads: session}
        widths = self._check(session)
        self._outputs = [name for name in OUTPUTS if name in widths]
        self._n_risk = widths.get("risk")
        self._pad_to = _pad_to(session, self._path)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Reads texts of any length; longer ones are cut to the weight's `max_tokens`.

        Args:
            texts: may be empty, and may hold empty texts.

        Returns:
            One row per text, in order.
        """
        ids = [self._tokenize(text) for text in texts]
        n_risk = self._n_risk
        out = Encoded(
            np.zeros((len(texts), len(self.config.labels)), dtype=np.float32),
            np.zeros((len(texts), len(VAD)), dtype=np.float32),
            np.zeros((len(texts), self.config.embedding_width), dtype=np.float32),
            None if n_risk is None else np.zeros((len(texts), n_risk), dtype=np.float32),
        )
        passes = plan([len(row) for row in ids], self._pad_to, self._threads, self.config.max_tokens)
        if len(passes) > 1 and self._threads > 1:
            session = self._session(1)
            list(self._executor().map(lambda one: self._read(session, one, ids, out), passes))
        else:
            for one in passes:
                self._read(self._session(self._threads), one, ids, out)
        return out

    def _read(self, session: Any, one: Pass, ids: list[list[int]], out: Encoded) -> None:
        """Runs one pass and writes its rows into `out`."""
        input_ids = np.zeros((len(one.rows), one.tokens), dtype=np.int64)
        mask = np.zeros_like(input_ids)
        for place, row in enumerate(one.rows):
            input_ids[place, : len(ids[row])] = ids[row]
            mask[place, : len(ids[row])] = 1
        values = session.run(self._outputs, {"input_ids": input_ids, "attention_mask": mask})
        found = dict(zip(self._outputs, values, strict=True))
        rows = list(one.rows)
        # Not np.clip, which takes ten times as long on so few numbers.
        logits = np.minimum(np.maximum(found["emotion"], -LARGEST_LOGIT), LARGEST_LOGIT)
        out.probabilities[rows] = 1.0 / (1.0 + np.exp(-logits))
        out.vad[rows] = np.minimum(np.maximum(found["vad"], -1.0), 1.0)
        out.embeddings[rows] = found["embedding"]
        if out.risk_logits is not None:
            out.risk_logits[rows] = found["risk"]

    def _tokenize(self, text: str) -> list[int]:
        # Text by text: the tokenizer's own batching starts a thread pool that a fork would break.
        return list(self._tokenizer.encode(as_read(text, self.config.max_tokens)).ids)

    def _session(self, cores: int) -> Any:
        """The session whose passes use so many cores; anew in a forked process, where threads are gone."""
        with self._lock:
            self._notice_fork()
            if cores not in self._sessions:
                self._sessions[cores] = self._open(cores)
            return self._sessions[cores]

    def _executor(self) -> Executor:
        """The threads that read passes side by side."""
        with self._lock:
            self._notice_fork()
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="emotion")
            return self._pool

    def _notice_fork(self) -> None:
        if self._process != os.getpid():
            self._sessions = {}
            self._pool = None
            self._process = os.getpid()

    def _open(self, cores: int) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # an arena never shrinks after the longest batch
        options.log_severity_level = 3
        # Threads that wait by spinning halve a pass, but must let go of the core when it is over.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        # Sums of 16 bits overflow on processors without VNNI; there, this takes a slower way that is exact.
        options.add_session_config_entry("session.x64quantprecision", "1")
        if not self._path.is_file():
            raise WeightError(f"{self._path} is missing; docs/training.md says how it is made")
        try:
            return onnxruntime.InferenceSession(str(self._path), options, providers=self._providers)
        except Exception as error:  # onnxruntime's errors share no public base class
            raise WeightError(f"{self._path} can't be loaded: {str(error).splitlines()[0]}") from error

    def _check(self, session: Any) -> dict[str, int]:
        """The width of each output, once they are known to fit the configuration."""
        widths: dict[str, int] = {output.name: output.shape[-1] for output in session.get_outputs()}
        expected = {
            "emotion": len(self.config.labels),
            "vad": len(VAD),
            "embedding": self.config.embedding_width,
            **{name: widths[name] for name in OPTIONAL_OUTPUTS if name in widths},
        }
        if widths != expected:
            raise WeightError(f"{self._path} has outputs {widths}, expected {expected}")
        return widths


def _pad_to(session: Any, path: Path) -> int | None:
    """The multiple that texts are padded to in a pass of several; None: each has a pass of its own."""
    found = session.get_modelmeta().custom_metadata_map.get(PAD_TO)
    if found is None:
        return None
    if not found.isdecimal() or not 1 <= int(found) <= 512:
        raise WeightError(f"{path} says {PAD_TO} = {found!r}, expected a number from 1 to 512")
    return int(found)


def _providers(device: str) -> list[str]:
    """onnxruntime's names for a device.

    Raises:
        InputError: the device is unknown, or not there.
    """
    import onnxruntime

    if device not in DEVICES:
        raise InputError(f"the device is {device!r}, expected one of {', '.join(DEVICES)}")
    has_cuda = CUDA in onnxruntime.get_available_providers()
    if device == "cuda" and not has_cuda:
        raise InputError("this onnxruntime has no CUDA; install onnxruntime-gpu, or use the device cpu")
    return [CUDA, CPU] if has_cuda and device != "cpu" else [CPU]


def load_tokenizer(path: Path, max_tokens: int) -> Any:
    """A weight's tokenizer, set to cut texts to so many tokens.

    Raises:
        WeightError: the file is missing or damaged.
    """
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
