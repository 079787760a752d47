"""What a real server sends, held against docs/schemas/."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from live.protocol import VERSION
from live.rankings import RANKINGS
from tests import processes
from tests.conftest import BOTH
from tests.live.schemas import SCHEMAS, WHOLE, faults, validator
from tests.live.test_views import get, get_until
from tests.live.test_websocket import closing, messages, subscribe
from tests.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.processes import Server

pytestmark = BOTH
CODES = set(SCHEMAS["error"]["properties"]["code"]["enum"])
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()


@pytest.fixture(scope="module")
def blind_server(
    site_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The dashboard, whose rankings can't be read."""
    nowhere = f"postgres://nobody@127.0.0.1:{processes.free_port()}/none"
    log = tmp_path_factory.mktemp("blind-server") / "log"
    with processes.daphne(site_environment | {"RISINGWAVE_URL": nowhere}, log) as running:
        yield running


@pytest.fixture(scope="module")
def full_server(
    site_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The dashboard, which takes no subscriber."""
    log = tmp_path_factory.mktemp("full-server") / "log"
    with processes.daphne(site_environment, log, application="tests.live.full:application") as running:
        yield running


# ---- what is sent


def one_of_each(server: Server, blind_server: Server, orders: Any) -> dict[str, dict[str, Any]]:
    """A message or an answer by the name of its schema, with all that may be null in it."""
    orders((None, None, None, None), (1, 2, 3.0, "Ohio"))
    ranking = get_until(
        lambda answer: "null" in answer.body, server, "/api/rankings/states-by-turnover/"
    ).json
    assert {row["key"]: row["value"] for row in ranking["rows"]}[None] is None
    found = {
        "api-ranking": ranking,
        "api-rankings": get(server, "/api/rankings/").json,
        "api-error": get(blind_server, "/api/rankings/").json,
        "api-unknown": get(server, "/api/rankings/nonsense/").json,
    }
    with subscribe(server, "?format=json") as socket:
        stream = messages(socket)
        for kind in ("hello", "snapshot", "ping"):
            found[kind] = next(message for message in stream if message["type"] == kind)
        orders((1, 1, 4.0, "Utah"))
        found["update"] = next(message for message in stream if message["type"] == "update")
        socket.send("junk")
        found["error"] = next(message for message in stream if message["type"] == "error")
    return found


def test_a_program_is_sent_what_the_schemas_say(server, orders):
    orders((None, None, None, None), (1, 2, 3.0, "Ohio"))
    kinds: set[str] = set()
    with subscribe(server, "?format=json") as socket:
        for message in messages(socket):
            assert faults(message["type"], message) == []
            if message["type"] in {"snapshot", "ping"} and kinds < {"hello", "snapshot", "ping"}:
                orders((1, 1, 4.0, "Utah"))
            kinds.add(message["type"])
            if kinds == {"hello", "snapshot", "ping", "update"}:
                break


def test_a_page_is_sent_cards_and_else_what_the_schemas_say(server, orders):
    orders((1, 2, 3.0, "Ohio"))
    kinds: set[str] = set()
    with subscribe(server, origin=server.url) as socket:
        socket.send("junk")
        while kinds != {"card", "hello", "ping", "error"}:
            text = str(socket.recv(timeout=10))
            message = json.loads(text) if text.startswith("{") else {"type": "card"}
            kinds.add(message["type"])
            assert message["type"] == "card" or faults(message["type"], message) == []


def test_http_answers_what_the_schemas_say(server, closed_server, blind_server, orders):
    orders((None, None, None, None), (1, 2, 3.0, "Ohio"))
    get_until(lambda answer: "null" in answer.body, server, "/api/rankings/")
    for where, path, status, name in (
        (server, "/api/rankings/", 200, "api-rankings"),
        *((server, f"/api/rankings/{slug}/", 200, "api-ranking") for slug in RANKINGS),
        (server, "/api/rankings/?rankings=", 400, "api-error"),
        (closed_server, "/api/rankings/", 401, "api-error"),
        (server, "/api/rankings/nonsense/", 404, "api-unknown"),
        (server, "/api/rankings/?rankings=nonsense", 404, "api-unknown"),
        (blind_server, "/api/rankings/", 503, "api-error"),
        (blind_server, "/api/rankings/states-by-turnover/", 503, "api-error"),
    ):
        answer = get(where, path)
        assert (answer.status, faults(name, answer.json)) == (status, []), path
        assert answer.headers["Content-Type"] == "application/json"
    assert get(blind_server, "/api/rankings/").headers["Retry-After"]


# ---- how it is refused


REFUSALS = {
    4400: ("server", "?format=json&rankings="),
    4401: ("closed_server", "?format=json"),
    4404: ("server", "?format=json&rankings=nonsense"),
    4429: ("server", "?format=json"),
    4503: ("full_server", "?format=json"),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_is_what_the_schema_says(request, code):
    name, query = REFUSALS[code]
    server = request.getfixturevalue(name)
    with subscribe(server, query, origin=server.url) as socket:
        for _ in range(100 if code == 4429 else 0):
            socket.send("hello?")
        message, closed_with = closing(socket)
    assert faults("error", message) == []
    assert message["code"] == closed_with == code


def test_a_foreign_page_is_refused_as_the_schema_says(server):
    with subscribe(server, origin="https://evil.example") as socket:
        message, closed_with = closing(socket)
    assert faults("error", message) == []
    assert message["code"] == closed_with == 4403


def test_a_process_that_ends_says_what_the_schema_says(site_environment, tmp_path, orders):
    with (
        processes.daphne(site_environment, tmp_path / "log") as server,
        subscribe(server, "?format=json") as socket,
    ):
        assert next(messages(socket))["type"] == "hello"
        server.process.terminate()
        message, closed_with = closing(socket)
    assert faults("error", message) == []
    assert message["code"] == closed_with == 1012


def test_each_code_is_tried_and_documented():
    # 4512 is for a Daphne that ends TLS itself.
    assert set(REFUSALS) | {4403, 1012, 4512} == CODES
    table = re.findall(r"^\| ([\d, ]+) \|.*\|$", PROTOCOL, re.MULTILINE)
    documented = {int(code) for cell in table for code in cell.split(", ")}
    assert documented >= CODES
    assert {code for code in documented if code >= 4000} <= CODES


# ---- the schemas


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for part in schema.values():
            yield from objects(part)


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_one_and_strict(name):
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for schema in objects(SCHEMAS[name]):
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"])


def test_the_schemas_have_the_version_of_the_protocol():
    assert SCHEMAS["hello"]["properties"]["version"] == {"const": VERSION}
    assert f"schemas/{VERSION}/" in PROTOCOL


def spoiled(message: Any) -> Iterator[Any]:
    """The same with one fault: something of another type, left out, or added."""
    yield None if isinstance(message, dict | list) else {}
    if isinstance(message, list):
        yield from ([part, *message[1:]] for part in spoiled(message[0]))
    if isinstance(message, dict):
        yield message | {"unexpected": 1}
        for key, value in message.items():
            if key not in RANKINGS:
                yield {name: value for name, value in message.items() if name != key}
            for part in spoiled(value):
                yield message | {key: part}


def test_no_schema_takes_a_spoiled_message(server, blind_server, orders):
    samples = one_of_each(server, blind_server, orders)
    assert set(samples) == WHOLE
    for name, message in samples.items():
        assert faults(name, message) == []
        for other in WHOLE - {name}:
            assert faults(other, message) or {name, other} == {"api-error", "error"}, (name, other)
        for wrong in spoiled(message):
            assert faults(name, wrong), (name, wrong)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("moment", "2026-11-23 15:04:05.678Z"),
        ("moment", "2026-11-23T15:04:05Z"),
        ("moment", "2026-11-23T15:04:05.678+00:00"),
        ("moment", "2026-13-23T15:04:05.678Z"),
        ("moment", "2026-11-23T25:04:05.678Z"),
        ("etag", "5F0C5F0C5F0C5F0C"),
        ("etag", "5f0c"),
        ("slug", "top items"),
        ("slug", ""),
        ("row", {"rank": 0, "key": "Ohio", "name": "Ohio", "value": 1, "display": "$1"}),
    ],
)
def test_a_malformed_value_is_no_such_thing(kind, wrong):
    assert not validator({"$ref": f"types.json#/$defs/{kind}"}).is_valid(wrong)
