"""The options that choose a server instead of a model of one's own."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from dlir_tf.cli.options import FILE
from dlir_tf.errors import InputError

if TYPE_CHECKING:
    from dlir_tf.serving import Server

_OPTIONS = (
    click.option(
        "--server",
        metavar="HOST:PORT",
        help="Ask TensorFlow Serving instead of a model folder: HOST:PORT by gRPC, "
        "http://HOST:PORT by REST (slow, for small images); by TLS, grpcs://HOST:PORT "
        "or https://HOST:PORT.",
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
    click.option(
        "--ca-file",
        type=FILE,
        help="Certificates (PEM) of whoever may have signed the server's, for TLS.  "
        "[default: those that the system trusts]",
    ),
    click.option(
        "--token-file",
        type=FILE,
        help="A file with a token that tells the server who asks.",
    ),
    click.option(
        "--insecure",
        is_flag=True,
        help="Send images to another machine as plain text, by HOST:PORT or http://.",
    ),
)


# What a server's model brings along.
OF_MODELS = ("model", "preset", "initial_alignment", "modality")

_NAMES = ("server", "model_name", "timeout", "ca_file", "token_file", "insecure")


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--server` and what belongs to it, as one argument `server`.

    It is what `chosen_server` takes.
    """

    @wraps(command)
    def grouped(**options: Any) -> Any:
        server = {name: options.pop(name) for name in _NAMES}
        return command(server=server, **options)

    for option in reversed(_OPTIONS):
        grouped = option(grouped)
    return grouped


def chosen_server(
    options: dict[str, Any], *, local: tuple[str, ...]
) -> "Server | None":
    """Returns the server that these options name, if they name one.

    Args:
        options: By name; `None` or false if not given.
        local: Parameters of the command that are of no use with a server.

    Raises:
        InputError: If options don't go together.
    """
    given = {
        name: value
        for name, value in options.items()
        if value is not None and value is not False
    }
    server = given.pop("server", None)
    if server is None:
        for name in given:
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{option}: is for --server, which isn't given")
        return None
    context = click.get_current_context()
    for name in local:
        source = context.get_parameter_source(name)
        if source not in (None, click.core.ParameterSource.DEFAULT):
            raise InputError(
                f"--{name.replace('_', '-')}: can't be given with --server, whose "
                "model was exported with its own; leave it out"
            )
    from dlir_tf.serving import Server

    return Server(server, **given)
