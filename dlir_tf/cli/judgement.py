"""What `dlir-tf register` has to say about how good its result is."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from dlir_tf.cli.options import FILE
from dlir_tf.errors import counted

if TYPE_CHECKING:
    from dlir_tf.quality import Report

# Not 1, which is for what couldn't be done, nor 2, for a wrong command line.
FAILED_VERDICT = 3


def report_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options about stages, report and verdict."""
    for option in reversed(
        (
            click.option(
                "--report",
                type=FILE,
                help="Write how it went as JSON: similarity after each stage, folding, "
                "displacements, overlap, and the verdict with its reasons.",
            ),
            click.option(
                "--strict",
                is_flag=True,
                help=f"End with exit code {FAILED_VERDICT} if the verdict is FAIL; all "
                "files are written even so.",
            ),
            click.option(
                "--all-stages",
                is_flag=True,
                help="Keep stages that make the images less alike, too.",
            ),
        )
    ):
        command = option(command)
    return command


def tell(report: "Report", *, strict: bool) -> None:
    """Says on stderr what a refinement did and why the verdict isn't PASS.

    If it's FAIL, ends the process, if asked to.

    Args:
        report: Of the registration.
        strict: Whether FAIL ends it with an exit code of its own.
    """
    refined = report.refinement
    if refined is not None:
        found = f"loss {refined.loss_before:.4g} before, {refined.loss_after:.4g} after"
        if refined.loss_after == refined.loss_before:
            found = f"nothing better was found (loss {refined.loss_before:.4g})"
        steps = counted(refined.steps, "step", "steps")
        click.echo(f"Refined in {steps}: {found}", err=True)
    for reason in report.reasons:
        click.echo(f"{report.verdict}: {reason}", err=True)
    if strict and report.verdict == "FAIL":
        click.echo(
            "Error: the verdict is FAIL (--strict); all files were written even so",
            err=True,
        )
        sys.exit(FAILED_VERDICT)
