"""docker-compose.yaml and its extension in .devcontainer/. The gate validates them with a parser."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import yaml

from tests.processes import ROOT

FILES = ["docker-compose.yaml", ".devcontainer/docker-compose.yaml"]
SERVICES = {
    name: service
    for file in FILES
    for name, service in yaml.safe_load((ROOT / file).read_text())["services"].items()
}


def test_the_services_are_risingwave_postgresql_the_dashboard_and_the_order_generator():
    assert SERVICES["risingwave"]["image"] == "risingwavelabs/risingwave:v3.0.3"
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert {"app", "orders"} < set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_when_those_that_it_needs_are_healthy(name):
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        assert how == {"condition": "service_healthy"}
        assert "healthcheck" in SERVICES[needed]


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name):
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", ["app", "postgres", "risingwave"])
def test_data_are_kept_in_volumes(name):
    (volume,) = SERVICES[name]["volumes"]
    assert volume.split(":")[0] in yaml.safe_load((ROOT / FILES[0]).read_text())["volumes"]


def test_the_health_check_of_the_dashboard_passes_on_a_running_site_of_any_name(server):
    _cmd, _python, *arguments = SERVICES["app"]["healthcheck"]["test"]
    port = server.host.split(":")[1]
    subprocess.run([sys.executable, *arguments], env={"PORT": port}, check=True)
    refused = subprocess.run(
        [sys.executable, *arguments], env={"PORT": "1"}, check=False, capture_output=True
    )
    assert refused.returncode == 1


def test_risingwave_sends_no_telemetry():
    assert SERVICES["risingwave"]["environment"]["ENABLE_TELEMETRY"] == "false"


def test_the_order_generator_finds_the_app_with_its_command():
    assert SERVICES["orders"]["environment"]["EXTRA_APPS"] == "demo.shop"


def test_manage_py_in_the_dashboard_container_reads_what_the_demo_wrote():
    """`SECRET_KEY:` without a value is passed on only if it is set; an empty one would hide the demo's."""
    assert SERVICES["app"]["environment"]["SECRET_KEY"] is None
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "DEMO_DIR=/data " in dockerfile
    assert "ENVIRONMENT_FILE=/data/environment " in dockerfile


def test_the_image_has_all_that_it_copies():
    ignored, *allowed = (ROOT / ".dockerignore").read_text().split()
    assert ignored == "*"
    for source in re.findall(r"^COPY (?!--)(\S+) ", (ROOT / "Dockerfile").read_text(), re.MULTILINE):
        assert (ROOT / source).exists()
        assert f"!{source.split('/')[0]}" in allowed
