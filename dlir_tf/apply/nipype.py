"""Nipype interfaces of two commands, `dlir-tf register` and `transform`.

`Register` and `Transform` are made when they are first asked for, because nipype is an
extra (`pip install dlir-tf[nipype]`): this module itself can be imported without it.
Inputs are the options of the commands, by their names; outputs are the files that were
asked for.

Example (needs nipype, and `dlir-tf` on the path):

    from dlir_tf.apply.nipype import Register
    Register(fixed="t1.nii.gz", moving="t2.nii.gz", transform="t.h5").cmdline
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

_NAMES = tuple(
    f"{name}{end}"
    for name in ("Register", "Transform")
    for end in ("", "InputSpec", "OutputSpec")
)


@dataclass(frozen=True)
class _Input:
    """An input of an interface: an argument or an option of its command.

    Attributes:
        name: In Python.
        kind: What it takes; a tuple is a choice. Files that are written are outputs.
        says: What it is, for nipype's help.
        option: On the command line; `None` for the argument in this place.
        place: Of an argument.
        needed: Whether there is nothing without it.
    """

    name: str
    kind: (
        Literal["read", "written", "text", "texts", "int", "float", "flag"]
        | tuple[str, ...]
    )
    says: str
    option: str | None = None
    place: int | None = None
    needed: bool = False


def _option(name: str, kind: Any, says: str) -> _Input:
    return _Input(name, kind, says, f"--{name.replace('_', '-')}")


_HEADERS = (
    _option(
        "spacing_source", ("auto", "affine", "pixdim"), "where voxel sizes are read"
    ),
    _option("orientation_source", ("auto", "sform", "qform"), "where a place is read"),
    _option("series", "text", "which of several DICOM series: number or UID"),
    _option("allow_elsewhere", "flag", "let headers name voxels in other folders"),
)
_FILL = _option("fill_value", "text", "outside an image: a number or auto")
_ALIGNMENTS = ("header", "centers", "mass", "search", "pose")
_FORMS = ("afni", "elastix", "flirt", "lta", "niftyreg", "niftyreg-disp", "spm")

REGISTER_INPUTS = (
    _Input("fixed", "read", "the image that stays", place=0, needed=True),
    _Input("moving", "read", "the image to be laid onto it", place=1, needed=True),
    _Input("moved", "written", "the moved image", "--output"),
    _option("model", "text", "model folder, .tflite file or name of a shipped model"),
    _option("preset", "text", "preset or config file, instead of a model"),
    _option("refine", "int", "steps of refinement at most"),
    _option("modality", ("same", "different"), "whether equal values mean the same"),
    _option("initial_alignment", _ALIGNMENTS, "how the two are laid onto each other"),
    _option("initial_transform", "texts", "go on from these, as for dlir-tf transform"),
    _option("without_initial", "flag", "write only what was found beyond them"),
    _option("transform", "written", "the transform, from fixed to moving points"),
    _option("inverse", "written", "its inverse"),
    _option("form", _FORMS, "whose files these are, if their names don't say so"),
    _option("displacement", "written", "the displacement field"),
    _option("jacobian", "written", "the Jacobian determinant"),
    _option("labels", "read", "labels of the moving image"),
    _option("moved_labels", "written", "where the moved labels go"),
    _option("interpolation", ("nearest", "label"), "of moved labels"),
    _option("fixed_mask", "read", "which voxels of the fixed image count"),
    _option("moving_mask", "read", "which voxels of the moving image count"),
    _option("fixed_points", "read", "landmarks of the fixed image"),
    _option("moving_points", "read", "landmarks of the moving image"),
    _option("points_weight", "float", "what 1 mm of their distance adds to the loss"),
    _option("fixed_labels", "read", "labels of the fixed image, to go by"),
    _option("labels_weight", "float", "what their outlines add to the loss"),
    _option("stiffness", "float", "what the smoothness is multiplied by"),
    _FILL,
    _option("channel", "int", "of colours, the channel to register by, from 1"),
    _option("figure", "written", "a picture of the result"),
    _option("page", "written", "the result as a page to look at"),
    _option("report", "written", "how it went, as JSON"),
    _option("strict", "flag", "an exit code of 3 for the verdict FAIL"),
    _option("all_stages", "flag", "keep stages that do harm"),
    *_HEADERS,
)
TRANSFORM_INPUTS = (
    _Input("image", "read", "the image, labels or series to be carried", place=0),
    _option("points", "read", "landmarks to be carried, instead of an image"),
    _Input("transforms", "texts", "as antsApplyTransforms takes them", "--transform"),
    _Input("moved", "written", "where the result goes", "--output"),
    _option("reference", "read", "the image on whose grid the result lies"),
    _option("inverse", "flag", "go the other way"),
    _option("interpolation", ("linear", "nearest", "cubic", "label"), "how to sample"),
    _FILL,
    _option("space", ("RAS", "LPS"), "the world of CSV files"),
    *_HEADERS,
)


def __getattr__(name: str) -> Any:
    """Makes the interfaces when the first of them is asked for."""
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from nipype.interfaces import base
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{name}: needs nipype, which isn't installed; `pip install "
            "dlir-tf[nipype]` brings it"
        ) from error
    for each, command, inputs in (
        ("Register", "register", REGISTER_INPUTS),
        ("Transform", "transform", TRANSFORM_INPUTS),
    ):
        made = _interface(base, each, command, inputs)
        # Pipelines keep their nodes as pickles, which know classes by their names.
        globals().update({one.__name__: one for one in made})
    return globals()[name]


def _interface(
    base: Any, name: str, command: str, inputs: tuple[_Input, ...]
) -> tuple[type[Any], type[Any], type[Any]]:
    """A nipype interface of one command, and what it takes and gives.

    Args:
        base: `nipype.interfaces.base`.
        name: Of the class.
        command: Of `dlir-tf`.
        inputs: What it takes.
    """
    written = [each.name for each in inputs if each.kind == "written"]
    names = [each.name for each in inputs]
    source = "moving" if "moving" in names else "image"
    here = {"__module__": __name__}
    taken = {each.name: _trait(base, each, source) for each in inputs}
    given = {each: base.File(exists=True) for each in written}
    spec = type(f"{name}InputSpec", (base.CommandLineInputSpec,), here | taken)
    outputs = type(f"{name}OutputSpec", (base.TraitedSpec,), here | given)
    about = {
        "__doc__": f"`dlir-tf {command}`; see `dlir-tf {command} --help`.",
        "_cmd": f"dlir-tf {command}",
        "input_spec": spec,
        "output_spec": outputs,
        "_list_outputs": _lister(base, written),
        "_overload_extension": _with_suffix,
        "_format_arg": _words,
    }
    return type(name, (base.CommandLine,), here | about), spec, outputs


def _trait(base: Any, one: _Input, source: str) -> Any:
    """The trait of an input, with what nipype needs to build the command line.

    Args:
        base: `nipype.interfaces.base`.
        one: The input.
        source: The input by whose name the moved image is called, if it isn't named.
    """
    flag = "%s" if one.option is None else f"{one.option} %s"
    about: dict[str, Any] = {"desc": one.says, "argstr": flag, "mandatory": one.needed}
    if one.place is not None:
        about["position"] = one.place
    if isinstance(one.kind, tuple):
        return base.traits.Enum(*one.kind, **about)
    if one.name == "moved":
        about |= {"name_source": [source], "keep_extension": True}
        return base.File(name_template="%s_moved", hash_files=False, **about)
    if one.kind == "written":
        return base.File(hash_files=False, **about)
    if one.kind == "read":
        # An image may be the folder of a DICOM series.
        kind = type("FileOrFolder", (base.File,), {"_is_file": False})
        return kind(exists=True, **about)
    if one.kind == "flag":
        return base.traits.Bool(**about | {"argstr": one.option})
    if one.kind == "texts":
        return base.InputMultiObject(base.traits.Str(), **about)
    simple = {"text": base.traits.Str, "int": base.traits.Int}
    return simple.get(one.kind, base.traits.Float)(**about)


def _with_suffix(self: Any, value: str, name: str | None = None) -> str:
    """What is called after a folder has no suffix to keep."""
    return f"{value}.nii.gz"


def _words(self: Any, name: str, trait_spec: Any, value: Any) -> str | None:
    """An input on the command line, of which a shell makes what it is.

    Args:
        self: The interface.
        name: Of the input.
        trait_spec: Its trait, whose `argstr` is what comes before a value.
        value: What was given; of several, each gets an option of its own.
    """
    before = trait_spec.argstr.removesuffix("%s")
    if value is True or value is False:
        return before if value else None
    values = value if isinstance(value, list) else [value]
    return " ".join(f"{before}{shlex.quote(str(each))}" for each in values)


def _lister(base: Any, written: list[str]) -> Callable[[Any], dict[str, Any]]:
    """What tells nipype where the files are."""

    def list_outputs(self: Any) -> dict[str, Any]:
        from pathlib import Path

        outputs = self.output_spec().get()
        for name in written:
            value = getattr(self.inputs, name)
            if name == "moved" and not base.isdefined(value):
                value = self._filename_from_source(name)
            if base.isdefined(value) and value is not None:
                outputs[name] = str(Path(value).absolute())
        return dict(outputs)

    return list_outputs
