"""A plugin of pytest: pytest_plugins = ["django_risingwave.testing.plugin"]. It builds on pytest-django."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from django_risingwave.testing.double import Double


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --no-standin."""
    parser.getgroup("django").addoption(
        "--no-standin",
        action="store_false",
        dest="standin",
        help="run the tests on the servers in DATABASES, not on a stand-in",
    )


@pytest.fixture(scope="session")
def standin_aliases() -> Collection[str]:
    """The aliases that the stand-in takes the place of: those of RisingWave and of mirrored tables."""
    from django_risingwave.testing import servers  # noqa: PLC0415 - not before django.setup()

    return servers.standin_aliases()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None, pytestconfig: pytest.Config, standin_aliases: Collection[str]
) -> Iterator[None]:
    """Put the stand-in in the place of the servers, before pytest-django creates the test databases."""
    from django_risingwave.testing import servers  # noqa: PLC0415 - not before django.setup()

    with ExitStack() as stack:
        stack.enter_context(servers.implicit_flush())
        if pytestconfig.getoption("standin"):
            stack.enter_context(servers.standin(standin_aliases))
        yield


@pytest.fixture
def fresh() -> Callable[..., Any]:
    """django_risingwave.testing.fresh, which waits until a view has a row."""
    from django_risingwave.testing.freshness import fresh  # noqa: PLC0415 - not before django.setup()

    return fresh


@pytest.fixture
def risingwave_double(django_db_setup: None, django_db_blocker: Any) -> Iterator[Double]:
    """A double of RisingWave in front of the test database of the first alias that is on RisingWave."""
    from django_risingwave.testing.servers import doubled  # noqa: PLC0415 - not before django.setup()

    with ExitStack() as stack:
        with django_db_blocker.unblock():
            double = stack.enter_context(doubled())
        yield double
        with django_db_blocker.unblock():
            stack.close()
