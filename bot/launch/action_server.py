"""The action server's process: rasa-sdk on the loopback address, without Rasa or TensorFlow.

`python -m rasa_sdk --actions actions` serves the same actions; this entry also keeps them off the
network, since rasa-sdk runs whatever is posted to it, and ends when its parent does.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import sys
from typing import TYPE_CHECKING

from bot.core.errors import AttuneError
from bot.core.settings import ROOT, Settings
from bot.launch import lifeline
from bot.launch.environment import set_log_level, silence_deprecations

if TYPE_CHECKING:
    from sanic import HTTPResponse, Request, Sanic

_HOST = "127.0.0.1"


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
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))

    silence_deprecations()
    from rasa_sdk import utils

    utils.configure_colored_logging(settings.log_level)
    utils.update_sanic_log_level()
    set_log_level(logging.WARNING if args.quiet else logging.getLevelName(settings.log_level))
    port = args.port or settings.actions_port
    create_app(args.actions).run(_HOST, port, workers=1)
    return 0


def create_app(actions: str) -> Sanic:
    """rasa-sdk's application, without its habit of sending a failed request back.

    Args:
        actions: package of the actions.
    """
    from rasa_sdk import endpoint
    from rasa_sdk.plugin import plugin_manager

    app = endpoint.create_app(actions, cors_origins="")
    plugin_manager().hook.attach_sanic_app_extensions(app=app)

    async def keep_request_private(_request: Request, answer: HTTPResponse) -> HTTPResponse | None:
        # Rasa writes the answer to a failed call into its log; the request holds the whole conversation.
        if answer.status < 400 or answer.content_type != "application/json":
            return None
        from sanic.response import json as json_answer

        body = json.loads(answer.body)
        body.pop("request_body", None)
        return json_answer(body, status=answer.status)

    app.register_middleware(keep_request_private, "response")

    async def warm(_app: Sanic, _loop: object) -> None:
        # Otherwise the first person to be answered waits for the library to be read.
        if importlib.util.find_spec(f"{actions}.resources") is not None:
            importlib.import_module(f"{actions}.resources").entries()

    app.register_listener(warm, "before_server_start")
    return app


if __name__ == "__main__":
    sys.exit(main())
