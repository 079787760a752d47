"""Take the screenshots of the documentation: .venv/bin/python -m docs.screenshots [NAME ...].

It starts a demo of its own, and writes docs/screenshots/*.webp. It needs Chromium and cwebp (Debian: apt
install chromium webp).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil
from playwright.sync_api import Browser, Page, WebSocketRoute, sync_playwright

from benchmarks.ports import free_port
from benchmarks.processes import CHROMIUM, wait_until
from django_risingwave.embedded import find_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "screenshots"
SIZES = {"laptop": (1280, 720), "narrow": (390, 844), "wall": (1920, 1080), "widget": (300, 330)}


@dataclass
class Demo:
    """A running demo."""

    url: str
    password: str
    postgres: psutil.Process


@dataclass
class Shot:
    """One screenshot. `state` is the one that the pill must show, None where there is no pill."""

    path: str = ""
    scheme: Literal["light", "dark"] = "light"
    size: str = "laptop"
    state: str | None = "live"
    #: Called with a page before it goes to its address, and afterwards.
    before: Callable[[Page, Demo], None] = lambda page, demo: None
    after: Callable[[Page, Demo], None] = lambda page, demo: None
    is_whole_page: bool = False


def log_in(page: Page, demo: Demo) -> None:
    """Log in as the user of the demo."""
    page.goto(f"{demo.url}login/")
    page.locator("[name=username]").fill("demo")
    page.locator("[name=password]").fill(demo.password)
    page.locator("main [type=submit]").click()
    page.wait_for_url(demo.url)


def refuse_sockets(page: Page, demo: Demo) -> None:
    """Let no WebSocket through, as some proxies do."""

    def close(socket: WebSocketRoute) -> None:
        socket.close(code=1013)

    page.route_web_socket(re.compile("/ws/"), close)


def pause(page: Page, demo: Demo) -> None:
    """Press the key that pauses, and wait for some changes."""
    page.keyboard.press("p")
    page.wait_for_timeout(5_000)


def go_offline(page: Page, demo: Demo) -> None:
    """Cut the browser off."""
    page.context.set_offline(True)


def freeze_database(page: Page, demo: Demo) -> None:
    """Let the database hang."""
    for process in [demo.postgres, *demo.postgres.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGSTOP)


def press(key: str) -> Callable[[Page, Demo], None]:
    """Return a function that presses a key."""
    return lambda page, demo: page.keyboard.press(key)


RANKING = "rankings/states-by-turnover/"
SHOTS: dict[str, Shot] = {
    "board": Shot(),
    "board-dark": Shot(scheme="dark"),
    "board-narrow": Shot(size="narrow", is_whole_page=True),
    "board-hour": Shot("?window=1h"),
    "board-german": Shot("?language=de"),
    "board-help": Shot(after=press("?")),
    "board-settings": Shot(after=press("s")),
    "wall": Shot("?kiosk", size="wall"),
    "wall-dark": Shot("?kiosk", "dark", "wall"),
    "ranking": Shot(RANKING, is_whole_page=True),
    "ranking-dark": Shot(f"{RANKING}?window=today", "dark"),
    "ranking-narrow": Shot(RANKING, size="narrow"),
    "key": Shot(f"{RANKING}key/?key=%22Texas%22", state=None),
    "widget": Shot("embed/products-by-turnover/", size="widget"),
    "widget-dark": Shot("embed/products-by-turnover/", "dark", "widget"),
    "declare": Shot("rankings/new/", state=None, before=log_in),
    "login": Shot("login/", state=None),
    "login-dark": Shot("login/", "dark", state=None),
    "not-found": Shot("nowhere/", state=None),
    "paused": Shot(after=pause, state="paused"),
    "polling": Shot(before=refuse_sockets, state="polling"),
    "reconnecting": Shot(after=go_offline, state="reconnecting"),
    # The last: it ends the demo's database.
    "stale": Shot(after=freeze_database, state="stale"),
}


@contextmanager
def running_demo() -> Iterator[Demo]:
    """Run a demo for the duration of the block."""
    with tempfile.TemporaryDirectory() as name:
        folder, log, port = Path(name), Path(name) / "log", free_port()
        environment = os.environ | {"DEMO_DIR": name, "PORT": str(port)}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "demo"], cwd=ROOT, env=environment, stdout=output, stderr=output
            )
        try:
            wait_until(lambda: "Ctrl-C" in log.read_text(), log.read_text, seconds=300)
            password = re.search(r"demo, password (\S+)", log.read_text())
            server = find_process(folder / "postgres")
            if password is None or server is None:
                raise SystemExit(log.read_text())
            yield Demo(f"http://127.0.0.1:{port}/", password[1], server)
            for child in [server, *server.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    child.send_signal(signal.SIGCONT)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def take(browser: Browser, demo: Demo, name: str, shot: Shot) -> None:
    """Take one screenshot."""
    width, height = SIZES[shot.size]
    context = browser.new_context(color_scheme=shot.scheme, viewport={"width": width, "height": height})
    page = context.new_page()
    shot.before(page, demo)
    page.goto(demo.url + shot.path)
    if shot.state is not None:
        # Charts of recent values come soon after the rows.
        page.wait_for_timeout(3_000)
    shot.after(page, demo)
    if shot.state is not None:
        page.wait_for_selector(f"#badge[data-state={shot.state}]", timeout=60_000)
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.png"
        page.screenshot(path=picture, full_page=shot.is_whole_page)
        program = shutil.which("cwebp")
        if program is None:
            raise SystemExit("There is no cwebp. Install it (Debian: apt install webp).")
        target = FOLDER / f"{name}.webp"
        subprocess.run([program, "-quiet", "-q", "80", picture, "-o", target], check=True)  # noqa: S603
    context.close()


def main() -> None:
    """Take the screenshots that are named on the command line, by default all."""
    names = sys.argv[1:] or list(SHOTS)
    FOLDER.mkdir(exist_ok=True)
    with running_demo() as demo, sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        for name in names:
            take(browser, demo, name, SHOTS[name])
        browser.close()


if __name__ == "__main__":
    main()
