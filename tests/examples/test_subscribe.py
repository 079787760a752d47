"""examples/subscribe.py, on a real server."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys

from tests.conftest import BOTH
from tests.faults.proxy import Proxy
from tests.live.hubs import in_thread
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


async def test_the_program_leaves_a_connection_that_is_forgotten(server, orders, capsys, monkeypatch):
    """A proxy drops what is sent on the open connections and closes none of them."""
    spec = importlib.util.spec_from_file_location("subscribe", ROOT / "examples" / "subscribe.py")
    assert spec is not None
    assert spec.loader is not None
    subscribe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(subscribe)
    monkeypatch.setattr(subscribe, "SILENT_SECONDS", 1.5)
    monkeypatch.setattr(subscribe.random, "uniform", lambda *_: 0)
    insert = in_thread(orders)
    await insert((1, 2, 3.0, "Ohio"))
    printed = ""

    async def prints(text: str) -> None:
        nonlocal printed
        async with asyncio.timeout(DEADLINE_SECONDS):
            while text not in printed:
                await asyncio.sleep(0.05)
                printed += capsys.readouterr().out

    with Proxy(int(server.host.rpartition(":")[2])) as proxy:
        url = f"ws://127.0.0.1:{proxy.port}/ws/rankings/?format=json&rankings=states-by-turnover"
        program = asyncio.create_task(subscribe.main(url))
        await prints("Ohio $6\n")
        proxy.swallow()
        proxy.forward()
        await insert((1, 2, 5.0, "Utah"))
        await prints("Utah $10\n")
        program.cancel()


def test_the_program_says_why_it_is_refused(server):
    command = [sys.executable, "examples/subscribe.py", f"{server.socket_url}?format=json&rankings=nonsense"]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
    )
    assert ended.returncode == 1
    assert "Unknown ranking 'nonsense'" in ended.stderr
