"""`migrate` succeeds on the RisingWave alias, with SQL that both servers accept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.db.migrations.recorder import MigrationRecorder

from live.rankings import variants

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise

#: In an order in which their tables can be dropped.
APPS = ["axes", "demo_shop", "risingwave_checkpoints", "admin", "sessions", "auth", "contenttypes"]


@pytest.fixture(params=["routed", "unrouted"])
def routing(request: pytest.FixtureRequest, settings) -> str:
    """With the router, Django's own apps get no tables on the alias; without a router, they do."""
    how: str = request.param
    if how == "unrouted":
        settings.DATABASE_ROUTERS = []
    return how


def test_all_apps_migrate_and_a_second_run_has_no_effect(connection: DatabaseWrapper, routing: str) -> None:
    call_command("migrate", database="risingwave", verbosity=0)
    tables = set(connection.introspection.table_names(include_views=True))
    assert {"orders", "state_turnover", "item_quantity"} <= tables
    assert ("auth_user" in tables) == (routing == "unrouted")
    applied = MigrationRecorder(connection).applied_migrations()

    statements = []

    def record(execute, sql, params, many, context):
        statements.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        call_command("migrate", database="risingwave", verbosity=0)
    assert not [sql for sql in statements if not sql.lstrip().startswith("SELECT")]
    assert MigrationRecorder(connection).applied_migrations().keys() == applied.keys()


def test_all_apps_migrate_backwards(connection: DatabaseWrapper, routing: str) -> None:
    call_command("migrate", database="risingwave", verbosity=0)
    for app in APPS:
        call_command("migrate", app, "zero", database="risingwave", verbosity=0)
    assert connection.introspection.table_names(include_views=True) == ["django_migrations"]


def test_no_statement_is_sent_that_risingwave_rejects(disguise: Disguise, routing: str) -> None:
    call_command("migrate", database="risingwave", verbosity=0)
    for app in APPS:
        call_command("migrate", app, "zero", database="risingwave", verbosity=0)
    assert disguise.rejected() == []


def test_risingwave_gets_leading_rows_with_a_subscription_and_totals_of_each_ranking(
    disguise: Disguise,
) -> None:
    call_command("migrate", "demo_shop", database="risingwave", verbosity=0)
    with disguise.connection.cursor() as cursor:
        subscriptions = disguise.connection.introspection.get_subscription_sources(cursor)
    names = [ranking.id.replace("-", "_") for ranking in variants()]
    assert subscriptions == {f"{name}_leading_changes": f"{name}_leading" for name in names}
    call_command("migrate", "demo_shop", "zero", database="risingwave", verbosity=0)
    for name in names:
        order = [
            next(i for i, statement in enumerate(disguise.statements) if statement.startswith(sql))
            for sql in (
                f'CREATE MATERIALIZED VIEW "{name}_leading" AS SELECT ',
                f'CREATE SUBSCRIPTION "{name}_leading_changes" FROM "{name}_leading" ',
                f'CREATE MATERIALIZED VIEW "{name}_totals" AS SELECT count(*) ',
                f'DROP MATERIALIZED VIEW "{name}_totals"',
                f'DROP SUBSCRIPTION "{name}_leading_changes"',
                f'DROP MATERIALIZED VIEW "{name}_leading"',
            )
        ]
        assert order == sorted(order)


def test_risingwave_gets_a_real_table_and_real_materialized_views(disguise: Disguise) -> None:
    call_command("migrate", "demo_shop", "0002", database="risingwave", verbosity=0)
    assert (
        'CREATE TABLE "orders" ("orderid" integer NULL, "itemid" integer NULL, "qty" integer NULL, '
        '"price" double precision NULL, "dt" date NULL, "state" varchar NULL)'
    ) in disguise.statements
    assert (
        'CREATE MATERIALIZED VIEW "state_turnover" AS '
        'SELECT "state", sum((qty * price)::numeric) AS "turnover" FROM "orders" GROUP BY "state"'
    ) in disguise.statements
    call_command("migrate", "demo_shop", "zero", database="risingwave", verbosity=0)
    assert 'DROP MATERIALIZED VIEW "state_turnover"' in disguise.statements
    assert 'DROP TABLE "orders"' in disguise.statements
