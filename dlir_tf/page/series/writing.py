"""The page of a series: that of a pair, with a slider over frames."""

from pathlib import Path

from dlir_tf.files import TEXT, replacing
from dlir_tf.page.series.building import build_series
from dlir_tf.page.series.contents import SeriesContents
from dlir_tf.page.series.facts import facts_html, verdict_html
from dlir_tf.page.vendor import Viewer
from dlir_tf.page.writing import Said, assemble, fill, part


def write_series_page(
    path: Path | str, contents: SeriesContents, *, viewer: Viewer | None = None
) -> None:
    """Writes the page of a series, whole or not at all.

    Args:
        path: The `.html` file; an existing one is replaced.
        contents: What is to be seen.
        viewer: As in `dlir_tf.page.write_page`.
    """
    with replacing(Path(path)) as unfinished:
        text = make_series_page(contents, viewer=viewer)
        unfinished.write_text(text, **TEXT)


def make_series_page(contents: SeriesContents, *, viewer: Viewer | None = None) -> str:
    """The page as text; see `write_series_page`."""
    built = build_series(contents)
    reference = contents.reference_frame
    captions = {
        "fixed": "Fixed: "
        + ("the mean" if reference is None else f"frame {reference}"),
        "moving": "Each frame, before",
        "moved": "Each frame, after",
    }
    first, last = built.data["frames"]["first"], len(contents.frames) - 1
    frames = fill(part("frames.html"), {"first": str(first), "last": str(last)})
    said = Said(
        contents.title, verdict_html(contents), facts_html(contents), captions, frames
    )
    return assemble(built, said, viewer)
