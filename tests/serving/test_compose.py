"""docker-compose.yml against what it starts, what it serves and what is said of it."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from dlir_tf.cli.export import command as export
from dlir_tf.cli.work.export import DEFAULT_OUTPUT
from dlir_tf.serving.server import DEFAULT_MODEL_NAME

ROOT = Path(__file__).resolve().parents[2]
BATCHING = ROOT / "serving" / "batching.config"


@pytest.fixture(scope="module")
def service():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert list(services) == ["serving"]
    return services["serving"]


def flags(service):
    pairs = (re.fullmatch(r"--(\w+)=(.+)", flag) for flag in service["command"])
    return {pair[1]: pair[2] for pair in pairs}


def test_it_serves_what_export_writes_under_the_name_that_register_asks_for(service):
    defaults = {option.name: option.default for option in export.params}
    assert f"./{DEFAULT_OUTPUT}:/models:ro" in service["volumes"]
    assert flags(service)["model_name"] == defaults["name"] == DEFAULT_MODEL_NAME
    assert flags(service)["model_base_path"] == f"/models/{defaults['name']}"


def test_its_ports_are_those_of_the_docs_and_open_to_this_machine_alone(service):
    given = flags(service)
    assert service["ports"] == [
        f"127.0.0.1:{port}:{port}" for port in (given["port"], given["rest_api_port"])
    ]
    page = (ROOT / "docs" / "serving.md").read_text("utf-8")
    assert f"--server localhost:{given['port']}" in page
    assert f"--server http://localhost:{given['rest_api_port']}" in page
    assert service["image"] in page


def test_its_image_is_one_that_does_not_change_by_itself(service):
    name = r"tensorflow/serving(:\d+\.\d+\.\d+)?(@sha256:[0-9a-f]{64})?"
    found = re.fullmatch(name, service["image"])
    assert found is not None
    assert any(found.groups()), "an exact version, or a digest"


def test_it_has_no_rights_that_it_does_not_need(service):
    user, _, group = service["user"].partition(":")
    assert min(int(user), int(group)) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert all(volume.endswith(":ro") for volume in service["volumes"])
    (memory,) = service["tmpfs"]
    assert {"size", "noexec"} <= set(re.split("[:,=]", memory))
    assert not {"privileged", "cap_add", "devices", "network_mode"} & set(service)


def test_what_it_reads_is_readable_for_its_user():
    assert BATCHING.stat().st_mode & 0o004


def test_requests_queue_but_are_never_merged(service):
    place = flags(service)["batching_parameters_file"]
    assert f"./{BATCHING.relative_to(ROOT)}:{place}:ro" in service["volumes"]
    assert flags(service)["enable_batching"] == "true"
    lines = re.sub(r"#.*", "", BATCHING.read_text()).split("\n")
    found = [
        re.fullmatch(r"(\w+)(?: \{ value: (\d+) \}|: (\w+))", n) for n in lines if n
    ]
    parameters = {match[1]: match[2] or match[3] for match in found}
    assert parameters == {
        "max_batch_size": "1",
        "batch_timeout_micros": "0",
        "pad_variable_length_inputs": "false",
        "num_batch_threads": "2",
        "max_enqueued_batches": "32",
    }


@pytest.mark.parametrize(("name", "healthy"), [("known", True), ("broken", False)])
def test_its_health_check_tells_a_served_model_from_one_that_is_not(
    service, known, name, healthy
):
    if not known.own:
        pytest.skip("a real server doesn't start with a broken model")
    kind, *words = service["healthcheck"]["test"]
    assert kind == "CMD"
    port = known.rest.rpartition(":")[2]
    words = [w.replace("8501", port).replace("dlir", name) for w in words]
    run = subprocess.run(words, capture_output=True, timeout=30)
    assert (run.returncode == 0) == healthy, run.stderr
