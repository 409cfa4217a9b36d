"""The action server's process: rasa-sdk on the loopback address, without Rasa or TensorFlow.

`python -m rasa_sdk --actions actions` serves the same actions; this entry also keeps them off the
network, since rasa-sdk runs whatever is posted to it, and ends when its parent does.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys

from bot.core.errors import AttuneError
from bot.core.settings import ROOT, Settings
from bot.launch import lifeline


def main(arguments: list[str] | None = None) -> int:
    """Serves the actions until it is told to stop.

    Returns:
        an exit status: 0 after a clean stop, 1 when the server could not start.
    """
    parser = argparse.ArgumentParser(prog="python -m bot.launch.action_server")
    parser.add_argument("--port", type=int, help="port to listen on (default: ATTUNE_ACTIONS_PORT)")
    parser.add_argument("--actions", default="actions", help="package of the actions (default: %(default)s)")
    parser.add_argument("--lifeline", type=int, help="file descriptor that closes when the parent ends")
    parser.add_argument("--quiet", action="store_true", help="log warnings and errors only")
    args = parser.parse_args(arguments)
    if args.lifeline is not None:
        lifeline.watch(args.lifeline)
    try:
        settings = Settings.from_environment()
    except AttuneError as error:
        print(f"attune: {error}", file=sys.stderr)
        return 1
    os.environ["SANIC_HOST"] = "127.0.0.1"
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))

    from rasa_sdk import endpoint, utils

    utils.configure_colored_logging(logging.WARNING if args.quiet else settings.log_level)
    utils.update_sanic_log_level()
    endpoint.run(args.actions, port=args.port or settings.actions_port, cors_origins="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
