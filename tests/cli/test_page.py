"""`dlir-tf page`, and `dlir-tf register --page`."""

import json

import nibabel as nib
import numpy as np
import pytest
from register_desk import PAIR, refused, save, scanner_affine

from dlir_tf.cli import main
from dlir_tf.images import read_image
from dlir_tf.transforms import Affine, Transform, write_transform

PAGE = ("page", "--fixed", "fixed.nii.gz", "--moving", "moving.nii.gz")


@pytest.fixture
def shifted(here):
    """A transform of ITK beside the images."""
    matrix = np.eye(4)
    matrix[:3, 3] = [2.0, -1.0, 0.5]
    write_transform(here / "transform.tfm", Transform((Affine(matrix),)))
    return here


def text_of(path):
    return path.read_text(encoding="utf-8")


def test_register_writes_a_page_with_its_report(here, capsys):
    main([*PAIR, "--page", "out/result.html", "--report", "out/report.json"])
    html = text_of(here / "out" / "result.html")
    report = json.loads(text_of(here / "out" / "report.json"))
    assert f"<strong>{report['verdict']}</strong>" in html
    assert "moving.nii.gz on fixed.nii.gz" in html
    assert 'id="volume-moved"' in html


def test_a_folder_of_a_pair_becomes_a_page(shifted, capsys):
    main(["page", "."])
    assert capsys.readouterr().out == "page.html\n"
    html = text_of(shifted / "page.html")
    assert 'id="volume-moved"' in html
    assert 'id="volume-jacobian"' in html


def image_numbers(html):
    """What stands on a page for the moved image."""
    return html.split('id="volume-moved"')[1].split("</script>")[0]


@pytest.mark.parametrize(
    "name",
    [
        *("transform.lta", "transform.aff12.1D", "transform.mat"),
        *("transform0GenericAffine.mat", "transform1Warp.nii.gz"),
    ],
)
def test_a_transform_of_another_program_is_found_beside_the_images(here, name):
    import SimpleITK as sitk

    straight = np.diag([1.4, 1.6, 7.0, 1.0])
    for image in ("fixed", "moving"):
        voxels = np.asarray(nib.load(here / f"{image}.nii.gz").dataobj)
        save(here / f"{image}.nii.gz", voxels, straight)
    matrix = np.eye(4)
    matrix[:3, 3] = [2.0, -1.0, 0.5]
    shift = Transform((Affine(matrix),))
    write_transform(here / "other.tfm", shift)
    main([*PAGE, "--transform", "other.tfm", "--output", "out/p.html"])
    fixed, moving = (read_image(here / f"{n}.nii.gz") for n in ("fixed", "moving"))
    if name == "transform.mat":
        sitk.WriteTransform(sitk.ReadTransform("other.tfm"), name)
    else:
        write_transform(here / name, shift, reference=fixed, moving=moving)
    main(["page", "."])
    shown = [text_of(here / page) for page in ("page.html", "out/p.html")]
    assert image_numbers(shown[0]) == image_numbers(shown[1])


def test_files_are_taken_wherever_they_lie(shifted):
    main([*PAGE, "--transform", "[transform.tfm,1]", "--output", "out/p.html"])
    assert 'id="volume-moved"' in text_of(shifted / "out" / "p.html")


def test_without_a_transform_a_page_says_so(here):
    main([*PAGE, "--output", "out/p.html"])
    assert "There is no transform" in text_of(here / "out" / "p.html")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("page", "nowhere"), "is no folder"),
        (("page", "out"), "has no fixed image"),
        (("page", "--fixed", "fixed.nii.gz"), "--moving is missing"),
        (PAGE, "--output is missing"),
        ((*PAGE, "--output", "out/p.txt"), "ends in .html"),
        (
            (*PAGE, "--report", "model/config.yaml", "--output", "out/p.html"),
            "no report",
        ),
        ((*PAGE, "--moved", "moving.nii.gz", "--output", "out/p.html"), "must lie on"),
        (
            (*PAGE, "--fixed-labels", "labels.nii.gz", "--output", "out/p.html"),
            "labels",
        ),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_sentence(here, capsys, arguments, told):
    assert told in refused(capsys, here, *arguments)


@pytest.mark.parametrize(
    "change",
    [
        {"stages": 5},
        {"stages": [{"number": 1}], "refinement": {"steps": 3}},
        {"similarity_after": "high"},
        None,
    ],
)
def test_a_damaged_report_is_refused_in_a_sentence(here, capsys, change):
    if change is not None:
        (here / "report.json").write_text(json.dumps({"verdict": "PASS"} | change))
    arguments = (*PAGE, "--report", "report.json", "--output", "out/p.html")
    line = refused(capsys, here, *arguments)
    assert "report.json" in line
    if change is not None:
        assert "is no report of dlir-tf register" in line


def test_images_of_two_ranks_are_refused(here, capsys):
    save(here / "flat.nii.gz", np.arange(30.0).reshape(5, 6))
    arguments = ("page", "--fixed", "flat.nii.gz", "--moving", "moving.nii.gz")
    line = refused(capsys, here, *arguments, "--output", "out/p.html")
    assert "is 2-d" in line


def test_two_files_of_one_name_are_refused(shifted, capsys):
    save(shifted / "fixed.nii", np.zeros((3, 3, 3)), scanner_affine())
    assert "holds both fixed.nii" in refused(capsys, shifted, "page", ".")


def test_landmarks_have_the_names_of_their_file(shifted):
    header = "x,y,z,Label\n"
    rows = ["-30.5,14,75,<apex>", "-33,10,80,base"]
    (shifted / "fixed_points.csv").write_text(header + "\n".join(rows))
    (shifted / "moving_points.csv").write_text("x,y,z\n-28,13,75\n-31,9,81\n")
    main(["page", "."])
    html = text_of(shifted / "page.html")
    assert "&lt;apex&gt;</button>" in html
    assert ">base</button>" in html
