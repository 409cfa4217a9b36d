"""Where the emotion reader's time goes, how near the processor's 8-bit peak it is, and its memory."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nlu_models.emotion.infer import EmotionEncoder, load_tokenizer
from nlu_models.emotion.reading import make_reading
from nlu_models.emotion.weights import MODEL_FILE
from nlu_models.emotion.wording import normalize_wording
from nlu_models.language import detect
from nlu_models.reader import RISK_FOLDER
from nlu_models.risk.words import RiskWords

ROUNDS = 5  # the fastest counts: anything else on the machine only makes it slower
BATCH_TEXTS = 32
PEAK_SIZE = 1024  # of the square matrices whose product shows the peak
MEGA = 1e6

Read = Callable[[Sequence[str]], object]


def anatomy(weights: Path, texts: Sequence[str]) -> dict[str, Any]:
    """Processor time of each step, per text and on one core, and the share of the 8-bit peak.

    Args:
        weights: weight folder.
        texts: to read, in batches of 32.
    """
    encoder = EmotionEncoder(weights, threads=1)
    tokenizer = load_tokenizer(encoder.tokenizer_path, encoder.config.max_tokens)
    risk = RiskWords(RISK_FOLDER)
    encoded = encoder.encode(texts)
    plain = [normalize_wording(text) for text in texts]
    batches = [texts[start : start + BATCH_TEXTS] for start in range(0, len(texts), BATCH_TEXTS)]
    rows = list(range(len(texts)))
    steps = {
        "language": _fastest(detect, texts),
        "wording": _fastest(normalize_wording, texts),
        "tokenising": _fastest(tokenizer.encode, plain),
        "encoder, one at a time": _fastest(lambda text: encoder.encode([text]), texts),
        "encoder, batches of 32": _fastest(encoder.encode, batches),
        "reading": _fastest(
            lambda row: make_reading(encoded.probabilities[row], encoded.vad[row], encoder.config), rows
        ),
        "risk words": _fastest(risk.read, texts),
    }
    per_text = {name: 1e6 * seconds / len(texts) for name, seconds in steps.items()}
    n_tokens = float(np.mean([len(tokenizer.encode(text).ids) for text in plain]))
    products = products_per_token(weights / MODEL_FILE) * n_tokens
    # Tokenising and wording are part of encoding; what is left is the pass.
    seconds = (per_text["encoder, batches of 32"] - per_text["tokenising"] - per_text["wording"]) / 1e6
    peak = int8_peak()
    return {
        "us_per_text": {name: round(value, 1) for name, value in per_text.items()},
        "tokeniser_share": round(per_text["tokenising"] / per_text["encoder, batches of 32"], 3),
        "tokens_per_text": round(n_tokens, 1),
        "million_products_per_text": round(products / 1e6, 1),
        "peak_gmac_s": round(peak / 1e9, 1),
        "reached_gmac_s": round(products / seconds / 1e9, 1),
        "share_of_peak": round(products / seconds / peak, 3),
    }


def products_per_token(graph: Path) -> int:
    """Multiplications of weights that a token costs: the size of the 8-bit matrices other than tables."""
    import onnx

    found = onnx.load(str(graph)).graph
    looked_up = {node.input[0] for node in found.node if node.op_type == "Gather"}
    whole = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
    return sum(
        int(np.prod(constant.dims))
        for constant in found.initializer
        if constant.data_type in whole and len(constant.dims) == 2 and constant.name not in looked_up
    )


def int8_peak() -> float:
    """Multiplications a second of a large 8-bit matrix product in onnxruntime, on one core."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weight = random.integers(-127, 128, (PEAK_SIZE, PEAK_SIZE)).astype(np.int8)
    shape = [PEAK_SIZE, PEAK_SIZE]
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["read", "weight"], ["product"])],
        "peak",
        [helper.make_tensor_value_info("read", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("product", TensorProto.INT32, shape)],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    read = {"read": random.integers(0, 256, shape).astype(np.uint8)}
    return float(PEAK_SIZE**3) / _fastest(lambda _: session.run(None, read), [None], rounds=40)


def memory_of(
    load: Callable[[Any, Sequence[str]], Read], argument: Any, texts: Sequence[str]
) -> dict[str, float]:
    """Megabytes of a fresh process that has read with one side: its own, and with its part of shared ones.

    Args:
        load: makes the reader, given the argument and the texts; a function of a module.
        argument: for it.
        texts: to read.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_memory_here, (load, argument, list(texts)))


def _memory_here(
    load: Callable[[Any, Sequence[str]], Read], argument: Any, texts: Sequence[str]
) -> dict[str, float]:
    import psutil

    read = load(argument, texts)
    for _ in range(3):
        read(texts)
        read(texts[:1])
    gc.collect()
    found = psutil.Process().memory_full_info()
    return {"uss": round(found.uss / MEGA, 1), "pss": round(found.pss / MEGA, 1)}


def _fastest(step: Callable[[Any], object], items: Sequence[Any], rounds: int = ROUNDS) -> float:
    """Processor seconds of a step over all items, each taken at its fastest."""
    best = [float("inf")] * len(items)
    for _ in range(rounds):
        for place, item in enumerate(items):
            started = time.process_time()
            step(item)
            best[place] = min(best[place], time.process_time() - started)
    return sum(best)
