"""docker-compose.yaml and what .devcontainer/ lays over it; .ci/run has a real parser validate them."""

from __future__ import annotations

import pytest
import yaml

from tests.processes import ROOT

FILES = ["docker-compose.yaml", ".devcontainer/docker-compose.yaml"]
SERVICES = {
    name: service
    for file in FILES
    for name, service in yaml.safe_load((ROOT / file).read_text())["services"].items()
}


def test_there_are_a_risingwave_a_postgresql_the_dashboard_and_orders():
    assert SERVICES["risingwave"]["image"] == "risingwavelabs/risingwave:v3.0.3"
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert {"app", "orders"} < set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_starts_before_what_it_needs_is_healthy(name):
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        assert how == {"condition": "service_healthy"}
        assert "healthcheck" in SERVICES[needed]


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_can_be_reached_from_other_machines(name):
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", ["app", "postgres", "risingwave"])
def test_data_outlive_the_containers(name):
    (volume,) = SERVICES[name]["volumes"]
    assert volume.split(":")[0] in yaml.safe_load((ROOT / FILES[0]).read_text())["volumes"]


def test_risingwave_sends_no_telemetry():
    assert SERVICES["risingwave"]["environment"]["ENABLE_TELEMETRY"] == "false"
