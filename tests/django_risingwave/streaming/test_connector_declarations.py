"""makemigrations and check know sources, tables with a connector, sinks and secrets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.db.migrations.state import ProjectState
from django.test.utils import isolate_apps

from django_risingwave import checks
from django_risingwave.models import ConnectorTable, Source
from django_risingwave.streaming.declaring import stream_checks
from django_risingwave.streaming.declaring.declarations import declared, stream_of
from django_risingwave.streaming.secrets import Environment, Secret
from django_risingwave.streaming.sinks import Sink
from tests.django_risingwave.streaming.connected import KAFKA, Click, Payment, create_sql, definition_of
from tests.django_risingwave.streaming.detecting import described, operations, state_of, view, written

ROOT = Path(__file__).parents[3]
TOTAL = view(
    "PaymentTotal",
    "SELECT sum(amount) AS total, 'all' AS kind FROM payments",
    db_table="payment_total",
    total=models.DecimalField(max_digits=28, decimal_places=2),
)


def changed(model: type[models.Model], **attributes: Any) -> type[models.Model]:
    """Return a model like this one, with other attributes of Stream or other fields."""
    fields: dict[str, Any] = {
        field.name: attributes.pop(field.name, field.clone()) for field in model._meta.local_fields
    }
    fields |= {name: value for name, value in attributes.items() if isinstance(value, models.Field)}
    stream = {name: value for name, value in attributes.items() if name not in fields}
    options = {"app_label": "django_risingwave", "db_table": model._meta.db_table}
    base: Any = model.__base__
    parent = stream_of(model)
    assert parent
    with isolate_apps():
        return type(
            model.__name__,
            (base,),
            {
                "__module__": __name__,
                **{name: field for name, field in fields.items() if field is not None},
                "Meta": type("Meta", (base.Meta,), options),
                "Stream": type("Stream", (parent,), stream),
            },
        )


def test_a_relation_with_a_connector_is_created_between_its_secret_and_what_reads_it() -> None:
    found = operations(ProjectState(), TOTAL, Payment, Click)
    names = [operation.describe() for operation in found]
    assert sorted(names) == [
        "Create materialized view payment_total (model PaymentTotal)",
        "Create secret kafka_password",
        "Create sink payments_to_nowhere",
        "Create source clicks (model Click)",
        "Create subscription payments_changes",
        "Create table payments (model Payment)",
    ]
    table = names.index("Create table payments (model Payment)")
    assert names.index("Create secret kafka_password") < table
    for name in ("view payment_total (model PaymentTotal)", "sink payments_to_nowhere"):
        assert table < next(index for index, text in enumerate(names) if text.endswith(name))
    for operation in found:
        assert written(operation).definition == operation.definition


def test_they_are_dropped_in_reverse() -> None:
    names = described(state_of(Payment, TOTAL))
    assert names.index("Drop sink payments_to_nowhere") < names.index("Delete model Payment")
    assert names.index("Delete model PaymentTotal") < names.index("Delete model Payment")
    assert names[-1] == "Drop secret kafka_password"


def test_an_added_column_alters_the_relation_and_leaves_its_sinks() -> None:
    assert described(state_of(Payment, TOTAL), changed(Payment, note=models.TextField(null=True)), TOTAL) == [
        "Alter Payment"
    ]


def test_a_changed_sink_is_dropped_and_created() -> None:
    sinks = [Sink("payments_to_nowhere", {"connector": "blackhole", "snapshot": False})]
    assert described(state_of(Payment), changed(Payment, sinks=sinks)) == [
        "Drop sink payments_to_nowhere",
        "Create sink payments_to_nowhere",
    ]


def test_a_sink_on_a_changed_view_is_dropped_before_and_created_after_it() -> None:
    sinks = [Sink("total_to_nowhere", {"connector": "blackhole"})]
    old, new = (
        view(
            "PaymentTotal",
            f"SELECT {number} AS total, 'all' AS kind FROM payments",
            sinks=sinks,
            total=models.IntegerField(),
        )
        for number in (1, 2)
    )
    assert described(state_of(Payment, old), Payment, new) == [
        "Drop sink total_to_nowhere",
        "Alter PaymentTotal",
        "Create sink total_to_nowhere",
    ]


def warnings(monkeypatch: pytest.MonkeyPatch, model: type[models.Model]) -> list[Any]:
    monkeypatch.setattr(apps, "get_models", lambda: [model])
    monkeypatch.setattr(apps, "get_model", lambda *key: None)
    return stream_checks.check_streams(None)


@pytest.mark.parametrize(
    "name",
    [
        "properties.sasl.password",
        "properties.ssl.key.password",
        "aws.credentials.secret_access_key",
        "auth.token",
        "properties.sasl.jaas.config",
        "s3.access.key",
    ],
)
def test_a_secret_that_a_migration_would_have_is_a_warning_without_it(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (warning,) = warnings(monkeypatch, changed(Click, connector=KAFKA | {name: "hunter2"}))
    assert warning.id == "django_risingwave.W010"
    assert f"option {name} of source 'clicks' looks like a secret" in warning.msg
    assert "hunter2" not in str(warning)
    for value in (Environment("X"), Secret("x")):
        assert warnings(monkeypatch, changed(Click, connector=KAFKA | {name: value})) == []


@pytest.mark.parametrize(
    "url", ["jdbc:postgresql://db/shop?user=u&password=hunter2", "nats://u:hunter2@nats"]
)
def test_a_value_with_a_password_is_a_warning_without_it(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    (warning,) = warnings(monkeypatch, changed(Click, connector=KAFKA | {"url": url}))
    assert warning.id == "django_risingwave.W010"
    assert "hunter2" not in str(warning)


def test_other_options_are_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"properties.sasl.mechanism": "PLAIN", "properties.sasl.username": "shop", "type": "upsert"}
    assert warnings(monkeypatch, changed(Click, connector=KAFKA | options)) == []
    assert warnings(monkeypatch, Payment) == []


@pytest.mark.parametrize("base", [Source, ConnectorTable])
def test_a_model_without_the_meta_of_its_base_is_an_error(base: type[models.Model]) -> None:
    with isolate_apps():
        model = type(
            "Bare",
            (base,),
            {
                "__module__": __name__,
                "key": models.TextField(primary_key=True),
                "Meta": type("Meta", (), {"app_label": "django_risingwave", "managed": True}),
            },
        )
    errors = checks._check_model(model)
    assert [error.id for error in errors] == ["django_risingwave.E001", "django_risingwave.E002"]
    assert f"The model is a {base.__name__}" in errors[1].msg
    assert errors[1].hint == f"Inherit the Meta: `class Meta({base.__name__}.Meta):`."


def test_the_models_of_the_page_are_declared_as_it_says() -> None:
    page = (ROOT / "docs/backend/connectors.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n# shop/models.py\n(.*?)```", page, re.DOTALL)
    (sql,) = re.findall(r"```sql\n(CREATE TABLE .*?)```", page, re.DOTALL)
    names: dict[str, Any] = {"__name__": "demo.shop.models"}
    with isolate_apps("demo.shop"):
        exec(code, names)
    payment, click = (create_sql(definition_of(names[name])) for name in ("Payment", "Click"))
    assert payment.replace("${KAFKA_SERVERS}", "…") == " ".join(sql.split())
    assert click.startswith(
        'CREATE SOURCE "clicks" ("page" text) INCLUDE partition AS "partition" INCLUDE offset AS "position"'
    )
    sink = declared(names["ShopRevenue"]).attached["shop_revenue_to_kafka"]
    assert 'properties.sasl.password = SECRET "kafka_password"' in create_sql(sink)
