from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.django_risingwave.models import Author, Book, Event, Everything

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper


@pytest.fixture
def tables(connection: DatabaseWrapper) -> DatabaseWrapper:
    with connection.schema_editor() as editor:
        for model in (Author, Book, Event, Everything):
            editor.create_model(model)
    return connection


def reconnect(connection: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    connection.close()
    for name, value in options.items():
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], name, value)
