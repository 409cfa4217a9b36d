"""`attune emotion train`: makes an emotion reader of any labelled texts."""

from __future__ import annotations

import argparse

from nlu_models.emotion.training_options import add_options, execute_training

EXAMPLES = """examples:
  attune emotion train --data feelings.csv --output runs/mine
  attune emotion train --goemotions DIR --emobank DIR --clinc DIR --output runs/en
  attune emotion train --resume runs/en
  torchrun --nproc-per-node 2 -m bot emotion train --data feelings.csv --output runs/mine
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "train",
        help="fine-tune an encoder on labelled texts",
        description="Fine-tune an encoder on labelled texts. Prints the measures of the best epoch as JSON.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)
    parser.set_defaults(execute=execute_training)
