"""examples/subscribe.py, on a real server."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import BOTH
from tests.processes import DEADLINE_SECONDS, ROOT

pytestmark = BOTH


def test_the_program_prints_each_change(server, orders):
    orders((1, 2, 3.0, "Ohio"))
    url = f"{server.socket_url}?format=json&rankings=states-by-turnover"
    command = [sys.executable, "examples/subscribe.py", url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        lines = iter(program.stdout.readline, "")
        next(line for line in lines if line.endswith("Top 5 states by turnover - Ohio $6\n"))
        orders((1, 2, 5.0, "Utah"))
        next(line for line in lines if line.endswith("Utah $10\n"))
        program.terminate()


def test_the_program_says_why_it_is_refused(server):
    command = [sys.executable, "examples/subscribe.py", f"{server.socket_url}?format=json&rankings=nonsense"]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
    )
    assert ended.returncode == 1
    assert "Unknown ranking 'nonsense'" in ended.stderr
