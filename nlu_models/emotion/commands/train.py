"""`attune emotion train`: makes an emotion reader of any labelled texts."""

from __future__ import annotations

import argparse
import sys

from nlu_models.emotion.training_options import (
    add_options,
    check_run,
    finish,
    paths_of,
    settings_of,
)

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
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Trains or resumes; returns the exit status."""
    check_run(options)
    if options.resume is not None:
        from nlu_models.emotion.train import resume

        return finish(options, lambda: resume(options.resume, options.cpu, options.state_steps))
    arguments, paths = settings_of(options), paths_of(options)
    from nlu_models.emotion.train import train

    return finish(
        options,
        lambda: train(
            arguments,
            paths,
            options.output,
            cpu=options.cpu,
            command=sys.argv,
            state_steps=options.state_steps,
        ),
    )
