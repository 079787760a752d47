from __future__ import annotations

import math
import re
import subprocess
import sys

import pytest

from benchmarks.peers import environments, report
from benchmarks.peers.peers import PEERS
from benchmarks.peers.trial import Plan, Result
from tests.processes import ROOT

TITLES = {peer.name: peer.title for peer in PEERS}


def measure(*names: str, here: bool = False) -> None:
    command = [sys.executable, "-m", "benchmarks.peers", "--quick", "--only", *names]
    command += ["--here"] if here else []
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 0, ended.stderr
    for name in names:
        # Negative where a viewer has a change before the COMMIT that made it has returned.
        row = rf"^\| {TITLES[name]}[\d. ]* \| -?[\d,]+ \| -?[\d,]+ \|"
        assert re.search(row, ended.stdout, re.MULTILINE), ended.stdout


def test_the_dashboard_and_groups_show_what_is_committed():
    measure("dashboard", "programs", "groups", here=True)


@pytest.mark.parametrize("name", ["eventstream", "dash", "streamlit"])
def test_a_peer_shows_what_is_committed(name):
    if not environments.is_current(name):
        pytest.skip(f"no environment; run: python -m benchmarks.peers --quick --only {name}")
    measure(name)


def test_a_figure_is_the_median_with_the_minimum_and_the_maximum():
    assert report.spread([30, 1000, 20, 2000, 5], Plan()) == "30 (5 – 2,000)"
    assert report.spread([7, 7, 7], Plan(), digits=1) == "7.0"
    assert report.spread([1, math.inf, math.inf], Plan(timeout_seconds=10)) == "> 10,000 (1 – > 10,000)"


def test_a_peer_whose_viewers_do_not_all_connect_has_their_number_in_its_row():
    cells = report.row("Peer", Result(wanted=1000, open=612), Plan(connect_seconds=60))
    assert cells.startswith("| Peer | 612 of 1,000 connected within 60 s |")
    assert cells.count("|") == report.HEAD.count("|")


def test_a_peer_that_had_too_many_viewers_stays_in_the_next_table():
    results = {"One": [Result(10, open=10), Result(100, open=70)], "Other": [Result(10, open=3)]}
    lines = report.tables(results, Plan()).splitlines()
    assert [line.split(" |")[:2] for line in lines if line.startswith("| O")] == [
        ["| One", " 10 of 10 connected within 60 s"],
        ["| Other", " 3 of 10 connected within 60 s"],
        ["| One", " 70 of 100 connected within 60 s"],
        ["| Other", " not tried: 10 are too many"],
    ]
