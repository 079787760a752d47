"""System checks of the aliases and the models on RisingWave."""

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
from django_risingwave.models import MaterializedView, ReadOnlyModel, RisingWaveModel
from django_risingwave.routers import VENDOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.apps import AppConfig
    from django.db.models import Field

# Those of Django's fields, and those of PostgreSQL that RisingWave has besides: src/frontend/src/binder/expr/
# mod.rs (bind_data_type) at v3.0.3.
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
    """Find models whose Meta lost what the Meta of their base says, as a Meta of its own does."""
    return [
        message
        for model in apps.get_models()
        if app_configs is None or model._meta.app_config in app_configs
        for message in _check_model(model)
    ]


def check_databases(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Find aliases with ATOMIC_REQUESTS."""
    return [
        Error(
            f"DATABASES[{alias!r}] has ATOMIC_REQUESTS, but RisingWave has no transactions: what a request "
            "wrote before it failed would stay.",
            hint="Remove ATOMIC_REQUESTS from this database.",
            id="django_risingwave.E003",
        )
        for alias in connections
        if connections[alias].vendor == VENDOR and connections[alias].settings_dict["ATOMIC_REQUESTS"]
    ]


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
    """Tell whether it is a model of RisingWave's, or one that the project's routers send there."""
    if issubclass(model, RisingWaveModel) or model._meta.required_db_vendor == VENDOR:
        return True
    try:
        return connections[router.db_for_write(model)].vendor == VENDOR
    except ImproperlyConfigured:
        return False


def _check_meta(model: type[RisingWaveModel]) -> Iterator[CheckMessage]:
    base = MaterializedView if issubclass(model, MaterializedView) else RisingWaveModel
    hint = f"Write `class Meta({base.__name__}.Meta):`."
    if model._meta.required_db_vendor != VENDOR:
        yield Error(
            "The model is a RisingWaveModel, but its Meta has no required_db_vendor = 'risingwave', so "
            "the router doesn't send it to RisingWave.",
            hint=hint,
            obj=model,
            id="django_risingwave.E001",
        )
    if issubclass(model, MaterializedView) and model._meta.managed:
        yield Error(
            "The model is a MaterializedView, but its Meta has no managed = False, so migrate would "
            "make a table of it.",
            hint=hint,
            obj=model,
            id="django_risingwave.E002",
        )


def _check_constraints(model: type[Model]) -> Iterator[CheckMessage]:
    """Warn of what RisingWave has not, src/frontend/src/handler/create_table.rs at v3.0.3."""
    unique = [f"unique=True of {field.name}" for field in model._meta.local_fields if _is_unique(field)]
    unique += [f"unique_together of {', '.join(fields)}" for fields in model._meta.unique_together]
    constraints = [f"{type(constraint).__name__} {constraint.name}" for constraint in model._meta.constraints]
    for name in unique + constraints:
        yield CheckWarning(
            f"Nothing enforces the {name}: RisingWave has no constraints but the primary key and NOT NULL. "
            "Forms and full_clean() check it, against what is visible to them.",
            hint="Let the primary key be what must be unique, and silence this where the check is enough.",
            obj=model,
            id="django_risingwave.W001",
        )


def _check_indexes(model: type[Model]) -> Iterator[CheckMessage]:
    """Refuse what CREATE INDEX can't make, src/frontend/src/handler/create_index.rs at v3.0.3."""
    for index in model._meta.indexes:
        if isinstance(index, PostgresIndex):
            found, hint = f"is a {type(index).__name__}", "models.Index, which names no method"
        elif index.opclasses or any(isinstance(part, OpClass) for part in index.expressions):
            found, hint = "has opclasses", "models.Index without them: strings compare by their bytes"
        elif index.condition is not None:
            found, hint = "has a condition", "models.Index without one, or a materialized view with WHERE"
        else:
            continue
        yield Error(
            f"The index {index.name} {found}, which RisingWave hasn't.",
            hint=f"Use {hint}.",
            obj=model,
            id="django_risingwave.E006",
        )


def _is_unique(field: Field[Any, Any]) -> bool:
    return field.unique and not field.primary_key


def _check_field(field: Field[Any, Any]) -> Iterator[CheckMessage]:
    """Refuse what RisingWave can't keep as it was written."""
    kept: Any = field.output_field if isinstance(field, GeneratedField) else field
    column_type = _column_type(kept)
    if isinstance(kept, DecimalField) and (kept.max_digits or 0) > NUMERIC_DIGITS:
        yield Error(
            f"A numeric of RisingWave has {NUMERIC_DIGITS} digits, max_digits is {kept.max_digits}: the "
            "others would be rounded off.",
            hint=f"Use max_digits={NUMERIC_DIGITS} or less, or keep the number as text in a CharField.",
            obj=field,
            id="django_risingwave.E004",
        )
    elif column_type is not None and column_type.replace("[]", "") not in _COLUMN_TYPES:
        yield Error(
            f"RisingWave has no type {column_type}.",
            hint="Use another field: JSONField and TextField hold what has no type of its own, two fields a "
            "range; an ArrayField has no size.",
            obj=field,
            id="django_risingwave.E004",
        )
    yield from _check_definition(field, getattr(kept, "db_collation", None))
    if has_generated_columns(field.model):
        yield from _check_generated(field)
    # src/frontend/src/catalog/mod.rs (check_column_name_not_reserved) at v3.0.3
    if not isinstance(field, RowIdField) and (field.column or "").startswith(("_row_id", "_rw_")):
        yield Error(
            f"RisingWave keeps column names like {field.column} for itself.",
            hint="Use another db_column; for _row_id itself, RowIdField().",
            obj=field,
            id="django_risingwave.E005",
        )


def _check_definition(field: Any, collation: str | None) -> Iterator[CheckMessage]:
    """Refuse what a column can't be defined with, src/frontend/src/handler/create_table.rs at v3.0.3."""
    if collation not in (None, "C", "POSIX"):
        yield Error(
            f"RisingWave has no collation but C, which is by bytes: {collation} isn't there.",
            hint="Leave db_collation out, and order by Lower() or in Python.",
            obj=field,
            id="django_risingwave.E004",
        )
    if field.has_db_default() and any(
        isinstance(part, Random) for part in field._db_default_expression.flatten()
    ):
        yield Error(
            "A default in RisingWave must be constant but for Now(), and this one is random.",
            hint="Use default=, which Python computes.",
            obj=field,
            id="django_risingwave.E004",
        )
    on_delete = getattr(field.remote_field, "on_delete", None)
    if type(on_delete).__name__ == "DatabaseOnDelete":
        yield Error(
            f"RisingWave has no foreign keys, which {on_delete} would be of.",
            hint="Use models.CASCADE and the like, which Django does.",
            obj=field,
            id="django_risingwave.E004",
        )


def _check_generated(field: Any) -> Iterator[CheckMessage]:
    """Refuse what a generated column can't use, and a key that would have to come back from an INSERT.

    src/frontend/src/handler/create_table.rs (check_generated_column_constraints) and src/frontend/src/binder/
    expr/function/builtin_scalar.rs (ensure_now_function_allowed) at v3.0.3.
    """
    meta = field.model._meta
    if field in meta.pk_fields and (field.generated or field.has_db_default()):
        yield Error(
            "RisingWave returns nothing from an INSERT into a table with generated columns, so no instance "
            "would get a key that the server makes.",
            hint="Let the key be a BigAutoField, or use default=, which Python computes.",
            obj=field,
            id="django_risingwave.E004",
        )
    if not field.generated:
        return
    expression = ExpressionWrapper(field.expression, field.output_field)
    if any(isinstance(part, Now) for part in expression.flatten()):
        yield Error(
            "RisingWave takes no Now() in a generated column.",
            hint="Use another field with db_default=Now(), or auto_now.",
            obj=field,
            id="django_risingwave.E004",
        )
    used = {name for name, *_ in Model._get_expr_references(field.expression)}  # type: ignore[attr-defined]  # not in the stubs
    if others := sorted(other.name for other in meta.local_fields if other.generated and other.name in used):
        yield Error(
            f"A generated column can't use another, and this one uses {', '.join(others)}.",
            hint="Write its expression out.",
            obj=field,
            id="django_risingwave.E004",
        )


def _column_type(field: Field[Any, Any]) -> str | None:
    """Return the type in SQL. Without an alias on RisingWave there is no telling, and no table either."""
    aliases = (alias for alias in connections if connections[alias].vendor == VENDOR)
    alias = next(aliases, None)
    return field.db_type(connections[alias]) if alias else None
