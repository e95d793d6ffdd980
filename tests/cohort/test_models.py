"""A cohort by a `.tflite` file, and by a server: what the single command writes."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from model_process import served
from random_models import random_model, spline
from scipy import ndimage
from served_models import write_known

from dlir_tf.cli import main
from dlir_tf.cohort import Settings, register_pairs
from dlir_tf.errors import InputError
from dlir_tf.export.tflite import file
from dlir_tf.images import Image, write_image
from dlir_tf.serving import Server

SHAPES = {2: (24, 32), 3: (24, 32, 4)}
SIDES = ("fixed", "moving")
KINDS = ("", "_labels", "_mask")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One whose models give known waves, `known` and `known-2d`."""
    with served(write_known, tmp_path_factory.mktemp("known")) as server:
        yield server


@pytest.fixture(params=[2, 3])
def ndim(request, tmp_path, monkeypatch):
    """Of the images of two pairs in the working directory, and of their manifest."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(request.param)
    columns = [side + kind for kind in KINDS for side in SIDES]
    lines = [",".join(["id", *columns])]
    for number in "01":
        for side in SIDES:
            noise = rng.uniform(size=SHAPES[request.param])
            image = ndimage.gaussian_filter(noise, 2, mode="wrap") * 1000
            middle = np.median(image)
            for kind, array in (
                ("", image.astype(np.int16)),
                ("_labels", (image > middle).astype(np.uint8) * 5),
                ("_mask", (image > middle - 20).astype(np.uint8)),
            ):
                affine = np.diag([*(1.5, 1.5, 6.0)[: request.param], 1])
                write_image(f"{side}{kind}{number}.nii.gz", Image(array, affine))
        cells = [f"{name}{number}.nii.gz" for name in columns]
        lines.append(",".join([f"p{number}", *cells]))
    Path("pairs.csv").write_text("\n".join(lines) + "\n")
    return request.param


@pytest.fixture(params=["tflite", "grpc", "rest"])
def by(request, ndim):
    """The options of each kind of model that isn't a folder."""
    if request.param != "tflite":
        server = request.getfixturevalue("server")
        name = "known" if ndim == 3 else "known-2d"
        address = getattr(server, request.param)
        return ["--server", address, "--model-name", name]
    steps = [8, 8, 1][:ndim]
    config = {
        "ndim": ndim,
        "spacing": [None] * ndim,
        "stages": [spline(steps)],
    }
    model = random_model(config, np.random.default_rng(5), 0.4, added=False)
    with pytest.MonkeyPatch.context() as patch:  # its own check is tested elsewhere
        patch.setattr(file, "check_tflite_parity", lambda *_: None)
        file.export_tflite(model, "exported.tflite", shape=SHAPES[ndim])
    return ["--model", "exported.tflite"]


def report_of(path):
    told = json.loads(Path(path).read_text())
    assert told.pop("seconds") > 0
    told.pop("versions")  # of packages that were imported meanwhile
    return told


def test_every_pair_has_the_files_of_the_single_command(by, capsys):
    many = ["register", "--pairs", "pairs.csv", "--output", "out", "--all-stages"]
    files = ["--inverse", "inverse.h5", "--displacement", "field.nii.gz"]
    main([*many, *by, *files])
    with open("out/summary.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["problem"] for row in rows] == ["", ""]
    assert {row["id"] for row in rows} == {"p0", "p1"}
    Path("one").mkdir()
    names = {"transform": "transform.h5", "report": "report.json"}
    names |= {"inverse": "inverse.h5", "displacement": "field.nii.gz"}
    names |= {"moved-labels": "moved_labels.nii.gz", "output": "moved.nii.gz"}
    options = [part for o, name in names.items() for part in (f"--{o}", f"one/{name}")]
    masks = [part for s in SIDES for part in (f"--{s}-mask", f"{s}_mask1.nii.gz")]
    pair = ["fixed1.nii.gz", "moving1.nii.gz", "--labels", "moving_labels1.nii.gz"]
    main(["register", *pair, *masks, *by, *options, "--all-stages"])
    capsys.readouterr()
    for name in set(names.values()) - {"report.json"}:
        assert Path("out/p1", name).read_bytes() == Path("one", name).read_bytes(), name
    assert report_of("out/p1/report.json") == report_of("one/report.json")
    assert float(rows[1]["largest_displacement"]) > 0.3
    before = {path: path.stat().st_mtime_ns for path in Path("out").glob("p*/*")}
    main([*many, *by, *files])
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("ndim", [2], indirect=True)
def test_a_model_of_another_rank_is_told_of_for_each_pair(ndim, server, capsys):
    options = ["--server", server.grpc, "--model-name", "known"]
    with pytest.raises(SystemExit) as caught:
        main(["register", "--pairs", "pairs.csv", "--output", "out", *options])
    assert caught.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    told = [line for line in lines if "pairs.csv, line" in line]
    assert len(told) == 2
    assert all("3-d" in line for line in told)
    assert not list(Path("out").glob("p*"))


@pytest.mark.parametrize("ndim", [3], indirect=True)
def test_a_server_that_went_ends_it_and_the_same_command_goes_on(ndim, server):
    def registered(address):
        remote = Server(address, "known", timeout=30)
        return register_pairs("pairs.csv", "out", server=remote, do_no_harm=False)

    results = registered(server.grpc)
    first = next(results)
    results.close()
    with pytest.raises(InputError, match=r"127\.0\.0\.1:1\b"):
        list(registered("127.0.0.1:1"))
    again = {result.id: result for result in registered(server.grpc)}
    assert not again[first.id].problem
    assert {result.verdict for result in again.values()} <= {"PASS", "WARN", "FAIL"}


def test_a_process_elsewhere_finds_the_files_of_a_server(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("token").write_text("secret")
    remote = Server("localhost:8500", token_file=Path("token"))
    there = Settings(server=remote).absolute().server
    assert there.token_file == tmp_path / "token"
    assert there.address == remote.address
