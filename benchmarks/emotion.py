"""How fast does Attune read emotions, compared with the usual RoBERTa-base classifier?

    python -m benchmarks.emotion
    python -m benchmarks.emotion --goemotions DIR --anatomy --memory --json
    python -m benchmarks.emotion --goemotions DIR --gpu

`TurnReader` (language, emotion, valence-arousal-dominance, danger and embedding from the shipped int8
weights) against a `transformers` text-classification pipeline over RoBERTa-base with 28 labels in float32.
Both run on this machine's processor, take turns in alternating order, and read the same texts. A turn is a
few texts or batches, after a short pause: right after the other side the caches hold its weights, and its
threads still wait by spinning on the core that ours would use. What the first of a turn takes is given apart.
Processor time is shown beside the clock's, since it hardly depends on what else the machine does. The RoBERTa
model is randomly initialised, since speed does not depend on what the weights say and no model hub is needed
this way; its byte-level tokenizer is trained on the same texts, which makes its inputs rather shorter than
the original's.

Texts are the English cues of the guidance library, or GoEmotions' dev split where `--goemotions` names its
folder. `--anatomy` adds where our time goes and which share of the processor's 8-bit peak is reached,
`--memory` what a process of each side takes, and `--gpu` times torch in bfloat16 on a GPU instead.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.emotion_anatomy import anatomy, memory_of
from nlu_models.errors import InputError, NluModelError
from nlu_models.reader import DEFAULT_WEIGHTS, TurnReader
from nlu_models.retrieval.library import Library

LIBRARY = Path(__file__).resolve().parents[1] / "data" / "guidance"
LATENCY_TARGET = 25.0  # times as fast, one text at a time
THROUGHPUT_TARGET = 40.0  # times as fast, in batches
BATCH_TEXTS = 32
ANATOMY_TEXTS = 320
N_LABELS = 28
SEED = 7
TURN = 5  # rounds of one side before the other has its turn; the first is counted apart
PAUSE_S = 0.02  # until the other side's threads have stopped spinning

Read = Callable[[Sequence[str]], object]


@dataclass
class Spent:
    """Seconds of one side per round: by the clock, of all its threads on processors, and first of a turn."""

    clock_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)


def main() -> int:
    """The command line; returns the exit status: 1 when a target is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.emotion",
        description="Time the emotion reader against a RoBERTa-base pipeline.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, help="weight folder")
    parser.add_argument("--goemotions", type=Path, help="folder of GoEmotions, whose dev texts are then read")
    parser.add_argument("--singles", type=int, default=200, metavar="N", help="texts timed one at a time")
    parser.add_argument("--batches", type=int, default=20, metavar="N", help="batches of 32 that are timed")
    parser.add_argument(
        "--threads", type=int, default=min(2, os.cpu_count() or 1), help="cores for each side"
    )
    parser.add_argument("--anatomy", action="store_true", help="also where the time goes")
    parser.add_argument("--memory", action="store_true", help="also memory, in a fresh process for each side")
    parser.add_argument("--gpu", action="store_true", help="time a GPU instead (needs --goemotions)")
    parser.add_argument("--json", action="store_true", help="write JSON to stdout")
    options = parser.parse_args()
    try:
        if options.gpu:
            return _gpu(options)
        texts = _texts(options.goemotions)
        reader = TurnReader(options.weights, threads=options.threads)
    except NluModelError as error:
        print(f"benchmarks.emotion: {error}", file=sys.stderr)
        return 2
    if reader.is_degraded:
        print("benchmarks.emotion: the weights can't be used, so there is nothing to time", file=sys.stderr)
        return 2
    report = measure(reader.read, _roberta(texts, options.threads), texts, options.singles, options.batches)
    report |= {
        "model": reader.model,
        "threads": options.threads,
        "load_average": round(os.getloadavg()[0], 2),
    }
    if options.anatomy:
        report["anatomy"] = anatomy(options.weights, texts[:ANATOMY_TEXTS])
    if options.memory:
        sides = {"attune": (_load_reader, options.weights), "roberta_base": (_load_roberta, None)}
        report["memory_mb"] = {
            name: memory_of(load, argument, texts[:BATCH_TEXTS]) for name, (load, argument) in sides.items()
        }
    print(json.dumps(report, indent=1) if options.json else table(report))
    met = report["latency_ratio"] >= LATENCY_TARGET and report["throughput_ratio"] >= THROUGHPUT_TARGET
    return 0 if met else 1


def measure(ours: Read, theirs: Read, texts: Sequence[str], singles: int, batches: int) -> dict[str, Any]:
    """Medians of both sides, which take turns in alternating order.

    Args:
        ours: reads texts.
        theirs: reads the same texts.
        texts: to draw from.
        singles: how many texts are read one at a time.
        batches: how many batches of `BATCH_TEXTS` are read.
    """
    draw = random.Random(SEED)
    one = _alternate(ours, theirs, [[draw.choice(texts)] for _ in range(singles)])
    many = _alternate(ours, theirs, [draw.choices(texts, k=BATCH_TEXTS) for _ in range(batches)])
    latency_ms = [1000.0 * statistics.median(side.clock_s) for side in one]
    first_ms = [1000.0 * statistics.median(side.first_s) for side in one]
    per_second = [BATCH_TEXTS / statistics.median(side.clock_s) for side in many]
    single_cpu_ms, batch_cpu_ms = (
        [1000.0 * statistics.median(side.cpu_s) / size for side in sides]
        for sides, size in ((one, 1), (many, BATCH_TEXTS))
    )
    return {
        "latency_ms": {"attune": round(latency_ms[0], 2), "roberta_base": round(latency_ms[1], 2)},
        "first_ms": {"attune": round(first_ms[0], 2), "roberta_base": round(first_ms[1], 2)},
        "texts_per_s": {"attune": round(per_second[0], 1), "roberta_base": round(per_second[1], 1)},
        "latency_ratio": round(latency_ms[1] / latency_ms[0], 1),
        "throughput_ratio": round(per_second[0] / per_second[1], 1),
        "cpu_ms_per_text": {
            "single": {"attune": round(single_cpu_ms[0], 2), "roberta_base": round(single_cpu_ms[1], 2)},
            "batch": {"attune": round(batch_cpu_ms[0], 2), "roberta_base": round(batch_cpu_ms[1], 2)},
        },
        "words_per_text": round(statistics.mean(len(text.split()) for text in texts), 1),
    }


def table(report: dict[str, Any]) -> str:
    """The report as lines of text."""
    latency, first, speed = report["latency_ms"], report["first_ms"], report["texts_per_s"]
    cpu = [
        f"{'processor ms, ' + name:28}{row['attune']:10.2f}{row['roberta_base']:10.2f}"
        f"{row['roberta_base'] / max(row['attune'], 0.01):8.1f}"
        for name, row in report["cpu_ms_per_text"].items()
    ]
    return "\n".join(
        (
            f"{report['model']} on {report['threads']} cores (load {report['load_average']}), "
            f"texts of {report['words_per_text']} words",
            f"{'':28}{'Attune':>10}{'RoBERTa':>10}{'ratio':>8}{'target':>8}",
            f"{'one text, median ms':28}{latency['attune']:10.2f}{latency['roberta_base']:10.2f}"
            f"{report['latency_ratio']:8.1f}{LATENCY_TARGET:8.0f}",
            f"{'the first after a pause, ms':28}{first['attune']:10.2f}{first['roberta_base']:10.2f}"
            f"{first['roberta_base'] / first['attune']:8.1f}",
            f"{'batches of 32, texts/s':28}{speed['attune']:10.1f}{speed['roberta_base']:10.1f}"
            f"{report['throughput_ratio']:8.1f}{THROUGHPUT_TARGET:8.0f}",
            *cpu,
            *_anatomy_lines(report.get("anatomy")),
            *(
                f"{'memory of ' + name + ', MB':28}{row['uss']:10.0f} own, {row['pss']:.0f} with shared"
                for name, row in report.get("memory_mb", {}).items()
            ),
        )
    )


def _anatomy_lines(parts: dict[str, Any] | None) -> list[str]:
    if parts is None:
        return []
    return [
        "processor microseconds a text, on one core:",
        *(f"  {name:26}{value:10.0f}" for name, value in parts["us_per_text"].items()),
        f"8-bit products in the whole pass: {parts['reached_gmac_s']:.0f} of {parts['peak_gmac_s']:.0f} "
        f"billion a second, {parts['share_of_peak']:.0%} of peak; {parts['tokens_per_text']} tokens a text",
    ]


def _alternate(ours: Read, theirs: Read, rounds: list[list[str]]) -> tuple[Spent, Spent]:
    """What each side spent per round; who goes first changes from turn to turn."""
    spent = Spent(), Spent()
    sides = list(zip((ours, theirs), spent, strict=True))
    for read, _ in sides:
        read(rounds[0])  # first calls allocate
    turns = [rounds[start : start + TURN] for start in range(0, len(rounds), TURN)]
    for number, turn in enumerate(turns):
        for read, side in sides if number % 2 else reversed(sides):
            time.sleep(PAUSE_S)
            for place, batch in enumerate(turn):
                clock, cpu = time.perf_counter(), time.process_time()
                read(batch)
                seconds = time.perf_counter() - clock
                if place == 0:
                    side.first_s.append(seconds)
                else:
                    side.clock_s.append(seconds)
                    side.cpu_s.append(time.process_time() - cpu)
    return spent


def _gpu(options: argparse.Namespace) -> int:
    from benchmarks.emotion_gpu import measure_gpu

    if options.goemotions is None:
        raise InputError("--gpu needs --goemotions DIR, whose texts it reads and trains on")
    print(json.dumps(measure_gpu(options.goemotions), indent=1))
    return 0


def _load_reader(weights: Path, texts: Sequence[str]) -> Read:
    return TurnReader(weights).read


def _load_roberta(_: None, texts: Sequence[str]) -> Read:
    return _roberta(texts, min(2, os.cpu_count() or 1))


def _texts(goemotions: Path | None) -> list[str]:
    if goemotions is not None:
        from nlu_models.emotion.data import read_goemotions

        return [row.text for row in read_goemotions(goemotions, "dev")]
    return [cue for entry in Library.load(LIBRARY).entries.values() for cue in entry.cues["en"]]


def _roberta(texts: Sequence[str], threads: int) -> Read:
    """A text-classification pipeline over a randomly initialised RoBERTa-base."""
    import torch
    import transformers
    from tokenizers import ByteLevelBPETokenizer

    transformers.logging.set_verbosity_error()
    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    config = transformers.RobertaConfig(
        vocab_size=50_265, max_position_embeddings=514, type_vocab_size=1, num_labels=N_LABELS,
        problem_type="multi_label_classification", bos_token_id=0, pad_token_id=1, eos_token_id=2,
    )  # fmt: skip
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(
        texts, vocab_size=config.vocab_size, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    )
    with tempfile.TemporaryDirectory() as folder:
        trained.save(str(Path(folder) / "tokenizer.json"))
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_file=str(Path(folder) / "tokenizer.json"),
            bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
            mask_token="<mask>", model_max_length=512,
        )  # fmt: skip
    model = transformers.RobertaForSequenceClassification(config).eval()
    pipe = transformers.pipeline(
        "text-classification", model=model, tokenizer=tokenizer, device="cpu", top_k=None
    )
    return lambda batch: pipe(list(batch), batch_size=len(batch), truncation=True)


if __name__ == "__main__":
    sys.exit(main())
