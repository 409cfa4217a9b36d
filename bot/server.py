"""The web server: Rasa's own server, started without what only training needs.

`python -m bot.server` serves the same model, channels and endpoints as `rasa run`, which works too. It
starts in less than half the time and memory, since it puts off the imports that `bot.launch.deferred`
names, and it refuses to serve without a model or on a store that would lose conversations, where
`rasa run` only logs and goes on.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import uuid
from asyncio import AbstractEventLoop
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from bot.core.errors import AttuneError
from bot.core.settings import ROOT, Settings
from bot.launch import deferred, lifeline
from bot.launch.environment import quiet, set_log_level, silence_deprecations

if TYPE_CHECKING:
    from rasa.core.utils import AvailableEndpoints
    from sanic import Sanic

logger = logging.getLogger(__name__)

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class _StartRefused(AttuneError):
    """The server can't serve what it was asked to."""


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is told to stop.

    Returns:
        an exit status: 0 after a clean stop, 1 when the server could not start.
    """
    args = _parser().parse_args(arguments)
    if args.lifeline is not None:
        lifeline.watch(args.lifeline)
    os.environ.update(quiet(os.environ))
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    os.chdir(args.project)
    try:
        settings = Settings.from_environment()
        # Before anything of Rasa is imported; the server works without it, only slower.
        deferred.install()
        silence_deprecations()
        _serve(args, settings)
    except AttuneError as error:
        print(f"attune: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bot.server", description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="trained model, a .tar.gz file")
    parser.add_argument(
        "--project", type=Path, default=ROOT, help="folder with endpoints.yml and credentials.yml"
    )
    parser.add_argument("--port", type=int, help="port of the web server (default: ATTUNE_PORT)")
    parser.add_argument(
        "--actions-port", type=int, help="port of the action server (default: ATTUNE_ACTIONS_PORT)"
    )
    parser.add_argument(
        "--shell", action="store_true", help="talk in this terminal instead of over the channels"
    )
    parser.add_argument("--lifeline", type=int, help="file descriptor that closes when the parent ends")
    return parser


def _serve(args: argparse.Namespace, settings: Settings) -> None:
    import rasa.core.run
    import rasa.utils.io
    from rasa.core.utils import AvailableEndpoints
    from rasa.shared.exceptions import RasaException
    from rasa.utils.common import configure_logging_and_warnings
    from rasa.utils.log_utils import configure_structlog

    level = logging.getLevelName("WARNING" if args.shell else settings.log_level)
    configure_logging_and_warnings(level)
    rasa.utils.io.configure_colored_logging(logging.getLevelName(level))
    configure_structlog(level)
    set_log_level(level)
    if not args.model.is_file():
        raise _StartRefused(f"there is no model at {args.model}; `make train` makes it")
    try:
        endpoints = AvailableEndpoints.read_endpoints("endpoints.yml")
        _point_at_actions(endpoints, args.actions_port or settings.actions_port)
        port = args.port or settings.port
        logging.getLogger("sanic.error").addFilter(_hide_refusals)
        rasa.core.run.serve_application(
            str(args.model),
            channel="cmdline" if args.shell else None,
            interface="127.0.0.1" if args.shell else settings.host,
            port=port,
            credentials=None if args.shell else "credentials.yml",
            enable_api=False,
            endpoints=endpoints,
            conversation_id=uuid.uuid4().hex,
            server_listeners=[(_require_working_agent, "after_server_start")],
        )
    except RasaException as error:
        raise _StartRefused(str(error)) from error


def _point_at_actions(endpoints: AvailableEndpoints, port: int) -> None:
    """Follows ATTUNE_ACTIONS_PORT where endpoints.yml names an action server on this machine."""
    if endpoints.action is None or not endpoints.action.url:
        return
    url = urlsplit(endpoints.action.url)
    if url.hostname in _LOOPBACK:
        endpoints.action.url = urlunsplit(url._replace(netloc=f"127.0.0.1:{port}"))


def _require_working_agent(app: Sanic, _loop: AbstractEventLoop) -> None:
    """Ends a start whose model did not load or whose store would lose conversations."""
    from bot.stores.guard import require_durable_store

    agent = app.ctx.agent
    if not agent.is_ready():
        raise _StartRefused("the model could not be loaded; the log above says why")
    require_durable_store(agent)
    # What is loaded by now stays: the garbage collector need not look at it again with every turn.
    gc.collect()
    gc.freeze()


def _hide_refusals(record: logging.LogRecord) -> bool:
    """Keeps Sanic from printing a traceback for what `main` says in one line."""
    return not (record.exc_info and isinstance(record.exc_info[1], AttuneError))


if __name__ == "__main__":
    sys.exit(main())
