"""The group of commands, and what happens when one of them fails."""

import importlib
import logging
import os
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import click

from dlir_tf._version import __version__
from dlir_tf.errors import ExportError, InputError, describe
from dlir_tf.files import Terminated, stoppable

# In the order in which a newcomer needs them; each is in the module of its name.
COMMANDS = {
    "demo": "Go through the whole story on generated images.",
    "breathe": "Make pairs of breathing lungs to train on, from CTs of chests.",
    "train": "Train a model on pairs of images, without ground truth.",
    "register": "Register a moving image to a fixed one.",
    "track": "Register all frames of a series, and follow labels through them.",
    "transform": "Carry images, labels or landmarks through a transform.",
    "page": "Make a page to look at a registration, in any browser.",
    "convert": "Compose transforms, and write them in another form.",
    "evaluate": "Measure how well pairs of images are registered.",
    "export": "Export a model for serving outside Python.",
    "info": "Describe a model, or print a preset to start from.",
}


# A set of a hundred images with the same fault needs no hundred lines.
MAX_SHOWN = 4
_shown: Counter[type[Warning]] = Counter()


class _LazyGroup(click.Group):
    """Imports a command's module when it is called, not to list it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"dlir_tf.cli.{name}").command
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dlir-tf")
def group() -> None:
    """Register medical images with ConvNets trained without ground truth.

    Results go to files and stdout, messages to stderr. The exit code is 0 only if
    everything was written.

    Example: dlir-tf demo --output demo
    """


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and ends the process with its exit code."""
    # What TensorFlow's C++ code tells of CPU features helps nobody here, nor does
    # gRPC's log; whoever wants them sets the variables.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    _silence_hints()
    warnings.showwarning = _show_warning
    _shown.clear()
    try:
        with stoppable():
            group.main(arguments, prog_name="dlir-tf", standalone_mode=False)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (InputError, MemoryError) as error:
        _fail(str(error) or "not enough memory for these images")
    except OSError as error:
        _fail(describe(error))
    except ExportError as error:
        _fail(f"{error}; no export was written")
    except ModuleNotFoundError as error:
        if error.name not in ("keras", "tensorflow"):
            raise
        _fail(
            f"this needs {error.name}, which isn't installed; `pip install dlir-tf` "
            "brings it (only .tflite files without --refine register without it)"
        )
    except Terminated:
        click.echo("Terminated.", err=True)
        sys.exit(143)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except Exception as error:
        if not _is_out_of_device_memory(error):
            raise
        _fail(
            "not enough memory on the device; use a GPU with more memory, or train "
            "with a smaller batch_size or patch_size"
        )


def _silence_hints() -> None:
    """Hides the hints that libraries log for programmers.

    TensorFlow warns that functions are traced again, as for each pair of another size
    and in exports, and matplotlib tells where it keeps its fonts.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") not in ("0", "1"):
        for name in ("tensorflow", "matplotlib"):
            logging.getLogger(name).setLevel(logging.ERROR)


def _fail(message: str) -> None:
    click.echo(f"Error: {message}", err=True)
    sys.exit(1)


def _is_out_of_device_memory(error: Exception) -> bool:
    """Whether it's TensorFlow's error for that, which must not be imported for it."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(
        error, tensorflow.errors.ResourceExhaustedError
    )


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    *_: Any,
    **__: Any,
) -> None:
    """One line on stderr; those of libraries aren't the user's concern."""
    ours = Path(filename).is_relative_to(Path(__file__).parents[1])
    if not ours or not issubclass(category, UserWarning):
        return
    _shown[category] += 1
    if _shown[category] <= MAX_SHOWN:
        click.echo(f"Warning: {message}", err=True)
    elif _shown[category] == MAX_SHOWN + 1:
        click.echo("Warning: further ones of this kind aren't shown", err=True)
