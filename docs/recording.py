"""Record the board of a running demo for the README: .venv/bin/python docs/recording.py [URL [FILE]].

It needs Chromium and img2webp (Debian: apt install chromium webp).
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/"
FILE = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent / "board.webp"
SECONDS, FRAMES_PER_SECOND = 40, 4
SIZE = {"width": 1280, "height": 720}


def show_an_hour(page: Page) -> None:
    """Choose a window."""
    page.get_by_role("navigation", name="Window").get_by_role("link", name="1 h").click()


def show_all(page: Page) -> None:
    """Leave the window."""
    page.get_by_role("navigation", name="Window").get_by_role("link", name="All").click()


def change_theme(page: Page) -> None:
    """Press the key for the theme, from the system's to light to dark."""
    page.keyboard.press("t")
    page.keyboard.press("t")


def open_a_ranking(page: Page) -> None:
    """Follow the title of a card."""
    page.locator("#ranking-states-by-turnover h2 a").click()


def go_back(page: Page) -> None:
    """Return to the board."""
    page.go_back()


#: What happens, by the second at which it does.
STEPS: dict[int, Callable[[Page], None]] = {
    10: show_an_hour,
    16: show_all,
    20: change_theme,
    26: open_a_ranking,
    34: go_back,
}


def take_frames(page: Page, folder: Path) -> list[Path]:
    """Return the paths of the pictures."""
    frames = []
    steps = dict(STEPS)
    began = time.monotonic()
    for number in range(SECONDS * FRAMES_PER_SECOND):
        due = number / FRAMES_PER_SECOND
        page.wait_for_timeout(max(0, (began + due - time.monotonic()) * 1000))
        for second in [second for second in steps if second <= due]:
            steps.pop(second)(page)
        frames.append(folder / f"{number:03}.png")
        page.screenshot(path=frames[-1])
    return frames


with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
    browser = playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox"] if os.geteuid() == 0 else []
    )
    page = browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
    page.goto(URL)
    page.wait_for_selector("#badge[data-state=live]")
    frames = take_frames(page, Path(folder))
    browser.close()
    milliseconds = str(1000 // FRAMES_PER_SECOND)
    options = ["-loop", "0", "-lossy", "-q", "55", "-m", "4", "-d", milliseconds]
    program = shutil.which("img2webp")
    if program is None:
        raise SystemExit("There is no img2webp. Install it (Debian: apt install webp).")
    subprocess.run([program, *options, *frames, "-o", FILE], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own arguments
