"""Whatever a client sends, it gets an answer that isn't an internal error, and the log gets no traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import BOTH
from tests.live.fuzzing import Fuzzed, conversations, handshakes, requests
from tests.live.test_views import get_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = BOTH
#: The same examples in each run, so that only a change of the code makes it fail. `make faults` draws others.
SAME = settings(
    derandomize=True,
    deadline=None,  # the machine may be busy
    database=None,
    # Daphne logs an error up to a second later, so which example caused it isn't known: no shrinking.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module", params=["server", "closed_server"])
def fuzzed(request: pytest.FixtureRequest) -> Iterator[Fuzzed]:
    server = request.getfixturevalue(request.param)
    # Until the rankings have been read for the first time, pages and /readyz answer 503.
    get_until(lambda answer: answer.status < 500, server, "/api/rankings/")
    fuzzed = Fuzzed(server)
    yield fuzzed
    fuzzed.check_alive()


@settings(SAME, max_examples=200)
@given(data=st.data())
def test_no_request_is_an_internal_error(fuzzed, data):
    fuzzed.check(data.draw(requests(fuzzed.host)))


@settings(SAME, max_examples=60)
@given(data=st.data(), conversation=conversations)
def test_no_frame_is_an_internal_error(fuzzed, data, conversation):
    fuzzed.check_socket(data.draw(handshakes(fuzzed.host)), conversation)
