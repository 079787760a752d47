"""What Daphne sends to readers that offer permessage-deflate, and to those that don't."""

from __future__ import annotations

import json
import zlib
from contextlib import closing, suppress
from socket import create_connection
from typing import TYPE_CHECKING

import psutil
import pytest
from autobahn.exception import PayloadExceededError
from autobahn.websocket.compress import PerMessageDeflate, PerMessageDeflateOffer
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

from live.servers import daphne_compression
from live.servers.daphne_transport import frame
from tests import processes
from tests.conftest import BOTH
from tests.live.servers.conftest import HANDSHAKE, port_of
from tests.live.servers.test_transport import frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.processes import Server

pytestmark = BOTH
QUERY = "?format=json&rankings=states-by-turnover"
#: First bytes of frames with a whole text message. RFC 6455, 5.2, and RFC 7692, 6.
PLAIN, COMPRESSED = 0x81, 0xC1


@pytest.fixture(scope="module")
def server(site_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The dashboard on Daphne, open to all."""
    with processes.daphne(site_environment, tmp_path_factory.mktemp("compression") / "log") as running:
        yield running


def received(server: Server, extensions: str, value: bytes) -> list[tuple[int, bytes]]:
    """Return the frames that a reader with these extensions gets, until a message has `value`."""
    handshake = HANDSHAKE.format(host=server.host)
    if extensions:
        handshake = handshake.replace(
            "Sec-WebSocket-Key", f"Sec-WebSocket-Extensions: {extensions}\r\nSec-WebSocket-Key"
        )
    with closing(create_connection(("127.0.0.1", port_of(server)), 60)) as reader:
        reader.sendall(handshake.encode())
        data = b""
        while True:
            data += reader.recv(65_536)
            messages = list(frames(data.partition(b"\r\n\r\n")[2]))
            if any(value in message_of(*found) for found in messages):
                return messages


def message_of(first: int, data: bytes) -> bytes:
    """Return a frame's message, decompressed with a window of its own."""
    if first == PLAIN:
        return data
    assert first == COMPRESSED
    return zlib.decompress(data + daphne_compression.SYNC_FLUSH_TAIL + b"\x03\x00", wbits=-12)


def test_readers_that_offer_compression_get_the_same_compressed_bytes_and_others_plain_ones(server, orders):
    orders(*((1, 1, 1234.0 + n, f"State {n}") for n in range(5)))
    offers = ["permessage-deflate; client_max_window_bits", "permessage-deflate; server_max_window_bits=12"]
    first, second = (received(server, offer, b'"snapshot"') for offer in offers)
    plain = received(server, "", b'"snapshot"')

    def snapshot(messages: list[tuple[int, bytes]]) -> tuple[int, bytes]:
        return next(found for found in messages if b'"snapshot"' in message_of(*found))

    assert snapshot(first) == snapshot(second)
    assert snapshot(first)[0] == COMPRESSED
    assert snapshot(plain) == (PLAIN, message_of(*snapshot(first)))
    assert len(snapshot(first)[1]) < 0.6 * len(snapshot(plain)[1])


def test_the_answer_to_an_offer_says_that_no_message_refers_to_another(server):
    with connect(server.socket_url + QUERY) as socket:
        assert socket.response is not None
        answer = socket.response.headers.get("Sec-WebSocket-Extensions", "")
    assert set(answer.split("; ")) >= {
        "permessage-deflate",
        "server_no_context_takeover",
        "client_no_context_takeover",
    }


@pytest.mark.parametrize(
    "offer", ["permessage-deflate; server_max_window_bits=9", "x-webkit-deflate-frame", "permessage-bzip2"]
)
def test_an_offer_that_would_need_other_bytes_is_declined(server, orders, offer):
    orders((1, 1, 1.0, "Ohio"))
    assert {first for first, _ in received(server, offer, b'"snapshot"')} == {PLAIN}


def test_the_next_offer_is_accepted_if_the_first_can_not_be(server, orders):
    orders((1, 1, 1.0, "Ohio"))
    offers = "permessage-deflate; server_max_window_bits=9, permessage-deflate"
    assert COMPRESSED in {first for first, _ in received(server, offers, b'"snapshot"')}


def test_an_error_and_a_close_reach_a_reader_that_offers_compression(server):
    with connect(server.socket_url + "?format=json&rankings=nonsense") as socket:
        assert json.loads(socket.recv(timeout=60))["code"] == 4404
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=60)
        assert (socket.close_code, str(socket.close_reason)[:15]) == (4404, "Unknown ranking")


def test_a_compressed_message_of_a_client_is_answered(server):
    with connect(server.socket_url + QUERY) as socket:
        socket.send("x" * 1000)
        message = json.loads(socket.recv(timeout=60))
        while message["type"] != "error":
            message = json.loads(socket.recv(timeout=60))
    assert message["reason"] == "This socket accepts no messages."


def test_a_small_frame_that_inflates_beyond_the_limit_is_refused_with_1009_and_takes_no_memory(server):
    """Each of three clients sends 4 KB that would inflate to 4 MB."""
    bomb = "x" * 4_000_000
    deflate = ClientPerMessageDeflateFactory(compress_settings={"level": 9})

    def explode() -> None:
        with connect(server.socket_url + QUERY, extensions=[deflate], compression=None) as socket:
            socket.send(bomb)
            with suppress(ConnectionClosed):
                while True:
                    socket.recv(timeout=60)
            assert socket.close_code == 1009

    with connect(server.socket_url + QUERY, extensions=[deflate], compression=None) as other:
        other.recv(timeout=60)
        # What any first client of its kind takes doesn't count.
        explode()
        memory = psutil.Process(server.process.pid).memory_info().rss
        for _ in range(3):
            explode()
        assert psutil.Process(server.process.pid).memory_info().rss - memory < 2_000_000


def test_messages_of_clients_are_limited_where_the_server_has_no_limit():
    """Without --websocket-max-message-size, Daphne allows 1 MiB."""
    accepted = daphne_compression.accept([PerMessageDeflateOffer()])  # type: ignore[no-untyped-call]
    assert accepted is not None
    inflater = PerMessageDeflate.create_from_offer_accept(is_server=True, accept=accepted)  # type: ignore[no-untyped-call]
    inflater.start_decompress_message()
    with pytest.raises(PayloadExceededError):
        inflater.decompress_message_data(zlib.compress(b"x" * 5000, wbits=-15))


def test_what_does_not_inflate_is_refused_with_its_code(server):
    with connect(server.socket_url + QUERY) as socket:
        # A whole compressed message: FIN, RSV1 and text; masked with zeros.
        socket.socket.sendall(b"\xc1\x84\x00\x00\x00\x00\xff\xff\xff\xff")
        with suppress(ConnectionClosed):
            while True:
                socket.recv(timeout=60)
        assert socket.close_code == 1007


def test_a_message_is_compressed_once_for_all_readers(monkeypatch):
    compressed = []

    def counting(data: bytes) -> bytes | None:
        compressed.append(data)
        return daphne_compression.deflated(data)

    monkeypatch.setattr("live.servers.daphne_transport.deflated", counting)
    text = '{"name":"Ohio"}' * 100
    assert frame(text, True) is frame(text, True)
    assert frame(text, False) is frame(text, False)
    assert compressed == [text.encode()]


def test_a_message_that_compression_would_not_shorten_is_sent_plain():
    short = '{"type":"hello","version":1,"rankings":[]}'
    assert frame(short, True) == frame(short, False)
