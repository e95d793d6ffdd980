"""In which order frames are registered, and whose answer each may start from."""

from collections.abc import Sequence

from dlir_tf.errors import InputError
from dlir_tf.images import Frames, Image
from dlir_tf.images.missing import limits_of


def check_series(frames: Frames, name: str = "the series") -> None:
    """Refuses what isn't a series of frames on one grid.

    Args:
        frames: As they were read.
        name: What they were read from, for the message.

    Raises:
        InputError: If there is one frame alone, or a frame has no contrast.
    """
    if len(frames) < 2:
        raise InputError(
            f"{name}: must have at least two frames, but is one image of shape "
            f"{frames[0].shape}; give a series (3-d+t, or 2-d+t with a third axis of "
            "length 1), or the frames' files one after another"
        )
    for number, frame in enumerate(frames):
        low, high = limits_of(frame.array)
        if not low < high:  # which is so of nothing but NaN, too
            raise InputError(
                f"{name}: every voxel of frame {number} that has a value is {low}, so "
                "there is nothing to register; check the series, and leave such "
                "frames out"
            )


def chosen_reference(reference: int | str, num_frames: int) -> int | None:
    """The number of the reference frame; `None` for the mean.

    Raises:
        InputError: If there is no such frame.
    """
    if reference == "mean":
        return None
    return existing_frame("reference", reference, num_frames, " or mean")


def existing_frame(
    name: str, frame: int | str, num_frames: int, others: str = ""
) -> int:
    """The frame's number, if it's there.

    Args:
        name: Of the option, for the message.
        frame: Counted from 0.
        num_frames: How many there are.
        others: What else may be given.

    Raises:
        InputError: If there is no such frame.
    """
    if isinstance(frame, str) or not 0 <= frame < num_frames:
        raise InputError(
            f"{name}: must be a frame from 0 to {num_frames - 1}{others}. "
            f"Received: {frame}"
        )
    return int(frame)


def with_neighbours(
    num_frames: int, reference: int | None, *, periodic: bool
) -> list[tuple[int, int | None]]:
    """All frames but the reference, from its neighbours outwards.

    Args:
        num_frames: How many there are.
        reference: The frame that isn't registered, or `None`: then all are, from the
            first one on.
        periodic: Whether the first frame follows the last one.

    Returns:
        Each frame, and the one before it on the way from the reference, which is
        registered already, or `None` if there's none.
    """
    if reference is None:
        return [(n, n - 1 if n else None) for n in range(num_frames)]
    later = num_frames - 1 - reference
    if periodic:
        later = num_frames // 2
    earlier = num_frames - 1 - later
    forwards = [(reference + n) % num_frames for n in range(1, later + 1)]
    backwards = [(reference - n) % num_frames for n in range(1, earlier + 1)]
    found: list[tuple[int, int | None]] = []
    for way in (forwards, backwards):
        before = [None, *way]
        found += list(zip(way, before, strict=False))
    return found


def in_directions(
    order: Sequence[tuple[int, int | None]],
) -> list[list[tuple[int, int | None]]]:
    """Parts an order of frames where one has no neighbour on the way.

    Args:
        order: From `with_neighbours`.

    Example:

    >>> in_directions([(1, None), (2, 1), (0, None)])
    [[(1, None), (2, 1)], [(0, None)]]
    """
    parts: list[list[tuple[int, int | None]]] = []
    for number, neighbour in order:
        if neighbour is None:
            parts.append([])
        parts[-1].append((number, neighbour))
    return parts


def mean_image(images: list[Image] | tuple[Image, ...]) -> Image:
    """The mean of images on one grid, float32."""
    total = sum(image.array.astype(float) for image in images[1:])
    mean = (images[0].array.astype(float) + total) / len(images)
    return images[0].with_array(mean.astype("float32"))
