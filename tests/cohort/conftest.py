"""What the tests of cohorts are tried on."""

import pytest
from cohort_desk import act
from shifting_model import ACTS, LOADS


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, and what a model that isn't TensorFlow's should do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(ACTS, str(tmp_path / "acts.json"))
    monkeypatch.setenv(LOADS, str(tmp_path / "loads"))
    act(tmp_path)
    return tmp_path
