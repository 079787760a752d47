"""How errors of databases are described."""

from __future__ import annotations

import pytest
from django.db import OperationalError

from demo.databases import first_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\nconnection refused\n  Is the server running?\n", "connection refused"),
        (
            "no status\nDETAIL:  Could not write to a file: No space left on device.",
            "DETAIL:  Could not write to a file: No space left on device.",
        ),
        ("", "OperationalError"),
    ],
)
def test_an_error_is_described_by_its_first_line_and_a_full_disk_by_the_line_that_says_so(
    text: str, line: str
) -> None:
    assert first_line(OperationalError(text)) == line
