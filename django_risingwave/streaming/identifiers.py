"""Names in SQL. Both servers write and read them alike."""

from __future__ import annotations

import re

#: A regular expression for one name, in quotes or without.
NAME = r'(?:"(?:[^"]|"")+"|\w+)'


def quote(name: str) -> str:
    """Return a name as an identifier."""
    return '"{}"'.format(name.replace('"', '""'))


def unquoted(identifier: str) -> str:
    """Return the name that an identifier stands for. Of a qualified one, it is the last part."""
    last: str = re.findall(NAME, identifier)[-1]
    return last[1:-1].replace('""', '"') if last.startswith('"') else last.lower()
