"""Series for pages, of which NumPy knows every voxel of every frame."""

from types import SimpleNamespace

import numpy as np
from made_pages import HOSTILE, blocks, oblique_affine
from scipy import ndimage

from dlir_tf.images import Frames, Image
from dlir_tf.images.grid import in_space
from dlir_tf.page.series import SeriesContents
from dlir_tf.transforms import Affine, Transform

COUNT = 9
# How much of the first world axis a frame has gained, for each frame.
GROWTH = 0.03
LANDMARK = (9.0, -25.0, 3.5)


def made_series(shape=(24, 30, 9), affine=None, sizes=(3, 3, 1)):
    """Frames that have nothing in common, so that none is taken for another.

    Args:
        shape: Of a frame; its last axis may have length 1, as in a cine of one slice.
        affine: By default oblique, flipped, and of three voxel sizes.
        sizes: Of the even blocks that frames are made of, in voxels.
    """
    rng = np.random.default_rng(9)
    affine = oblique_affine() if affine is None else affine
    arrays = {
        role: [blocks(rng, shape, sizes) for _ in range(COUNT)]
        for role in ("moving", "moved")
    }
    labels = [_blobs(rng, shape) for _ in range(COUNT)]
    frames = _frames(arrays["moving"], affine)
    contents = SeriesContents(
        reference=frames[0],
        reference_frame=0,
        frames=frames,
        corrected=_frames(arrays["moved"], affine),
        transforms=tuple(map(growing, range(COUNT))),
        title=f"Series {HOSTILE}",
        labels=_frames(labels, affine),
        reference_labels=Image(labels[0], affine),
        outcomes=_outcomes(),
        volumes=_volumes(),
        ejection=[
            {"label": "1", "largest_frame": "0", "largest": "100.0",
             "smallest_frame": "4", "smallest": "40.0", "fraction": "0.6"},
        ],
        strain=[
            {"frame": str(n), "radial": f"{0.05 * n}", "circumferential": "-0.1"}
            for n in range(COUNT)
        ],
        displacements=_landmark(),
        run={"choices": [HOSTILE], "labels_frame": 0, "versions": {"dlir_tf": "1"}},
        notes=(HOSTILE,),
    )  # fmt: skip
    return SimpleNamespace(
        contents=contents,
        grid=contents.reference.grid,
        arrays=arrays,
        labels=labels,
        growth=[1 + GROWTH * n for n in range(COUNT)],
    )


def growing(number):
    """The first world axis gets longer from frame to frame."""
    return Transform((Affine(np.diag([1 + GROWTH * number, 1.0, 1.0, 1.0])),))


def slice_affine():
    """Of a slice that lies aslant and is flipped, with pixels that aren't square."""
    affine = in_space(np.array([[-0.8, 0, 10], [0, 1.5, -20], [0, 0, 1]]))
    affine[2, 0] = 0.3
    return affine


def _frames(arrays, affine):
    return Frames(tuple(Image(array, affine) for array in arrays), 50.0, "msec")


def _blobs(rng, shape):
    coarse = rng.integers(0, 3, [-(-n // 6) for n in shape]).astype(np.uint8)
    large = ndimage.zoom(coarse, [min(6, n) for n in shape], order=0)
    return 7 * large[tuple(slice(n) for n in shape)]


def _outcomes():
    rows = [
        {"frame": str(n), "start": "rest", "similarity_kind": "ncc",
         "similarity_before": f"{1 - 0.1 * min(n, COUNT - n)}",
         "similarity_after": "0.95", "mean_displacement": "1.5",
         "largest_displacement": f"{n}.25", "smallest_jacobian": "0.5",
         "folded_percent": "0.0", "failure": ""}
        for n in range(COUNT)
    ]  # fmt: skip
    rows[5]["failure"] = HOSTILE
    return rows


def _landmark():
    """One that moves as `growing` has it."""
    rows = []
    for n in range(COUNT):
        x = LANDMARK[0] * (1 + GROWTH * n)
        rows.append(
            {"frame": str(n), "point": "0", "x": str(x), "y": str(LANDMARK[1]),
             "z": str(LANDMARK[2]), "distance": str(abs(x - LANDMARK[0]))}
        )  # fmt: skip
    return rows


def _volumes():
    return [
        {"frame": str(n), "label": label, "volume_ml": f"{volume}"}
        for label, volumes in (
            ("7", [100 - 15 * min(n, COUNT - n) for n in range(COUNT)]),
            ("14", [50 + n for n in range(COUNT)]),
        )
        for n, volume in enumerate(volumes)
    ]
