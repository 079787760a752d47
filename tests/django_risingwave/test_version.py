"""`version()` tells the kind of server, its version, and whether it is supported."""

from __future__ import annotations

import pytest
from django.db import NotSupportedError

from django_risingwave.version import ServerVersion


@pytest.mark.parametrize(
    ("text", "name", "numbers"),
    [
        ("PostgreSQL 13.14.0-RisingWave-3.0.3 (d6e98acc)", "RisingWave 3.0.3", (3, 0, 3)),
        ("PostgreSQL 13.14.0-RisingWave-2.1.0 (unknown)", "RisingWave 2.1.0", (2, 1, 0)),
        ("PostgreSQL 13.14.0-RisingWave-2.8.0-rc.1 (1a2b3c)", "RisingWave 2.8.0-rc.1", (2, 8, 0)),
        ("PostgreSQL 13.14.0-RisingWave-10.12.0-alpha (1a2b3c)", "RisingWave 10.12.0-alpha", (10, 12, 0)),
        ("PostgreSQL 9.5.0-RisingWave-3.1.0+build.5 (x)", "RisingWave 3.1.0+build.5", (3, 1, 0)),
        ("PostgreSQL 18.4 on x86_64-pc-linux-gnu, compiled by gcc", "PostgreSQL 18.4 (stand-in)", (18, 4)),
        ("PostgreSQL 17.2 (Debian 17.2-1.pgdg120+1) on aarch64", "PostgreSQL 17.2 (stand-in)", (17, 2)),
        ("PostgreSQL 19beta1 on x86_64", "PostgreSQL 19beta1 (stand-in)", (19,)),
    ],
)
def test_version_gives_the_name_and_the_numbers(text: str, name: str, numbers: tuple[int, ...]) -> None:
    version = ServerVersion.parse(text)
    assert version.name == name
    assert version.numbers == numbers
    assert version.is_risingwave == name.startswith("RisingWave")
    version.check_supported()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CockroachDB CCL v25.4.0 (x86_64-pc-linux-gnu)",
        "8.0.36 MySQL Community Server",
        # A RisingWave without a readable version isn't mistaken for the PostgreSQL that it reports.
        "PostgreSQL 13.14.0-RisingWave-nightly (1a2b3c)",
        "PostgreSQL 18.0.0-RisingWave-3.0.3",
    ],
)
def test_the_error_quotes_the_version_of_any_other_server(text: str) -> None:
    with pytest.raises(NotSupportedError) as error:
        ServerVersion.parse(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "PostgreSQL 13.14.0-RisingWave-2.0.7 (x)",
            r"RisingWave 2\.1 or later is required \(found 2\.0\.7\)",
        ),
        ("PostgreSQL 14.19 on x86_64", r"PostgreSQL 15 or later is required \(found 14\.19\)"),
        # Redshift also reports a PostgreSQL version.
        ("PostgreSQL 8.0.2 on i686, Redshift 1.0.81", "PostgreSQL 15 or later is required"),
    ],
)
def test_a_server_that_is_too_old_is_refused(text: str, message: str) -> None:
    with pytest.raises(NotSupportedError, match=message):
        ServerVersion.parse(text).check_supported()
