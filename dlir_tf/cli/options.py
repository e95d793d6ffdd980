"""Options that several commands have."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

FILE = click.Path(path_type=Path)


class Command(click.Command):
    """A command that refuses an option that is given twice, and values left empty.

    click itself takes the last one without a word. Options that are meant to be given
    several times say so (`multiple=True`).
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses the arguments, once each option is there once and has a value."""
        values, _, order = self.make_parser(ctx).parse_args(list(args))
        for parameter in self.params:
            value = values.get(parameter.name or "")
            _refuse_empty(ctx, parameter, value)
            _refuse_nan(ctx, parameter, value)
        for parameter, count in Counter(order).items():
            if not isinstance(parameter, click.Option):
                continue
            once = not (parameter.multiple or parameter.count or parameter.is_eager)
            if count > 1 and once:
                name = max(parameter.opts, key=len)
                raise click.UsageError(
                    f"{name} is given {count} times, but counts once; leave out all "
                    "but one.",
                    ctx,
                )
        return super().parse_args(ctx, args)


def _refuse_empty(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Refuses an empty text: of a path, it would be the folder one is in."""
    values = value if isinstance(value, list | tuple) else [value]
    if any(each == "" or (each and _holds_empty(each)) for each in values):
        name = parameter.get_error_hint(ctx).strip("'")
        raise click.UsageError(
            f"{name} is empty (a shell's variable that isn't set?); give it a value, "
            "or leave it out.",
            ctx,
        )


def _refuse_nan(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Refuses `nan` for a number: no comparison finds it out of a range."""
    number = isinstance(parameter.type, click.types.FloatParamType)
    if number and str(value).strip().lower().lstrip("+-") == "nan":
        name = parameter.get_error_hint(ctx).strip("'")
        raise click.UsageError(f"{name} must be a number. Received: {value}", ctx)


def _holds_empty(value: Any) -> bool:
    """Whether one of several values of an option that was given at once is empty."""
    return isinstance(value, tuple) and "" in value


class OneOf(click.Choice[str]):
    """A choice that says in one line what there is, if none was made."""

    def get_missing_message(
        self, param: click.Parameter, ctx: click.Context | None
    ) -> str:
        """Names all choices."""
        return f"Choose {' or '.join(self.choices)}."


class ModelType(click.ParamType[Any]):
    """A model: the name of one that ships, as a string; or a path, as a `Path`.

    As `dlir_tf.load_model` takes them.
    """

    name = "MODEL"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Says so where a folder has the name of a model that ships."""
        from dlir_tf.models.names import is_name, warn_of_folder

        if not is_name(value):
            return Path(value)
        warn_of_folder(value)
        return value


model_option = click.option(
    "--model",
    type=ModelType(),
    default=Path("model"),
    show_default=True,
    metavar="MODEL",
    help="Model folder, from dlir-tf train, or the name of a model that ships (see "
    "dlir-tf info); to register and to evaluate, also a .tflite file, from dlir-tf "
    "export.",
)

optional_model_option = click.option(
    "--model",
    type=ModelType(),
    metavar="MODEL",
    help="Model folder, from dlir-tf train, the name of a model that ships (see "
    "dlir-tf info), or a .tflite file, from dlir-tf export.  [default: none; settings "
    "are chosen by the images]",
)


def form_option(beginning: str) -> Callable[[Any], Any]:
    """Adds `--form`.

    Args:
        beginning: Of its help: whose form it is about.
    """
    return click.option(
        "--form",
        type=click.Choice(
            ["afni", "elastix", "flirt", "lta", "niftyreg", "niftyreg-disp", "spm"]
        ),
        help=f"{beginning}FSL's FLIRT (.mat, .txt), NiftyReg's matrix (.txt), its "
        "deformation or, by niftyreg-disp, its displacement field (.nii, .nii.gz), "
        "elastix' parameters (.txt), SPM's deformation (.nii).",
    )


modality_option = click.option(
    "--modality",
    type=click.Choice(["same", "different"]),
    help="Whether equal values mean the same in both images, where settings are chosen "
    "by them.  [default: told by the images]",
)

_spacing_source = click.option(
    "--spacing-source",
    type=click.Choice(["auto", "affine", "pixdim"]),
    default="auto",
    show_default=True,
    help="Where voxel sizes are read if a file states two; auto decides and warns.",
)

_orientation_source = click.option(
    "--orientation-source",
    type=click.Choice(["auto", "sform", "qform"]),
    default="auto",
    show_default=True,
    help="Where a NIfTI file's place is read if it states two; auto decides and warns.",
)


def _allow_elsewhere(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from dlir_tf.images import elsewhere_allowed

        ctx.with_resource(elsewhere_allowed())


allow_elsewhere_option = click.option(
    "--allow-elsewhere",
    is_flag=True,
    expose_value=False,
    callback=_allow_elsewhere,
    help="Let headers (.mhd, .nhdr) name voxels that lie in other folders.",
)


def _choose_series(ctx: click.Context, param: click.Parameter, value: str) -> None:
    if value:
        from dlir_tf.images import series_chosen

        ctx.with_resource(series_chosen(value))


_series_option = click.option(
    "--series",
    metavar="N|UID",
    expose_value=False,
    callback=_choose_series,
    help="The series to take from every folder of DICOM files: the number with which "
    "it's listed where there are several, or its UID. For one folder alone, FOLDER#N.",
)


def header_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds what to believe in a header."""
    added = _orientation_source(_series_option(allow_elsewhere_option(command)))
    return _spacing_source(added)


channel_option = click.option(
    "--channel",
    type=click.IntRange(min=1),
    metavar="N",
    help="Of images in colours, or with several channels, the one that is registered "
    "by, counted from 1; all of them move.  [default: the luminance of colours]",
)

initial_alignment_option = click.option(
    "--initial-alignment",
    type=click.Choice(["header", "centers", "mass", "search", "pose"]),
    help="How the two are laid onto each other before the model sees them: as their "
    "headers say, centre on centre, by their centres of intensity, or by searching the "
    "shift (search), or the turn and the shift (pose), that make them most alike.  "
    "[default: what the model's config says]",
)


def initial_transform_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the transform from which a registration goes on."""
    given = click.option(
        "--initial-transform",
        multiple=True,
        metavar="FILE|[FILE,1]",
        help="Go on from this transform, in the place of an initial alignment. Can be "
        "repeated, in the order of dlir-tf transform; [FILE,1] is an inverse. What is "
        "written includes it.",
    )
    left_out = click.option(
        "--without-initial",
        is_flag=True,
        help="Write with --transform and --inverse only what was found beyond "
        "--initial-transform: a point goes through it first, and then through that.",
    )
    return given(left_out(command))


class _FillValueType(click.ParamType[Any]):
    """A number, or the word auto."""

    name = "number|auto"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Takes the option's text for a number, or for `auto`."""
        if value == "auto" or isinstance(value, float):
            return value
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor auto.", param, ctx)


fill_value_option = click.option(
    "--fill-value",
    type=_FillValueType(),
    metavar="V|auto",
    help="Given to voxels that come from outside an image. auto takes a CT's padding, "
    "what surrounds the image on its own faces, -1024 for a CT without any, else 0.  "
    "[default: auto]",
)


steps_option = click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="Training steps of every stage, instead of what the config says; joint_steps "
    "are at most as many.",
)
