"""elastix itself, where it is installed."""

import numpy as np
import pytest


def by_transformix(tmp_path, names, points):
    """LPS points through a chain of files, by elastix itself; `None` without it."""
    itk = pytest.importorskip("itk", reason="itk-elastix isn't installed")
    if not hasattr(itk, "ParameterObject"):
        pytest.skip("itk-elastix isn't installed")
    parameters = itk.ParameterObject.New()
    for name in names:
        parameters.AddParameterFile(str(tmp_path / name))
    ndim = points.shape[1]
    listed = tmp_path / "points.txt"
    rows = "\n".join(" ".join(map(repr, map(float, p))) for p in points)
    listed.write_text(f"point\n{len(points)}\n{rows}\n")
    image = itk.image_from_array(np.ones((20,) * ndim, np.float32))
    (tmp_path / "out").mkdir(exist_ok=True)
    transformix = itk.TransformixFilter.New(image)
    transformix.SetFixedPointSetFileName(str(listed))
    transformix.SetTransformParameterObject(parameters)
    transformix.SetOutputDirectory(str(tmp_path / "out"))
    transformix.UpdateLargestPossibleRegion()
    lines = (tmp_path / "out" / "outputpoints.txt").read_text().splitlines()
    found = [line.split("OutputPoint = [")[1].split("]")[0].split() for line in lines]
    return np.array(found, float)
