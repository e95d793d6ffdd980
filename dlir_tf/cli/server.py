"""The options that choose a server instead of a model of one's own."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dlir_tf.serving import Server

_OPTIONS = (
    click.option(
        "--server",
        metavar="HOST:PORT",
        help="Ask TensorFlow Serving instead of a model folder: HOST:PORT by gRPC, "
        "http://HOST:PORT by REST (slow, for small images).",
    ),
    click.option(
        "--model-name",
        metavar="NAME",
        help="The model's name on the server.  [default: dlir]",
    ),
    click.option(
        "--timeout",
        type=float,
        metavar="SECONDS",
        help="How long each answer of the server is waited for.  [default: 120]",
    ),
)


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--server`, `--model-name` and `--timeout`; see `chosen_server`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen_server(
    server: str | None,
    model_name: str | None,
    timeout: float | None,
    *,
    local: tuple[str, ...],
) -> "Server | None":
    """Returns the server that these options name, if they name one.

    Args:
        server: Of `--server`.
        model_name: Of `--model-name`.
        timeout: Of `--timeout`.
        local: Parameters of the command that are of no use with a server.

    Raises:
        InputError: If options don't go together.
    """
    from dlir_tf.errors import InputError

    if server is None:
        for name, value in (("--model-name", model_name), ("--timeout", timeout)):
            if value is not None:
                raise InputError(f"{name}: is for --server, which isn't given")
        return None
    context = click.get_current_context()
    for name in local:
        source = context.get_parameter_source(name)
        if source not in (None, click.core.ParameterSource.DEFAULT):
            raise InputError(
                f"--{name.replace('_', '-')}: can't be given with --server, whose "
                "model was exported with its own; leave it out"
            )
    from dlir_tf.serving.server import DEFAULT_MODEL_NAME, DEFAULT_TIMEOUT, Server

    return Server(
        server,
        DEFAULT_MODEL_NAME if model_name is None else model_name,
        DEFAULT_TIMEOUT if timeout is None else timeout,
    )
