"""Check that RisingWave would accept each statement that the backend sends while Django's tests run."""

from __future__ import annotations

import contextlib
import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.db.backends import utils
from django.db.migrations.operations import RunSQL
from django.db.models.sql.query import RawQuery

from django_risingwave.schema import DatabaseSchemaEditor
from tests.django_risingwave.watch import refusals, statement_as_sent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

_EXECUTE = {utils.CursorWrapper.execute.__code__, utils.CursorWrapper.executemany.__code__}
_INTERMEDIATE_FILES = (utils.__file__, contextlib.__file__)
_SCHEMA_EXECUTE = {
    vars(editor)["execute"].__code__ for editor in DatabaseSchemaEditor.__mro__ if "execute" in vars(editor)
}
_SENDS_SQL_OF_TESTS = {
    RawQuery._execute_query.__code__,  # type: ignore[attr-defined]  # not in the stubs
    RunSQL._run_sql.__code__,  # type: ignore[attr-defined]  # not in the stubs
}


class StatementWatch:
    """Collects the statements that RisingWave would refuse.

    It hooks in below Django's execute wrappers and query log, which some of the tests are about.
    """

    def __init__(self, tests: Path) -> None:
        """Take the folder of Django's tests."""
        self._tests = f"{tests}/"
        self._found: list[tuple[str, str]] = []
        self._known: dict[object, list[str]] = {}

    def start(self) -> None:
        """Check the statements of every cursor of this backend from now on."""
        for name in ("_execute", "_executemany"):
            setattr(utils.CursorWrapper, name, self._watched(getattr(utils.CursorWrapper, name)))

    def take(self) -> list[tuple[str, str]]:
        """Return the findings since the last call, as ("refused" or "own", "reason: statement")."""
        found, self._found = self._found, []
        return found

    def _watched(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        many = execute.__name__ == "_executemany"

        @wraps(execute)
        def watched(cursor: Any, sql: Any, params: Any, *args: Any) -> Any:
            if cursor.db.vendor != "risingwave":
                return execute(cursor, sql, params, *args)
            done = False
            try:
                result = execute(cursor, sql, params, *args)
                done = True
                return result
            finally:
                self._check(cursor, str(sql), params, as_sent=done and not many)

        return watched

    def _check(self, cursor: Any, sql: str, params: Any, *, as_sent: bool) -> None:
        # The literal of a parameter depends on its type: `'…'::uuid`.
        kind = (sql, type(cursor.cursor), _types(params) if as_sent else None)
        if kind not in self._known:
            text = statement_as_sent(cursor.db, cursor.cursor, sql, params) if as_sent else sql
            self._known[kind] = [
                f"{'; '.join(found)}: {text}" for found in [refusals(text, is_risingwave=False)] if found
            ]
        for text in self._known[kind]:
            self._found.append(("own" if self._is_own(sys._getframe()) else "refused", text))

    def _is_own(self, frame: FrameType | None) -> bool:
        """Return whether the SQL is written in a test, for cursor.execute(), raw() or RunSQL()."""
        while frame and frame.f_code not in _EXECUTE:
            frame = frame.f_back
        while frame and (frame.f_code.co_filename in _INTERMEDIATE_FILES or frame.f_code in _SCHEMA_EXECUTE):
            frame = frame.f_back
        return frame is not None and (
            frame.f_code in _SENDS_SQL_OF_TESTS or frame.f_code.co_filename.startswith(self._tests)
        )


def _types(value: object) -> object:
    if isinstance(value, dict):
        return tuple((name, _types(item)) for name, item in value.items())
    if isinstance(value, list | tuple):
        return (type(value), *map(_types, value))
    return type(value)
