"""Run the statement of a definition with values from the environment, which no log and no error shows."""

from __future__ import annotations

import logging
import re
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from django.db import Error
from django.db.backends.utils import CursorDebugWrapper

from django_risingwave.drivers.literals import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.streaming.definitions import Definition

# That of Django's schema editor, which logs the other statements of migrations.
logger = logging.getLogger("django.db.backends.schema")


def read_environment(definition: Definition) -> dict[str, str]:
    """Return the value of each variable, by what stands for it in the definition's SQL.

    Raises ImproperlyConfigured if one isn't set.
    """
    owner = f"{definition.kind.lower()} {definition.name!r}"
    return {
        str(variable): variable.read(purpose if purpose.startswith("secret ") else f"{purpose} of {owner}")
        for purpose, variable in definition.environment().items()
    }


def execute(connection: DatabaseWrapper, sql: str, values: Mapping[str, str]) -> None:
    """Run a statement without parameters, with each value in its place.

    Django's cursor would log the text that the driver has sent, so the driver's own cursor sends it. The
    wrappers of `connection.execute_wrapper()` see the SQL without the values. Raises the errors of other
    statements; where the server quotes a value, the error has the variable's name instead, and no
    `__cause__`, which would have the value.
    """
    logger.debug("%s; (params None)", sql)

    def send(sql: str, params: Any, many: bool, context: Any) -> None:  # noqa: FBT001 - Django's signature
        sql = _filled(sql, values)
        shown = None
        try:
            with connection.wrap_database_errors:
                cursor.cursor.execute(sql)
        except Error as error:
            if not any(_is_in(value, error) for value in values.values()):
                raise
            shown = _without(error, values)
        if shown:
            # Outside of the block, so that the error doesn't have the other one as its `__context__`.
            raise shown

    with connection.cursor() as cursor:
        is_debugging = isinstance(cursor, CursorDebugWrapper)
        with cursor.debug_sql(sql) if is_debugging else nullcontext():
            cursor._execute_with_wrappers(sql, None, many=False, executor=send)


def _filled(sql: str, values: Mapping[str, str]) -> str:
    """Return the statement with the values, which may contain each other's names."""
    names = "|".join(re.escape(f"'{name}'") for name in values)
    return re.sub(names, lambda match: literal(values[match[0][1:-1]]), sql) if values else sql


def _is_in(value: str, error: BaseException) -> bool:
    texts = {str(error), str(error.__cause__)}
    return bool(value) and any(part in text for part in (value, literal(value)[1:-1]) for text in texts)


def _without(error: Error, values: Mapping[str, str]) -> Error:
    text = str(error)
    # The longest first: one may be a part of another.
    for name, value in sorted(values.items(), key=lambda item: len(item[1]), reverse=True):
        if value:
            text = text.replace(literal(value)[1:-1], name).replace(value, name)
    return type(error)(text)
