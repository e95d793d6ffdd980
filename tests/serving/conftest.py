"""A server of models whose answers are known."""

import pytest
from model_process import served
from served_models import write_known

# Not for this process, in which Keras is.
collect_ignore = ["model_server.py"]


@pytest.fixture(scope="session")
def known(tmp_path_factory):
    """A server of models whose answers are known."""
    with served(write_known, tmp_path_factory.mktemp("known")) as server:
        yield server
