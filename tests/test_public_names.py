"""The names that `import dlir_tf` promises, each imported when it is first used."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import dlir_tf

ROOT = Path(__file__).resolve().parents[1]


def test_every_public_name_is_there_and_listed():
    assert dir(dlir_tf) == sorted(dlir_tf.__all__)
    for name in dlir_tf.__all__:
        assert getattr(dlir_tf, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'layer'"):
        dlir_tf.layer  # noqa: B018


def test_layers_and_losses_need_no_import_of_their_own():
    """In a process of its own, where no other test has imported them."""
    program = (
        "import sys, dlir_tf\n"
        "assert {'layers', 'losses'} <= set(dir(dlir_tf))\n"
        "assert 'keras' not in sys.modules\n"
        "print(dlir_tf.layers.Warp.__name__, dlir_tf.losses.ncc.__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout == "Warp ncc\n", done.stderr


def test_the_reference_on_the_site_has_all_of_them():
    page = ROOT / "docs" / "reference" / "python.md"
    described = re.findall(r"^::: (\S+)$", page.read_text("utf-8"), re.MULTILINE)
    named = {path.rpartition(".")[2] for path in described}
    whole = {"__version__", "layers", "losses"}
    missing = set(dlir_tf.__all__) - whole - named
    assert missing == set(), f"add these to {page.name}"
