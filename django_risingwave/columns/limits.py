"""What PostgreSQL's columns see to, and RisingWave's types without arguments and CHECKs don't.

varchar(n), numeric(p, s), inet and CHECK (… >= 0) refuse or round what is written. Here it happens before the
value is sent, for those that Django writes; other clients' values and expressions, such as F(), are not seen.
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


def guard(field: Field[Any, Any]) -> Callable[[Any], Any] | None:
    """Return a function of a prepared value that returns what is to be written, or None where it may be any.

    The function raises DataError or IntegrityError, as PostgreSQL's columns do.
    """
    internal_type = field.get_internal_type()
    if internal_type in _LENGTH_FIELDS and field.max_length is not None:
        return partial(_bounded, field)
    if internal_type == "DecimalField" and getattr(field, "decimal_places", None) is not None:
        return partial(_rounded, field)
    if internal_type in _POSITIVE_FIELDS:
        return partial(_positive, field)
    if internal_type == "GenericIPAddressField":
        return partial(_address, field)
    return None


def guarded(field: Field[Any, Any], value: Any) -> Any:
    """Return what an UPDATE is to write. In an expression, only values that are the field's are seen.

    bulk_update() writes such: CASE WHEN id = 1 THEN 'a' … END.
    """
    see_to = guard(field)
    if see_to is None or value is None or hasattr(value, "prepare_database_save"):
        return value
    if hasattr(value, "flatten"):
        for node in value.flatten():
            if isinstance(node, Value) and getattr(node, "_output_field_or_none", None) is field:
                guarded(field, node.value)
        return value
    return value if hasattr(value, "resolve_expression") else see_to(field.get_prep_value(value))


def _bounded(field: Any, value: Any) -> Any:
    if isinstance(value, str) and len(value) > field.max_length:
        raise DataError(f"{field} takes {field.max_length} characters (max_length), not {len(value)}.")
    return value


def _rounded(field: Any, value: Any) -> Any:
    """Round as numeric(p, s) does, half away from zero; refuse what then has too many digits."""
    if not isinstance(value, Decimal):
        return value
    # Of max_digits; without decimal_places, what is there stays.
    context = Context(prec=min(field.max_digits or NUMERIC_DIGITS, NUMERIC_DIGITS), rounding=ROUND_HALF_UP)
    try:
        return value.quantize(Decimal(1).scaleb(-field.decimal_places), context=context)
    except InvalidOperation:
        raise DataError(
            f"{field} takes {context.prec} digits, {field.decimal_places} of them after the point "
            f"(max_digits, decimal_places): {value} has more."
        ) from None


def _positive(field: Any, value: Any) -> Any:
    if isinstance(value, int) and value < 0:
        raise IntegrityError(f"{field} takes 0 and more, not {value}.")
    return value


def _address(field: Any, value: Any) -> Any:
    if isinstance(value, str) and value:
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise DataError(f"{field} takes IPv4 and IPv6 addresses, not {value!r}.") from None
    return value


# JSON ----------------------------------------------------------------------------------------------------

# What may be more than a number of 64 bits, or no JSON. Most texts have none of it.
_SUSPICIOUS = re.compile(r"[\d.]{18}|NaN|Infinity|\\u0000")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def kept_json(dumps: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return json.dumps() that raises DataError for what RisingWave's jsonb would change, or JSON hasn't.

    A number is there one of 64 bits, an integer or a float: serde_json::Number, as jsonbb has it
    (src/common/src/types/jsonb.rs at v3.0.3). 2**64 becomes 1.8446744073709552e19.
    """

    def dump(value: Any) -> str:
        text = dumps(value)
        if _SUSPICIOUS.search(text):
            if _NUL.search(text):
                raise DataError(r"JSON in the database has no \u0000 (NUL) in its strings.")
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
        f"JSON in RisingWave has no number {text}: only integers and floats of 64 bits. Write a string."
    )
