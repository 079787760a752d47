"""System checks of database settings and models that are on RisingWave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.postgres.indexes import OpClass, PostgresIndex
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router
from django.db.models import DecimalField, ExpressionWrapper, GeneratedField, Model
from django.db.models.functions import Now, Random

from django_risingwave.columns.limits import NUMERIC_DIGITS
from django_risingwave.fields import RowIdField, has_generated_columns
from django_risingwave.models import ConnectorTable, MaterializedView, ReadOnlyModel, RisingWaveModel, Source
from django_risingwave.routers import VENDOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.apps import AppConfig
    from django.db.models import Field

# The types of Django's fields, and PostgreSQL's others that RisingWave supports: bind_data_type in
# src/frontend/src/binder/expr/mod.rs at v3.0.3.
_COLUMN_TYPES = frozenset(
    {
        "bigint",
        "boolean",
        "bytea",
        "date",
        "double precision",
        "integer",
        "interval",
        "jsonb",
        "numeric",
        "real",
        "smallint",
        "text",
        "time",
        "timestamp",
        "timestamp with time zone",
        "timestamptz",
        "varchar",
    }
)


def check_models(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Check the models on RisingWave: their Meta, constraints, indexes and fields."""
    return [
        message
        for model in apps.get_models()
        if app_configs is None or model._meta.app_config in app_configs
        for message in _check_model(model)
    ]


def check_databases(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Check that no database on RisingWave has ATOMIC_REQUESTS."""
    return [
        Error(
            f"DATABASES[{alias!r}] sets ATOMIC_REQUESTS, but RisingWave has no transactions: what a request "
            "writes before it fails is not rolled back.",
            hint="Remove ATOMIC_REQUESTS from this database.",
            id="django_risingwave.E003",
        )
        for alias in connections
        if connections[alias].vendor == VENDOR and connections[alias].settings_dict["ATOMIC_REQUESTS"]
    ]


def check_streams(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Check what models declare in their inner class Stream."""
    # Imported by checks only: processes that serve requests need no parser of SQL.
    from django_risingwave.streaming.declaring import stream_checks  # noqa: PLC0415

    return stream_checks.check_streams(app_configs)


def _check_model(model: type[Model]) -> list[CheckMessage]:
    if model._meta.proxy or not _is_on_risingwave(model):
        return []
    messages = list(_check_meta(model)) if issubclass(model, RisingWaveModel) else []
    if not issubclass(model, ReadOnlyModel):
        messages += _check_constraints(model)
        messages += _check_indexes(model)
        for field in model._meta.local_fields:
            messages += _check_field(field)
    return messages


def _is_on_risingwave(model: type[Model]) -> bool:
    """Return whether the model belongs on RisingWave, or the project's routers send it there."""
    if issubclass(model, RisingWaveModel) or model._meta.required_db_vendor == VENDOR:
        return True
    try:
        return connections[router.db_for_write(model)].vendor == VENDOR
    except ImproperlyConfigured:
        return False


def _check_meta(model: type[RisingWaveModel]) -> Iterator[CheckMessage]:
    unmanaged: tuple[type[RisingWaveModel], ...] = (MaterializedView, Source, ConnectorTable)
    base = next((base for base in unmanaged if issubclass(model, base)), RisingWaveModel)
    hint = f"Inherit the Meta: `class Meta({base.__name__}.Meta):`."
    if model._meta.required_db_vendor != VENDOR:
        yield Error(
            "The model is a RisingWaveModel, but its Meta doesn't set required_db_vendor = 'risingwave', so "
            "RisingWaveRouter doesn't send it to RisingWave.",
            hint=hint,
            obj=model,
            id="django_risingwave.E001",
        )
    if issubclass(model, unmanaged) and model._meta.managed:
        yield Error(
            f"The model is a {base.__name__}, but its Meta doesn't set managed = False, so migrate would "
            "create a table for it.",
            hint=hint,
            obj=model,
            id="django_risingwave.E002",
        )
    if issubclass(model, ReadOnlyModel) and not model._meta.managed and _has_automatic_key(model):
        yield Error(
            "The model declares no primary key, so each query would select the column id, which Django adds "
            "to such a model.",
            hint="Set primary_key=True on the column that identifies a row, such as the grouping key, or "
            "declare a CompositePrimaryKey.",
            obj=model,
            id="django_risingwave.E007",
        )


def _has_automatic_key(model: type[Model]) -> bool:
    key = model._meta.pk
    return key is not None and key.auto_created and not key.is_relation


def _check_constraints(model: type[Model]) -> Iterator[CheckMessage]:
    """Warn about constraints that RisingWave lacks: src/frontend/src/handler/create_table.rs at v3.0.3."""
    unique = [f"unique=True on {field.name}" for field in model._meta.local_fields if _is_unique(field)]
    unique += [f"unique_together on {', '.join(fields)}" for fields in model._meta.unique_together]
    constraints = [f"{type(constraint).__name__} {constraint.name}" for constraint in model._meta.constraints]
    for name in unique + constraints:
        yield CheckWarning(
            f"RisingWave doesn't enforce {name}: its only constraints are the primary key and NOT NULL. "
            "Forms and full_clean() check it, against the rows that they can see.",
            hint="Make the unique column the primary key, or silence this warning if their check is enough.",
            obj=model,
            id="django_risingwave.W001",
        )


def _check_indexes(model: type[Model]) -> Iterator[CheckMessage]:
    """Refuse indexes that CREATE INDEX rejects: src/frontend/src/handler/create_index.rs at v3.0.3."""
    for index in model._meta.indexes:
        if isinstance(index, PostgresIndex):
            kind = type(index).__name__
            unsupported, hint = f"{kind} (index {index.name})", "models.Index"
        elif index.opclasses or any(isinstance(part, OpClass) for part in index.expressions):
            unsupported = f"operator classes (index {index.name} has opclasses)"
            hint = "models.Index without opclasses: strings are compared byte by byte anyway"
        elif index.condition is not None:
            unsupported = f"partial indexes (index {index.name} has a condition)"
            hint = "models.Index without a condition, or index a materialized view that has the condition"
        else:
            continue
        yield Error(
            f"RisingWave doesn't support {unsupported}.",
            hint=f"Use {hint}.",
            obj=model,
            id="django_risingwave.E006",
        )


def _is_unique(field: Field[Any, Any]) -> bool:
    return field.unique and not field.primary_key


def _check_field(field: Field[Any, Any]) -> Iterator[CheckMessage]:
    """Refuse fields whose values RisingWave can't store unchanged."""
    stored: Any = field.output_field if isinstance(field, GeneratedField) else field
    column_type = _column_type(stored)
    if isinstance(stored, DecimalField) and (stored.max_digits or 0) > NUMERIC_DIGITS:
        yield Error(
            f"RisingWave's numeric has at most {NUMERIC_DIGITS} digits, but max_digits is "
            f"{stored.max_digits}: longer numbers would be rounded.",
            hint=f"Use max_digits={NUMERIC_DIGITS} or less, or store the number as text in a CharField.",
            obj=field,
            id="django_risingwave.E004",
        )
    elif column_type is not None and column_type.replace("[]", "") not in _COLUMN_TYPES:
        yield Error(
            f"RisingWave doesn't support the column type {column_type}.",
            hint="Use another field: JSONField or TextField, two fields for a range, or ArrayField without "
            "size.",
            obj=field,
            id="django_risingwave.E004",
        )
    yield from _check_definition(field, getattr(stored, "db_collation", None))
    if has_generated_columns(field.model):
        yield from _check_generated(field)
    # src/frontend/src/catalog/mod.rs (check_column_name_not_reserved) at v3.0.3
    if not isinstance(field, RowIdField) and (field.column or "").startswith(("_row_id", "_rw_")):
        yield Error(
            f"RisingWave reserves column names like {field.column}, which begin with _row_id or _rw_.",
            hint="Use another db_column. For the column _row_id itself, use RowIdField().",
            obj=field,
            id="django_risingwave.E005",
        )


def _check_definition(field: Any, collation: str | None) -> Iterator[CheckMessage]:
    """Refuse column options that RisingWave rejects: src/frontend/src/handler/create_table.rs at v3.0.3."""
    if collation not in (None, "C", "POSIX"):
        yield Error(
            f"RisingWave doesn't support the collation {collation}, only C, which compares bytes.",
            hint="Remove db_collation, and order by Lower() or in Python.",
            obj=field,
            id="django_risingwave.E004",
        )
    if field.has_db_default() and any(
        isinstance(part, Random) for part in field._db_default_expression.flatten()
    ):
        yield Error(
            "RisingWave doesn't support Random() in db_default, only constant expressions and Now().",
            hint="Use default=, which Python computes.",
            obj=field,
            id="django_risingwave.E004",
        )
    on_delete = getattr(field.remote_field, "on_delete", None)
    if type(on_delete).__name__ == "DatabaseOnDelete":
        yield Error(
            f"on_delete={on_delete} needs a database foreign key, which RisingWave doesn't have.",
            hint="Use an option that Django carries out itself, such as models.CASCADE.",
            obj=field,
            id="django_risingwave.E004",
        )


def _check_generated(field: Any) -> Iterator[CheckMessage]:
    """Refuse expressions that a generated column can't use, and keys that an INSERT would have to return.

    src/frontend/src/handler/create_table.rs (check_generated_column_constraints) and src/frontend/src/binder/
    expr/function/builtin_scalar.rs (ensure_now_function_allowed) at v3.0.3.
    """
    meta = field.model._meta
    if field in meta.pk_fields and (field.generated or field.has_db_default()):
        yield Error(
            "RisingWave doesn't support RETURNING for a table with generated columns, so instances wouldn't "
            "get a primary key that the server computes.",
            hint="Use a BigAutoField as the primary key, or default=, which Python computes.",
            obj=field,
            id="django_risingwave.E004",
        )
    if not field.generated:
        return
    expression = ExpressionWrapper(field.expression, field.output_field)
    if any(isinstance(part, Now) for part in expression.flatten()):
        yield Error(
            "RisingWave doesn't support Now() in a generated column.",
            hint="Use a field with db_default=Now() or auto_now instead.",
            obj=field,
            id="django_risingwave.E004",
        )
    used = {name for name, *_ in Model._get_expr_references(field.expression)}  # type: ignore[attr-defined]  # not in the stubs
    if others := sorted(other.name for other in meta.local_fields if other.generated and other.name in used):
        yield Error(
            f"A generated column can't refer to another one, but this one uses {', '.join(others)}.",
            hint="Repeat the other column's expression instead.",
            obj=field,
            id="django_risingwave.E004",
        )


def _column_type(field: Field[Any, Any]) -> str | None:
    """Return the column type in SQL, or None if no database in settings is on RisingWave."""
    aliases = (alias for alias in connections if connections[alias].vendor == VENDOR)
    alias = next(aliases, None)
    return field.db_type(connections[alias]) if alias else None
