"""The REST connector against a real HTTP server: good input loads, bad input is named."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from email.utils import format_datetime
from typing import Any

import pytest

from etlfabric_dagster import clock
from etlfabric_dagster.connectors.base import ExtractContext
from etlfabric_dagster.connectors.rest_api import CONNECTOR, session
from etlfabric_dagster.connectors.validation import validate_connection
from etlfabric_dagster.errors import ConnectorError, FabricError, InvalidInputError
from etlfabric_dagster.schemas.jobs import EgressPolicy, SourceConfig
from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan
from etlfabric_dagster.security import egress
from tests.http_api import Answer, Api, http_api

LOOPBACK = EgressPolicy(allow=("127.0.0.0/8",))
TOKEN = "canary-7f3k-token"


@pytest.fixture
def api() -> Iterator[Api]:
    with http_api() as running:
        yield running


def source(api: Api, *resources: Any, **client: Any) -> SourceConfig:
    config = {
        "client": {"base_url": api.url, "paginator": "single_page", **client},
        "resources": list(resources) or ["orders"],
    }
    found = SourceConfig(
        connector="rest_api", config=config, secrets={"token": TOKEN}, egress=LOOPBACK
    )
    validate_connection(CONNECTOR.spec, found.config, found.secrets)
    return found


def plan(name: str = "orders", **fields: Any) -> StreamPlan:
    return StreamPlan(**{"name": name, "table": f"shop__{name}", "mode": LoadMode.FULL, **fields})


class Read:
    """One read of one stream: its rows, warnings and state."""

    def __init__(
        self, source: SourceConfig, plan: StreamPlan, state: dict[str, Any] | None = None
    ) -> None:
        self.warnings: list[str] = []
        self.state = state if state is not None else {}
        context = ExtractContext(
            workdir="", warn=lambda stream, text: self.warnings.append(text), state=self.state
        )
        (self.resource,) = CONNECTOR.resources(source, [plan], context)
        self.rows = list(self.resource)


def refusal(source: SourceConfig, plan: StreamPlan, state: dict[str, Any] | None = None) -> Any:
    """The error a read of the stream ends with, as the sandbox finds it under dlt's own."""
    state = {} if state is None else state
    before = json.dumps(state)
    with pytest.raises(Exception) as raised:  # noqa: PT011
        Read(source, plan, state)
    error: BaseException | None = raised.value
    while error is not None and not isinstance(error, FabricError):
        error = error.__cause__
    assert isinstance(error, ConnectorError), raised.value
    assert json.dumps(state) == before, "the state moved on although the stream failed"
    assert TOKEN not in str(error.as_dict())
    assert error.remedy
    return error


PAGED = {"type": "page_number", "base_page": 1, "total_path": None}


def test_pages_are_read_to_the_end(api: Api) -> None:
    api.pages("/orders", {"data": [{"id": 1}, {"id": 2}]}, {"data": [{"id": 3}]}, {"data": []})
    orders = {"name": "orders", "endpoint": {"data_selector": "data", "paginator": PAGED}}
    read = Read(source(api, orders), plan())
    assert [row["id"] for row in read.rows] == [1, 2, 3]
    assert read.resource.name == "shop__orders"


def test_next_links_are_followed_on_the_same_origin_with_the_token(api: Api) -> None:
    api.serve("/orders", lambda _: {"data": [{"id": 1}], "next": f"{api.url}/orders/2"})
    api.serve("/orders/2", lambda _: {"data": [{"id": 2}], "next": None})
    paginator = {"type": "json_link", "next_url_path": "next"}
    auth = {"type": "bearer", "token": {"secret": "token"}}
    orders = {"name": "orders", "endpoint": {"data_selector": "data"}}
    read = Read(source(api, orders, auth=auth, paginator=paginator), plan())
    assert [row["id"] for row in read.rows] == [1, 2]
    assert [a.headers["authorization"] for a in api.asked] == [f"Bearer {TOKEN}"] * 2


@pytest.mark.parametrize("by", ["header", "body", "redirect", "path"])
def test_no_request_leaves_the_origin(api: Api, by: str) -> None:
    with http_api() as thief:
        thief.serve("/steal", lambda _: [{"id": 9}])
        away = f"{thief.url}/steal"
        answers = {
            "header": Answer([{"id": 1}], headers={"Link": f'<{away}>; rel="next"'}),
            "body": Answer({"data": [{"id": 1}], "next": away}),
            "redirect": Answer(status=302, headers={"Location": away}),
            "path": Answer([{"id": 1}]),
        }
        api.serve("/orders", lambda _: answers[by])
        api.serve("/links", lambda _: [{"url": away}])
        paginator = {
            "header": "header_link",
            "body": {"type": "json_link", "next_url_path": "next"},
        }.get(by, "single_page")
        path = "{resources.links.url}" if by == "path" else "orders"
        orders: dict[str, Any] = {"name": "orders", "endpoint": {"path": path}}
        auth = {"type": "bearer", "token": {"secret": "token"}}
        error = refusal(source(api, "links", orders, auth=auth, paginator=paginator), plan())
        assert error.code == "foreign_origin"
        assert thief.url in error.message
        assert thief.asked == []


def test_a_redirect_on_the_same_origin_is_followed(api: Api) -> None:
    api.serve("/orders", lambda _: Answer(status=307, headers={"Location": "/v2/orders"}))
    api.serve("/v2/orders", lambda _: [{"id": 1}])
    auth = {"type": "bearer", "token": {"secret": "token"}}
    assert Read(source(api, auth=auth), plan()).rows == [{"id": 1}]
    assert api.asked[-1].headers["authorization"] == f"Bearer {TOKEN}"


def test_redirects_in_a_circle_end(api: Api) -> None:
    api.serve("/orders", lambda _: Answer(status=302, headers={"Location": "/orders"}))
    assert refusal(source(api), plan()).code == "bad_redirect"


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"type": "api_key", "name": "X-Key", "api_key": {"secret": "token"}}, "x-key", TOKEN),
        (
            {"type": "http_basic", "username": "me", "password": {"secret": "token"}},
            "authorization",
            "Basic bWU6Y2FuYXJ5LTdmM2stdG9rZW4=",
        ),
    ],
)
def test_ways_to_sign_in(api: Api, auth: dict[str, Any], header: str, value: str) -> None:
    api.serve("/orders", lambda _: [{"id": 1}])
    Read(source(api, auth=auth), plan())
    assert api.asked[0].headers[header] == value


def test_an_api_key_in_the_query(api: Api) -> None:
    api.serve("/orders", lambda _: [{"id": 1}])
    auth = {"type": "api_key", "name": "k", "api_key": {"secret": "token"}, "location": "query"}
    Read(source(api, auth=auth), plan())
    assert api.asked[0].query == {"k": TOKEN}


def test_client_credentials_are_exchanged_for_a_token_once(api: Api) -> None:
    with http_api() as login:
        login.serve("/token", lambda _: {"access_token": "short-lived"})
        api.pages("/orders", [{"id": 1}], [{"id": 2}], [])
        auth = {
            "type": "oauth2_client_credentials",
            "access_token_url": f"{login.url}/token",
            "client_id": "me",
            "client_secret": {"secret": "token"},
        }
        Read(source(api, auth=auth, paginator=PAGED), plan())
        assert len(login.asked) == 1
        assert f"client_secret={TOKEN}".encode() in login.asked[0].body
        assert {a.headers["authorization"] for a in api.asked} == {"Bearer short-lived"}


def test_children_are_asked_once_per_record_of_their_parent(api: Api) -> None:
    api.serve("/orders", lambda _: [{"id": 1, "at": "x"}, {"id": 2, "at": "y"}])
    for order in (1, 2):
        api.serve(f"/orders/{order}/lines", lambda a, o=order: [{"line": o * 10}])
    lines = {
        "name": "lines",
        "endpoint": {"path": "orders/{resources.orders.id}/lines"},
        "include_from_parent": ["at"],
    }
    read = Read(source(api, "orders", lines), plan("lines"))
    assert read.rows == [
        {"line": 10, "_orders_at": "x"},
        {"line": 20, "_orders_at": "y"},
    ]


def test_a_child_whose_parent_lacks_the_field_is_an_error_of_the_child(api: Api) -> None:
    api.serve("/orders", lambda _: [{"name": "no id"}])
    lines = {"name": "lines", "endpoint": {"path": "orders/{resources.orders.id}/lines"}}
    error = refusal(source(api, "orders", lines), plan("lines"))
    assert "lines" in error.message
    assert "`id`" in error.message


def test_ignored_statuses_mean_no_records(api: Api) -> None:
    api.serve("/orders", lambda _: [{"id": 1}, {"id": 2}])
    api.serve("/orders/2/lines", lambda _: [{"line": 20}])
    lines = {
        "name": "lines",
        "endpoint": {
            "path": "orders/{resources.orders.id}/lines",
            "response_actions": [{"status_code": 404, "action": "ignore"}],
        },
    }
    assert Read(source(api, "orders", lines), plan("lines")).rows == [{"line": 20}]


INCREMENTAL = {
    "name": "orders",
    "endpoint": {
        "params": {"since": "{incremental.start_value}", "limit": 100},
        "incremental": {"cursor_path": "updatedAt"},
    },
}


def test_the_api_is_asked_from_the_last_cursor_and_nothing_is_lost(api: Api) -> None:
    rows = [{"id": 1, "updatedAt": "2026-01-01T00:00:00Z"}]
    api.serve("/orders", lambda _: rows)
    cursor = plan(mode=LoadMode.MERGE, cursor="updated_at", primary_key=("id",))
    first = Read(source(api, INCREMENTAL), cursor)
    assert len(first.rows) == 1
    rows.append({"id": 2, "updatedAt": "2026-01-01T00:00:00Z"})
    second = Read(source(api, INCREMENTAL), cursor, json.loads(json.dumps(first.state)))
    assert {row["id"] for row in second.rows} == {1, 2}
    assert [a.query for a in api.asked] == [
        {"limit": "100"},
        {"limit": "100", "since": "2026-01-01T00:00:00Z"},
    ]


def test_a_full_load_asks_without_a_cursor(api: Api) -> None:
    api.serve("/orders", lambda _: [{"id": 1}])
    Read(source(api, INCREMENTAL), plan(), {"orders": {"column": "updated_at", "cursor": "9"}})
    assert api.asked[0].query == {"limit": "100"}


def test_the_initial_value_of_the_config_and_of_the_plan(api: Api) -> None:
    endpoint = {"params": {"since": {"type": "incremental", "cursor_path": "at",
                                     "initial_value": "2020"}}}  # fmt: skip
    api.serve("/orders", lambda _: [])
    orders = {"name": "orders", "endpoint": endpoint}
    cursor = plan(mode=LoadMode.APPEND, cursor="at")
    Read(source(api, orders), cursor)
    Read(source(api, orders), cursor.model_copy(update={"initial_value": "2024"}))
    assert [a.query["since"] for a in api.asked] == ["2020", "2024"]


def test_a_cursor_with_nulls_is_refused_before_anything_is_loaded(api: Api) -> None:
    api.pages("/orders", [{"id": 1, "at": "2026-01-01"}], [{"id": 2, "at": None}, {"id": 3}], [])
    error = refusal(source(api, paginator=PAGED), plan(mode=LoadMode.INCREMENTAL, cursor="at"))
    assert error.code == "cursor_nulls"
    assert "2 rows of orders have no at (Page 2 of orders)" in error.message


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_tried_again(api: Api, status: int) -> None:
    answers = iter([Answer(status=status, headers={"Retry-After": "0"}), Answer([{"id": 1}])])
    api.serve("/orders", lambda _: next(answers))
    read = Read(source(api), plan())
    assert read.rows == [{"id": 1}]
    assert len(api.asked) == 2
    assert len(read.warnings) == (1 if status == 429 else 0)


def test_retry_after_is_waited_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(session.time, "sleep", waits.append)
    at = format_datetime(clock.now().replace(year=clock.now().year + 1), usegmt=True)
    answers = iter(
        [Answer(status=429, headers={"Retry-After": "7"}), Answer(status=429), Answer([{"id": 1}])]
    )
    api.serve("/orders", lambda _: next(answers))
    Read(source(api), plan())
    assert waits == [7, 2]
    api.serve("/orders", lambda _: Answer(status=429, headers={"Retry-After": at}))
    error = refusal(source(api), plan())
    assert error.code == "rate_limited"
    assert error.where["retry_after_s"] > 3600
    assert waits == [7, 2], "a wait beyond the run's patience was begun"


def test_a_failure_that_stays_is_named_after_a_bounded_number_of_tries(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session.time, "sleep", lambda seconds: None)
    api.pages("/orders", [{"id": 1}], Answer(status=500))
    error = refusal(source(api, paginator=PAGED), plan())
    assert error.message == "Page 2 of orders: 127.0.0.1 failed with 500, 5 times in a row."
    assert error.where == {"stream": "orders", "page": 2}
    assert len(api.asked) == 6


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "login_refused"), (403, "permission"), (404, "not_found"),
     (400, "request_refused")],
)  # fmt: skip
def test_a_refusal_names_the_host_and_the_cause(api: Api, status: int, code: str) -> None:
    api.serve("/orders", lambda _: Answer({"message": f"bad {TOKEN}"}, status))
    error = refusal(source(api), plan())
    assert error.code == code
    assert "127.0.0.1" in error.message
    assert str(status) in error.message
    assert len(api.asked) == 1


BAD_PAGES: dict[str, tuple[Answer, str, str]] = {
    "truncated": (Answer(b'[{"id": 2}, {"id"'), "bad_json", "breaks off after 17 characters"),
    "truncated in text": (Answer(b'[{"id": "ab'), "bad_json", "breaks off"),
    "not JSON": (Answer(b"<html>login</html>"), "bad_json", "is not JSON"),
    "empty": (Answer(b""), "bad_data", "is empty instead of JSON"),
    "invalid UTF-8": (Answer(b'[{"id": 2, "name": "caf\xe9"}]'), "bad_encoding", "byte 24 is 0xe9"),
    "broken gzip": (
        Answer(gzip.compress(b"[]")[:-4] + b"xxxx", headers={"Content-Encoding": "gzip"}),
        "bad_encoding",
        "cannot be decompressed",
    ),
    "too deep": (Answer(b'[{"a":' * 250 + b"1" + b"}]" * 250), "too_deep", "than 200 levels"),
    "very deep": (Answer(b"[" * 100_000 + b"]" * 100_000), "too_deep", "than 200 levels"),
    "big integer": (
        Answer(b'[{"id": 2, "total": 9223372036854775808}]'),
        "number_too_large",
        "record 1 of orders: total is 9223372036854775808",
    ),
    "same name twice": (Answer(b'[{"id": 2, "id": 3}]'), "duplicate_column", "“id” twice"),
    "two names, one column": (
        Answer([{"id": 2, "userName": "a", "user_name": "b"}]),
        "duplicate_column",
        "orders has userName and user_name; both become user_name. The stream was not loaded.",
    ),
    "null record": (Answer([None]), "bad_data", "record 1 of orders is null"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_PAGES)
def test_a_broken_page_in_mid_pagination_is_named(api: Api, case: str) -> None:
    answer, code, text = BAD_PAGES[case]
    api.pages("/orders", [{"id": 1}], answer, [])
    error = refusal(source(api, paginator=PAGED), plan())
    assert error.code == code
    assert text in error.message
    assert "orders" in error.message
    if code != "duplicate_column" or case == "same name twice":
        assert "Page 2" in error.message


def test_a_body_that_breaks_off_is_asked_for_again_and_then_named(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session.time, "sleep", lambda seconds: None)
    api.serve("/orders", lambda _: Answer(b'[{"id": 1}]', claimed_length=100))
    error = refusal(source(api), plan())
    assert error.code == "broken_off"
    assert len(api.asked) == 5


def test_two_names_for_one_column_on_different_pages_are_refused(api: Api) -> None:
    api.pages("/orders", [{"userName": 1}], [{"user_name": 2}], [])
    assert refusal(source(api, paginator=PAGED), plan()).code == "duplicate_column"


def test_two_names_for_one_column_in_a_child_are_refused(api: Api) -> None:
    api.serve("/orders", lambda _: [{"lines": [{"user": {"aB": 1}}, {"user": {"a_b": 2}}]}])
    assert refusal(source(api), plan()).code == "duplicate_column"


def test_keys_that_are_data_end_before_the_table_is_too_wide(api: Api) -> None:
    api.serve("/orders", lambda _: [{"by_day": {f"d{n}": n for n in range(2000)}}])
    error = refusal(source(api), plan())
    assert error.code == "too_wide"
    assert "orders has more than 1,500 columns" in error.message
    flat = {"name": "orders", "max_table_nesting": 0}
    assert len(Read(source(api, flat), plan()).rows[0]["by_day"]) == 2000


def test_letters_beyond_ascii_stay_apart_as_columns_and_untouched_in_json(api: Api) -> None:
    api.serve("/orders", lambda _: [{"数": 1, "量": {"数": 2}}])
    (row,) = Read(source(api), plan()).rows
    assert row == {"u6570": 1, "u91cf": {"u6570": 2}}
    flat = {"name": "orders", "max_table_nesting": 0}
    assert Read(source(api, flat), plan()).rows == [{"u6570": 1, "u91cf": {"数": 2}}]


def test_the_loaders_own_names_are_left_out_with_a_warning(api: Api) -> None:
    api.serve("/orders", lambda _: [{"id": 1, "_dlt_id": "x", "_dlt_load_id": "y"}])
    read = Read(source(api), plan())
    assert read.rows == [{"id": 1}]
    assert read.warnings[0] == "_dlt_id was left out: the loader keeps its own there."


def test_a_page_without_the_selected_data_is_broken_not_empty(api: Api) -> None:
    api.pages("/orders", {"data": [{"id": 1}]}, {"error": "try later"})
    orders = {"name": "orders", "endpoint": {"data_selector": "data", "paginator": PAGED}}
    error = refusal(source(api, orders), plan())
    assert error.message == "Page 2 of orders has no “data”; it has error."


def test_a_paginator_that_the_api_ignores_is_noticed(api: Api) -> None:
    api.serve("/orders", lambda _: [{"id": 1}])
    error = refusal(source(api, paginator=PAGED), plan())
    assert "is the same as the page before it" in error.message


def test_a_paginator_that_misses_its_field_is_named_without_the_data(api: Api) -> None:
    api.serve("/orders", lambda _: {"data": [{"id": 1, "iban": "DE00"}]})
    error = refusal(source(api, paginator={"type": "page_number", "total_path": "pages"}), plan())
    assert "pages" in error.message
    assert "DE00" not in error.message


def test_a_bomb_is_stopped_while_it_is_decompressed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MAX_PAGE_BYTES", 1 << 20)
    bomb = gzip.compress(b'["' + b"a" * (50 << 20) + b'"]')
    api.serve("/orders", lambda _: Answer(bomb, headers={"Content-Encoding": "gzip"}))
    assert refusal(source(api), plan()).code == "too_large"


def test_what_text_cannot_hold_is_mended_by_rule_with_a_warning(api: Api) -> None:
    body = b'[{"id": 1, "n": NaN, "m": {"x": -Infinity}, "t": "a\\u0000b", "s": "\\ud83d!", "e": "\\ud83d\\ude00"}]'  # noqa: E501
    api.serve("/orders", lambda _: Answer(body))
    read = Read(source(api), plan())
    assert read.rows == [
        {"id": 1, "n": None, "m": {"x": None}, "t": "ab", "s": "\ufffd!", "e": "\U0001f600"}
    ]
    text = " ".join(read.warnings)
    assert "1 values of n are NaN" in text
    assert "1 values of m.x are NaN" in text
    assert "1 values of t had NUL" in text
    assert "1 values of s had half a surrogate" in text


def test_200_levels_and_a_20_mb_record_are_read(api: Api) -> None:
    deep: Any = 1
    for _ in range(99):
        deep = [{"a": deep}]
    api.serve("/orders", lambda _: [{"id": 1, "deep": deep, "text": "x" * 20_000_000}])
    (row,) = Read(source(api), plan()).rows
    assert len(row["text"]) == 20_000_000


def test_an_unreachable_port_and_an_unknown_host_are_told(api: Api) -> None:
    closed = source(api).model_copy(
        update={"config": {"client": {"base_url": "http://127.0.0.1:9"}, "resources": ["orders"]}}
    )
    result = CONNECTOR.check(closed)
    assert not result.ok
    assert result.code == "unreachable"
    assert "127.0.0.1:9" in result.cause
    assert [(s.name, s.ok) for s in result.steps] == [
        ("config", True), ("address", True), ("request", False)]  # fmt: skip


def test_a_private_address_is_refused_without_being_dialled(api: Api) -> None:
    api.serve("/orders", lambda _: [{"id": 1}])
    closed = source(api).model_copy(update={"egress": EgressPolicy()})
    result = CONNECTOR.check(closed)
    assert result.code == "egress_denied"
    assert [s.name for s in result.steps if not s.ok] == ["address"]
    assert refusal(closed, plan()).code == "egress_denied"
    assert api.asked == []


def test_plain_http_to_a_public_host_is_refused() -> None:
    with pytest.raises(ConnectorError, match="in clear text"):
        egress.refuse_plaintext("example.com", "8.8.8.8", 80)
    egress.refuse_plaintext("localhost", "127.0.0.1", 80)


def test_check_asks_for_real_and_says_what_it_saw(api: Api) -> None:
    api.serve("/orders", lambda _: [{"id": 1}, {"id": 2}])
    result = CONNECTOR.check(source(api))
    assert result.ok
    assert [s.name for s in result.steps] == ["config", "address", "request", "records"]
    assert result.steps[2].detail == "orders: 2 records on the first page"


def test_discover_tells_columns_as_they_will_be_loaded(api: Api) -> None:
    api.serve(
        "/orders",
        lambda _: [
            {"id": 1, "updatedAt": "2026-01-01T00:00:00Z", "user": {"Name": "a"}, "vip": True,
             "total": 1, "none": None, "lines": [{"x": 1}]},
            {"id": 2, "updatedAt": "2026-01-02T00:00:00Z", "user": {"Name": None}, "vip": False,
             "total": 1.5, "none": None, "lines": []},
        ],
    )  # fmt: skip
    (stream,) = CONNECTOR.discover(source(api))
    assert {c.name: (c.type, c.nullable) for c in stream.columns} == {
        "id": ("bigint", False),
        "updated_at": ("timestamp", False),
        "user__name": ("text", True),
        "vip": ("bool", False),
        "total": ("double", False),
    }
    assert stream.primary_key == ("id",)
    assert stream.cursor_candidates == ("updated_at",)
    assert stream.update_cursor == "updated_at"


def test_a_few_values_are_shown_before_anything_is_loaded(api: Api) -> None:
    api.serve("/orders", lambda _: [{"id": n, "user": {"vip": n > 1}} for n in range(50)])
    values = CONNECTOR.sample(source(api), "orders")
    assert values == {"id": ["0", "1", "2"], "user__vip": ["false", "false", "true"]}


def test_a_stream_that_vanished_from_the_config_is_named(api: Api) -> None:
    with pytest.raises(ConnectorError, match="no resource “old” any more"):
        CONNECTOR.sample(source(api), "old")
    with pytest.raises(ConnectorError, match="no resource “old” any more") as refused:
        CONNECTOR.resources(source(api), [plan("old")], ExtractContext(workdir=""))
    assert refused.value.code == "stream_vanished"


@pytest.mark.parametrize(
    "config",
    [
        {"client": {"base_url": "file:///etc/passwd"}, "resources": ["a"]},
        {"client": {"base_url": "ftp://x.example"}, "resources": ["a"]},
        {"client": {"base_url": "https://user:pw@x.example"}, "resources": ["a"]},
        {"client": {"base_url": "https://x.example", "session": "x"}, "resources": ["a"]},
        {"client": {"base_url": "https://x.example", "auth": {"type": "os.system"}},
         "resources": ["a"]},
        {"client": {"base_url": "https://x.example",
                    "auth": {"type": "bearer", "token": "in clear"}}, "resources": ["a"]},
        {"client": {"base_url": "https://x.example", "paginator": "my.module"},
         "resources": ["a"]},
        {"client": {"base_url": "https://x.example"}, "resources": []},
        {"client": {"base_url": "https://x.example"}, "resources": ["A b"]},
        {"client": {"base_url": "https://x.example"}, "resources": ["a__b"]},
        {"client": {"base_url": "https://x.example"},
         "resources": [{"name": "a", "processing_steps": []}]},
        {"client": {"base_url": "https://x.example"}, "resources": [{"name": "x" * 300}]},
        {"resources": ["a"]},
    ],
)  # fmt: skip
def test_the_schema_is_a_closed_list(config: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        validate_connection(CONNECTOR.spec, config, {})


@pytest.mark.parametrize(
    "endpoint",
    [
        {"path": "{incremental.__class__.__init__.__globals__}"},
        {"params": {"q": "{incremental.start_value.__class__}"}},
        {"params": {"q": "{incremental.start_value!r}"}},
        {"params": {"q": "{incremental.start_value:>1000000000}"}},
        {"params": {"q": "{"}},
        {"json": {"a": [{"b": "{0.__class__}"}]}},
        {"path": "https://elsewhere.example/x"},
        {"path": "//elsewhere.example/x"},
        {"path": "x/{resources.missing.id}"},
        {"path": "x/{resources.orders.id}"},
        {"path": "x/{id}"},
        {"headers": {"X-Api-Key": "in clear"}},
        {"params": {"key": {"secret": "not_given"}}},
        {"paginator": {"type": "json_link", "limit": 5}},
        {"paginator": {"type": "json_link", "next_url_path": "$["}},
        {"data_selector": "data["},
        {"incremental": {"cursor_path": "a b"}},
        {"params": {"q": {"type": "resolve", "resource": "orders", "field": "["}}},
        {"paginator": {"type": "header_link", "page": 5}},
    ],
)  # fmt: skip
def test_what_the_schema_cannot_see_is_refused_by_name(api: Api, endpoint: Any) -> None:
    bad = source(api, {"name": "orders", "endpoint": endpoint})
    with pytest.raises(InvalidInputError) as refused:
        CONNECTOR.resources(bad, [plan()], ExtractContext(workdir=""))
    assert refused.value.remedy
    result = CONNECTOR.check(bad)
    assert not result.ok
    assert result.cause == refused.value.message
    assert api.asked == []


def test_a_secret_with_a_line_break_is_told_without_showing_it(api: Api) -> None:
    auth = {"type": "bearer", "token": {"secret": "token"}}
    broken = source(api, auth=auth).model_copy(update={"secrets": {"token": f"{TOKEN}\n"}})
    with pytest.raises(InvalidInputError, match="has a line break") as refused:
        CONNECTOR.resources(broken, [plan()], ExtractContext(workdir=""))
    assert TOKEN not in str(refused.value.as_dict())
    assert CONNECTOR.check(broken).code == "bad_secret"
    assert api.asked == []


def test_braces_in_a_secret_are_sent_as_they_are(api: Api) -> None:
    api.serve("/orders", lambda _: [{"id": 1}])
    orders = {"name": "orders", "endpoint": {"params": {"key": {"secret": "odd"}}}}
    odd = source(api, orders).model_copy(update={"secrets": {"odd": "a{b}c{{"}})
    Read(odd, plan())
    assert api.asked[0].query == {"key": "a{b}c{{"}


def test_the_environment_adds_neither_proxies_nor_netrc(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    api.serve("/orders", lambda _: [{"id": 1}])
    assert Read(source(api), plan()).rows == [{"id": 1}]


def test_probe_names_every_stream(api: Api) -> None:
    assert CONNECTOR.probe(source(api), [plan()], {"orders": 1}) == {"orders"}
