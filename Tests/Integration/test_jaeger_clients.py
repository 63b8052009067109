"""What Grafana's Jaeger data source and Jaeger's UI ask, click by click (contract 9.5, 9.6), and what each needs of the answers.

Both use any base URL: the root, and the prefix `/jaeger`.
"""
import json
import re
import time
from urllib.parse import quote

import pytest

from otlp_messages import attributes, trace_request
from varve_process import Varve, eventually

SECOND = 10**9
IDS = [bytes.fromhex("5b8aa5a2d2c872e8321cf3730800000" + str(number)) for number in range(3)]


def span(trace, number, name, kind, start, parent=0, duration=SECOND // 100, values=None, **fields):
    made = {"trace_id": trace, "span_id": number.to_bytes(8, "big"), "name": name, "kind": kind, "start_time_unix_nano": start,
            "end_time_unix_nano": start + duration, "attributes": attributes(values or {}), **fields}
    return {**made, "parent_span_id": parent.to_bytes(8, "big")} if parent else made


@pytest.fixture(scope="module")
def shop():
    server = Varve()
    server.start()
    server.now = time.time_ns()
    for number, trace in enumerate(IDS):
        begin = server.now - (number + 1) * 300 * SECOND
        failed = {"status": {"code": 2}} if number == 0 else {}
        server.send("traces", trace_request("web/shop", [
            span(trace, 1, "GET /books/{id}", 2, begin, values={"http.status_code": 500 if number == 0 else 200}, **failed),
            span(trace, 2, "call", 3, begin + 10, parent=1)]))
        server.send("traces", trace_request("books", [span(trace, 3, "find", 2, begin + 20, parent=2, duration=SECOND)]))

    def stored():
        assert len(server.get("/api/services").json()["data"]) == 2

    eventually(stored)
    yield server
    server.close()


@pytest.fixture(params=["", "/jaeger"], ids=["root", "prefix"])
def ask(shop, request):
    def get(path, **params):
        answer = shop.get(request.param + path, params)
        assert answer.status_code == 200, f"{answer.url}: {answer.status_code} {answer.text[:300]}"
        assert answer.headers["Content-Type"].startswith("application/json")
        return answer.json()

    get.now = shop.now
    return get


def micros(nanoseconds):
    return str(nanoseconds // 1_000)


def envelope(document):
    """As Go decodes it: integers, and errors with numbers for codes (J-1)."""
    assert all(type(document[name]) is int for name in ("total", "limit", "offset"))
    assert document["errors"] is None
    return document["data"]


def drawable(trace):
    """What Grafana's transformer and the UI's reducer read without asking whether it is there (J-11, J-17, J-19)."""
    assert trace["spans"]
    identifiers = {s["spanID"] for s in trace["spans"]}
    for s in trace["spans"]:
        assert s["traceID"] == trace["traceID"] and trace["processes"][s["processID"]]["serviceName"]
        assert isinstance(s["tags"], list) and isinstance(s["logs"], list) and isinstance(s["references"], list)
        for reference in s["references"]:
            assert reference["traceID"] == trace["traceID"] and reference["spanID"] in identifiers
    return trace


def test_grafana_saves_and_tests(ask):
    assert envelope(ask("/api/services")) == ["books", "web/shop"]


def test_grafana_searches(ask):
    """The form's lists, then a search with every field: J-5, J-6, J-8, J-10."""
    assert envelope(ask("/api/services")) == ["books", "web/shop"]
    for path in ("/api/services/web%2Fshop/operations", "/api/services/web/shop/operations"):
        assert envelope(ask(path)) == ["GET /books/{id}", "call"]
    window = {"start": micros(ask.now - 3600 * SECOND), "end": micros(ask.now)}
    found = envelope(ask("/api/traces", service="web/shop", limit="20", **window))
    assert [drawable(trace)["traceID"] for trace in found] == [trace.hex() for trace in IDS]
    (one,) = envelope(ask("/api/traces", service="web/shop", operation="GET /books/{id}", minDuration="1ms", maxDuration="1.5s",
                          tags=json.dumps({"error": "true", "http.status_code": "500"}), limit="20", **window))
    assert one == found[0]
    assert len(envelope(ask("/api/traces", service="books", limit="2", **window))) == 2


@pytest.mark.parametrize("hint", [{}, {"start": "1", "end": "2"}, {"start": "1700000000000", "end": "1700000360000"}])
def test_grafana_shows_a_trace(ask, hint):
    """J-15: with and without hints of time, which data sources send in milliseconds."""
    (trace,) = envelope(ask(f"/api/traces/{IDS[0].hex()}", **hint))
    assert [s["operationName"] for s in drawable(trace)["spans"]] == ["GET /books/{id}", "call", "find"]


def test_grafana_draws_dependencies(ask):
    """J-30, J-31: ids of nodes are names of services."""
    edges = envelope(ask("/api/dependencies", endTs=str(ask.now // 10**6), lookback=str(86_400_000)))
    assert edges == [{"parent": "web/shop", "child": "books", "callCount": 3}]


def test_grafana_with_version_3(ask):
    """J-41 to J-43; it parses the times of every span from strings."""
    assert ask("/api/v3/services")["services"] == ["books", "web/shop"]
    assert ask("/api/v3/operations", service="books")["operations"] == [{"name": "find", "spanKind": "server"}]
    groups = ask(f"/api/v3/traces/{IDS[1].hex()}")["result"]["resourceSpans"]
    spans = [s for group in groups for scope in group["scopeSpans"] for s in scope["spans"]]
    assert len(spans) == 3
    for s in spans:
        assert re.fullmatch("[0-9]+", s["startTimeUnixNano"]) and re.fullmatch("[0-9]+", s["endTimeUnixNano"]) and s["name"]


def test_the_UI_searches(ask):
    """J-44: what its schema wants of summaries."""
    window = {"query.startTimeMin": "2020-01-01T00:00:00.000Z", "query.startTimeMax": "2100-01-01T00:00:00.000Z"}
    document = ask("/api/v3/trace-summaries", **{"query.serviceName": "web/shop", "query.searchDepth": "20", **window})
    assert [summary["traceId"] for summary in document["summaries"]] == [trace.hex() for trace in IDS]
    for number, summary in enumerate(document["summaries"]):
        assert re.fullmatch("[0-9a-f]{32}", summary["traceId"])
        assert (summary["rootServiceName"], summary["rootOperationName"]) == ("web/shop", "GET /books/{id}")
        assert (summary["spanCount"], summary["errorSpanCount"], summary["orphanSpanCount"]) == (3, 1 if number == 0 else 0, 0)
        assert int(summary["maxEndTimeUnixNano"]) - int(summary["minStartTimeUnixNano"]) == SECOND + 20
        assert summary["services"] == [
            {"name": "books", "spanCount": 1, "errorSpanCount": 0},
            {"name": "web/shop", "spanCount": 2, "errorSpanCount": summary["errorSpanCount"]}]
    assert ask("/api/v3/trace-summaries", **{"query.serviceName": "none", **window}) == {"summaries": []}
    # Without a service, and with an attribute.
    failed = ask("/api/v3/trace-summaries", **{"query.attributes": '{"http.status_code":"500"}', **window})["summaries"]
    assert [summary["traceId"] for summary in failed] == [IDS[0].hex()]


def test_the_UI_shows_a_trace_and_its_downloads(ask, shop):
    plain = ask(f"/api/traces/{IDS[2].hex()}")
    assert ask(f"/api/traces/{IDS[2].hex()}", prettyPrint="true") == plain
    assert ask(f"/api/traces/{IDS[2].hex()}", prettyPrint="true", raw="true") == plain
    assert "\n" in shop.get(f"/api/traces/{IDS[2].hex()}", {"prettyPrint": "true"}).text
    drawable(envelope(plain)[0])


def test_the_older_UI_asks(ask):
    assert envelope(ask("/api/operations", service="web/shop", spanKind="client")) == [{"name": "call", "spanKind": "client"}]
    found = envelope(ask("/api/traces", service="books", lookback="1h", limit="20", end=micros(ask.now), start=micros(ask.now - 3600 * SECOND),
                         maxDuration="", minDuration="", tags="{}"))
    assert len(found) == 3


def test_the_UI_monitors(ask):
    """J-32: three families with the same labels, over the last hour."""
    common = {"service": "books", "endTs": str(ask.now // 10**6), "lookback": "3600000", "step": "60000", "ratePer": "600000",
              "spanKind": "server", "groupByOperation": "true"}
    for family, extra in (("latencies", {"quantile": "0.95"}), ("calls", {}), ("errors", {})):
        document = ask(f"/api/metrics/{family}", **common, **extra)
        assert document["type"] == "GAUGE" and document["name"].startswith("service_operation_")
        (series,) = document["metrics"]
        assert series["labels"] == [{"name": "service_name", "value": "books"}, {"name": "operation", "value": "find"}]
        values = [point["gaugeValue"]["doubleValue"] for point in series["metricPoints"]]
        assert values and all(isinstance(value, (int, float)) for value in values)
        times = [point["timestamp"] for point in series["metricPoints"]]
        assert times == sorted(times) and all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:00Z", timestamp) for timestamp in times)
        if family == "latencies":
            assert all(abs(value - 1_000) <= 11 for value in values)
        if family == "calls":
            # Each point has what was in the ten minutes before: two traces at the most, five minutes apart.
            assert len(values) in (60, 61) and max(values) == pytest.approx(2 / 600)
        if family == "errors":
            assert set(values) == {0}


def test_the_UI_draws_deep_dependencies(ask):
    document = ask("/analytics/v1/dependencies", service="books", operation="find", start="0", end="0")
    (path,) = document["dependencies"]
    assert path["path"] == [{"service": "web/shop", "operation": "GET /books/{id}"}, {"service": "books", "operation": "find"}]
    assert [entry["value"] for entry in path["attributes"]] == [trace.hex() for trace in IDS]


def test_the_UI_archives(shop):
    answer = shop.post(f"/jaeger/api/archive/{IDS[0].hex()}")
    assert answer.status_code == 200 and answer.json() == {"data": [], "total": 0, "limit": 0, "offset": 0, "errors": []}


def test_a_browser_may_ask_from_another_origin_G_7(shop):
    answer = shop.get("/api/services", headers={"Origin": "https://ui.example.com"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    preflight = shop.request("OPTIONS", f"/api/archive/{quote(IDS[0].hex())}", headers={
        "Origin": "https://ui.example.com", "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 204 and "POST" in preflight.headers["Access-Control-Allow-Methods"]
