"""Errors in RisingWave's words: the recorded texts with the names of the statement at hand."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from django_risingwave.testing.statements import DIFFERENT, syntax_errors, violations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# RisingWave accepts these.
_DIFFERENT = {rule.refusal for rule in DIFFERENT}

# What a recorded error depends on if not on the statement alone: the catalog, rows, cursors, time. The
# statement may be accepted at another time.
_DEPENDS_ON_STATE = re.compile(
    r"not found|exists$|does not exist$(?<!\) does not exist)|other objects|[Cc]ursor|referenced by"
    r"|^cannot change|not-null constraint|Division by zero|Query cancelled|rw_timestamp|due to license",
    re.MULTILINE,
)


def depends_on_state(error: dict[str, str]) -> bool:
    """Return whether the same statement may be accepted at another time."""
    causes = error["M"].split("\n", 3)[-1]
    return bool(_DEPENDS_ON_STATE.search(causes)) and "Invalid column: current_" not in causes


def refusal(*causes: str, code: str = "XX000") -> dict[str, str]:
    """Return the fields of an error with these causes, the most general one first."""
    if len(causes) == 1:
        text = f"Caused by:\n  {causes[0]}\n"
    else:
        numbered = "".join(f"  {number}: {cause}\n" for number, cause in enumerate(causes, 1))
        text = f"Caused by these errors (recent errors listed first):\n{numbered}"
    return {"S": "ERROR", "C": code, "M": f"Failed to run the query\n\n{text}"}


def missing(kind: str, name: str) -> dict[str, str]:
    return refusal("Catalog error", f"{kind} not found: {name}", code="42704")


def existing(kind: str, name: str) -> dict[str, str]:
    return refusal("Catalog error", f"{kind} with name {name} exists", code="42710")


def used(others: Iterable[str]) -> dict[str, str]:
    """Return an error for a relation that these objects use."""
    details = [f"{other} depends on it" for other in others]
    return refusal(
        f"Permission denied: PermissionDenied: table used by {len(details)} other objects. \n"
        + "\n".join(["DETAIL: " + details[0], *details[1:]])
        + "\nHINT:  Use DROP ... CASCADE to drop the dependent objects too."
    )


@lru_cache(maxsize=10_000)
def found_by_rules(sql: str) -> dict[str, str] | None:
    """Return an error for a statement that RisingWave refuses by the rules in statements/, or None."""
    if found := syntax_errors(sql):
        return refusal(f"sql parser error: {found[0]}")
    others = [found for found in violations(sql) if found not in _DIFFERENT]
    return refusal(f"Feature is not yet implemented: {others[0]}") if others else None


def translated(error: dict[str, str], sql: str) -> dict[str, str]:
    """Return what RisingWave answers where PostgreSQL answers this error."""
    text = error["M"]
    names = re.findall(r'"([^"]*)"', text) or text.split()[1:2]
    kind = re.match(r"(?:CREATE|DROP|ALTER) (MATERIALIZED VIEW|\w+)", sql, re.IGNORECASE)
    translate = _TRANSLATIONS.get(error["C"])
    if translate is None:
        return refusal(text)
    return translate(error, names, kind[1].lower() if kind else "table")


def _missing_relation(error: dict[str, str], names: list[str], kind: str) -> dict[str, str]:
    # A view that is created doesn't miss itself.
    return missing("table" if "view" in kind else kind, names[0])


def _missing_column(error: dict[str, str], names: list[str], kind: str) -> dict[str, str]:
    if " of relation " in error["M"]:
        return refusal(f"Invalid input syntax: {error['M'].replace(' of relation ', ' of table ')}")
    return refusal(f"Failed to bind expression: {names[0]}", f"Item not found: Invalid column: {names[0]}")


def _null(error: dict[str, str], names: list[str], kind: str) -> dict[str, str]:
    expression = f"check_not_null(NULL, '{names[0]}', '{names[1]}')"
    return refusal("Expr error", f"error while evaluating expression `{expression}`", error["M"])


def _used(error: dict[str, str], names: list[str], kind: str) -> dict[str, str]:
    uses = error.get("D", "")
    if column := re.match(r"column (\w+) of table \w+ depends on column (\w+)", uses):
        generated, dropped = column.groups()
        return refusal(
            f'failed to drop column "{dropped}" because it\'s referenced by a generated column "{generated}"'
        )
    # PostgreSQL names those that depend on them too.
    dropped = error["M"].split(" because ")[0].split()[-1]
    direct = re.findall(
        rf"^(?:materialized )?view (\S+) depends on .*? {re.escape(dropped)}$", uses, re.MULTILINE
    )
    return used(f"materialized view public.{name}" for name in direct or [names[0]])


# By PostgreSQL's SQLSTATE: https://www.postgresql.org/docs/18/errcodes-appendix.html
_TRANSLATIONS: dict[str, Callable[[dict[str, str], list[str], str], dict[str, str]]] = {
    "22012": lambda error, names, kind: refusal(
        "Expr error", "error while evaluating expression `general_div`", "Division by zero"
    ),
    "23502": _null,
    "2BP01": _used,
    "34000": lambda error, names, kind: refusal(f"internal error: Cannot find cursor `{names[0]}`"),
    "42601": lambda error, names, kind: refusal(f"sql parser error: {error['M']}"),
    "42703": _missing_column,
    "42883": lambda error, names, kind: refusal(
        f"Failed to bind expression: {error['M'].removeprefix('function ')}", error["M"]
    ),
    "42P01": _missing_relation,
    "42P07": lambda error, names, kind: existing(kind, names[0]),
    "57014": lambda error, names, kind: refusal("Query cancelled: timeout after 1 seconds"),
}
