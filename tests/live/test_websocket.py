"""What programs and pages get over the WebSocket, on Daphne and on uvicorn."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from datetime import UTC, datetime
from itertools import islice, pairwise
from socket import create_connection
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from live.consumers import RankingsConsumer
from live.counts import Counts
from live.history.sparklines import Sparklines
from live.origins import same_origin
from live.protocol import MAX_CLIENT_MESSAGES
from live.rankings import RANKINGS
from tests import processes
from tests.conftest import BOTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from websockets.sync.connection import Connection

    from tests.processes import Server

pytestmark = BOTH


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def serve(request: pytest.FixtureRequest) -> Callable[..., AbstractContextManager[Server]]:
    pytest.importorskip(request.param)
    start: Callable[..., AbstractContextManager[Server]] = getattr(processes, request.param)
    return start


@pytest.fixture(scope="module")
def server(serve, site_environment, tmp_path_factory) -> Iterator[Server]:
    """The dashboard, open to all."""
    with serve(site_environment, tmp_path_factory.mktemp("server") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def closed_server(serve, site_environment, tmp_path_factory) -> Iterator[Server]:
    """The dashboard, for logged-in users."""
    log = tmp_path_factory.mktemp("closed-server") / "log"
    with serve(site_environment | {"LIVE_OPEN": "false"}, log) as running:
        yield running


def subscribe(server: Server, query: str = "", **options: Any) -> Connection:
    return connect(server.socket_url + query, open_timeout=60, **options)


def messages(socket: Connection):
    while True:
        yield json.loads(socket.recv(timeout=60))


def wait_for_close(socket: Connection) -> tuple[dict[str, Any], int]:
    """Wait until the server closes; return the last message before, and the close code."""
    received = []
    with pytest.raises(ConnectionClosedError) as closed:
        received.extend(messages(socket))
    assert closed.value.rcvd is not None
    return received[-1], closed.value.rcvd.code


def test_a_program_gets_a_hello_the_snapshots_and_then_each_change(server, orders):
    orders((1, 2, 3.0, "Ohio"))
    with subscribe(server, "?format=json&rankings=states-by-turnover") as socket:
        stream = messages(socket)
        assert next(stream) == {
            "type": "hello",
            "version": 1,
            "rankings": ["states-by-turnover"],
            "window": "all",
        }
        snapshot = next(message for message in stream if message["type"] == "snapshot")
        assert snapshot["ranking"] == "states-by-turnover"
        while [
            (row["rank"], row["name"], row["value"], row["display"], row["share"]) for row in snapshot["rows"]
        ] != [(1, "Ohio", 6.0, "$6", 100.0)]:
            snapshot = next(message for message in stream if message["type"] == "update")
        orders((1, 1, 4.0, "Utah"))
        update = next(
            message for message in stream if message["type"] == "update" and len(message["rows"]) == 2
        )
        assert [row["key"] for row in update["rows"]] == ["Ohio", "Utah"]
        assert update["changed_at"] > snapshot["changed_at"]
        assert update["etag"] != snapshot["etag"]


def test_totals_that_change_are_sent_though_the_rows_and_the_etag_stay(server, orders):
    orders(*((1, 1, 100.0, f"State {n}") for n in range(5)))
    with subscribe(server, "?format=json&rankings=states-by-turnover") as socket:
        stream = messages(socket)
        etag = etag_of(stream, *(f"State {n}" for n in range(5)))
        orders((1, 1, 7.0, "Last"))
        update = next(message for message in stream if message.get("totals") == {"keys": 6, "sum": 507.0})
    assert (update["type"], update["etag"], len(update["rows"])) == ("update", etag, 5)


def test_a_program_gets_a_change_only_if_it_concerns_the_rows_that_it_asked_for(server, orders):
    """One order line moves a quantity from the seventh row to the sixth, so that the totals stay."""
    orders(*((1, 1, 100.0 - n, f"State {n}") for n in range(7)))
    path = "?format=json&rankings=states-by-turnover"
    with subscribe(server, f"{path}&top=5") as few, subscribe(server, f"{path}&top=10") as many:
        streams = [messages(few), messages(many)]
        told = told_until(streams[0], [100.0, 99.0, 98.0, 97.0, 96.0])
        others = told_until(streams[1], [100.0, 99.0, 98.0, 97.0, 96.0, 95.0, 94.0])
        assert told[-1]["etag"] != others[-1]["etag"]
        orders((1, 1, 0.5, "State 5"), (1, 1, -0.5, "State 6"))
        told_until(streams[1], [100.0, 99.0, 98.0, 97.0, 96.0, 95.5, 93.5])
        orders((1, 1, 1.0, "State 0"))
        told += told_until(streams[0], [101.0, 99.0, 98.0, 97.0, 96.0])
    # The totals of the first orders may come after their rows, in an update of their own.
    contents = [(message["rows"], message["totals"]) for message in told]
    assert all(content != before for before, content in pairwise(contents))


def told_until(stream, values: list[float]) -> list[dict[str, Any]]:
    """Return the messages that have rows, up to the first with these values."""
    told = []
    for message in stream:
        if "rows" in message:
            told.append(message)
            if [row["value"] for row in message["rows"]] == values:
                return told
    raise AssertionError(f"no message has {values}")


def test_a_subscriber_of_a_deleted_ranking_is_told_so_and_closed():
    consumer: Any = RankingsConsumer()
    closed: list[Any] = []
    consumer.transport = SimpleNamespace(close=lambda *arguments: closed.append(arguments))
    consumer._release = lambda: None
    consumer.on_deleted("states-by-turnover")
    [(message, code, reason)] = closed
    assert json.loads(message) == {"type": "error", "code": 4404, "reason": reason}
    assert (code, reason) == (4404, "The ranking 'states-by-turnover' has been deleted.")


@pytest.mark.parametrize("is_json", [True, False])
def test_sparklines_are_sent_to_pages_only(is_json):
    consumer: Any = RankingsConsumer()
    sent: list[str] = []
    consumer.json, consumer._pending, consumer._counts = is_json, {}, Counts()
    consumer.transport = SimpleNamespace(write=lambda text: not sent.append(text))  # type: ignore[func-returns-value]
    lines = Sparklines("states-by-turnover", datetime.now(UTC), 60, {"a": [1]})
    consumer.deliver(lines)
    assert sent == ([] if is_json else [lines.message])


def test_a_ping_carries_the_time_and_when_each_ranking_was_read(server, orders):
    with subscribe(server, "?format=json") as socket:
        pings = (message for message in messages(socket) if message["type"] == "ping")
        # One that comes before all of them are read tells of fewer.
        ping = next(ping for ping in pings if set(ping["checked_at"]) == set(RANKINGS))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", ping["now"])


def test_a_page_gets_cards_to_swap_out_of_band(server, orders):
    orders((1, 2, 3.0, "<img src=x onerror=alert(1)>"))
    with subscribe(server, "?rankings=states-by-turnover", origin=server.url) as socket:
        card = next(text for text in iter(lambda: socket.recv(timeout=60), "") if "onerror" in text)
    assert 'hx-swap-oob="outerMorph"' in card
    assert 'id="ranking-states-by-turnover"' in card
    assert "&lt;img src=x onerror=alert(1)&gt;" in card


@pytest.mark.parametrize(
    ("query", "code", "reason"),
    [
        ("?format=xml", 4400, "format must be one of html, json, not 'xml'."),
        ("?rankings=", 4400, "rankings must not be empty."),
        (
            "?ranking=x",
            4400,
            "Unknown parameter 'ranking'. Use only: format, rankings, window, top, language, seen.",
        ),
        ("?seen=x", 4400, "seen must be at most 4 comma-separated etags, not 'x'."),
        ("?rankings=nonsense", 4404, "Unknown ranking 'nonsense'. Choose from: states-by-turnover"),
    ],
)
def test_a_bad_request_is_refused_with_a_reason_and_a_code(server, query, code, reason):
    with subscribe(server, query, origin=server.url) as socket:
        message, closed_with = wait_for_close(socket)
    assert message["type"] == "error"
    assert message["code"] == closed_with == code
    assert reason in message["reason"]


def test_the_close_frame_carries_the_reason_too(server):
    with subscribe(server, "?format=xml") as socket, pytest.raises(ConnectionClosedError) as closed:
        list(messages(socket))
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.reason == "format must be one of html, json, not 'xml'."


def test_a_client_that_reconnects_gets_only_what_is_new(server, orders):
    orders((1, 2, 3.0, "Ohio"))
    with subscribe(server, "?format=json&rankings=states-by-turnover") as socket:
        etag = etag_of(messages(socket), "Ohio")
    with subscribe(server, f"?format=json&rankings=states-by-turnover&seen={etag}") as socket:
        stream = messages(socket)
        assert [next(stream)["type"] for _ in range(2)] == ["hello", "ping"]
        orders((1, 2, 3.0, "Utah"))
        assert etag_of(stream, "Ohio", "Utah") != etag
    with subscribe(server, f"?format=json&rankings=states-by-turnover&seen={etag}") as socket:
        etag_of(messages(socket), "Ohio", "Utah")


def etag_of(stream, *states: str) -> str:
    """Return the etag of the first message with the rows of these states and with their totals."""
    for message in stream:
        is_it = message.get("rows") and {row["key"] for row in message["rows"]} == set(states)
        if is_it and message["totals"] and message["totals"]["keys"] == len(states):
            return str(message["etag"])
    raise AssertionError(f"no message has {states}")


def test_a_ranking_that_changes_back_to_seen_rows_is_sent_again(server, orders):
    from demo.shop.models import Order

    orders((1, 2, 3.0, "Ohio"))
    with subscribe(server, "?format=json&rankings=states-by-turnover") as socket:
        etag = etag_of(messages(socket), "Ohio")
    with subscribe(server, f"?format=json&rankings=states-by-turnover&seen={etag}") as socket:
        stream = messages(socket)
        orders((1, 2, 3.0, "Utah"))
        etag_of(stream, "Ohio", "Utah")
        Order.objects.filter(state="Utah").delete()
        assert etag_of(stream, "Ohio") == etag


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1.evil.example", "file://"],
)
@pytest.mark.parametrize("query", ["", "?format=json"])
def test_a_page_of_another_origin_may_not_subscribe(server, origin, query):
    with subscribe(server, query, origin=origin) as socket:
        message, code = wait_for_close(socket)
    assert code == 4403
    assert "origin" in message["reason"]


def test_a_page_without_an_origin_is_refused(server):
    with subscribe(server) as socket:
        assert wait_for_close(socket)[1] == 4403


@pytest.mark.parametrize(
    ("host", "debug", "allowed"),
    [
        ("localhost:8000", True, True),
        ("127.0.0.1:8000", True, True),
        ("[::1]:8000", True, True),
        ("evil.example", True, False),
        ("localhost:8000", False, False),
    ],
)
def test_without_allowed_hosts_a_page_subscribes_where_django_serves_it(settings, host, debug, allowed):
    settings.DEBUG, settings.ALLOWED_HOSTS = debug, []
    scope: Any = {"headers": [(b"host", host.encode()), (b"origin", f"http://{host}".encode())]}
    assert same_origin(scope, missing=False) is allowed


def test_an_unknown_host_is_refused(server):
    host, port = server.host.split(":")
    with (
        create_connection((host, int(port))) as plain,
        connect("ws://evil.example/ws/rankings/?format=json", sock=plain, open_timeout=60) as socket,
    ):
        assert wait_for_close(socket)[1] == 4403


def test_a_closed_dashboard_refuses_visitors_without_a_login(closed_server):
    with subscribe(closed_server, "?format=json", origin=closed_server.url) as socket:
        message, code = wait_for_close(socket)
    assert (message["type"], code) == ("error", 4401)


def test_a_program_without_origin_is_refused_while_the_dashboard_is_closed(closed_server):
    with subscribe(closed_server, "?format=json") as socket:
        assert wait_for_close(socket)[1] == 4403


def test_a_closed_dashboard_serves_logged_in_users(closed_server, orders, client, django_user_model):
    client.force_login(django_user_model.objects.create_user("ann", password="a-good-password"))
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    with subscribe(
        closed_server, "?format=json", origin=closed_server.url, additional_headers={"Cookie": cookie}
    ) as socket:
        stream = messages(socket)
        assert next(stream)["type"] == "hello"
        assert next(message for message in stream if message["type"] == "snapshot")


def test_a_logout_closes_the_sessions_sockets_and_no_others(closed_server, client, django_user_model):
    user = django_user_model.objects.create_user("ann", password="a-good-password")
    cookies = []
    for _ in range(2):
        client.logout()
        client.force_login(user)
        cookies.append(f"sessionid={client.cookies['sessionid'].value}")
    # client.logout() has ended the first session.
    client.cookies.clear()
    client.force_login(user)
    cookies[0] = f"sessionid={client.cookies['sessionid'].value}"
    sockets = [
        subscribe(
            closed_server, "?format=json", origin=closed_server.url, additional_headers={"Cookie": cookie}
        )
        for cookie in cookies
    ]
    for socket in sockets:
        assert next(messages(socket))["type"] == "hello"
    log_out(closed_server, cookies[0])
    message, code = wait_for_close(sockets[0])
    assert (message["reason"], code) == ("The session has ended. Log in again.", 4401)
    with subscribe(
        closed_server, "?format=json", origin=closed_server.url, additional_headers={"Cookie": cookies[0]}
    ) as socket:
        assert wait_for_close(socket)[1] == 4401
    assert next(message for message in messages(sockets[1]) if message["type"] == "ping")
    sockets[1].close()


def test_a_logout_in_one_process_closes_the_sessions_sockets_in_another(
    closed_server, site_environment, tmp_path, client, django_user_model
):
    client.force_login(django_user_model.objects.create_user("ann", password="a-good-password"))
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    with (
        processes.daphne(site_environment | {"LIVE_OPEN": "false"}, tmp_path / "log") as other,
        subscribe(other, "?format=json", origin=other.url, additional_headers={"Cookie": cookie}) as socket,
    ):
        # The process listens to logouts before it subscribes the socket, and pings after that.
        assert next(message for message in messages(socket) if message["type"] == "ping")
        log_out(closed_server, cookie)
        message, code = wait_for_close(socket)
    assert (message["reason"], code) == ("The session has ended. Log in again.", 4401)


def log_out(server: Server, cookie: str) -> None:
    """Log out as the page's button does."""
    token = "a" * 32
    urllib.request.urlopen(
        urllib.request.Request(
            f"{server.url}/logout/",
            data=f"csrfmiddlewaretoken={token}".encode(),
            headers={"Cookie": f"{cookie}; csrftoken={token}"},
            method="POST",
        ),
        timeout=60,
    ).close()


def flood(socket: Connection) -> None:
    """Send one message more than a client may. While it sends others, the server would close."""
    for _ in range(MAX_CLIENT_MESSAGES + 1):
        socket.send("hello?")


def test_a_client_that_sends_too_many_messages_is_disconnected(server):
    with subscribe(server, "?format=json") as socket:
        flood(socket)
        message, code = wait_for_close(socket)
    assert (message["code"], code) == (4429, 4429)


def test_messages_get_an_error_and_updates_continue(server, orders):
    with subscribe(server, "?format=json&rankings=states-by-turnover") as socket:
        stream = messages(socket)
        socket.send(b"\xff\x00")
        socket.send("junk")
        errors = list(islice((message for message in stream if message["type"] == "error"), 2))
        assert {error["reason"] for error in errors} == {"This socket accepts no messages."}
        orders((1, 1, 4.0, "Utah"))
        assert next(message for message in stream if message["type"] == "update")


def test_a_message_of_a_client_takes_no_thread(monkeypatch):
    async def taken() -> None:
        pytest.fail("a thread looked after the database connections")

    received = []

    async def receive(**message: object) -> None:
        received.append(message)

    monkeypatch.setattr("channels.consumer.aclose_old_connections", taken)
    consumer = RankingsConsumer()
    monkeypatch.setattr(consumer, "receive", receive)
    asyncio.run(consumer.dispatch({"type": "websocket.receive", "text": "x"}))
    assert received == [{"text_data": "x"}]
