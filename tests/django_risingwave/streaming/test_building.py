"""RisingWave builds a view in the background, while migrate waits for it and shows how far it is."""

from __future__ import annotations

import logging
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management.base import OutputWrapper
from django.db import OperationalError, ProgrammingError

from django_risingwave.streaming.migration_operations import create_missing
from django_risingwave.streaming.rebuilding import building
from django_risingwave.streaming.rebuilding.building import progress_written
from django_risingwave.streaming.views import ViewDefinition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.testing.double import Double

VIEW = ViewDefinition("totals", "SELECT sum(v) AS total FROM t")


class SlowBuild:
    """An execute wrapper: the view isn't there before some looks at the progress of its build."""

    def __init__(self, other: Any) -> None:
        #: A cursor past the double.
        self.other = other
        self.looks = 3
        self.is_cancelled = False
        self.sql = ""

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("CREATE MATERIALIZED VIEW"):
            self.begin(sql)
            return None
        if sql.endswith(".rw_ddl_progress"):
            self.looks -= 1
            if self.looks == 0:
                self.other.execute("DELETE FROM rw_catalog.rw_ddl_progress")
                if not self.is_cancelled:
                    self.other.execute("DROP VIEW IF EXISTS totals")
                    execute(self.sql, params, many, context)
        if sql == 'SELECT * FROM "totals" LIMIT 0' and self.looks > 0:
            raise ProgrammingError("Item not found: table not found: totals")
        return execute(sql, params, many, context)

    def begin(self, sql: str) -> None:
        self.sql = sql
        self.other.execute(
            "INSERT INTO rw_catalog.rw_ddl_progress VALUES "
            "(1, 'CREATE MATERIALIZED VIEW other AS SELECT 1', 'BACKGROUND', 'Snapshot [1.00%% (1/9)]'), "
            "(2, %s, 'BACKGROUND', 'Snapshot [50.00%% (1/2)]')",
            [sql.replace('"', "")],
        )


@pytest.fixture
def slow(
    connect: Callable[[], Any],
    double: Double,
    standin: DatabaseWrapper,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[SlowBuild]:
    """The alias on a server whose builds take three looks at their progress, each of which is reported."""
    monkeypatch.setattr(building, "REPORT_SECONDS", 0)
    other = connect()
    other.autocommit = True
    with standin.cursor() as cursor:
        cursor.execute("CREATE TABLE t (v int)")
        # The first use of the catalog creates it in the double.
        cursor.execute("SELECT * FROM rw_catalog.rw_ddl_progress")
    slow = SlowBuild(other.cursor())
    with standin.execute_wrapper(slow):
        yield slow


def create(connection: DatabaseWrapper) -> None:
    with connection.schema_editor() as editor:
        create_missing(editor, VIEW)


def test_the_progress_of_a_build_is_written_below_the_line_of_migrate(
    slow: SlowBuild, standin: DatabaseWrapper
) -> None:
    output = StringIO()
    output.write("  Applying shop.0002_totals...")
    with progress_written(OutputWrapper(output)):
        create(standin)
    line = "\n    materialized view totals: Snapshot [50.00% (1/2)] after 0 s. "
    assert output.getvalue() == (
        f"  Applying shop.0002_totals...{line}Ctrl-C leaves the build running in the background."
        f"{line}Ctrl-C leaves the build running in the background."
    )
    with standin.cursor() as cursor:
        cursor.execute("SELECT * FROM totals")


def test_nothing_is_written_without_verbosity(slow: SlowBuild, standin: DatabaseWrapper) -> None:
    handlers = list(building.logger.handlers)
    with progress_written(None):
        assert building.logger.handlers == handlers
        create(standin)


def test_a_build_that_was_cancelled_is_an_error(
    slow: SlowBuild, standin: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "MISSING_SECONDS", 0)
    slow.is_cancelled = True
    with pytest.raises(OperationalError, match='"totals" is neither there nor being built: its build was'):
        create(standin)


def test_ctrl_c_says_that_the_build_goes_on_and_the_next_run_waits_for_it(
    slow: SlowBuild, standin: DatabaseWrapper, double: Double, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupt(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.endswith(".rw_ddl_progress") and slow.looks == 2:
            raise KeyboardInterrupt
        return execute(sql, params, many, context)

    with standin.execute_wrapper(interrupt), pytest.raises(KeyboardInterrupt):
        create(standin)
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.getMessage() == (
        "materialized view totals: the build goes on in the background. Run the migration again to wait for "
        "it and finish. SHOW JOBS lists it, and CANCEL JOBS ends it."
    )
    assert [sql for sql in double.statements if "background_ddl" in sql] == [
        "SET background_ddl = true",
        "SET background_ddl = false",
    ]
    # RisingWave's catalog lists a view that is being built.
    slow.other.execute("CREATE VIEW totals AS SELECT 0 AS building")
    slow.other.execute("COMMENT ON VIEW totals IS 'materialized view'")
    create(standin)
    with standin.cursor() as cursor:
        cursor.execute("SELECT total FROM totals")


def test_the_session_setting_of_the_project_is_left_alone(
    options: dict[str, Any], double: Double, standin: DatabaseWrapper
) -> None:
    standin.settings_dict["OPTIONS"]["session_settings"] = {"background_ddl": True}
    standin.close()
    with standin.cursor() as cursor:
        cursor.execute("CREATE TABLE t (v int)")
    double.statements.clear()
    standin.close()
    create(standin)
    assert [sql for sql in double.statements if "background_ddl" in sql] == ["SET background_ddl TO 'true'"]


def test_a_refused_view_is_reported_at_once(double: Double, standin: DatabaseWrapper) -> None:
    with pytest.raises(ProgrammingError, match="table not found: t"):
        create(standin)
    assert double.statements[-1] == "SET background_ddl = false"
