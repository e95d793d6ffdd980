"""What `dlir-tf register` does."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from dlir_tf.apply.registration_files import Outputs
from dlir_tf.apply.registration_writing import Manner, write_registration
from dlir_tf.automatic import Modality
from dlir_tf.cli.judgement import tell
from dlir_tf.cli.refinement import chosen_preset
from dlir_tf.cli.server import OF_MODELS, chosen_server
from dlir_tf.cli.work.cohort import run_all as run_all
from dlir_tf.cli.work.known import Told, tell_distance
from dlir_tf.cli.work.progress import StepProgress
from dlir_tf.cli.work.quiet import load_keras, load_quietly
from dlir_tf.cli.work.start import Start
from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.images import Image, check_choice
from dlir_tf.images.background import FillValue, channel_fill_values, told
from dlir_tf.models.general import may_deform, usual_channel
from dlir_tf.models.loading import check_model
from dlir_tf.models.names import find_model
from dlir_tf.pairs.loading import LoadedPair, load_pair
from dlir_tf.pairs.manifest import Pair
from dlir_tf.pairs.repeats import warn_of_one_image
from dlir_tf.pairs.slices import rank_of_pair
from dlir_tf.registration import Registration, register
from dlir_tf.serving import Server, register_remotely
from dlir_tf.serving.failures import ServerError


def run(
    fixed: Path,
    moving: Path,
    model: str | Path | None,
    refine: int | None,
    preset: str | None,
    modality: Modality | None,
    server: dict[str, Any],
    start: dict[str, Any],
    labels: Path | None,
    interpolation: str,
    known: dict[str, Any],
    masks: dict[str, Path | None],
    fill_value: FillValue | None,
    headers: dict[str, Any],
    all_stages: bool,
    strict: bool,
    form: str | None,
    **written: Path,
) -> None:
    """Registers two images and writes what is asked for."""
    remote = chosen_server(server, local=OF_MODELS)
    outputs = Outputs(**written, form=form)
    begun = Start(**start)
    begun.check(outputs)
    told = Told(labels, interpolation, **known)
    told.check(outputs)
    more = (*told.files.values(), *masks.values(), *begun.files)
    outputs.check(inputs=(fixed, moving, *more))
    check_choice((fixed, moving, *told.files.values(), *masks.values()))
    config = chosen_preset(preset)
    by = config if model is None else check_model(model)
    place = f"{fixed} and {moving}"
    files = Pair(fixed, moving, place, **told.files, **masks)  # type: ignore[arg-type]
    pair = load_pair(files, **headers, usual_channel=usual_channel(by))
    outputs.check_moved(pair.fixed, pair.moving)
    warn_of_one_image(fixed, moving)
    if remote is None:
        refined = bool(refine) or (model is None and refine != 0)
        outputs.check_deforms(lambda: may_deform(by, refined=refined))
        find = _by_model(model, config, modality, pair)
    else:
        find = _by_server(remote, refine, outputs)
    find = partial(find, **begun.read(pair.fixed.ndim, _say))
    find = partial(
        find,
        refine=refine,
        fill_value="auto" if fill_value is None else fill_value,
        do_no_harm=not all_stages,
    )
    result = _found(find, pair, told, place)
    title = f"{moving.name} on {fixed.name}"
    manner = Manner(interpolation, begun.without_initial, title)
    for note in write_registration(outputs, result, pair, manner):
        _say(note)
    if fill_value in (None, "auto"):
        _tell_of_surroundings(moving, pair.moving, result.fill_value)
    tell_distance(result, pair, _say)
    click.echo(outputs.moved)
    tell(result.report, strict=strict)


def _found(
    find: Callable[..., Registration], pair: LoadedPair, told: Told, place: str
) -> Registration:
    """What is found; what can't be registered is said of the files."""
    try:
        with StepProgress() as progress:
            return find(
                pair.fixed,
                pair.moving,
                fixed_mask=pair.fixed_mask,
                moving_mask=pair.moving_mask,
                on_progress=progress.stepped,
                **told.of(pair),
            )
    except ServerError:
        raise
    except InputError as error:  # it knows images, not their files
        raise error.within(place) from error


def _by_model(
    model: str | Path | None,
    config: Config | None,
    modality: Modality | None,
    pair: LoadedPair,
) -> Callable[..., Registration]:
    """By a model, that for images of the pair's rank, or by a config instead of it.

    Or by what the images say, which is said then.
    """
    loaded = None
    if model is not None:
        ndim = rank_of_pair(pair.fixed.grid, pair.moving.grid)
        loaded = load_quietly(find_model(model, ndim))
    else:
        load_keras()
    return partial(
        register, model=loaded, config=config, modality=modality, on_choice=_tell
    )


def _by_server(
    server: Server, refine: int | None, outputs: Outputs
) -> Callable[..., Registration]:
    """By a server's model, of which it's found out early what can't be written."""
    outputs.check_deforms(server.deforms)

    def check(config: Config) -> None:
        refined = bool(refine)
        outputs.check_deforms(lambda: may_deform(config, refined=refined))

    return partial(register_remotely, server=server, on_config=check)


def _tell(choices: tuple[str, ...]) -> None:
    for choice in choices:
        _say(f"Chosen by the images: {choice}")


def _tell_of_surroundings(path: Path, moving: Image, value: float) -> None:
    line = told(value, channel_fill_values("auto", moving))
    if line is not None:
        _say(
            f"{path}: what comes from outside it is {line}, by its own background "
            "(--fill-value chooses another value)"
        )


def _say(line: str) -> None:
    click.echo(line, err=True)
