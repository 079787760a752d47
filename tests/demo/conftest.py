from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.demo.running import Demo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demo that ran before and was stopped."""
    folder = tmp_path_factory.mktemp("demo") / ".demo"
    demo = Demo(folder).wait_until_up()
    assert demo.press_ctrl_c() == 0
    return folder


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Demo]]:
    """A function that starts a demo; demos that still run after the test are stopped."""
    started = []

    def start(folder: Path = folder, **environment: str) -> Demo:
        started.append(Demo(folder, **environment))
        return started[-1]

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.process.terminate()
            demo.wait_for_end()
