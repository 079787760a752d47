"""Take the screenshots of the documentation: .venv/bin/python docs/screenshots.py [URL [FOLDER]]."""

import os
import shutil
import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/"
FOLDER = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent
SHOTS: dict[str, tuple[str, Literal["light", "dark"], int, int]] = {
    "dashboard": ("", "light", 1440, 900),
    "dashboard-dark": ("", "dark", 1440, 900),
    "dashboard-narrow": ("", "light", 390, 844),
    "widget": ("embed/products-by-turnover/", "light", 480, 340),
}

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox"] if os.geteuid() == 0 else []
    )
    for name, (path, scheme, width, height) in SHOTS.items():
        page = browser.new_page(
            color_scheme=scheme, viewport={"width": width, "height": height}, device_scale_factor=1
        )
        page.goto(URL + path)
        page.wait_for_selector("#badge[data-state=live]")
        page.wait_for_timeout(3_000)
        page.screenshot(path=FOLDER / f"{name}.png", full_page=width < 500 and not path)
    browser.close()
