"""A weight folder small enough to make in a test: each word has its own row of numbers, averaged.

The graph has the shipped weight's inputs and outputs, honours the attention mask, and is made without
torch. "furious" reads as anger, "grateful" as gratitude, everything else as nothing much.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.emotion.weights import MODEL_FILE, TOKENIZER_FILE, WeightConfig

WIDTH = 16
MAX_TOKENS = 24
WORDS = [
    "[PAD]", "[UNK]", "i", "am", "so", "furious", "grateful", "today", "you", "the", "my", "work", "boss",
    "sleep", "sad", "happy", "tired", "a", "and", "cat", "deadline", "lonely", "friend", "money", ".",
]  # fmt: skip


def make_weights(
    folder: Path, languages: tuple[str, ...] = ("en",), labels: tuple[str, ...] = GOEMOTIONS
) -> Path:
    """Writes the weight folder and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.save(str(folder / TOKENIZER_FILE))
    WeightConfig(
        name="tiny",
        version="0",
        languages=languages,
        labels=labels,
        thresholds=(0.4,) * len(labels),
        confidence={"slope": 1.0, "intercept": 0.0},
        abstain_below=0.2,
        max_tokens=MAX_TOKENS,
        embedding_width=WIDTH,
    ).save(folder)
    onnx.save(_graph(labels), str(folder / MODEL_FILE))
    return folder


def _graph(labels: tuple[str, ...]) -> onnx.ModelProto:
    random = np.random.default_rng(0)
    emotion = np.full((len(WORDS), len(labels)), -4.0, dtype=np.float32)
    for word, label in (("furious", "anger"), ("grateful", "gratitude")):
        if label in labels:
            emotion[WORDS.index(word), labels.index(label)] = 30.0
    vad = np.zeros((len(WORDS), 3), dtype=np.float32)
    vad[WORDS.index("furious")] = (-3.0, 3.0, 1.0)
    tables = {"emotion": emotion, "vad": vad, "embedding": random.normal(size=(len(WORDS), WIDTH))}
    nodes = [
        helper.make_node("Cast", ["attention_mask"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["real", "last"], ["kept"]),
        helper.make_node("ReduceSum", ["real", "last"], ["count"], keepdims=1),
    ]
    initializers = [numpy_helper.from_array(np.array([-1], dtype=np.int64), "last")]
    initializers.append(numpy_helper.from_array(np.array([1], dtype=np.int64), "tokens_axis"))
    outputs = []
    for name, table in tables.items():
        initializers.append(numpy_helper.from_array(table.astype(np.float32), f"{name}_table"))
        last = {"emotion": "Identity", "vad": "Tanh", "embedding": "LpNormalization"}[name]
        nodes += [
            helper.make_node("Gather", [f"{name}_table", "input_ids"], [f"{name}_rows"]),
            helper.make_node("Mul", [f"{name}_rows", "kept"], [f"{name}_kept"]),
            helper.make_node("ReduceSum", [f"{name}_kept", "tokens_axis"], [f"{name}_sum"], keepdims=0),
            helper.make_node("Div", [f"{name}_sum", "count"], [f"{name}_mean"]),
            helper.make_node(last, [f"{name}_mean"], [name]),
        ]
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", table.shape[1]]))
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
