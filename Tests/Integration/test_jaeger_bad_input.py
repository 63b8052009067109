"""Every parameter of every endpoint of traces: missing, empty, malformed, negative, enormous, repeated, in the wrong unit.

The answer is the status of the contract, in the form of the API that was asked: never HTML, never a status above 500 for a client's
mistake. Where a value is legal the answer is a success, however odd the value.
"""
import json
import random

import pytest

from otlp_messages import trace_request

ENORMOUS = "9" * 30
TRACE = bytes.fromhex("5b8aa5a2d2c872e8321cf37308d69df3")
ID = TRACE.hex()

# Values that are refused, and values that are taken; an empty one counts as absent.
KINDS = {
    "filter": (["none", "[]", '{"op":"xor","args":[]}', "{" * 1_000, "\x00", "%00", "x" * 20_000],
               ["", '{"op":"eq","args":[{"attr":{"key":"a"}},{"scalar":{"value":"1"}}]}']),
    "text": ([], ["", "none", "a/b", "\U0001F680", "x" * 20_000, "%00", "\x00", "' or 1=1", "../..", "<script>"]),
    "integer": (["x", "1.5", "1e3", "0x10", "2023-11-14T22:00:00Z", "1 000", "NaN", "\u0661"], ["", "0", "-1", ENORMOUS, "-" + ENORMOUS,
                "1700000000", "1700000000000", "1700000000000000", "+5"]),
    "count": (["x", "1.5", "-1", "1e3", "-" + ENORMOUS, "NaN"], ["", "0", "1", ENORMOUS]),
    "lookback": (["x", "-1", "1h", "1.5"], ["", "0", "1", ENORMOUS]),
    # More steps than any client draws are refused.
    "steps": (["x", "-1", "1h", "1.5", ENORMOUS], ["", "0", "1", "604800000"]),
    "hours": (["x", "0", "-1", "1.5", ENORMOUS], ["", "1", "8784"]),
    "duration": (["x", "5", "-1s", "1y", "1d", ENORMOUS + "s", "s", "1s1", "1..5s", "0x1s", "1 s"], ["", "0", "1s", "1.5s", "100ms", "1h2m3s", "1us", "9ns"]),
    "tag": (["x", "no colon"], ["a:b", ":", "a:", ":b", "a:b:c", "\x00:\x00"]),
    "tags": (["x", "{", "[]", "null", "1", '{"a":1}', '{"a":null}', '{"a":{"b":"c"}}', '{"a":"b"', '{"a":"\\ud800', "[" * 5_000],
             ["", "{}", '{"a":"b"}', '{"":""}', '{"error":"maybe"}', '{"a":"b","a":"c"}']),
    "kind": (["x", "2", "servers", "server,client"], ["", "server", "CLIENT", "unspecified"]),
    "flag": (["x", "2", "yes", "tRUE", "on"], ["", "true", "False", "1", "0", "T", "f"]),
    "id": (["xyz", "a" * 33, "0x1", "-1", "\x00", " ", "5b8aa5a2-d2c8-72e8-321c-f37308d69df3", "é"], ["ffff", "A" * 32, ID, "0"]),
    "quantile": (["x", "0", "-0.5", "1.1", ENORMOUS, "NaN", "Infinity", "50%"], ["0.5", "1", "1e-3", ".95"]),
    "positive": (["x", "0", "-1", "1.5", "1m", "NaN"], ["", "60000"]),
    "time": (["x", "1700000000", "1700000000000000000", "2023-11-14", "2023-11-14 22:00:00", "2023-13-14T22:00:00Z", "2023-02-30T00:00:00Z",
              "2023-11-14T25:00:00Z", "2023-11-14T22:00:00", "20231114T220000Z"],
             ["2023-11-14T22:00:00Z", "2023-11-14T22:00:00.123456789Z", "2023-11-14T22:00:00+02:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]),
}
# A search of v3 begins before it ends (J-13): good bounds are those that fit the other one of WINDOW.
KINDS["start"] = (KINDS["time"][0], KINDS["time"][1][:4])
KINDS["end"] = (KINDS["time"][0], ["2030-11-14T22:00:00Z", "2030-11-14T22:00:00.123456789Z", "2030-11-14T22:00:00+02:00", "9999-12-31T23:59:59Z"])
WINDOW = {"query.startTimeMin": "2023-11-14T22:00:00Z", "query.startTimeMax": "2030-11-14T23:00:00Z"}
METRICS = {"service": "text!", "endTs": "integer", "lookback": "steps", "step": "positive", "ratePer": "positive", "spanKind": "kind",
           "groupByOperation": "flag"}
V3_SEARCH = {
    "query.serviceName": "text", "query.service_name": "text", "query.operationName": "text", "query.operation_name": "text",
    "query.attributes": "tags", "query.filter": "filter", "query.startTimeMin": "start!", "query.start_time_min": "start",
    "query.startTimeMax": "end!", "query.start_time_max": "end", "query.durationMin": "duration", "query.duration_min": "duration",
    "query.durationMax": "duration", "query.duration_max": "duration", "query.searchDepth": "count", "query.search_depth": "count",
    "query.num_traces": "count", "query.numTraces": "count", "query.rawTraces": "flag", "query.raw_traces": "flag", "query.spanKind": "kind",
}
# Path, parameters with what they are ("!": must be there), and what makes the rest of the request right.
LEGACY = [
    ("/api/services", {}, {}),
    ("/api/services/shop/operations", {}, {}),
    ("/api/operations", {"service": "text!", "spanKind": "kind"}, {"service": "shop"}),
    ("/api/traces", {"service": "text!", "operation": "text", "start": "integer", "end": "integer", "lookback": "text", "minDuration": "duration",
                     "maxDuration": "duration", "limit": "count", "tags": "tags", "tag": "tag", "spanKind": "kind"}, {"service": "shop"}),
    ("/api/traces", {"traceID": "id"}, {}),
    (f"/api/traces/{ID}", {"start": "integer", "end": "integer", "raw": "flag", "prettyPrint": "text"}, {}),
    ("/api/dependencies", {"endTs": "integer", "lookback": "lookback", "service": "text"}, {}),
    ("/api/metrics/latencies", {**METRICS, "quantile": "quantile!"}, {"service": "shop", "quantile": "0.95", "step": "60000"}),
    ("/api/metrics/calls", METRICS, {"service": "shop", "step": "60000"}), ("/api/metrics/errors", METRICS, {"service": "shop", "step": "60000"}),
    ("/api/metrics/minstep", {}, {}),
    ("/api/deep-dependencies", {"service": "text!", "operation": "text", "start": "integer", "end": "integer"}, {"service": "shop"}),
    ("/api/quality-metrics", {"service": "text!", "hours": "hours"}, {"service": "shop"}),
    ("/analytics/v1/dependencies", {"service": "text!", "start": "integer"}, {"service": "shop"}),
]
V3 = [
    ("/api/v3/services", {}, {}),
    ("/api/v3/operations", {"service": "text!", "spanKind": "kind", "span_kind": "kind"}, {"service": "shop"}),
    (f"/api/v3/traces/{ID}", {"startTime": "time", "start_time": "time", "endTime": "time", "end_time": "time", "rawTraces": "flag",
                              "raw_traces": "flag"}, {}),
    ("/api/v3/traces", V3_SEARCH, WINDOW), ("/api/v3/trace-summaries", V3_SEARCH, WINDOW),
]
# Names that mean one thing: the right one would count first.
ALIASES = {"query.service_name": "query.serviceName", "query.operation_name": "query.operationName", "query.start_time_min": "query.startTimeMin",
           "query.start_time_max": "query.startTimeMax"}
# Every value counts, not the first.
LISTS = {"tag", "tags", "traceID"}
ENDPOINTS = LEGACY + V3


@pytest.fixture(scope="module", autouse=True)
def stored(server):
    span = {"trace_id": TRACE, "span_id": b"\0" * 7 + b"\1", "name": "op", "kind": 2, "start_time_unix_nano": 1_795_168_800 * 10**9,
            "end_time_unix_nano": 1_795_168_801 * 10**9}
    server.send("traces", trace_request("shop", [span]))


def ask(server, path, parameters):
    return server.session.get(server.http + path, params=parameters, timeout=60)


def refused(answer, path, status=400):
    """An error in the form of the API (J-2, J-40)."""
    place = f"{answer.url[:300]} -> {answer.status_code} {answer.text[:300]}"
    assert answer.status_code == status, place
    assert answer.headers["Content-Type"].startswith("application/json"), place
    document = answer.json()
    if path.startswith("/api/v3"):
        assert set(document) == {"error"}, place
        assert document["error"]["httpCode"] == status and document["error"]["message"], place
        return document["error"]["message"]
    assert set(document) == {"data", "total", "limit", "offset", "errors"}, place
    assert document["data"] is None and document["total"] == document["limit"] == document["offset"] == 0, place
    (error,) = document["errors"]
    assert error["code"] == status and type(error["code"]) is int and error["msg"], place
    return error["msg"]


def taken(answer, statuses=(200,)):
    place = f"{answer.url[:300]} -> {answer.status_code} {answer.text[:300]}"
    assert answer.status_code in statuses, place
    assert answer.headers["Content-Type"].startswith("application/json"), place
    answer.json()


def named(path):
    return f"{path[0]}{'?' + next(iter(path[1])) if path[0] == '/api/traces' else ''}"


def rest(name, base):
    """What else the request has: an alias stands in the place of its name."""
    left_out = {name, ALIASES.get(name, name)}
    return {key: value for key, value in base.items() if key not in left_out}


@pytest.mark.parametrize("path, parameters, base", ENDPOINTS, ids=map(named, ENDPOINTS))
def test_every_parameter(server, path, parameters, base):
    taken(ask(server, path, base or ({"traceID": ID} if "traceID" in parameters else {})))
    for name, kind in parameters.items():
        bad, good = KINDS[kind.rstrip("!")]
        others = rest(name, base)
        if kind.endswith("!"):
            assert name in refused(ask(server, path, others), path), "missing"
            assert name in refused(ask(server, path, {**others, name: ""}), path), "empty"
        for value in bad:
            message = refused(ask(server, path, {**others, name: value}), path)
            assert name in message or kind == "steps", f"{name}={value[:50]}: {message}"
            # Enormous and with others that are right; twice, the first or any counting.
            refused(ask(server, path, {**others, name: [value, value]}), path)
        fit = [value for value in good if value or not kind.endswith("!")]
        for value in fit:
            if name == "traceID" and not value:
                continue
            taken(ask(server, path, {**others, name: value}))
        if bad and fit:
            right = next(value for value in fit if value)
            both = ask(server, path, {**others, name: [right, bad[0]]})
            everything_counts = name in LISTS or (name == "spanKind" and "/metrics/" in path)
            refused(both, path) if everything_counts else taken(both)


@pytest.mark.parametrize("prefix", ["/api/traces/", "/api/v3/traces/"])
def test_every_form_of_an_id(server, prefix):
    """J-14, J-16: not hexadecimal is 400, unknown 404."""
    from urllib.parse import quote
    for value in KINDS["id"][0]:
        refused(ask(server, prefix + quote(value, safe=""), {}), prefix, 400)
    for value in ("ffff", "A" * 32, "0"):
        refused(ask(server, prefix + value, {}), prefix, 404)
    taken(ask(server, prefix + ID.upper(), {}))


@pytest.mark.parametrize("path", ["/api/nonsense", "/api/traces/1/2", "/api/metrics/none", "/api/v3/nonsense", "/api/v3",
                                  "/analytics/v1/nonsense", "/api/archive"])
def test_unknown_paths(server, path):
    refused(ask(server, path, {}), path, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_wrong_methods(server, method):
    for path, _, _ in ENDPOINTS:
        answer = server.session.request(method, server.http + path, timeout=60)
        refused(answer, path, 405)
        assert "GET" in answer.headers["Allow"]
    refused(ask(server, f"/api/archive/{ID}", {}), "/api", 405)


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"null", b'{"resourceSpans":1}', b"\xff\xfe", b"{" * 100_000, b'{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}'])
def test_uploads_that_are_no_traces(server, body):
    answer = server.post("/api/transform", body, headers={"Content-Type": "application/json"})
    refused(answer, "/api", 400)


def test_bounds_in_the_wrong_order(server):
    """J-13: a range that is empty is legal but in v3, bounds of durations that contradict each other are not."""
    taken(ask(server, "/api/traces", {"service": "shop", "start": "2", "end": "1"}))
    assert refused(ask(server, "/api/traces", {"service": "shop", "minDuration": "2s", "maxDuration": "1s"}), "/api") == (
        "'maxDuration' should be greater than 'minDuration'")
    refused(ask(server, "/api/v3/traces", {**WINDOW, "query.durationMin": "2s", "query.durationMax": "1s"}), "/api/v3")
    backwards = {"query.startTimeMin": WINDOW["query.startTimeMax"], "query.startTimeMax": WINDOW["query.startTimeMin"]}
    assert refused(ask(server, "/api/v3/traces", backwards), "/api/v3") == "query.startTimeMin must be before query.startTimeMax"


def test_unknown_parameters_and_headers_are_ignored_G_5(server):
    for path, parameters, base in ENDPOINTS:
        if "traceID" in parameters:
            base = {"traceID": ID}
        answer = server.session.get(server.http + path, params={**base, "nonsense": "\x00", "": "x"},
                                    headers={"X-Grafana-Id": "x" * 1_000, "Accept": "text/html"}, timeout=60)
        taken(answer)


@pytest.mark.parametrize("seed", range(4))
def test_random_nonsense(server, seed):
    """Any values in any parameters at once: a success or a client's mistake, as JSON."""
    print("seed", seed)
    chance = random.Random(seed)
    values = sorted({value for bad, good in KINDS.values() for value in bad + good if len(value) < 1_000})
    for _ in range(150):
        path, parameters, base = chance.choice(ENDPOINTS)
        query = {**base, **{name: [chance.choice(values) for _ in range(chance.choice([1, 1, 2]))] for name in parameters if chance.random() < 0.4}}
        answer = ask(server, path, query)
        if answer.status_code == 200:
            taken(answer)
        else:
            assert answer.status_code in (400, 404, 422), f"{answer.url} {answer.status_code} {answer.text[:300]}"
            refused(answer, path, answer.status_code)
    assert server.alive()


def test_nothing_was_harmed(server):
    (trace,) = ask(server, f"/api/traces/{ID}", {}).json()["data"]
    assert trace["spans"][0]["operationName"] == "op"
    assert json.loads(ask(server, "/api/services", {}).text)["data"] == ["shop"]
