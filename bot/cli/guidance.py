"""`attune guidance`: checks the guidance library, and shows what it would answer to a text."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "data" / "guidance"
DEFAULT_RESULTS = 5


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command group to `attune`."""
    group = subparsers.add_parser(
        "guidance",
        help="check and search the guidance library",
        description="Check and search the guidance library.",
    )
    commands = group.add_subparsers(dest="guidance_command", required=True, metavar="COMMAND")
    validate = commands.add_parser("validate", help="check every entry of the library")
    search = commands.add_parser("search", help="show the entries closest to a text")
    search.add_argument("text", metavar="TEXT", help="what a person might say")
    search.add_argument("--language", choices=("en", "zh"), help="of the text (default: detected)")
    search.add_argument(
        "--limit",
        type=int,
        default=DEFAULT_RESULTS,
        metavar="N",
        help="how many entries, 1 to 50 (default: 5)",
    )
    for parser in (validate, search):
        parser.add_argument(
            "--library",
            type=Path,
            default=FOLDER,
            metavar="DIR",
            help="folder of the library (default: data/guidance)",
        )
        parser.add_argument("--json", action="store_true", help="write JSON to stdout")
        parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; returns its exit status."""
    from nlu_models.errors import NluModelError

    try:
        return _validate(args) if args.guidance_command == "validate" else _search(args)
    except NluModelError as error:
        for line in str(error).splitlines():
            print(f"attune guidance: {line}", file=sys.stderr)
        return 2


def _validate(args: argparse.Namespace) -> int:
    from nlu_models.retrieval.library import Library

    library = Library.load(args.library)
    topics = sorted({entry.topic for entry in library.entries.values()})
    if args.json:
        print(json.dumps({"entries": len(library.entries), "topics": topics, "strategies": library.counts()}))
        return 0
    print(f"{len(library.entries)} entries in {len(topics)} topics, all well formed")
    for strategy, count in library.counts().items():
        print(f"  {strategy:12} {count:4}")
    return 0


def _search(args: argparse.Namespace) -> int:
    from bot.core.errors import AttuneError
    from bot.core.settings import Settings
    from nlu_models.reader import TurnReader
    from nlu_models.retrieval.index import MATCH_THRESHOLD, GuidanceIndex
    from nlu_models.retrieval.library import Library

    if not 1 <= args.limit <= 50:
        print(f"attune guidance: --limit is {args.limit}, expected 1 to 50", file=sys.stderr)
        return 2
    library = Library.load(args.library)
    try:
        reader = TurnReader(Path(Settings.from_environment().emotion_weights))
    except AttuneError as error:
        print(f"attune guidance: {error}", file=sys.stderr)
        return 2
    if reader.is_degraded:
        print(
            "warning: the emotion weights can't be used; English is matched by letters alone", file=sys.stderr
        )
    reading = reader.read([args.text])[0]
    language = args.language or reading.language
    index = GuidanceIndex.build(library, reader.embed)
    found = list(index.search(args.text, reading.embedding, language, args.limit).items())[: args.limit]
    results: list[dict[str, Any]] = []
    for entry_id, similarity in found:
        entry = library.entries[entry_id]
        results.append(
            {
                "id": entry_id,
                "strategy": entry.strategy,
                "similarity": similarity,
                "fits": similarity >= MATCH_THRESHOLD,
                "text": entry.text[language],
            }
        )
    if args.json:
        print(json.dumps({"language": language, "results": results}, ensure_ascii=False))
        return 0
    if not results:
        print(
            f"nothing found for a text in language {language!r}; the library has en and zh", file=sys.stderr
        )
    for result in results:
        mark = " " if result["fits"] else "?"  # under the threshold Attune would not use it
        print(f"{result['similarity']:.3f}{mark} {result['strategy']:12} {result['id']}")
        print(f"        {result['text']}")
    return 0
