"""What a real server sends, checked against docs/schemas/, docs/protocol.md and live/protocol.py."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from live.conf import (
    MAX_RECONNECT_SECONDS,
    RECONNECT_JITTER,
    RECONNECT_SECONDS,
    UNWATCHED_SECONDS,
    LiveSettings,
)
from live.history.sparklines import POINTS, Sparklines
from live.protocol import (
    MAX_CLIENT_MESSAGE_BYTES,
    MAX_CLIENT_MESSAGES,
    VERSION,
    CloseCode,
    Format,
    MessageType,
)
from live.rankings import RANKINGS, SLUG
from live.servers.daphne_compression import WINDOW_BITS
from live.snapshots import row_id
from tests import processes
from tests.conftest import BOTH
from tests.live.schemas import SCHEMAS, WHOLE, faults, validator
from tests.live.test_views import get, get_until
from tests.live.test_websocket import flood, messages, subscribe, wait_for_close
from tests.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.test_views import Answer
    from tests.processes import Server

pytestmark = BOTH
#: Objects that may be null instead.
NULLABLE = {"totals"}
DOCUMENT = (ROOT / "docs" / "protocol.md").read_text()


@pytest.fixture(scope="module")
def blind_server(
    site_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The dashboard, with rankings that can't be read."""
    nowhere = f"postgres://nobody@127.0.0.1:{processes.free_port()}/none"
    log = tmp_path_factory.mktemp("blind-server") / "log"
    with processes.daphne(site_environment | {"RISINGWAVE_URL": nowhere}, log) as running:
        yield running


@pytest.fixture(scope="module")
def full_server(
    site_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The dashboard, with room for no subscriber."""
    log = tmp_path_factory.mktemp("full-server") / "log"
    environment = site_environment | processes.changed(LIVE_MAX_SUBSCRIBERS=0)
    with processes.daphne(environment, log) as running:
        yield running


# ---- messages and answers


def has_a_null_key(answer: Answer) -> bool:
    """Return whether the rows with NULL are shown. Other values may be null before."""
    return '"key": null' in answer.body


def one_of_each(server: Server, blind_server: Server, orders: Any) -> dict[str, dict[str, Any]]:
    """Return a message or an answer for each schema, by its name, with nulls wherever they are allowed."""
    orders((None, None, None, None), (1, 2, 3.0, "Ohio"))
    ranking = get_until(has_a_null_key, server, "/api/rankings/states-by-turnover/").json
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
    points = [None, 0, 100] * (POINTS // 3)
    lines = Sparklines("states-by-turnover", datetime.now(UTC), 60, {row_id("Ohio"): points})
    found["sparklines"] = json.loads(lines.message)
    return found


def test_a_program_gets_messages_that_match_the_schemas(server, orders):
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


def test_a_page_gets_cards_and_messages_that_match_the_schemas(server, orders):
    orders((1, 2, 3.0, "Ohio"))
    kinds: set[str] = set()
    with subscribe(server, origin=server.url) as socket:
        socket.send("junk")
        while kinds != {"card", "hello", "ping", "error"}:
            text = str(socket.recv(timeout=60))
            message = json.loads(text) if text.startswith("{") else {"type": "card"}
            kinds.add(message["type"])
            assert message["type"] == "card" or faults(message["type"], message) == []


def test_the_json_api_answers_what_matches_the_schemas(server, closed_server, blind_server, orders):
    orders((None, None, None, None), (1, 2, 3.0, "Ohio"))
    get_until(has_a_null_key, server, "/api/rankings/")
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


# ---- refusals


REFUSALS = {
    4400: ("server", "?format=json&rankings="),
    4401: ("closed_server", "?format=json"),
    4404: ("server", "?format=json&rankings=nonsense"),
    4429: ("server", "?format=json"),
    4503: ("full_server", "?format=json"),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_matches_the_schema_and_has_the_code_of_the_close(request, code):
    name, query = REFUSALS[code]
    server = request.getfixturevalue(name)
    with subscribe(server, query, origin=server.url) as socket:
        if code == 4429:
            flood(socket)
        message, closed_with = wait_for_close(socket)
    assert faults("error", message) == []
    assert message["code"] == closed_with == code


def test_the_refusal_of_another_site_matches_the_schema(server):
    with subscribe(server, origin="https://evil.example") as socket:
        message, closed_with = wait_for_close(socket)
    assert faults("error", message) == []
    assert message["code"] == closed_with == 4403


def test_the_close_of_a_process_that_shuts_down_matches_the_schema(site_environment, tmp_path, orders):
    with (
        processes.daphne(site_environment, tmp_path / "log") as server,
        subscribe(server, "?format=json") as socket,
    ):
        assert next(messages(socket))["type"] == "hello"
        server.process.terminate()
        message, closed_with = wait_for_close(socket)
    assert faults("error", message) == []
    assert message["code"] == closed_with == 1012


# ---- one protocol in code, schemas, document and pages


def rows(header: str) -> list[list[str]]:
    """Return the cells of each row of the table in the document that has this header."""
    table = DOCUMENT.partition(header)[2].partition("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]


def test_the_schemas_and_the_document_have_the_message_types_of_the_code():
    types = {
        str(schema["properties"]["type"]["const"]) for schema in SCHEMAS.values() if "type" in fields(schema)
    }
    assert types == set(MessageType)
    assert [cells[0] for cells in rows("| type | sent | fields |")] == [f"`{kind}`" for kind in MessageType]


def test_the_schemas_have_the_fields_that_the_document_lists():
    for kind, _, documented in rows("| type | sent | fields |"):
        if kind in {"`hello`", "`ping`", "`sparklines`", "`error`"}:
            # Names in parentheses are of values.
            names = re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", documented))
            assert fields(SCHEMAS[kind.strip("`")]) == ["type", *names]


def test_the_document_lists_the_formats_of_the_code():
    [values] = [cells[1] for cells in rows("| parameter | values | default |") if cells[0] == "`format`"]
    assert re.findall(r"`(\w+)`:", values) == list(Format)


def test_the_schema_has_the_codes_that_the_server_explains():
    codes = SCHEMAS["error"]["properties"]["code"]["enum"]
    assert codes == [code for code in CloseCode if code.is_explained]
    # Daphne sends 1012; servers that can't send 4512. A lost database sends 4513.
    assert {*REFUSALS, 4403, 1012, 4512, 4513} == set(codes)


def test_the_schemas_accept_the_slugs_that_a_ranking_may_have():
    assert SCHEMAS["types"]["$defs"]["slug"]["pattern"] == f"^{SLUG.pattern}$"


def test_the_document_says_of_each_code_whether_to_reconnect():
    documented = {
        int(code): reconnect == "yes"
        for codes, reconnect, _ in rows("| code | reconnect | meaning |")
        for code in codes.split(", ")
    }
    assert documented == {code: code.may_reconnect for code in CloseCode}


def test_the_document_has_the_times_and_limits_of_the_code():
    text = " ".join(DOCUMENT.split())
    for sentence in (
        f"at the start and every {LiveSettings.PING_SECONDS.default} s",
        f"show rows as stale after {LiveSettings.STALE_SECONDS.default} s",
        f"takes no data for {LiveSettings.STALLED_SECONDS.default} s",
        f"caches the answer for {LiveSettings.LOGIN_CACHE_SECONDS.default} s",
        f"more than {MAX_CLIENT_MESSAGES} messages",
        f"wait {RECONNECT_SECONDS:g} s, then twice as long each time up to {MAX_RECONNECT_SECONDS:g} s",
        f"by up to {RECONNECT_JITTER:.0%}".replace("%", " %"),
    ):
        assert sentence in text
    assert LiveSettings.UPDATE_SECONDS.default == 1
    assert "at most once a second" in text
    assert UNWATCHED_SECONDS == 60
    assert "when nobody has asked for it for a minute" in text
    assert MAX_CLIENT_MESSAGE_BYTES == 4 * 1024
    assert "limited to 4 KiB" in text
    assert 2**WINDOW_BITS == 4 * 1024
    assert "smaller than 4 KiB" in text
    assert f"`rows` ({POINTS} points" in text
    assert f"all its sessions every {LiveSettings.SESSION_CHECK_SECONDS.default} s" in text
    assert LiveSettings.USERS_LOST_SECONDS.default == 5 * 60
    assert "stay for five minutes" in text


def test_a_page_reconnects_on_the_codes_of_the_protocol(server, orders):
    page = get(server, "/").body
    [config] = re.findall(r'hx-config="([^"]*)"', page)
    codes = json.loads(html.unescape(config))["ws"]["reconnectCodes"]
    assert codes == [code for code in CloseCode if code.may_reconnect]
    assert f'data-login-code="{CloseCode.LOGIN_REQUIRED:d}"' in page


def test_the_script_of_the_pages_knows_only_message_types_of_the_protocol():
    script = (ROOT / "live" / "static" / "live" / "live.js").read_text()
    types = set(re.findall(r'message\.type [!=]== "(\w+)"', script))
    assert types
    assert types <= set(MessageType)


# ---- the schemas


def fields(schema: dict[str, Any]) -> list[str]:
    return list(schema.get("properties", ()))


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for part in schema.values():
            yield from objects(part)


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_valid_and_strict(name):
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for schema in objects(SCHEMAS[name]):
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"])


def test_the_schemas_have_the_version_of_the_protocol():
    assert SCHEMAS["hello"]["properties"]["version"] == {"const": VERSION}
    assert f"schemas/{VERSION}/" in DOCUMENT


def malformed(message: Any) -> Iterator[Any]:
    """Yield the message with one fault each: a value of another type, a missing or an additional one."""
    yield None if isinstance(message, dict | list) else {}
    if isinstance(message, list) and message:
        yield from ([part, *message[1:]] for part in malformed(message[0]))
    if isinstance(message, dict):
        yield message | {"unexpected": None}
        for key, value in message.items():
            # A message may have other rankings, or other rows.
            if key not in RANKINGS and key != row_id("Ohio"):
                yield {name: value for name, value in message.items() if name != key}
            for part in malformed(value):
                if part is not None or key not in NULLABLE:
                    yield message | {key: part}


def test_no_schema_accepts_a_malformed_message(server, blind_server, orders):
    samples = one_of_each(server, blind_server, orders)
    assert set(samples) == WHOLE
    for name, message in samples.items():
        assert faults(name, message) == []
        for other in WHOLE - {name}:
            assert faults(other, message) or {name, other} == {"api-error", "error"}, (name, other)
        for wrong in malformed(message):
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
        ("fault", {"reason": "", "since": "2026-11-23T15:04:05.678Z"}),
        ("fault", {"reason": "is gone", "since": None}),
        ("row", {"rank": 0, "key": "Ohio", "name": "Ohio", "value": 1, "display": "$1"}),
    ],
)
def test_no_type_accepts_a_malformed_value(kind, wrong):
    assert not validator({"$ref": f"types.json#/$defs/{kind}"}).is_valid(wrong)
