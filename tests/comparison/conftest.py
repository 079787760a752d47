from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections

from tests.comparison import rows
from tests.comparison.models import MODELS, Shelf

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The aliases: this backend, and Django's PostgreSQL backend.
OURS, THEIRS = "comparison", "yardstick"


@pytest.fixture(scope="module", autouse=True)
def databases(django_db_blocker: Any, standin_server: None) -> Iterator[None]:
    """Two databases with the same rows, which last for the module."""
    with django_db_blocker.unblock(), ExitStack() as stack:
        for alias, original in ((OURS, "risingwave"), (THEIRS, "default")):
            stack.enter_context(_database(alias, original))
            _fill(alias)
        yield


@pytest.fixture(autouse=True)
def reachable(django_db_blocker: Any, settings: Any) -> Iterator[None]:
    """Let a test use them, and related objects stay on the alias of their instance."""
    settings.DATABASE_ROUTERS = []
    with django_db_blocker.unblock():
        yield


@contextmanager
def _database(alias: str, original: str) -> Iterator[None]:
    name = f"{alias}_{os.getpid()}"
    template: Any = connections[original]
    with template._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
        cursor.execute(f'CREATE DATABASE "{name}"')
    settings = {**template.settings_dict, "NAME": name}
    if alias == OURS:
        settings["OPTIONS"] = {**settings["OPTIONS"], "implicit_flush": True}
    connections.settings[alias] = settings
    try:
        yield
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.settings[alias]
        with template._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}"')


def _fill(alias: str) -> None:
    connection: Any = connections[alias]
    with connection.schema_editor() as editor:
        for model in MODELS:
            editor.create_model(model)
    shelf = Shelf(alias)
    shelf.authors.bulk_create(rows.authors())
    shelf.tags.bulk_create(rows.tags())
    shelf.books.bulk_create(rows.books())
    shelf.books.model.tags.through._default_manager.using(alias).bulk_create(rows.tagged())
