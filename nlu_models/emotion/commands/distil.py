"""`attune emotion distil`: trains a student on what larger teachers say about the texts."""

from __future__ import annotations

import argparse
from pathlib import Path

from nlu_models.emotion.training_options import add_options, execute_training

EXAMPLES = """examples:
  attune emotion distil --teachers runs/large --goemotions DIR --emobank DIR --clinc DIR --output runs/small
  attune emotion distil --logits teacher.npz --goemotions DIR --init runs/en/model.pt --output runs/small
  attune emotion distil --resume runs/small
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "distil",
        help="train a small encoder on what larger ones say",
        description=(
            "Train a student on the probabilities of teachers (Hinton et al., 2015), mixed with the labels "
            "where there are any. Texts without labels (EmoBank, CLINC150, --unlabelled) are learnt from the "
            "teachers alone. Teachers may have any base; their logits are computed once and kept in the run "
            "folder."
        ),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    teachers = parser.add_argument_group("teachers")
    teachers.add_argument(
        "--teachers", type=Path, nargs="+", metavar="RUN", help="run folders of the teachers"
    )
    teachers.add_argument(
        "--teacher-weights", type=float, nargs="+", metavar="X", help="how much each counts; alike by default"
    )
    teachers.add_argument(
        "--logits",
        type=Path,
        metavar="FILE",
        help="npz with arrays SOURCE_logits and SOURCE_vad in the order of the files (docs/training.md)",
    )
    add_options(parser)
    parser.set_defaults(execute=execute_training)
