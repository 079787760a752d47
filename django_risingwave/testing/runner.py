"""A test runner for `manage.py test`: TEST_RUNNER = "django_risingwave.testing.runner.StandInRunner"."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from django.test.runner import DiscoverRunner

from django_risingwave.testing.servers import implicit_flush, standin, standin_aliases

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Collection


class StandInMixin:
    """Put a stand-in in the place of the servers in DATABASES while the tests of a DiscoverRunner run."""

    def __init__(self, *args: Any, standin: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.uses_standin = standin
        self._servers = ExitStack()

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        """Add --no-standin to Django's options."""
        super().add_arguments(parser)  # type: ignore[misc]  # DiscoverRunner's
        parser.add_argument(
            "--no-standin",
            action="store_false",
            dest="standin",
            help="Run the tests on the servers in DATABASES, not on a stand-in.",
        )

    def standin_aliases(self) -> Collection[str]:
        """Return the aliases that the stand-in takes the place of."""
        return standin_aliases()

    def setup_databases(self, **kwargs: Any) -> Any:
        self._servers.enter_context(implicit_flush())
        if self.uses_standin:
            self._servers.enter_context(standin(self.standin_aliases()))
        try:
            return super().setup_databases(**kwargs)  # type: ignore[misc]  # DiscoverRunner's
        except BaseException:
            self._servers.close()
            raise

    def teardown_databases(self, *args: Any, **kwargs: Any) -> None:
        with self._servers:
            super().teardown_databases(*args, **kwargs)  # type: ignore[misc]  # DiscoverRunner's


class StandInRunner(StandInMixin, DiscoverRunner):
    """Django's test runner, on a stand-in."""
