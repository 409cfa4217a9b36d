"""`attune safety train` and `attune safety evaluate`: the model that adds to the danger patterns.

The model is `nlu_models`', what a conversation adds is `bot.core`'s; neither may import the other, so
they meet here.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.core.settings import ROOT

if TYPE_CHECKING:
    from nlu_models.risk.materials import Sources

ENCODER = ROOT / "nlu_models" / "weights" / "emotion-en"
WEIGHTS = ROOT / "nlu_models" / "weights" / "risk"
PHRASES = ROOT / "data" / "risk"
LINES = ROOT / "data" / "safety" / "train"
DEV_CASES = ROOT / "data" / "safety" / "cases" / "dev"
TEST_CASES = ROOT / "data" / "safety" / "cases" / "test"
NLU = ROOT / "data" / "nlu"
GUIDANCE = ROOT / "data" / "guidance"
TURN_GAP_S = 60.0  # between the turns of a case


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `train` and `evaluate` to the group."""
    fit = commands.add_parser(
        "train",
        help="fit the model that adds to the danger patterns",
        description="Fits the danger model to the encoder there is; deterministic, minutes on one core.",
    )
    fit.add_argument("--goemotions", type=Path, metavar="DIR", required=True, help="folder of GoEmotions")
    fit.add_argument("--clinc", type=Path, metavar="DIR", required=True, help="folder of CLINC150")
    fit.add_argument("--bitext", type=Path, metavar="DIR", required=True, help="folder of Bitext")
    fit.add_argument(
        "--moderation", type=Path, metavar="FILE", required=True, help="the moderation set, JSON lines"
    )
    fit.add_argument("--psyguard", type=Path, metavar="FILE", required=True, help="PsyGUARD's JSON file")
    fit.add_argument(
        "--output", type=Path, default=WEIGHTS, metavar="DIR",
        help="folder to write (default: nlu_models/weights/risk)",
    )  # fmt: skip
    fit.add_argument(
        "--cases", type=Path, default=DEV_CASES, metavar="DIR",
        help="development cases, to choose thresholds on (default: data/safety/cases/dev)",
    )  # fmt: skip
    fit.add_argument("--version", default="1.0.0", help="of the weight (default: 1.0.0)")
    judge = commands.add_parser(
        "evaluate",
        help="recall, precision and false alarms of the danger reading",
        description="Judges patterns alone, the model alone and both joined on labelled cases.",
    )
    judge.add_argument(
        "--cases", type=Path, default=TEST_CASES, metavar="DIR",
        help="folder of labelled cases (default: data/safety/cases/test)",
    )  # fmt: skip
    judge.add_argument(
        "--weights", type=Path, default=WEIGHTS, metavar="DIR",
        help="folder of the danger model (default: nlu_models/weights/risk)",
    )  # fmt: skip
    judge.add_argument("--goemotions", type=Path, metavar="DIR", help="also false alarms on GoEmotions' dev")
    judge.add_argument("--clinc", type=Path, metavar="DIR", help="also false alarms on CLINC150's test")
    judge.add_argument("--bitext", type=Path, metavar="DIR", help="also false alarms on Bitext's valid")
    judge.add_argument(
        "--mistakes", action="store_true", help="list the cases that were read wrongly, on stderr"
    )
    judge.add_argument("--into", type=Path, metavar="FILE", help="write the safety card there")
    judge.add_argument("--json", action="store_true", help="print the figures as JSON")
    for parser in (fit, judge):
        parser.add_argument(
            "--encoder", type=Path, default=ENCODER, metavar="DIR",
            help="weight folder of the shared encoder (default: nlu_models/weights/emotion-en)",
        )  # fmt: skip
    fit.set_defaults(execute=execute_train)
    judge.set_defaults(execute=execute_evaluate)


def execute_train(args: argparse.Namespace) -> int:
    """Fits the model and writes its folder."""
    from nlu_models.risk.card import make_card
    from nlu_models.risk.cases import digest, read_cases
    from nlu_models.risk.training import train
    from nlu_models.risk.weights import write_folder

    began = time.monotonic()
    trained = train(_sources(args), PHRASES, args.encoder, read_cases(args.cases), args.version)
    metrics = {**trained.metrics, "dev_sha256": digest(args.cases)}
    write_folder(args.output, trained.model, metrics, make_card(trained.model, metrics, None))
    print(f"{args.output} written in {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(f"`attune safety evaluate --into {args.output}/MODEL_CARD.md` measures it", file=sys.stderr)
    return 0


def execute_evaluate(args: argparse.Namespace) -> int:
    """Judges the reading; prints the figures and writes the card."""
    from nlu_models.emotion.whole_files import write_text
    from nlu_models.risk.card import make_card, read_metrics
    from nlu_models.risk.cases import digest, read_cases
    from nlu_models.risk.evaluate import Judge, everyday_corpora, judge_cases, judge_everyday
    from nlu_models.risk.figures_text import tables

    cases = read_cases(args.cases)
    judge = Judge(PHRASES, args.weights, args.encoder)
    report = {
        "model": f"{judge.model.name}@{judge.model.version}",
        "cases": _shown_path(args.cases),
        "cases_sha256": digest(args.cases),
        **judge_cases(judge, cases, in_conversation),
    }
    corpora = everyday_corpora(args.goemotions, args.clinc, args.bitext, NLU, GUIDANCE)
    report["everyday"] = judge_everyday(judge, corpora)
    mistakes = report.pop("mistakes")
    if args.mistakes:
        for one in mistakes:
            print(json.dumps(one, ensure_ascii=False), file=sys.stderr)
    if args.into is not None:
        write_text(args.into, make_card(judge.model, read_metrics(args.weights), report))
        print(f"{args.into} written", file=sys.stderr)
    print(json.dumps(report, indent=1, ensure_ascii=False) if args.json else tables(report))
    return 0


def in_conversation(turns: Sequence[tuple[str, dict[str, Any], dict[str, Any] | None]]) -> dict[str, Any]:
    """The last turn's risk reading in the light of the turns before it, a minute apart."""
    from bot.core.reading import EmotionReading, RiskReading
    from bot.core.risk_state import RiskState, raised

    state, risk, at = RiskState(), RiskReading(), 1_000_000_000.0
    for text, read, emotion in turns:
        reading = EmotionReading.from_dict(emotion) if emotion is not None else None
        risk = raised(RiskReading.from_dict(read), state, text, at)
        state = state.after(risk, reading, text, at)
        at += TURN_GAP_S
    return risk.to_dict()


def _sources(args: argparse.Namespace) -> Sources:
    from nlu_models.risk.materials import Sources

    return Sources(
        lines=LINES, nlu=NLU, guidance=GUIDANCE, goemotions=args.goemotions, clinc=args.clinc,
        bitext=args.bitext, moderation=args.moderation, psyguard=args.psyguard,
    )  # fmt: skip


def _shown_path(path: Path) -> str:
    """A path as it is told to others: from the project's root where it lies in it."""
    try:
        return str(path.resolve().relative_to(ROOT))
    except ValueError:
        return path.name
