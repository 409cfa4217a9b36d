"""A run folder of a randomly initialised two-layer BERT, and corpora in its words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import torch
import transformers

from nlu_models.emotion.labels import GOEMOTIONS
from nlu_models.encoder import EncoderConfig, MultiTaskEncoder
from tests.unit.tiny_weights import WORDS

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS[2:]]
FIRST_WORD = 5  # of the vocabulary
MAX_TOKENS = 32
INTENTS = ("rest", "money", "work")


def make_run(folder: Path) -> Path:
    """Writes the run folder and returns it."""
    torch.manual_seed(0)
    base = folder / "base"
    base.mkdir(parents=True)
    vocabulary = base / "vocab.txt"
    vocabulary.write_text("\n".join(VOCABULARY), encoding="utf-8")
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=64, initializer_range=0.5,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(base)
    transformers.BertTokenizerFast(vocab=str(vocabulary)).save_pretrained(folder / "tokenizer")
    model = MultiTaskEncoder(EncoderConfig(base=str(base)))
    torch.nn.init.normal_(model.emotion.weight, std=0.5)
    save_model(folder, model)
    report = {
        "arguments": {
            "base": str(base), "max_tokens": MAX_TOKENS, "clinc_rows": 0, "epochs": 1, "batch_size": 4,
            "learning_rate": 1e-4, "seed": 1, "dropout": 0.1,
        },
        "commit": None, "data_sha256": "0", "device": "cpu",
    }  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps(report), encoding="utf-8")
    return folder


def save_model(folder: Path, model: MultiTaskEncoder) -> None:
    """Writes the run's checkpoint."""
    state = {"config": dataclasses.asdict(model.config), "state": model.state_dict()}
    torch.save(state, folder / "model.pt")


def make_corpora(folder: Path) -> Path:
    """Writes GoEmotions, EmoBank and CLINC150 with random labels into one folder, and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    (folder / "labels.txt").write_text("\n".join(GOEMOTIONS), encoding="utf-8")
    for split in ("train", "dev"):
        sentences = [" ".join(random.choice(WORDS[2:], size=random.integers(2, 12))) for _ in range(120)]
        rows = [f"{text}\t{random.integers(0, 28)}\tid{index}" for index, text in enumerate(sentences)]
        (folder / f"{split}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        axes = [f"{i},{random.uniform(1, 5):.2f},3.0,2.5,{text}" for i, text in enumerate(sentences[:40])]
        (folder / f"{split}.csv").write_text("id,V,A,D,text\n" + "\n".join(axes) + "\n", encoding="utf-8")
    utterances = [[f"{text} {intent}", intent] for text in sentences[:20] for intent in INTENTS]
    parts = dict.fromkeys(("train", "val", "oos_train"), utterances)
    (folder / "data_full.json").write_text(json.dumps(parts), encoding="utf-8")
    return folder


def random_texts(texts: int, tokens: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Random token ids and a mask under which each text has another length: both (texts, tokens)."""
    draw = torch.Generator().manual_seed(seed)
    ids = torch.randint(FIRST_WORD, len(VOCABULARY), (texts, tokens), generator=draw)
    lengths = torch.randint(1, tokens + 1, (texts,), generator=draw)
    lengths[0] = tokens
    mask = (torch.arange(tokens)[None, :] < lengths[:, None]).long()
    return ids * mask, mask
