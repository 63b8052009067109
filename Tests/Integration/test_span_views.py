"""Statistics and dependencies from the hourly views and from the spans: equal, whatever the range, and the answer says which it was."""
import random
import time

import pytest

from otlp_messages import trace_request
from varve_process import Varve, eventually

HOUR = 3600 * 10**9
SERVICES = ["web", "shop/api", "books", "billing"]


def make(chance, begin, hours, traces, batch):
    """Requests of traces over some hours; children are of any service, some in the hour after their parent's."""
    requests = []
    for number in range(traces):
        trace = (batch << 32 | number + 1).to_bytes(16, "big")
        spans, start = {}, begin + chance.randrange(hours * HOUR)
        for identifier in range(1, chance.randint(2, 7)):
            service = chance.choice(SERVICES)
            begun = start + chance.randrange(HOUR // 6) * (identifier > 1)
            spans.setdefault(service, []).append({
                "trace_id": trace, "span_id": identifier.to_bytes(8, "big"), "name": chance.choice(["GET /", "query", "send"]),
                "kind": chance.randint(0, 5), "start_time_unix_nano": begun,
                "end_time_unix_nano": begun + chance.choice([0, 1, 999, 10**6, chance.randrange(10**10)]),
                "status": {"code": chance.choice([0, 0, 1, 2])},
                **({"parent_span_id": chance.randrange(1, identifier).to_bytes(8, "big")} if identifier > 1 else {})})
        requests += [trace_request(service, own) for service, own in spans.items()]
    return requests


@pytest.fixture(scope="module")
def filled():
    """Six whole hours, in views as far as they go: some spans came late, and some are in memory."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    server = Varve("--rollup-pause", "100ms", "--rollup-settle", "1s", "--merge-pause", "200ms")
    server.start()
    server.begin = (time.time_ns() - 30 * HOUR) // HOUR * HOUR
    for batch, traces in enumerate([120, 60, 30], 1):
        for request in make(chance, server.begin, 6, traces, batch):
            server.send("traces", request)
        if batch < 3:
            server.flush()
            eventually(lambda: settled(server), timeout=60)
    yield server
    server.close()


def settled(server):
    lines = server.get("/metrics").text.splitlines()
    pending = [line for line in lines if line.startswith("varve_rollup_pending_rows ")]
    assert pending and float(pending[0].split()[1]) == 0, pending


def stats(server, source, **query):
    answer = server.get("/api/v1/services/stats", {"source": source, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def graph(server, source, **query):
    answer = server.get("/api/v1/services/dependencies", {"source": source, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


RANGES = {
    "whole hours": (0, 6 * HOUR, True), "one hour": (2 * HOUR, 3 * HOUR, True), "ends inside hours": (HOUR // 3, 5 * HOUR + HOUR // 2, True),
    "less than an hour": (HOUR + HOUR // 4, HOUR + HOUR // 2, False), "across one end": (HOUR - 10**9, HOUR + 10**9, False),
    "before and after everything": (-48 * HOUR, 20 * HOUR, True),
}


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("more", [{}, {"group": "operation,kind"}, {"step": "1h", "group": "kind"}, {"step": "2h", "service": "books"},
                                  {"step": "20m"}, {"operation": "query", "kind": "server"}], ids=str)
def test_statistics_are_the_same_from_views_and_spans(filled, name, more):
    first, last, from_views = RANGES[name]
    query = {"start": str(filled.begin + first), "end": str(filled.begin + last), **more}
    raw, chosen = stats(filled, "raw", **query), stats(filled, "auto", **query)
    assert chosen["services"] == raw["services"]
    assert {table["table"] for table in raw["tables"]} == {"otel_traces"}
    used = {table["table"] for table in chosen["tables"]}
    if not more and from_views:
        assert "otel_span_stats_1h" in used, chosen["tables"]
    if not from_views or more.get("step") == "20m":
        assert used == {"otel_traces"}, chosen["tables"]
    assert covers(chosen["tables"], filled.begin + first, filled.begin + last)


def covers(tables, start, end):
    """The segments follow each other from the start to the end."""
    return [tables[0]["start"], *[table["end"] for table in tables]] == [*[table["start"] for table in tables], end] and (
        tables[0]["start"] == start)


@pytest.mark.parametrize("name", RANGES)
def test_dependencies_are_the_same_from_views_and_spans(filled, name):
    first, last, _ = RANGES[name]
    query = {"start": str(filled.begin + first), "end": str(filled.begin + last)}
    raw, chosen = graph(filled, "raw", **query), graph(filled, "auto", **query)
    assert chosen["dependencies"] == raw["dependencies"]
    assert covers(chosen["tables"], filled.begin + first, filled.begin + last)
    if name in ("whole hours", "before and after everything"):
        assert chosen["dependencies"]


@pytest.mark.parametrize("family", ["calls", "errors", "latencies"])
def test_the_monitor_is_the_same_by_the_hour(filled, family):
    """J-32: points of whole hours come from the view; the same numbers are in services/stats from the spans."""
    end = filled.begin + 6 * HOUR
    answer = filled.get(f"/api/metrics/{family}", {
        "service": "books", "endTs": str(end // 10**6), "lookback": str(5 * 3600 * 1000), "step": "3600000", "ratePer": "3600000",
        "quantile": "0.95", "explain": "true"}).json()
    # The hour that begins at the end of the range is not needed.
    assert [table["table"] for table in answer["tables"]] == ["otel_span_stats_1h"]
    spans = stats(filled, "raw", service="books", kind="server", start=str(filled.begin), end=str(end), step="1h")["services"]
    points = {timestamp: rest for timestamp, *rest in (spans[0]["points"] if spans else [])}
    shown = {point["timestamp"]: point["gaugeValue"]["doubleValue"] for series in answer["metrics"] for point in series["metricPoints"]}
    for number in range(6):
        timestamp = filled.begin + (number + 1) * HOUR
        value = shown.get(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(timestamp // 10**9)))
        calls, errors, _, p95, _ = points.get(filled.begin + number * HOUR, (0, 0, 0, 0, 0))
        if family == "calls":
            assert value == pytest.approx(calls / 3600) if spans else value is None
        elif not calls:
            assert value is None
        else:
            wanted = errors / calls if family == "errors" else p95 / 10**6
            assert value == pytest.approx(wanted, rel=0.011, abs=1e-9)


def test_restarts_change_nothing(filled):
    query = {"start": str(filled.begin), "end": str(filled.begin + 6 * HOUR), "group": "operation,kind", "step": "1h"}
    before = stats(filled, "raw", **query)["services"], graph(filled, "raw")["dependencies"]
    for end in (filled.kill, filled.stop):
        end()
        filled.start()
        for source in ("raw", "auto"):
            assert (stats(filled, source, **query)["services"], graph(filled, source)["dependencies"]) == before, source
