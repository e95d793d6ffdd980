"""The registrations that are compared: their names, settings and programs."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError
from typing import Any

from machine import versions

from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.transforms import Transform

# Of the fixed and of the moving image, on its grid, bool.
Masks = tuple[Image | None, Image | None]
NO_MASKS: Masks = (None, None)


@dataclass(frozen=True)
class Prepared:
    """A pair in the form that a program wants it.

    Attributes:
        run: Registers; this is what is timed.
        transform: Makes our transform from what `run` returned, so that all programs
            are measured by the same code.
    """

    run: Callable[[], Any]
    transform: Callable[[Any], Transform]


@dataclass(frozen=True)
class Method:
    """A way to register.

    Attributes:
        title: What tables call it.
        module: In this package; its `prepare(fixed, moving, settings, masks)` returns a
            `Prepared`.
        settings: All that the program is told; results are bound to it.
        packages: Their versions bind the results as well.
        needs: What the user has to give: "model", "preset", "refine".
    """

    title: str
    module: str
    settings: dict[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    def prepare(
        self, fixed: Image, moving: Image, settings: dict, masks: Masks = NO_MASKS
    ) -> Prepared:
        """Takes a pair, with masks if it has any, to the program, imported here."""
        module = importlib.import_module(f"comparison.{self.module}")
        return module.prepare(fixed, moving, settings, masks)


_ELASTIX = ("itk-elastix", "itk-core")
_ANTS = ("antspyx",)
METHODS = {
    "before": Method("before", "ours", {"kind": "identity"}),
    "one-shot": Method(
        "dlir-tf, one shot", "ours", {"start": "model"}, needs=("model",)
    ),
    "refined": Method(
        "dlir-tf, refined",
        "ours",
        {"start": "model", "refined": True},
        needs=("model", "refine"),
    ),
    "refined-without-model": Method(
        "dlir-tf, refined without a model",
        "ours",
        {"start": "preset"},
        needs=("preset",),
    ),
    "auto": Method("dlir-tf, two file names alone", "ours", {"start": "images"}),
    "elastix-bspline": Method(
        "elastix, default B-spline map", "elastix", {"maps": ["bspline"]}, _ELASTIX
    ),
    "elastix": Method(
        "elastix, default maps in turn",
        "elastix",
        {"maps": ["translation", "affine", "bspline"]},
        _ELASTIX,
    ),
    "elastix-default-ncc": Method(
        "elastix, default maps in turn, NCC",
        "elastix",
        {"maps": ["translation-ncc", "affine-ncc", "bspline-ncc"]},
        _ELASTIX,
    ),
    "elastix-ncc": Method(
        "elastix, NCC with bending energy",
        "elastix",
        {"maps": ["ncc-coarse", "ncc-fine"]},
        _ELASTIX,
    ),
    "elastix-affine-ncc": Method(
        "elastix, affine, NCC with bending energy",
        "elastix",
        {"maps": ["translation", "affine", "ncc-coarse", "ncc-fine"]},
        _ELASTIX,
    ),
    "ants-syn": Method(
        "ANTs, affine and SyN, mattes", "ants_syn", {"type_of_transform": "SyN"}, _ANTS
    ),
    "ants-syn-cc": Method(
        "ANTs, affine and SyN, CC",
        "ants_syn",
        {"type_of_transform": "SyN", "syn_metric": "CC", "syn_sampling": 4},
        _ANTS,
    ),
    "ants-syncc": Method(
        "ANTs, SyNCC: many more iterations",
        "ants_syn",
        {"type_of_transform": "SyNCC"},
        _ANTS,
    ),
}


def installed_versions(name: str, method: Method) -> dict[str, str]:
    """The versions of a method's packages.

    Raises:
        InputError: If one isn't installed.
    """
    try:
        return versions(method.packages)
    except PackageNotFoundError as error:
        raise InputError(
            f"{name}: needs {error.name}, which isn't installed; install the peers "
            "(pip install .[benchmarks]) or leave it out with --methods"
        ) from error
