"""Randomly initialised two-layer encoders of several families, with a tokenizer of a few words."""

from __future__ import annotations

import random
from pathlib import Path

import torch
import transformers

WORDS = [
    "i", "am", "so", "furious", "grateful", "today", "you", "the", "my", "work", "boss", "sleep", "sad",
    "happy", "tired", "a", "and", "cat", "deadline", "lonely", "friend", "money", ".",
]  # fmt: skip
LABEL_OF = {"furious": "anger", "happy": "joy", "sad": "sorrow"}
FAMILIES = ("bert", "mpnet", "distilbert", "roberta")
WIDTH = 32


def make_base(folder: Path, family: str = "bert", width: int = WIDTH, layers: int = 2) -> Path:
    """Writes a base encoder with its tokenizer and returns its folder.

    Args:
        folder: to write.
        family: "bert", "mpnet", "distilbert" or "roberta".
        width: of its hidden states.
        layers: how many.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    # RoBERTa and MPNet have their padding token at 1, where a pad id taken to be 0 would show.
    late = family in ("mpnet", "roberta")
    specials = (
        ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]
        if late
        else ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    )
    vocabulary = [*specials, *WORDS]
    path = folder / "vocab.txt"
    path.write_text("\n".join(vocabulary), encoding="utf-8")
    transformers.BertTokenizerFast(vocab=str(path)).save_pretrained(folder)
    sizes = {
        "vocab_size": len(vocabulary),
        "pad_token_id": vocabulary.index("[PAD]"),
        "initializer_range": 0.05,
    }
    common = {
        **sizes, "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": 4,
        "intermediate_size": 2 * width, "max_position_embeddings": 66,
    }  # fmt: skip
    if family == "distilbert":
        config = transformers.DistilBertConfig(
            **sizes, dim=width, n_layers=layers, n_heads=4, hidden_dim=2 * width, max_position_embeddings=66
        )
        transformers.DistilBertModel(config).save_pretrained(folder)
    elif family == "mpnet":
        transformers.MPNetModel(transformers.MPNetConfig(**common)).save_pretrained(folder)
    elif family == "roberta":
        transformers.RobertaModel(transformers.RobertaConfig(**common)).save_pretrained(folder)
    else:
        transformers.BertModel(transformers.BertConfig(**common)).save_pretrained(folder)
    return folder


def make_table(path: Path, rows: int = 240, seed: int = 0) -> Path:
    """Writes a CSV whose labels follow from its words, and returns it."""
    draw = random.Random(seed)
    lines = ["text,labels"]
    for _ in range(rows):
        words = [draw.choice(WORDS[:-1]) for _ in range(draw.randint(2, 9))]
        lines.append(
            f"{' '.join(words)},{';'.join(name for word, name in LABEL_OF.items() if word in words)}"
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
