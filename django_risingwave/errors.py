"""Django's exceptions for RisingWave's errors.

RisingWave reports nearly all errors with SQLSTATE XX000 (before 2.5, without any), which the drivers raise as
InternalError (or DatabaseError). So the exception is chosen by the text, a report such as

    Failed to run the query

    Caused by these errors (recent errors listed first):
      1: Expr error
      2: Division by zero

Texts are from src/frontend/src/error.rs, src/expr/core/src/error.rs, src/error/src/common.rs,
src/frontend/src/catalog/mod.rs and src/frontend/src/scheduler/error.rs at v3.0.3.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.db import DataError, IntegrityError, NotSupportedError, OperationalError, ProgrammingError
from django.db.utils import DatabaseErrorWrapper as BaseDatabaseErrorWrapper

if TYPE_CHECKING:
    from types import TracebackType

    from django.db import DatabaseError

    from django_risingwave.base import DatabaseWrapper

# Regular expressions for the beginning of a line of the report. The first match decides.
_BEGINNINGS: dict[type[DatabaseError], tuple[str, ...]] = {
    IntegrityError: ('null value in column ".*" of relation ".*" violates not-null constraint',),
    OperationalError: (
        "The cluster is (bootstrapping|recovering)",
        "Not enough memory to run",
        "Pin snapshot error: ",
        "Query cancelled",
        "Reject query: the .* query number reaches the limit",
        "Server throttled",
        "Session not found",
        "Task got killed",
        "gRPC request .* failed: .*(unavailable|transport error)",
        "terminating connection due to idle-in-transaction timeout",
        "transport error",
        # libpq's own messages about a broken connection.
        "SSL SYSCALL error",
        "SSL connection has been closed",
        "could not receive data",
        "server closed the connection",
    ),
    NotSupportedError: (
        "Feature is not yet implemented: ",
        "Not supported: ",
        "Unsupported function: ",
        r"[\w ]+ (?:is|are) not supported",
        r"feature \w+ is not available",
        "unsupported data type: ",
    ),
    DataError: (
        r"Casting to \w+ out of range",
        "Division by zero",
        r"Invalid parameter \w+: ",
        "More than one row returned by ",
        "Numeric out of range",
        "Parse error: ",
        "cannot cast jsonb ",
        "error while evaluating expression ",
    ),
    ProgrammingError: (
        "Ambiguous column name: ",
        "Duplicate Relation Name: ",
        "Invalid column: ",
        "Invalid reference: ",
        "Item not found: ",
        "Permission denied: ",
        "Unrecognized config entry ",
        "Unsupported cast: ",
        r"[a-z ]+ named .* already exists",
        "[a-z ]+ not found: ",
        "cannot cast type ",
        # Any other error of the binder, and errors without a cause.
        "Bind error: ",
        "Catalog error(?:: |$)",
        "Failed to bind expression: ",
        "Failed to get or set session config",
        "Invalid input syntax: ",
        "Protocol error: ",
        "column reference .* is ambiguous",
        "function .* does not exist",
        "sql parser error: ",
    ),
}
# They match only at the start of a line, after its number and the kinds of error it passed through ("Expr
# error: "), so that a value quoted in the report isn't mistaken for the error.
_PATTERNS = {
    error: re.compile(rf"^\s*(?:\d+: )?(?:[A-Za-z][A-Za-z ]*: )*?(?:{'|'.join(texts)})", re.MULTILINE)
    for error, texts in _BEGINNINGS.items()
}


def exception_class_for(text: str) -> type[DatabaseError] | None:
    """Return Django's exception class for the text of an error, or None if the text doesn't tell."""
    return next((error for error, pattern in _PATTERNS.items() if pattern.search(text)), None)


class DatabaseErrorWrapper(BaseDatabaseErrorWrapper):
    """Raises Django's exceptions with the driver's text, and the driver's exception as `__cause__`."""

    wrapper: DatabaseWrapper

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is None:
            return  # The common case, several times per query.
        driver: Any = self.wrapper.Database
        if exc_type is driver.DatabaseError or isinstance(exc_value, driver.InternalError):
            error = exception_class_for(str(exc_value))
            if error is not None and exc_value is not None:
                # As Django does: test the connection before its next use.
                if error not in (DataError, IntegrityError):
                    self.wrapper.errors_occurred = True
                raise error(*exc_value.args).with_traceback(traceback) from exc_value
        super().__exit__(exc_type, exc_value, traceback)
