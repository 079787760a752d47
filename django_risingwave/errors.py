"""Django's exceptions for RisingWave's errors.

RisingWave reports nearly all errors with SQLSTATE XX000 (before 2.5, without any), which the drivers raise as
InternalError (or DatabaseError). So the exception is chosen by the text, a report such as

    Failed to run the query

    Caused by these errors (recent errors listed first):
      1: Expr error
      2: Division by zero

The exception's text begins with the innermost cause, here "Division by zero". Its `__cause__`, the driver's
exception, keeps the report.

Texts are from RisingWave 2.8.0's answers, and from src/frontend/src/error.rs, src/expr/core/src/error.rs,
src/error/src/common.rs, src/frontend/src/catalog/mod.rs and src/frontend/src/scheduler/error.rs at v3.0.3.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.db import (
    DataError,
    Error,
    IntegrityError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)
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
        # After KILL.
        "Receive shutdown msg: ",
        "Reject query: the .* query number reaches the limit",
        "Server throttled",
        "Session not found",
        "Task got killed",
        # A cursor of a subscription: declared again, it works.
        "The cursor has exceeded its maximum lifetime",
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
        "Conditions containing now must be in the form",
        "Feature is not yet implemented: ",
        "Not supported: ",
        # RisingWave plans a correlated subquery only if it can tell that there is at most one row.
        "Scalar subquery might produce more than one row",
        "Unsupported function: ",
        r"[\w ]+ (?:is|are) not supported",
        'column ".*" cannot be altered',
        r"feature \w+ is not available",
        "unsupported data type: ",
        "update modifying the PK column is unsupported",
    ),
    DataError: (
        r"Casting to \w+ out of range",
        "Division by zero",
        r"Invalid parameter \w+: ",
        "Number .* overflows",
        "Numeric out of range",
        "Parse error: ",
        "cannot cast jsonb ",
        "error while evaluating expression ",
    ),
    ProgrammingError: (
        "Ambiguous column name: ",
        "Cannot find cursor ",
        "Cursor dependent table deleted: ",
        "Duplicate Relation Name: ",
        "Invalid column: ",
        "Invalid reference: ",
        "Item not found: ",
        # As PostgreSQL's SQLSTATE 21000.
        "More than one row returned by ",
        "Permission denied: ",
        "Scalar subquery produced more than one row",
        "Unrecognized config entry ",
        "Unsupported cast: ",
        r"[a-z ]+ named .* already exists",
        "[a-z ]+ not found: ",
        "cannot cast type ",
        "failed to drop column ",
        "unable to drop the column ",
        # Any other error of the binder, and errors without a cause.
        "Bind error: ",
        "Catalog error(?:: |$)",
        "Failed to bind expression: ",
        "Failed to get(?:/| or )set session config",
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


# A report with one or several causes, and the one line that earlier versions send. A cause may have several
# lines, such as "LINE 1: …" and "HINT: …". Those of a chain are numbered.
_REPORT = re.compile(r"[^\n]+\n\nCaused by(?P<chain> these errors[^\n]*)?:\n(?P<causes>.+)", re.DOTALL)
_ONE_LINE_REPORT = re.compile(r"Failed to run the query: (?P<cause>.+)", re.DOTALL)


def cause_first(text: str) -> str:
    """Return the text of an error with the innermost cause first, then what it led to, as CONTEXT.

    Without "Failed to run the query", which begins every report. Other texts are returned as they are.
    """
    if one_line := _ONE_LINE_REPORT.match(text):
        return one_line["cause"]
    report = _REPORT.match(text)
    if report is None:
        return text
    causes = _split_chain(report["causes"]) if report["chain"] else [report["causes"].strip()]
    return "\n".join([causes[-1], *(f"CONTEXT:  {cause}" for cause in reversed(causes[:-1]))])


def _split_chain(text: str) -> list[str]:
    """Return the causes of a numbered list, outermost first."""
    causes: list[str] = []
    for line in text.splitlines():
        number = f"{len(causes) + 1}: "
        if line.strip().startswith(number):
            causes.append(line.strip().removeprefix(number))
        elif causes:
            causes[-1] += f"\n{line}"
    return [cause.strip() for cause in causes] or [text.strip()]


class DatabaseErrorWrapper(BaseDatabaseErrorWrapper):
    """Raises Django's exceptions with the cause as their text, and the driver's exception as `__cause__`."""

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
        text = str(exc_value)
        if exc_type is driver.DatabaseError or isinstance(exc_value, driver.InternalError):
            error = exception_class_for(text)
            if error is not None and exc_value is not None:
                # As Django does: test the connection before its next use.
                if error not in (DataError, IntegrityError):
                    self.wrapper.errors_occurred = True
                raise error(cause_first(text)).with_traceback(traceback) from exc_value
        try:
            super().__exit__(exc_type, exc_value, traceback)
        except Error as error:
            # Newer servers send a SQLSTATE for some errors, such as 42704 for a table that doesn't exist.
            if text:
                error.args = (cause_first(text),)
            raise
