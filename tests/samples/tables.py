"""A table as a terminal shows it."""

from rich.console import Console

from dlir_tf.evaluation.report import summary_table


def rendered(evaluations):
    console = Console(width=80)
    with console.capture() as capture:
        console.print(summary_table(evaluations, plain=True))
    return capture.get().splitlines()
