"""`attune emotion learn`: keep corrections of readings, and train the reader on them.

attune emotion learn add "oh great, another delay" --labels annoyance --as Ann
attune emotion learn propose --from database -n 20 -o ask.jsonl
attune emotion learn import ask.jsonl --as Ann
attune emotion learn train --run runs/en --goemotions DIR --output runs/en-learnt
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.storage.database import Database

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

STATUSES = ("proposed", "new", "used", "rejected")
DEFAULT_SHOWN = 50
DEFAULT_ASKED = 20
DEFAULT_POOL = 2000
# The module that does each step.
STEPS = {
    **dict.fromkeys(("add", "import", "list", "confirm", "reject", "harvest"), "_learn_keep"),
    "propose": "_learn_propose",
    "train": "_learn_train",
}


def add_parser(commands: Subparsers) -> None:
    """Adds `learn` to `attune emotion`."""
    parser = commands.add_parser(
        "learn",
        help="keep corrections of readings, and train the reader on them",
        description="Corrections live in Attune's database. Training on them refuses a model that became "
        "worse.",
    )
    steps = parser.add_subparsers(dest="learn_step", metavar="STEP", required=True, title="steps")
    _add_keeping(steps)
    _add_proposing(steps)
    _add_training(steps)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Does one step; returns its exit status.

    Raises:
        NluModelError: a text, label, file or weight won't do.
        AttuneError: the database or a setting won't do.
    """
    module = importlib.import_module(f"bot.cli.{STEPS[options.learn_step]}")
    step: Callable[[argparse.Namespace], int] = module.run
    return step(options)


def open_database() -> Database:
    """The database, brought up to date: corrections may be kept before a server ever ran."""
    from bot.core.settings import Settings
    from bot.storage.database import Database

    database = Database(Settings.from_environment().effective_database_url)
    try:
        database.migrate()
    except BaseException:
        database.close()
        raise
    return database


def weights_of(options: argparse.Namespace) -> Path:
    """The weight folder that was given, or the one that serves."""
    from bot.core.settings import Settings

    given: Any = getattr(options, "weights", None)
    return Path(given) if given is not None else Path(Settings.from_environment().emotion_weights)


def _add_keeping(steps: Subparsers) -> None:
    add = steps.add_parser("add", help="say what a text really is", description="Keeps one correction.")
    add.add_argument("text", nargs="?", metavar="TEXT", help="the text; may be left out with --turn")
    add.add_argument("--labels", required=True, metavar="A,B", help="the right labels, by their names")
    add.add_argument("--turn", type=int, metavar="ID", help="the person's turn that the text is from")
    add.add_argument("--note", metavar="TEXT", help="why, in your words")
    file = steps.add_parser(
        "import",
        help="take over corrections from a file",
        description="Takes over a JSONL or CSV file with text and labels, all of it or nothing. Rows whose "
        "labels are still empty are left out, so that what `propose` wrote can be filled in bit by bit.",
    )
    file.add_argument("file", type=Path, metavar="FILE", help="a .jsonl or .csv file")
    shown = steps.add_parser(
        "list", help="show what is kept", description="Shows corrections, the last decided last."
    )
    shown.add_argument(
        "--status", action="append", choices=STATUSES, help="only these (default: all but rejected)"
    )
    shown.add_argument(
        "--limit",
        type=int,
        default=DEFAULT_SHOWN,
        metavar="N",
        help=f"the newest so many (default: {DEFAULT_SHOWN}; 0: all)",
    )
    confirm = steps.add_parser(
        "confirm", help="agree to a proposed one", description="Lets a proposed correction be learnt from."
    )
    confirm.add_argument("--labels", metavar="A,B", help="the right labels, where the proposed ones are not")
    reject = steps.add_parser(
        "reject", help="turn one down", description="Keeps a correction from being learnt from."
    )
    for step in (confirm, reject):
        step.add_argument("id", type=int, metavar="ID", help="its number, from `list`")
        step.add_argument("--note", metavar="TEXT", help="why, in your words")
    harvest = steps.add_parser(
        "harvest",
        help="gather what people said about their readings",
        description="Gathers turns in which people said that they were read wrongly, as proposals: each "
        "has to be confirmed before anything is learnt from it.",
    )
    for step in (add, file, confirm, reject):
        step.add_argument("--as", dest="author", metavar="NAME", help="your name, kept with it")
    shown.add_argument(
        "--json", action="store_true", help="print JSONL, which `import` and `train --corrections` read"
    )
    for step in (add, file, confirm, reject, harvest):
        step.add_argument("--json", action="store_true", help="print the result as JSON")


def _add_proposing(steps: Subparsers) -> None:
    propose = steps.add_parser(
        "propose",
        help="choose the texts whose labels would teach most",
        description="Writes texts the reader is unsure of, no two alike, as JSONL: fill in `labels` and give "
        "the file to `import`.",
    )
    propose.add_argument(
        "--from",
        dest="source",
        default="database",
        metavar="SOURCE",
        help="`database` for people's turns, or a .jsonl, .csv or text file (default: database)",
    )
    propose.add_argument(
        "-n", "--count", type=int, default=DEFAULT_ASKED, metavar="N",
        help=f"how many, 1 to 1000 (default: {DEFAULT_ASKED})",
    )  # fmt: skip
    propose.add_argument(
        "--pool", type=int, default=DEFAULT_POOL, metavar="N",
        help=f"choose among so many texts, the newest turns or a file's first (default: {DEFAULT_POOL})",
    )  # fmt: skip
    propose.add_argument(
        "--weights", type=Path, metavar="DIR", help="weight folder (default: that which serves)"
    )
    propose.add_argument("-o", "--output", type=Path, metavar="FILE", help="file to write (default: stdout)")


def _add_training(steps: Subparsers) -> None:
    train = steps.add_parser(
        "train",
        help="train on corrections, and refuse a worse model",
        description="Trains a model on confirmed corrections among replayed texts of GoEmotions, and writes "
        "it as a new run. It writes nothing and exits with status 3 when the model does worse on corrections "
        "it has not seen, or measurably worse on GoEmotions' dev split.",
    )
    start = train.add_mutually_exclusive_group(required=True)
    start.add_argument("--run", type=Path, metavar="RUN", help="run folder to start from")
    start.add_argument("--weights", type=Path, metavar="DIR", help="weight folder to start from instead")
    train.add_argument("--goemotions", type=Path, required=True, metavar="DIR", help="folder of GoEmotions")
    train.add_argument("--output", type=Path, required=True, metavar="RUN", help="run folder to write")
    train.add_argument(
        "--corrections", type=Path, metavar="FILE", help="learn from this file instead of the database"
    )
    train.add_argument(
        "--again", action="store_true", help="train on used corrections, though there are no new ones"
    )
    train.add_argument("--epochs", type=int, metavar="N", help="passes over the texts (default: 2)")
    train.add_argument("--batch-size", type=int, metavar="N", help="texts a step (default: 16)")
    train.add_argument("--learning-rate", type=float, metavar="X", help="at its highest (default: 1e-5)")
    train.add_argument(
        "--replayed", type=int, metavar="N", help="texts of GoEmotions, at least (default: 3000)"
    )
    train.add_argument("--seed", type=int, metavar="N", help="of everything random (default: 13)")
    train.add_argument("--json", action="store_true", help="print the result as JSON")
