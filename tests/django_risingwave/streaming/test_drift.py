"""`manage.py check --database risingwave` tells how the server differs from the models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.core.management.base import SystemCheckError

from django_risingwave.streaming.inspecting.drift import asked_for, check_drift
from tests.django_risingwave.projects import App

if TYPE_CHECKING:
    from pathlib import Path

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.testing.double import Double

SHOP = """
from django.db import models

from django_risingwave.fields import RowIdField
from django_risingwave.models import MaterializedView, ReadOnlyModel, RisingWaveModel


class Order(RisingWaveModel):
    row_id = RowIdField()
    item = models.IntegerField()
    qty = models.IntegerField()

    class Meta(RisingWaveModel.Meta):
        db_table = "orders"
        indexes = [models.Index(fields=["item"], name="orders_item")]


class Quantity(MaterializedView):
    item = models.IntegerField(primary_key=True)
    qty = models.BigIntegerField()

    class Meta(MaterializedView.Meta):
        db_table = "quantity"

    class Stream:
        query = "SELECT item, sum(qty) AS qty FROM orders GROUP BY item"
        subscription = "1 day"
"""
CONNECTED = """
from django.db import models

from django_risingwave.models import MaterializedView, Source
from django_risingwave.streaming.secrets import Environment
from django_risingwave.streaming.sinks import Sink


class Click(Source):
    page = models.TextField(primary_key=True)

    class Meta(Source.Meta):
        db_table = "clicks"

    class Stream:
        connector = {
            "connector": "kafka",
            "topic": "clicks",
            "properties.bootstrap.server": Environment("SERVERS"),
        }


class Page(MaterializedView):
    page = models.TextField(primary_key=True)

    class Meta(MaterializedView.Meta):
        db_table = "pages"

    class Stream:
        query = "SELECT page FROM clicks"
        sinks = [Sink("pages_out", {"connector": "blackhole"})]
"""
ELSEWHERE = """
from django.db import models
from django_risingwave.models import ReadOnlyModel


class Elsewhere(ReadOnlyModel):
    item = models.IntegerField(primary_key=True)

    class Meta(ReadOnlyModel.Meta):
        db_table = "elsewhere"
        managed = False
"""


@pytest.fixture
def shop(each_server: DatabaseWrapper, tmp_path: Path, settings: Any) -> App:
    """The app, migrated."""
    app = App(tmp_path, settings, SHOP)
    app.migrate()
    return app


@pytest.fixture
def doubled_shop(double: Double, tmp_path: Path, settings: Any) -> App:
    """The app, migrated on the double of RisingWave."""
    app = App(tmp_path, settings, SHOP)
    app.migrate()
    return app


def run(connection: DatabaseWrapper, *statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def findings(app: App) -> str:
    with pytest.raises(SystemCheckError) as caught:
        app.check(fail_level="WARNING")
    return str(caught.value)


def test_nothing_is_reported_after_migrate(shop: App) -> None:
    assert shop.check(fail_level="WARNING") == ""


def test_a_view_that_the_standin_created_before_it_recorded_definitions_is_not_compared(
    standin: DatabaseWrapper, tmp_path: Path, settings: Any
) -> None:
    app = App(tmp_path, settings, SHOP)
    app.migrate()
    run(standin, """DELETE FROM standin."*.definitions" WHERE name = 'quantity'""")
    assert app.check(fail_level="WARNING") == ""


def test_each_missing_relation_is_an_error(
    each_server: DatabaseWrapper, tmp_path: Path, settings: Any
) -> None:
    found = findings(App(tmp_path, settings, SHOP))
    assert "(django_risingwave.E021) There is no table orders in DATABASES['risingwave']." in found
    assert "(django_risingwave.E021) There is no materialized view quantity in" in found
    assert "Run `manage.py migrate --database risingwave`." in found


def test_a_missing_relation_that_no_migration_creates_is_a_warning(
    standin: DatabaseWrapper, tmp_path: Path, settings: Any
) -> None:
    app = App(tmp_path, settings, ELSEWHERE)
    assert "(django_risingwave.W020) There is no table elsewhere in" in app.check()


def test_a_relation_of_another_kind_is_an_error(doubled_shop: App, standin: DatabaseWrapper) -> None:
    run(
        standin,
        "DROP SUBSCRIPTION quantity_changes",
        "DROP MATERIALIZED VIEW quantity",
        "CREATE TABLE quantity (item int PRIMARY KEY, qty bigint)",
    )
    found = findings(doubled_shop)
    assert "(django_risingwave.E022) quantity is a table, but the model needs a materialized view." in found


def test_another_definition_of_a_view_is_reported_with_both(
    doubled_shop: App, standin: DatabaseWrapper
) -> None:
    run(
        standin,
        "DROP SUBSCRIPTION quantity_changes",
        "DROP MATERIALIZED VIEW quantity",
        "CREATE MATERIALIZED VIEW quantity AS SELECT item, sum(qty) + 1 AS qty FROM orders GROUP BY item",
        "CREATE SUBSCRIPTION quantity_changes FROM quantity WITH (retention = '2 days')",
    )
    found = findings(doubled_shop)
    assert (
        "(django_risingwave.W021) The materialized view quantity may have another definition. Declared:"
        in found
    )
    assert "    SELECT item, sum(qty) AS qty FROM orders GROUP BY item\n" in found
    assert "    SELECT item, (sum(qty) + 1) AS qty FROM orders GROUP BY item\n" in found
    assert "E024) The subscription quantity_changes keeps changes for 2 days instead of 1 day." in found


def test_a_view_with_other_columns_over_another_table_is_an_error(
    doubled_shop: App, standin: DatabaseWrapper
) -> None:
    run(
        standin,
        "CREATE TABLE others (item varchar)",
        "DROP SUBSCRIPTION quantity_changes",
        "DROP MATERIALIZED VIEW quantity",
        "CREATE MATERIALIZED VIEW quantity AS SELECT item FROM others",
    )
    found = findings(doubled_shop)
    assert 'E023) Materialized view quantity: field "item" is an IntegerField, but the column' in found
    assert 'E023) Materialized view quantity: field "qty" has no column "qty".' in found
    assert "E026) The materialized view quantity reads others instead of orders. Declared:" in found
    assert "E024) There is no subscription quantity_changes on quantity." in found


def test_another_connector_is_reported_option_by_option_without_secrets(
    double: Double, standin: DatabaseWrapper, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVERS", "here:9092")
    app = App(tmp_path, settings, CONNECTED)
    run(
        standin,
        "CREATE SOURCE clicks (page varchar) WITH (connector = 'kafka', topic = 'others',"
        " properties.bootstrap.server = 'there:9092', properties.sasl.password = 'very secret')"
        " FORMAT PLAIN ENCODE JSON",
        "CREATE MATERIALIZED VIEW pages AS SELECT page FROM clicks",
        "CREATE SINK pages_out FROM pages WITH (connector = 'blackhole', type = 'upsert')",
    )
    found = findings(app)
    assert "W021) The source clicks may have another definition: option topic ('others' instead of" in found
    assert "W021) The source clicks may have another definition: option properties.sasl.password.\n" in found
    assert "W021) The sink pages_out may have another definition: option type ('upsert' instead of" in found
    assert "very secret" not in found
    assert "there:9092" not in found
    assert found.count("W021") == 3


def test_a_missing_index_is_an_error(shop: App, each_server: DatabaseWrapper) -> None:
    run(each_server, "DROP INDEX orders_item")
    assert "(django_risingwave.E025) There is no index orders_item on orders." in findings(shop)


def test_what_an_interrupted_migration_left_is_a_warning(doubled_shop: App, standin: DatabaseWrapper) -> None:
    run(standin, "CREATE MATERIALIZED VIEW rebuild_0123abcd_quantity AS SELECT item FROM orders")
    assert (
        "W022) The materialized view rebuild_0123abcd_quantity is left over from a migration"
        in doubled_shop.check()
    )


def test_a_server_that_is_down_is_an_error_in_words(shop: App, standin: DatabaseWrapper) -> None:
    standin.close()
    port, standin.settings_dict["PORT"] = standin.settings_dict["PORT"], "1"
    try:
        with asked_for():
            (error,) = check_drift(databases=["risingwave"])
    finally:
        standin.settings_dict["PORT"] = port
    assert error.id == "django_risingwave.E020"
    assert error.msg.startswith("The catalog of DATABASES['risingwave'] can't be read (conn")


def test_other_commands_than_check_send_no_query_for_it(
    standin: DatabaseWrapper, tmp_path: Path, settings: Any, django_assert_num_queries: Any
) -> None:
    app = App(tmp_path, settings, SHOP)
    with django_assert_num_queries(0, connection=standin):
        assert check_drift(databases=["risingwave"]) == []
        with asked_for():
            # Without --database.
            assert check_drift() == []
    # It would end here if it ran the check before it creates what the check misses.
    app.migrate()


def test_the_check_sends_three_queries(
    doubled_shop: App, standin: DatabaseWrapper, django_assert_num_queries: Any
) -> None:
    with asked_for(), django_assert_num_queries(3, connection=standin):
        assert check_drift([apps.get_app_config(doubled_shop.label)], ["risingwave"]) == []
