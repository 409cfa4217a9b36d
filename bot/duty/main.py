"""The worker's process: `python -m bot.duty.main`, started by `attune run`, and by `attune duty run`.

It ends when it is told to, when its parent does, and at its start when there is no roster that works. After
that it goes on whatever happens to the database, the roster or the senders, and says so.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from bot.core.errors import AttuneError
from bot.core.settings import Settings
from bot.duty.health import NOT_SET
from bot.duty.links import Links
from bot.duty.roster import RosterError
from bot.duty.roster_file import RosterFile
from bot.duty.worker import Worker
from bot.launch import lifeline
from bot.storage.database import Database


def main(arguments: list[str] | None = None) -> int:
    """Pages people until it is told to stop.

    Returns:
        an exit status: 0 after a clean stop, 1 when it could not start.
    """
    parser = argparse.ArgumentParser(prog="python -m bot.duty.main")
    parser.add_argument("--lifeline", type=int, help="file descriptor that closes when the parent ends")
    args = parser.parse_args(arguments)
    if args.lifeline is not None:
        lifeline.watch(args.lifeline)
    try:
        settings = Settings.from_environment()
        logging.basicConfig(
            level=logging.WARNING, format="%(asctime)s %(levelname)-8s %(name)s - %(message)s"
        )
        logging.getLogger("bot").setLevel(settings.log_level)
        serve(settings)
    except AttuneError as error:
        print(f"attune: {error}", file=sys.stderr)
        return 1
    return 0


def serve(settings: Settings) -> None:
    """Runs the worker until SIGINT or SIGTERM.

    Raises:
        AttuneError: the roster, the secret or the database can't be used at the start.
    """
    if not settings.duty_file:
        raise RosterError(NOT_SET)
    roster = RosterFile(Path(settings.duty_file))
    roster()
    links = Links.load(settings)
    database = Database(settings.effective_database_url)
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda _number, _frame: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        database.check()
        Worker(database, roster, links).run(stop)
    finally:
        database.close()
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
