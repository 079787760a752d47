"""Odd requests and WebSocket frames, and what a server on Daphne must do with each of them."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from socket import create_connection
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

from live.rankings import RANKINGS
from tests.live.schemas import faults
from tests.processes import answers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.processes import Server

#: Seconds without an answer after which a client gives up: a request that isn't complete gets none.
SILENCE_SECONDS = 0.05
#: Seconds that a complete request may take on a busy machine.
ANSWER_SECONDS = 60
#: Of RFC 6455, 5.2 and 7.4.1.
TEXT, CLOSE, INTERNAL_ERROR = 1, 8, 1011

# ---- what is sent: strategies of bytes

#: Values that have broken servers before, for any place that takes a text.
ODD = [
    *(b"", b" ", b"\x00", b"%00", b"%", b"%zz", b"%5c", b"%ff", b"\xff\xfe", b"\xc3\xa9", b"%C3%A9", b"\t"),
    *(b"-1", b"0", b"1e308", b"99999999999999999999", b"NaN", b"null", b"None", b"[]", b"{}", b"..", b"/"),
    *(b"../../etc/passwd", b"<script>", b"{{7*7}}", b"%s%n", b"';--", b'"', b"a" * 3000, b",,,,", b"a=b;c=d"),
    *(b"http://[", b"http://[::1", b"://", b"http://:99999", b"[::1]:x", b"localhost:http", b"xn--0"),
    "é\u202e\ud7ff".encode(),
]
odd = st.sampled_from(ODD) | st.binary(max_size=40)
#: What can stand in one line of a request: anything but the line's end.
in_line = odd.map(lambda value: value.replace(b"\r", b"").replace(b"\n", b""))
in_target = in_line.map(lambda value: value.replace(b" ", b"%20"))

#: The last is that of a ranking that DECLARATION declares.
slugs = st.sampled_from([*RANKINGS, "unknown", "odd"]).map(str.encode) | in_target
names = st.sampled_from(
    [
        *(b"rankings", b"format", b"seen", b"theme", b"next", b"utm_source", b"page", b"o", b"q", b"e"),
        *(b"window", b"span", b"top", b"language", b"at", b"key", b"kiosk", b"boards", b"refresh"),
        *(b"filter", b"shortcuts", b"schema", b"relation", b"search", b"measure", b"title", b"slug"),
        *(b"size", b"ascending", b"currency", b"preview", b"keep", b"drop"),
    ]
)
values = (
    st.sampled_from([b"html", b"json", b"dark", b"0123456789abcdef", *(slug.encode() for slug in RANKINGS)])
    | st.sampled_from([b"1h", b"30d", b"50", b"2026-11-26T14:00Z", b"%22Ohio%22", b"null", b"1e999", b"[[]]"])
    | st.sampled_from([b"public", b"orders", b"state_turnover", b"state", b"on", b"push", b"15m,today"])
    | in_target
)
parameters = st.lists(st.tuples(names | in_target, values).map(b"=".join) | in_target, max_size=4) | st.just(
    [b"a=1"] * 1001
)
queries = parameters.map(b"&".join)
paths = st.one_of(
    st.sampled_from(
        [
            *(
                b"/",
                b"/partials/rankings/",
                b"/api/rankings/",
                b"/healthz/",
                b"/livez",
                b"/readyz",
                b"/metrics",
            ),
            *(
                b"/login/",
                b"/logout/",
                b"/admin/",
                b"/admin/login/",
                b"/ws/rankings/",
                b"/static/live/live.css",
            ),
            *(b"*", b"//", b"/favicon.ico", b"http://other.example/", b"/admin/shop/order/"),
            *(b"/sparklines/", b"/embed.js", b"/preferences/", b"/rankings/new/"),
            *(b"/admin/live/record/", b"/admin/live/crossing/", b"/admin/live/declaredranking/"),
        ]
    ),
    slugs.map(lambda slug: b"/api/rankings/" + slug + b"/"),
    slugs.map(lambda slug: b"/embed/" + slug + b"/"),
    st.tuples(slugs, st.sampled_from([b"", b"chart/", b"csv/", b"key/", b"edit/", b"delete/"])).map(
        b"/rankings/%b/%b".__mod__
    ),
    in_target.map(lambda path: b"/static/" + path),
    in_target.map(lambda path: b"/admin/" + path),
    in_target.map(lambda path: b"/" + path),
)
targets = paths | st.tuples(paths, queries).map(b"?".join)

cookies = st.lists(
    st.tuples(st.sampled_from([b"sessionid", b"csrftoken", b"messages"]) | in_line, in_line).map(b"=".join),
    max_size=3,
).map(b"; ".join)
#: Headers that something in the site reads.
READ = [
    *(b"Origin", b"Referer", b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host", b"X-Request-ID"),
    *(b"If-None-Match", b"If-Modified-Since", b"Range", b"HX-Request", b"HX-PTag", b"HX-Current-URL"),
    *(b"HX-Trigger", b"Accept", b"Accept-Encoding", b"Accept-Language", b"Authorization", b"Content-Type"),
    *(b"X-CSRFToken", b"Cookie", b"Host", b"Forwarded", b"Daphne-Root-Path"),
]
headers = st.lists(
    st.tuples(st.sampled_from(READ) | in_line, in_line).map(b": ".join) | cookies.map(b"Cookie: %b".__mod__),
    max_size=5,
)
#: Headers that say where a request ends. With an odd one, a server may wait for more.
framing = st.tuples(
    st.sampled_from([b"Content-Length", b"Transfer-Encoding", b"Expect", b"Connection", b"Upgrade"]),
    st.sampled_from([b"chunked", b"100-continue", b"10", b"websocket", b"upgrade", b"h2c"]) | in_line,
).map(b": ".join)
#: A token that Django's check takes in the cookie and in the header. It has 32 characters.
CSRF_TOKEN = b"a" * 32
methods = st.sampled_from(
    [b"GET", b"GET", b"GET", b"HEAD", b"POST", b"POST", b"PUT", b"OPTIONS", b"TRACE", b"BREW"]
)
#: A form that declares a ranking.
DECLARATION = (
    b"schema=public&relation=state_turnover&key=state&measure=turnover&title=Odd&slug=odd&size=5&format=number"
    b"&ascending=False"
)
TYPES = [
    b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=x",
    b"multipart/form-data",
    b"json",
]
BODIES = [
    b'--x\r\nContent-Disposition: form-data; name="username"\r\n\r\na\r\n--x--\r\n',
    b"--x\r\nContent-Disposition: form-data; filename=\r\n\r\n",
    b"username=a&password=b",
    b"next=//other.example",
    b"theme=dark&top=10&window=1h&refresh=30",
    *(DECLARATION, DECLARATION + b"&preview=1", DECLARATION + b"&keep=1", b"drop=1"),
]
bodies = st.just(b"") | queries | st.sampled_from(BODIES) | st.binary(max_size=100)


class Request(NamedTuple):
    """The bytes of a request, and whether the server must answer it."""

    sent: bytes
    is_complete: bool


@st.composite
def requests(draw: st.DrawFn, host: bytes, cookie: bytes = b"") -> Request:
    """Draw an HTTP request, most of them well formed but for one or two values.

    With the cookie of a session it is one of that user, who sends forms and doesn't log out.
    """
    target = targets.filter(lambda target: b"logout" not in target) if cookie else targets
    body = draw(bodies)
    is_complete = draw(st.integers(0, 9)) > 0
    lines = [b"%b %b HTTP/1.1" % (draw(methods), draw(target))]
    lines.append(b"Host: %b" % (draw(in_line) if draw(st.integers(0, 9)) == 9 else host))
    lines += draw(headers)
    if cookie:
        lines += [b"Cookie: %b; csrftoken=%b" % (cookie, CSRF_TOKEN), b"X-CSRFToken: %b" % CSRF_TOKEN]
    if not is_complete:
        lines.append(draw(framing))
    if body:
        lines += [b"Content-Type: %b" % draw(st.sampled_from(TYPES)), b"Content-Length: %d" % len(body)]
    lines.append(b"Connection: close")
    return Request(b"\r\n".join([*lines, b"", b""]) + body, is_complete)


@st.composite
def handshakes(draw: st.DrawFn, host: bytes) -> bytes:
    """Draw what opens a WebSocket. Most are accepted."""
    is_odd = draw(st.integers(0, 2)) == 0
    path = draw(paths) if is_odd else b"/ws/rankings/"
    lines = [
        b"GET %b?%b HTTP/1.1" % (path, draw(queries) if draw(st.booleans()) else b"format=json"),
        b"Host: %b" % host,
        *(b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13"),
        b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
        b"Origin: %b" % (draw(in_line) if is_odd else b"http://" + host),
    ]
    if is_odd:
        lines += draw(headers)
    return b"\r\n".join([*lines, b"", b""])


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Draw one frame of RFC 6455, 5.2, or what looks like one."""
    payload = draw(odd)
    first = draw(st.sampled_from([0x80, 0x80, 0x80, 0, 0xC0, 0xF0])) | draw(st.integers(0, 15))
    mask = draw(st.sampled_from([0x80, 0x80, 0x80, 0]))
    length = draw(st.sampled_from([len(payload)] * 4 + [0, 126, 65_536, 2**63]))
    if length < 126:
        head = bytes([first, mask | length])
    elif length < 65_536:
        head = struct.pack("!BBH", first, mask | 126, length)
    else:
        head = struct.pack("!BBQ", first, mask | 127, length)
    return head + (bytes(4) if mask else b"") + payload


conversations = st.lists(frames() | st.binary(max_size=40), min_size=1, max_size=6).map(b"".join)

# ---- what comes back


class Fuzzed:
    """A server that is sent odd bytes, and what it logs meanwhile."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.host = server.host.encode()
        self._logged = server.log.stat().st_size

    def logged(self) -> str:
        """Return what has been logged since the last call."""
        with self.server.log.open("rb") as log:
            log.seek(self._logged)
            text = log.read()
        self._logged += len(text)
        return text.decode(errors="replace")

    def check(self, request: Request) -> None:
        """Send a request. Raises AssertionError if the server can't cope with it."""
        answer = self.exchange(
            request.sent, seconds=ANSWER_SECONDS if request.is_complete else SILENCE_SECONDS
        )
        head, _, body = answer.partition(b"\r\n\r\n")
        assert status(answer) < 500, (answer, self.logged())
        if body and b" /api/rankings/" in request.sent.partition(b"\r\n")[0] and b"application/json" in head:
            check_json(json.loads(body, parse_constant=refuse_constant))
        self.check_log()

    def check_socket(self, handshake: bytes, conversation: bytes) -> None:
        """Open a WebSocket and send bytes. Raises AssertionError if the server can't cope with them."""
        answer = self.exchange(handshake, conversation, seconds=SILENCE_SECONDS)
        assert status(answer) < 500, (answer, self.logged())
        for opcode, payload in frames_in(answer.partition(b"\r\n\r\n")[2]):
            if opcode == CLOSE:
                assert int.from_bytes(payload[:2], "big") != INTERNAL_ERROR, (payload, self.logged())
            elif opcode == TEXT and payload.startswith(b"{"):
                message = json.loads(payload, parse_constant=refuse_constant)
                assert not faults(message["type"], message)
        self.check_log()

    def check_log(self) -> None:
        text = self.logged()
        assert "Traceback" not in text, text

    def check_alive(self) -> None:
        """Raises AssertionError if the server no longer answers."""
        assert answers(self.server)
        self.check_log()

    def exchange(self, first: bytes, second: bytes = b"", *, seconds: float) -> bytes:
        """Send bytes on a connection of their own, and more after the first answer; return what comes back.

        Ends when the server closes the connection, or when it has said nothing for `seconds`.
        """
        name, _, port = self.server.host.partition(":")
        received = b""
        # The server may close at any moment.
        with create_connection((name, int(port)), ANSWER_SECONDS) as connection, suppress(OSError):
            connection.sendall(first)
            if second:
                received = connection.recv(65_536)
                connection.sendall(second)
            connection.settimeout(seconds)
            while data := connection.recv(65_536):
                received += data
        return received


def status(answer: bytes) -> int:
    """Return the status of an HTTP answer; 0 if there is none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0


def frames_in(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield opcode and payload of each whole frame that a server has sent."""
    while len(data) >= 2:
        length, head = data[1] & 127, 2
        if length >= 126:
            head = 4 if length == 126 else 10
            length = int.from_bytes(data[2:head], "big")
        if len(data) >= head + length:
            yield data[0] & 15, data[head : head + length]
        data = data[head + length :]


def check_json(answer: dict[str, Any]) -> None:
    """Raises AssertionError if an answer of the JSON API isn't as its schema says."""
    if "error" in answer:
        schema = "api-unknown" if "rankings" in answer else "api-error"
    else:
        schema = "api-rankings" if "rankings" in answer else "api-ranking"
    assert not faults(schema, answer)


def refuse_constant(name: str) -> None:
    """Raises AssertionError, because JSON has no NaN and no Infinity."""
    raise AssertionError(f"{name} isn't JSON")
