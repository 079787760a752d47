"""Limits that PostgreSQL's columns enforce and RisingWave's don't.

PostgreSQL refuses or rounds values by varchar(n), numeric(p, s), inet and CHECK (… >= 0). RisingWave's types
have no arguments and its tables no CHECK, so these limits are enforced here, before a value is sent. Values
that other clients write, and the results of expressions such as F(), are not checked.
"""

from __future__ import annotations

import ipaddress
import json
import re
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import DataError, IntegrityError
from django.db.models import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import Field

# https://docs.risingwave.com/sql/data-types/overview
NUMERIC_DIGITS = 28

_LENGTH_FIELDS = frozenset({"CharField", "FileField", "FilePathField", "SlugField"})
_POSITIVE_FIELDS = frozenset({"PositiveBigIntegerField", "PositiveIntegerField", "PositiveSmallIntegerField"})


def limit_of(field: Field[Any, Any]) -> Callable[[Any], Any] | None:
    """Return a function that enforces the field's limit, or None if the field has none.

    The function takes a prepared value and returns the value to write. It raises DataError or IntegrityError,
    as PostgreSQL's columns do.
    """
    internal_type = field.get_internal_type()
    if internal_type in _LENGTH_FIELDS and field.max_length is not None:
        return partial(_check_length, field)
    if internal_type == "DecimalField" and getattr(field, "decimal_places", None) is not None:
        return partial(_round_decimal, field)
    if internal_type in _POSITIVE_FIELDS:
        return partial(_check_not_negative, field)
    if internal_type == "GenericIPAddressField":
        return partial(_check_address, field)
    return None


def enforce_limit(field: Field[Any, Any], value: Any) -> Any:
    """Enforce the field's limit, and return the value or expression that an UPDATE writes.

    In an expression, only constants of the field itself are checked, as in the one that bulk_update() writes:
    CASE WHEN id = 1 THEN 'a' … END. Raises DataError or IntegrityError, as PostgreSQL's columns do.
    """
    enforce = limit_of(field)
    if enforce is None or value is None or hasattr(value, "prepare_database_save"):
        return value
    if hasattr(value, "flatten"):
        for node in value.flatten():
            if isinstance(node, Value) and getattr(node, "_output_field_or_none", None) is field:
                enforce_limit(field, node.value)
        return value
    return value if hasattr(value, "resolve_expression") else enforce(field.get_prep_value(value))


def _check_length(field: Any, value: Any) -> Any:
    if isinstance(value, str) and len(value) > field.max_length:
        raise DataError(
            f"{field} holds at most {field.max_length} characters (max_length), but the value has "
            f"{len(value)}."
        )
    return value


def _round_decimal(field: Any, value: Any) -> Any:
    """Round as numeric(p, s) does, half away from zero. Raises DataError if there are too many digits."""
    if not isinstance(value, Decimal):
        return value
    # Without max_digits, as many digits as numeric holds.
    context = Context(prec=min(field.max_digits or NUMERIC_DIGITS, NUMERIC_DIGITS), rounding=ROUND_HALF_UP)
    try:
        return value.quantize(Decimal(1).scaleb(-field.decimal_places), context=context)
    except InvalidOperation:
        raise DataError(
            f"{field} holds at most {context.prec} digits (max_digits), {field.decimal_places} of them after "
            f"the decimal point (decimal_places), but the value is {value}."
        ) from None


def _check_not_negative(field: Any, value: Any) -> Any:
    if isinstance(value, int) and value < 0:
        raise IntegrityError(f"{field} must be 0 or greater, not {value}.")
    return value


def _check_address(field: Any, value: Any) -> Any:
    if isinstance(value, str) and value:
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise DataError(f"{field} must be an IPv4 or IPv6 address, not {value!r}.") from None
    return value


# JSON ----------------------------------------------------------------------------------------------------

# Finds text that may hold a number of more than 64 bits, or a value that JSON lacks. Few documents do.
_SUSPICIOUS = re.compile(r"[\d.]{18}|NaN|Infinity|\\u0000")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def checked_dumps(dumps: Callable[[Any], str]) -> Callable[[Any], str]:
    """Wrap json.dumps() to raise DataError for values that RisingWave's jsonb would change or reject.

    Its numbers are integers and floats of 64 bits: serde_json::Number, as the crate jsonbb stores it
    (src/common/src/types/jsonb.rs at v3.0.3). 2**64 would become 1.8446744073709552e19.
    """

    def dump(value: Any) -> str:
        text = dumps(value)
        if _SUSPICIOUS.search(text):
            if _NUL.search(text):
                raise DataError(r"A string in a JSONField can't contain \u0000 (NUL). Remove it.")
            json.loads(text, parse_int=_check_int, parse_float=_check_float, parse_constant=_refuse_number)
        return text

    return dump


def _check_int(text: str) -> None:
    if len(text) > 18 and not -(2**63) <= int(text) < 2**64:
        _refuse_number(text)


def _check_float(text: str) -> None:
    number = float(text)
    if Decimal(text) != Decimal(repr(number)):
        _refuse_number(text)


def _refuse_number(text: str) -> None:
    raise DataError(
        f"RisingWave's jsonb can't store the number {text}: its numbers are integers and floats of 64 bits. "
        "Write it as a string."
    )
