"""RisingWave's errors raise the matching Django exceptions, chosen by their text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.db import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    connections,
)

from django_risingwave.errors import exception_class_for
from django_risingwave.testing import transcripts

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

pytestmark = pytest.mark.risingwave


driver: Any = connections["risingwave"].Database  # type: ignore[attr-defined]  # not in the stubs


def caused_by(*causes: str) -> str:
    """Return an error report in RisingWave's format (e2e_test/batch/basic/dml_update.slt.part at v3.0.3)."""
    if len(causes) == 1:
        return f"Failed to run the query\n\nCaused by:\n  {causes[0]}"
    numbered = "\n".join(f"  {number}: {cause}" for number, cause in enumerate(causes, 1))
    return f"Failed to run the query\n\nCaused by these errors (recent errors listed first):\n{numbered}"


REPORTS: list[tuple[str, type[DatabaseError]]] = [
    (
        caused_by('null value in column "info" of relation "test_struct" violates not-null constraint'),
        IntegrityError,
    ),
    (
        caused_by(
            "Expr error",
            "error while evaluating expression `check_not_null('Not supported: x')`",
            'null value in column "x" of relation "t" violates not-null constraint',
        ),
        IntegrityError,
    ),
    (caused_by("Catalog error", "table or source not found: test"), ProgrammingError),
    ("Failed to run the query: Catalog error: table not found: bar_err", ProgrammingError),
    (caused_by("Failed to bind expression: v5", "Item not found: Invalid column: v5"), ProgrammingError),
    (caused_by("Ambiguous column name: v1"), ProgrammingError),
    (
        caused_by(
            "Failed to bind expression: f(1)", "function f(integer) does not exist, do you mean g(integer)"
        ),
        ProgrammingError,
    ),
    (caused_by("sql parser error: syntax error at or near all"), ProgrammingError),
    (
        caused_by("sql parser error: expected CURSOR, found: NO\nLINE 1: DECLARE c NO SCROLL"),
        ProgrammingError,
    ),
    (caused_by("Invalid input syntax: sql parser error: expected FOR, found: WITHOUT"), ProgrammingError),
    (caused_by("Permission denied: Do not have the privilege"), ProgrammingError),
    (caused_by('Catalog error: table named "t" already exists'), ProgrammingError),
    (
        caused_by(
            'cannot cast type "record" to "struct<v1 integer, v2 integer>"',
            'cannot cast struct field "f1" to struct field "v1"',
            'cannot cast type "character varying" to "integer" in Assign context',
        ),
        ProgrammingError,
    ),
    (caused_by("Feature is not yet implemented: RECURSIVE CTE\nNo tracking issue yet."), NotSupportedError),
    (caused_by("Not supported: EXPLAIN CREATE VIEW\nHINT: use CREATE VIEW"), NotSupportedError),
    (caused_by("Bind error: unsupported data type: NUMERIC(10,2)"), NotSupportedError),
    (caused_by("feature ResourceGroup is not available based on your license"), NotSupportedError),
    (caused_by("Expr error", "Division by zero"), DataError),
    ("Failed to run the query: Expr error: Division by zero", DataError),
    (
        caused_by(
            "Expr error",
            "error while evaluating expression `pow(2, 99999)`",
            "Numeric out of range: overflow",
        ),
        DataError,
    ),
    (caused_by("Expr error", "Casting to i16 out of range"), DataError),
    (caused_by("Expr error", "Parse error: invalid digit found in string"), DataError),
    (caused_by("Expr error", "cannot cast jsonb string to type number"), DataError),
    (
        caused_by(
            "Expr error",
            "error while evaluating expression `map_from_key_values('{1,1}', '{2,3}')`",
            "map keys must be unique",
        ),
        DataError,
    ),
    (
        caused_by(
            "Failed to bind expression: NULL + '1'",
            "Bind error: function add(unknown, unknown) is not unique",
        ),
        ProgrammingError,
    ),
    (caused_by('Invalid input syntax: column "foo" specified more than once'), ProgrammingError),
    (
        caused_by('Protocol error: Column "foo" is defined in SQL but not found in the source'),
        ProgrammingError,
    ),
    (
        caused_by(
            "Failed to get or set session config",
            "Invalid value `60000` for `statement_timeout`",
            "time unit is required",
        ),
        ProgrammingError,
    ),
    (
        caused_by("Invalid input syntax: ALTER MATERIALIZED VIEW SET SOURCE_RATE_LIMIT is not supported"),
        NotSupportedError,
    ),
    (caused_by("Scheduler error", "Query cancelled: timeout"), OperationalError),
    (
        caused_by(
            "Scheduler error", "Reject query: the Distributed query number reaches the limit: 1. Use `SHOW"
        ),
        OperationalError,
    ),
    ("terminating connection due to idle-in-transaction timeout", OperationalError),
    (
        caused_by("Scheduler error", "Task got killed because compute node running out of memory"),
        OperationalError,
    ),
    (
        caused_by(
            "gRPC request to meta service (call `/ddl.Ddl/CreateTable`) failed: Internal error",
            "The cluster is recovering",
        ),
        OperationalError,
    ),
    (caused_by("Receive shutdown msg: Cancel"), OperationalError),
    (caused_by("internal error: Scalar subquery might produce more than one row."), NotSupportedError),
    (caused_by("Scheduler error", "Scalar subquery produced more than one row."), ProgrammingError),
    (
        caused_by("gRPC request to meta service failed: The service is currently unavailable: tcp error"),
        OperationalError,
    ),
    # An unknown text stays an InternalError, even if a quoted value looks like an error.
    (caused_by("internal error: Division by cucumber"), InternalError),
    (caused_by("internal error: odd value 'sql parser error: '"), InternalError),
]


@pytest.mark.parametrize(("report", "kind"), REPORTS)
def test_an_error_report_raises_the_matching_django_exception(
    standin: DatabaseWrapper, report: str, kind: type[DatabaseError]
) -> None:
    message = report.replace("'", "''")
    standin.ensure_connection()
    with standin.connection.cursor() as cursor, pytest.raises(kind) as caught, standin.wrap_database_errors:
        # PostgreSQL raises the report with the same SQLSTATE as RisingWave.
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = '{message}'; END $$")
    assert type(caught.value) is kind
    cause = caught.value.__cause__
    assert isinstance(cause, driver.InternalError)
    assert str(cause).startswith(report)


def raised_for(standin: DatabaseWrapper, error: Exception) -> str:
    with pytest.raises(Error) as caught, standin.wrap_database_errors:
        raise error
    assert caught.value.__cause__ is error
    return str(caught.value)


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (caused_by("Query cancelled: timeout"), "Query cancelled: timeout"),
        (
            caused_by("Failed to bind expression: a\n+ b", "Item not found: Invalid column: b\nHINT: c"),
            "Item not found: Invalid column: b\nHINT: c\nCONTEXT:  Failed to bind expression: a\n+ b",
        ),
        (caused_by(*map(str, range(100, 112))), "111"),
        ("Failed to run the query: Expr error: Division by zero", "Expr error: Division by zero"),
        ("SSL SYSCALL error: EOF detected\n", "SSL SYSCALL error: EOF detected\n"),
    ],
)
def test_a_message_begins_with_the_innermost_cause(
    standin: DatabaseWrapper, report: str, message: str
) -> None:
    assert raised_for(standin, driver.InternalError(report)).startswith(message)


def test_a_message_with_a_sqlstate_begins_with_the_cause_too(standin: DatabaseWrapper) -> None:
    report = caused_by("Catalog error", "table not found: nowhere")
    message = raised_for(standin, driver.ProgrammingError(report))
    assert message == "table not found: nowhere\nCONTEXT:  Catalog error"


@pytest.mark.parametrize(("report", "kind"), REPORTS[:-2])
def test_an_error_report_without_sqlstate_raises_the_matching_django_exception(
    standin: DatabaseWrapper, report: str, kind: type[DatabaseError]
) -> None:
    with pytest.raises(kind), standin.wrap_database_errors:
        raise driver.DatabaseError(report)


# As sent by RisingWave 2.8.0.
RECORDED = sorted({transcript.error["M"] for transcript in transcripts.load() if transcript.error})


@pytest.mark.parametrize("report", RECORDED)
def test_each_recorded_error_says_its_cause_in_the_first_line(standin: DatabaseWrapper, report: str) -> None:
    first, *_ = raised_for(standin, driver.InternalError(report)).splitlines()
    before, found, after = report.rpartition(first)
    assert re.search(r"^  (\d+: )?$", before.splitlines()[-1])
    assert found
    # No other cause follows.
    assert not re.search(r"^  \d+: ", after, re.MULTILINE)
    assert "Failed to run the query" not in first


@pytest.mark.parametrize("report", RECORDED)
def test_no_recorded_error_is_internal(standin: DatabaseWrapper, report: str) -> None:
    assert exception_class_for(report) is not None


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("FETCH 10 FROM nowhere", ProgrammingError),
        ('ALTER TABLE "django_risingwave_thing" DROP COLUMN "double"', ProgrammingError),
        ("ALTER TABLE h2 DROP COLUMN amount", ProgrammingError),
        ("SELECT id, (SELECT sum(i.n) FROM j i WHERE i.k = j.k GROUP BY i.k) FROM j", NotSupportedError),
        ("ALTER TABLE w_renamed ALTER COLUMN v TYPE bigint", NotSupportedError),
        ("UPDATE p_types SET id = 99 WHERE id = 1", NotSupportedError),
        ("SET statement_timeout = 5000", ProgrammingError),
        ("INSERT INTO p_types (id, d) VALUES (6, '1e+300'::float8), (7, 1e308)", DataError),
        ("FETCH 100 FROM \"changes\" WITH (timeout = '1s')", OperationalError),
        ("SELECT count(*) FROM big x, big y WHERE x.a < y.a", OperationalError),
    ],
)
def test_a_recorded_error_raises_the_matching_exception(sql: str, kind: type[DatabaseError]) -> None:
    reports = [t.error["M"] for t in transcripts.load() if t.sql == sql and t.error]
    assert reports
    assert {exception_class_for(report) for report in reports} == {kind}


@pytest.mark.parametrize(
    "text",
    ["SSL SYSCALL error: EOF detected\n", "server closed the connection unexpectedly\n\tThis probably"],
)
def test_a_broken_connection_raises_operational_error(standin: DatabaseWrapper, text: str) -> None:
    with pytest.raises(OperationalError, match=text.splitlines()[0]), standin.wrap_database_errors:
        raise driver.DatabaseError(text)


def test_a_lost_server_raises_operational_error_and_the_next_query_reconnects(
    standin: DatabaseWrapper,
) -> None:
    with standin.cursor() as cursor, pytest.raises(OperationalError):
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    standin.close_if_unusable_or_obsolete()
    with standin.cursor() as cursor:
        cursor.execute("SELECT 1")


def test_the_connection_is_tested_after_errors_that_may_have_broken_it(standin: DatabaseWrapper) -> None:
    standin.ensure_connection()
    for text, doubtful in (("Division by zero", False), ("Query cancelled: timeout", True)):
        standin.errors_occurred = False
        with pytest.raises(DatabaseError), standin.wrap_database_errors:
            raise driver.InternalError(text)
        assert standin.errors_occurred is doubtful


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT * FROM nowhere", ProgrammingError),
        ("SELECT 1 / 0", DataError),
        ("SELECT 'x'::integer", DataError),
        ("SELECT 70000::smallint", DataError),
        ("INSERT INTO t VALUES (NULL)", IntegrityError),
    ],
)
def test_both_servers_raise_the_same_exceptions(
    connection: DatabaseWrapper, sql: str, kind: type[DatabaseError]
) -> None:
    if kind is IntegrityError and connection.is_risingwave and connection.server_version.numbers < (2, 4):
        pytest.skip("RisingWave enforces NOT NULL since 2.4")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (v integer NOT NULL)")
        with pytest.raises(kind) as caught:
            cursor.execute(sql)
    assert type(caught.value) is kind
