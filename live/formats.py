"""Values as people and programs read them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext, pgettext

#: Units of an age with their seconds, the largest first.
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
#: Characters of a visitor's input that an error message repeats.
MAX_QUOTED = 60


#: Signs of currencies by their codes, which stand in place of those that are missing here.
#: https://www.iso.org/iso-4217-currency-codes.html
CURRENCY_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩"}


def key(value: object) -> str:
    """Return a key as it is, "(none)" for None, and "(empty)" for one that can't be seen."""
    if value is None:
        return gettext("(none)")
    text = str(value)
    return text if text.strip() else gettext("(empty)")


def money(value: float, currency: str = "USD") -> str:
    """Return a whole amount of a currency, given by its code: $1,234,567."""
    sign = "-" if round(value) < 0 else ""
    # Translators: how an amount of money is written, such as "-$1,234".
    pattern = pgettext("money", "%(minus)s%(currency)s%(amount)s")
    text = pattern % {
        "minus": sign,
        "currency": CURRENCY_SIGNS.get(currency, f"{currency}\N{NO-BREAK SPACE}"),
        "amount": quantity(abs(value)),
    }
    # A code that comes last is followed by nothing.
    return text.rstrip()


def quantity(value: float) -> str:
    """Return a whole number: 12,345."""
    return decimal(value, 0)


def average(value: float) -> str:
    """Return a number with three decimals: 4.217."""
    return decimal(value, 3)


def percent(value: float) -> str:
    """Return a number of per cent with one decimal: 8.1 %."""
    # Translators: how a number of per cent is written, such as "8.1 %".
    return pgettext("percent", "%(number)s\N{NO-BREAK SPACE}%%") % {"number": decimal(value, 1)}


def decimal(value: float, places: int) -> str:
    """Return a number with `places` decimals, as it is written in the active language."""
    # Django cuts decimals off instead of rounding them.
    return str(number_format(Decimal(f"{value:.{places}f}"), places, force_grouping=True))


def age(moment: datetime, now: datetime | None = None) -> str:
    """Return how long ago a moment was, in the largest whole unit: "just now", "2 s ago", "3 min ago".

    state.js writes ages the same way.
    """
    passed = duration(((now or datetime.now(UTC)) - moment).total_seconds())
    return gettext("%(span)s ago") % {"span": passed} if passed else gettext("just now")


def duration(seconds: float) -> str:
    """Return a span of time in the largest whole unit: "2 s", "3 min"; empty below a second."""
    for unit, length in UNITS:
        if seconds >= length:
            return f"{int(seconds) // length} {unit}"
    return ""


def isoformat(moment: datetime) -> str:
    """Return a moment in UTC with milliseconds: 2026-11-23T15:04:05.678Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(moment: datetime) -> str:
    """Return a moment's hour and minute in UTC: "14:05 UTC". motion.js writes it in the viewer's zone."""
    return f"{moment.astimezone(UTC):%H:%M} UTC"


def quoted(text: str) -> str:
    """Return a visitor's input for an error message: in quotes and not too long."""
    return repr(text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "…")
