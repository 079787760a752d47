"""docs/backend/existing-cluster.md: a user who can only read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import ProgrammingError

from django_risingwave.testing.statements import violations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django_risingwave.base import DatabaseWrapper

RECIPE = Path(__file__).parents[2] / "docs" / "backend" / "existing-cluster.md"


def recipe() -> list[str]:
    blocks = re.findall(r"^```sql\n(.*?)^```$", RECIPE.read_text(), re.MULTILINE | re.DOTALL)
    return [statement.strip() for block in blocks for statement in block.split(";") if statement.strip()]


def test_risingwave_accepts_each_statement_of_the_page() -> None:
    assert len(recipe()) == 9
    assert not [found for statement in recipe() if (found := violations(statement))]


@pytest.fixture
def reader(standin: DatabaseWrapper, connect: Callable[[], Any]) -> Iterator[DatabaseWrapper]:
    """The user of the page on PostgreSQL, where a materialized view is a plain view."""
    with standin.cursor() as cursor:
        cursor.execute("CREATE TABLE orders (qty integer)")
        cursor.execute("CREATE VIEW state_turnover AS SELECT qty FROM orders")
        for statement in recipe()[:4]:
            here = statement.replace("DATABASE dev", f'DATABASE "{standin.settings_dict["NAME"]}"')
            cursor.execute(here.replace("MATERIALIZED VIEW ", ""))
    wrapper = standin.__class__(standin.settings_dict | {"USER": "dashboard"}, alias="reader")
    try:
        yield wrapper
    finally:
        wrapper.close()
        with connect().cursor() as cursor:
            cursor.execute("DROP OWNED BY dashboard; DROP ROLE dashboard")


def test_the_user_can_read_only_what_was_granted(reader: DatabaseWrapper) -> None:
    with reader.cursor() as cursor:
        cursor.execute("SELECT * FROM state_turnover")
        assert cursor.fetchall() == []
        for refused in (
            "SELECT * FROM orders",
            "INSERT INTO state_turnover VALUES (1)",
            "DELETE FROM state_turnover",
            "CREATE TABLE mine (id integer)",
        ):
            with pytest.raises(ProgrammingError, match="permission denied"):
                cursor.execute(refused)
