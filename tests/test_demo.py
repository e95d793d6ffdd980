"""The demo's folder: a new one, and how to get one."""

import subprocess
from pathlib import Path

import pytest

from dlir_tf.demo import run_demo
from dlir_tf.errors import InputError

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("is_file", [False, True])
def test_a_folder_in_use_is_refused_before_any_work(tmp_path, is_file):
    """As after a demo, finished or interrupted half way."""
    output = tmp_path / "demo"
    if is_file:
        output.touch()
    else:
        (output / "images").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"demo: is in use already; remove it or"):
        run_demo(output, say=pytest.fail)
    assert sorted(tmp_path.rglob("*")) == before


def test_make_demo_lets_the_folder_be_chosen():
    make = ["make", "--dry-run", "demo"]
    for more, folder in (([], "demo"), (["DEMO=my hearts"], "my hearts")):
        printed = subprocess.run(
            [*make, *more], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        assert f'dlir-tf demo --output "{folder}"\n' in printed
