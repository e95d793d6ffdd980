"""What a run writes, and what it says of that."""

import pytest

from dlir_tf.images.points import read_point_file
from dlir_tf.series.results import Known, write_results


@pytest.mark.parametrize("frame", [0, 2])
def test_landmarks_that_nothing_was_found_for_are_counted(tracked, tmp_path, frame):
    inside = tracked.frames[0].grid.centre
    rows = [inside, inside + 5, inside + 900, inside - 700]
    lines = ["x,y", *(",".join(map(str, row)) for row in rows)]
    path = tmp_path / "points.csv"
    path.write_text("\n".join(lines) + "\n")
    said = []
    known = Known(frame, points=(read_point_file(path), ".csv"))
    write_results(tmp_path / "out", tracked, known, tell=said.append)
    assert [line[:19] for line in said] == ["2 of 4 landmarks li"]
    path.write_text("\n".join(lines[:3]) + "\n")
    known = Known(frame, points=(read_point_file(path), ".csv"))
    write_results(tmp_path / "other", tracked, known, tell=said.append)
    assert len(said) == 1
