"""SQL from queries. Keys and read-only models are seen to here, for every write passes through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import NotSupportedError
from django.db.backends.postgresql.compiler import SQLAggregateCompiler
from django.db.backends.postgresql.compiler import SQLCompiler as PostgreSQLCompiler
from django.db.backends.postgresql.compiler import SQLDeleteCompiler as PostgreSQLDeleteCompiler
from django.db.backends.postgresql.compiler import SQLUpdateCompiler as PostgreSQLUpdateCompiler
from django.db.models.expressions import BaseExpression
from django.db.models.sql.compiler import SQLInsertCompiler as BaseSQLInsertCompiler
from django.utils.functional import cached_property

from django_risingwave.columns.keys import make_key
from django_risingwave.columns.limits import guard, guarded
from django_risingwave.expressions.subqueries import check_beside_aggregates, check_grouped
from django_risingwave.fields import RowIdField, has_generated_columns
from django_risingwave.models import ReadOnlyError, ReadOnlyModel

if TYPE_CHECKING:
    from django.db.models import Field, Model
    from django.db.models.sql import Query

__all__ = [
    "SQLAggregateCompiler",
    "SQLCompiler",
    "SQLDeleteCompiler",
    "SQLInsertCompiler",
    "SQLUpdateCompiler",
]


def _check_writable(query: Query, operation: str) -> None:
    model = query.model
    if model is not None and issubclass(model, ReadOnlyModel):
        raise ReadOnlyError(model, operation)


def _returns_nothing(query: Query) -> bool:
    """Tell whether the table has generated columns, with which RisingWave refuses RETURNING.

    src/frontend/src/binder/insert.rs and update.rs at v3.0.3.
    """
    # A proxy's columns are its model's.
    model: Any = query.get_meta().concrete_model
    return has_generated_columns(model)


def _check_lock_options(query: Query) -> None:
    """Raise NotSupportedError if select_for_update() has an option, which would need a lock.

    Without options it has no effect, as on SQLite: https://docs.djangoproject.com/en/5.2/ref/models/querysets/
    #select-for-update. It can't be refused altogether, since QuerySet.update_or_create() calls it on every
    database, and its query is the same as a user's. A project that gives options relies on the lock: with
    skip_locked=True, two workers would take the same row.
    """
    if not query.select_for_update:
        return
    options = {
        "nowait": query.select_for_update_nowait,
        "skip_locked": query.select_for_update_skip_locked,
        "of": query.select_for_update_of,
        "no_key": query.select_for_no_key_update,
    }
    if given := [name for name, value in options.items() if value]:
        raise NotSupportedError(
            f"RisingWave doesn't lock rows: select_for_update() doesn't support {', '.join(given)}. "
            "Keep rows that must be locked in another database."
        )


class SQLCompiler(PostgreSQLCompiler):
    """Refuses options of select_for_update(), and writes subqueries that RisingWave can parse."""

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        query = self.query
        _check_lock_options(query)
        sql, params = super().as_sql(*args, **kwargs)
        if query.group_by is not None or query.annotations:
            self._check_subqueries()
        if not query.subquery:
            return sql, params
        # Where an expression begins, what is in parentheses is a query only if it begins with SELECT or WITH;
        # and not if it begins with `SELECT (SELECT`, for "select" can be a function's name
        # (src/sqlparser/src/parser.rs, parse_prefix and parse_wildcard_or_expr, at v3.0.3).
        if query.combinator:
            sql = f'SELECT "combined".* FROM ({sql}) AS "combined"'  # noqa: S608 - what Django wrote
        elif sql.startswith("SELECT (SELECT "):
            _, (first, _), _ = self.select[0]
            sql = sql.replace(first, f"COALESCE({first})", 1)
        return sql, params

    def _check_subqueries(self) -> None:
        query = self.query
        if query.group_by is not None or any(a.contains_aggregate for a in query.annotation_select.values()):
            selected = [column for column, _, _ in self.select or ()]
            check_beside_aggregates([*selected, self.having])  # type: ignore[attr-defined]  # not in the stubs

    def collapse_group_by(self, expressions: Any, having: Any) -> Any:
        grouped: Any = super().collapse_group_by(expressions, having)
        check_grouped(grouped)
        return grouped


class SQLInsertCompiler(BaseSQLInsertCompiler):
    """Not PostgreSQL's own: that one writes UNNEST with several arguments, and RisingWave's takes one.

    src/expr/impl/src/table_function/unnest.rs at v3.0.3.
    """

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        _check_writable(self.query, "INSERT")
        self._made_keys: list[tuple[Model, int]] = []
        row_id = next((field for field in self.query.fields if isinstance(field, RowIdField)), None)
        if row_id:
            raise NotSupportedError(
                f"{row_id} is made by the server and can't be inserted; leave the instance's pk None. (An "
                "instance with a pk is inserted where save() found no row to update.)"
            )
        auto_field = self._auto_field
        if auto_field and auto_field not in self.query.fields and not isinstance(auto_field, RowIdField):
            self.query.fields = [auto_field, *self.query.fields]
        return super().as_sql(*args, **kwargs)

    @property
    def _auto_field(self) -> Any:
        # A proxy has its model's fields, and doesn't know which of them is automatic.
        model: Any = self.query.get_meta().concrete_model
        return model._meta.auto_field

    def pre_save_val(self, field: Field[Any, Any], obj: Model) -> Any:
        """Make the key here. The instance gets it once it is inserted."""
        value = super().pre_save_val(field, obj)
        if value is None and field is self._auto_field:
            value = make_key()
            self._made_keys.append((obj, value))
        return value

    @cached_property
    def _guards(self) -> dict[Any, Any]:
        return {field: guard(field) for field in self.query.fields}

    def prepare_value(self, field: Field[Any, Any], value: Any) -> Any:
        """Refuse or round what PostgreSQL's column would: columns/limits.py."""
        value = super().prepare_value(field, value)
        see_to = self._guards.get(field)
        if see_to is None or value is None or hasattr(value, "resolve_expression"):
            return value
        return see_to(value)

    def execute_sql(self, returning_fields: Any = None) -> Any:  # type: ignore[override]  # the stubs know SELECT's
        """Return a row for each object: bulk_create() asserts it, even of a model that returns nothing."""
        objs = self.query.objs
        if not _returns_nothing(self.query):
            rows: Any = super().execute_sql(returning_fields)
            return rows or [()] * len(objs)
        super().execute_sql(None)
        for obj, key in self._made_keys:
            setattr(obj, self._auto_field.attname, key)
        for field in returning_fields or ():
            for obj in objs:
                if field.generated or isinstance(obj.__dict__.get(field.attname), BaseExpression):
                    # Loaded when it is read, as Django does it where there is no RETURNING.
                    obj.__dict__.pop(field.attname, None)
        return _NoRows([()] * len(objs))


class _NoRows(list[tuple[()]]):
    """As long as the objects, as bulk_create() asserts, and nothing that save() would assign."""

    def __bool__(self) -> bool:
        return False


class SQLUpdateCompiler(PostgreSQLUpdateCompiler):
    """Refuses to change what can only be read, and values that the columns can't hold."""

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        _check_writable(self.query, "UPDATE")
        query: Any = self.query
        query.values = [(field, model, guarded(field, value)) for field, model, value in query.values]
        return super().as_sql(*args, **kwargs)

    def execute_returning_sql(self, returning_fields: Any) -> Any:
        """Return no columns where there is no RETURNING: save() then defers them. Django 5.2 doesn't ask."""
        if _returns_nothing(self.query):
            returning_fields = None
        return super().execute_returning_sql(returning_fields)


class SQLDeleteCompiler(PostgreSQLDeleteCompiler):
    """Refuses to delete what can only be read."""

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        _check_writable(self.query, "DELETE")
        return super().as_sql(*args, **kwargs)
