"""What `dlir-tf page` does for a folder of `dlir-tf track`, and `track --page`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlir_tf.errors import InputError
from dlir_tf.files import check_output
from dlir_tf.page.series import write_series_page
from dlir_tf.page.series.folder import read_series_folder, series_named_in
from dlir_tf.page.writing import SUFFIXES


def write_page_of_series(
    folder: Path,
    output: Path,
    title: str | None,
    given: Mapping[str, Any],
    headers: Mapping[str, Any],
) -> None:
    """Writes the page of a folder that `dlir-tf track` wrote.

    Args:
        folder: That one.
        output: The page.
        title: Its headline; `None` for the series' name.
        given: The options of a pair, of which but `moving`, the series, has a meaning.
        headers: How headers are believed.
    """
    from dlir_tf.series.reading import read_series  # brings all of tracking along

    for name, value in given.items():
        if value and name != "moving":
            option = {"transforms": "transform"}.get(name, name).replace("_", "-")
            raise InputError(
                f"--{option}: is for a pair, but {folder} is of dlir-tf track; with "
                "that go --moving (the series), --title and --output"
            )
    check_output(output, SUFFIXES)
    series = [given["moving"]] if given.get("moving") else series_named_in(folder)
    if output.resolve() in {path.resolve() for path in series}:
        raise InputError(f"{output}: is an input already; choose another name")
    frames = read_series(series, **headers)
    contents = read_series_folder(folder, frames, title or title_of(series))
    write_series_page(output, contents)


def check_page(page: Path | None, folder: Path) -> None:
    """Refuses a page of a series that couldn't be written when all is done.

    Args:
        page: Where it's to go, or `None`.
        folder: Of the results, which needn't be there yet.
    """
    if page is None:
        return
    if page.parent.resolve() != folder.resolve() or folder.is_dir():
        check_output(page, SUFFIXES)
    elif not page.name.endswith(SUFFIXES):
        check_output(folder.parent / page.name, SUFFIXES)


def title_of(series: Sequence[Path]) -> str:
    """What a page of a series is called."""
    others = f" and {len(series) - 1} more" if len(series) > 1 else ""
    return f"{series[0].resolve().name}{others}"
