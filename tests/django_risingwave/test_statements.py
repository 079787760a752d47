"""statements/ finds SQL that RisingWave would refuse."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from django_risingwave.testing.double.errors import depends_on_state
from django_risingwave.testing.statements import DIFFERENT, SYNTAX, UNSUPPORTED, syntax_errors, violations
from django_risingwave.testing.transcripts import load
from tests.django_risingwave.statements.examples import EXAMPLES

pytestmark = pytest.mark.unversioned

VERDICTS = Path(__file__).parent / "data" / "parser_verdicts.jsonl.gz"


def verdicts() -> list[dict[str, str]]:
    with gzip.open(VERDICTS, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_every_statement_that_the_parser_refuses_is_found() -> None:
    refused = [verdict for verdict in verdicts() if "error" in verdict]
    assert len(refused) == 690
    assert [verdict for verdict in refused if not syntax_errors(verdict["sql"])] == []


def test_no_statement_that_the_parser_accepts_is_found() -> None:
    accepted = [verdict["sql"] for verdict in verdicts() if "error" not in verdict]
    assert len(accepted) == 3824
    assert {sql: errors for sql in accepted if (errors := syntax_errors(sql))} == {}


def test_refusals_after_the_parser_are_counted() -> None:
    accepted = [verdict["sql"] for verdict in verdicts() if "error" not in verdict]
    assert Counter(refusal for sql in accepted for refusal in violations(sql)) == {
        "unsupported data type": 62,
        "unsupported data type: NUMERIC with a precision": 11,
        "UNIQUE is not implemented": 6,
        "CHECK is not implemented": 5,
        "UNIQUE, CHECK, FOREIGN KEY are not implemented": 16,
        'only the collations "C" and "POSIX" are implemented': 5,
        "temporary tables are not implemented": 1,
        "CREATE OR REPLACE VIEW, TABLE are not implemented": 1,
        "CREATE UNIQUE INDEX is not implemented": 15,
        "invalid index method": 1,
        "RENAME of a column or constraint is not implemented": 3,
        "ADD of a constraint or key is not implemented": 15,
        "ALTER COLUMN is implemented only for the TYPE of a struct": 22,
        "DROP COLUMN … CASCADE is not implemented": 2,
        "ADD COLUMN … NOT NULL needs a DEFAULT": 2,
        "unhandled statement: TRUNCATE, EXECUTE": 2,
        "unhandled statement: COPY of a table": 1,
        "EXPLAIN ANALYZE of a query is not implemented": 1,
        "unrecognized configuration parameter": 2,
        "a timeout in another unit than expected": 1,
        "RECURSIVE CTE is not supported": 1,
        "Subquery must return only one column": 15,
        "IN (subquery) is implemented only as a condition of WHERE": 15,
        "Scalar subquery might produce more than one row": 9,
        "a subquery in VALUES is not implemented": 1,
        "the operators ~* and !~* are not implemented": 4,
        "function does not exist": 30,
        "function unnest() takes one argument": 38,
        "function log() takes one argument": 3,
        "there is no current_date, current_time, localtime, localtimestamp": 4,
        "FILTER with OVER is not implemented": 1,
        "a subquery in FILTER is not implemented": 1,
        "a subquery in an aggregate is not implemented": 1,
        "a subquery in GROUP BY is not implemented": 10,
        "a correlated subquery next to an aggregate is not implemented": 11,
        "function less_than(jsonb, jsonb) does not exist": 2,
        "`lead` and `lag` with `default` are not implemented": 2,
        "rank(), dense_rank() and row_number() need ORDER BY": 2,
        "the default frame with ORDER BY ends at the row": 9,
        "EXCLUDE GROUP, EXCLUDE TIES are not implemented": 2,
    }


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        ("IN (subquery) is implemented only as a condition of WHERE", "In($1)"),
        (
            "Scalar subquery might produce more than one row",
            "Scalar subquery might produce more than one row",
        ),
        ("a subquery in VALUES is not implemented", "Subquery in VALUES"),
        ("the operator && is not implemented", 'binary op: "&&"'),
    ],
)
def test_a_rule_finds_the_statements_that_a_server_refused(refusal: str, error: str) -> None:
    transcripts = load()
    refused = [each.sql for each in transcripts if error in (each.error or {}).get("M", "")]
    assert refused
    assert [each.sql for each in transcripts if refusal in violations(each.sql)] == refused


# Recorded refusals that no rule finds, although they don't depend on what the database has at the time.
NOT_FOUND = {
    "UPDATE p_types SET id = 99 WHERE id = 1": "which columns are the key",
    "DELETE FROM state_turnover": "which relations are views",
    "SELECT no_such_function(1)": "which functions there are",
    "CREATE MATERIALIZED VIEW to_f1 AS SELECT itemid FROM to_orders WHERE (orderid::timestamptz) > now()": (
        "the type of orderid"
    ),
    "SELECT id, sum(salary) OVER (PARTITION BY department ORDER BY department RANGE BETWEEN UNBOUNDED "
    "PRECEDING AND CURRENT ROW) AS a FROM emp ORDER BY id": "the type of department",
    "SELECT id, sum(salary) OVER (ORDER BY hire_date RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS a "
    "FROM emp ORDER BY id": "the type of hire_date",
    "SELECT id, sum(salary) OVER (ORDER BY (age > 30) RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS "
    "a FROM emp ORDER BY id": "the type of age > 30",
}


def test_each_statement_that_a_server_refused_for_its_form_is_found() -> None:
    refused = [each.sql for each in load() if each.error and not depends_on_state(each.error)]
    assert len(refused) > 70
    assert {sql for sql in refused if not violations(sql)} == NOT_FOUND.keys()


def test_no_statement_that_a_server_accepted_is_found() -> None:
    otherwise = {rule.refusal for rule in DIFFERENT}
    accepted = [each.sql for each in load() if not each.error]
    assert len(accepted) > 650
    assert {sql: found for sql in accepted if (found := set(violations(sql)) - otherwise)} == {}


def test_every_rule_has_examples() -> None:
    assert list(EXAMPLES) == [rule.refusal for rule in SYNTAX + UNSUPPORTED + DIFFERENT]


@pytest.mark.parametrize(("refusal", "sql"), [(refusal, pair[0]) for refusal, pair in EXAMPLES.items()])
def test_a_rule_finds_what_risingwave_refuses(refusal: str, sql: str) -> None:
    assert refusal in violations(sql)


@pytest.mark.parametrize("sql", [pair[1] for pair in EXAMPLES.values()])
def test_a_similar_statement_that_risingwave_accepts_passes(sql: str) -> None:
    assert violations(sql) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'it''s FOR UPDATE; SAVEPOINT a'",
        r"SELECT E'it\'s FOR UPDATE'",
        "SELECT $x$ FOR UPDATE $x$",
        'SELECT "a FOR UPDATE " FROM t',
        "SELECT a -- FOR UPDATE\nFROM t",
        "SELECT a /* FOR UPDATE */ FROM t",
        "SELECT %(a)s, %s, $1, a %% 2 FROM t;",
        "",
    ],
)
def test_literals_identifiers_and_comments_are_not_read_as_sql(sql: str) -> None:
    assert violations(sql) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SAVEPOINT a",
        "SELECT a FROM t for update",
        "EXPLAIN (FORMAT json) UPDATE t SET a = 1 FROM u",
    ],
)
def test_every_part_of_the_sql_is_checked(sql: str) -> None:
    assert len(violations(sql)) == 1
