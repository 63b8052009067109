"""What is sent is what is read back, field by field: from memory, from parts, and after a restart.

Every test runs three times over one server, whose state goes from `memory` (just acknowledged) through `parts` (flushed)
to `restarted`.
"""
import gzip
import itertools
import json
import time

import pytest
import zstandard

import everything
from otlp_messages import (from_json, loads, python_attributes, python_value, sorted_attributes, to_json)
from varve_process import Varve, eventually

# Whole milliseconds, because Prometheus' timestamps are.
START = (time.time_ns() // 10**9 - 120) * 10**9
RANGE = {"start": str(START - 300 * 10**9), "end": str(START + 300 * 10**9)}
ENCODINGS = {
    "protobuf": lambda message: (message.SerializeToString(), "application/x-protobuf", None),
    "gzip": lambda message: (gzip.compress(message.SerializeToString()), "application/x-protobuf", "gzip"),
    "zstd": lambda message: (zstandard.compress(message.SerializeToString()), "application/x-protobuf", "zstd"),
    "json": lambda message: (json.dumps(to_json(message)).encode(), "application/json", None),
    "json-gzip": lambda message: (
        gzip.compress(json.dumps(to_json(message)).encode()), "application/json; charset=utf-8", "gzip"),
}
BUILDERS = {"traces": everything.traces, "logs": everything.logs, "metrics": everything.metrics}


def service_of(encoding):
    return f"every/{encoding}"


def trace_id_of(encoding):
    return bytes([0x10 + list(ENCODINGS).index(encoding)]) * 16


def sent(signal, encoding):
    return BUILDERS[signal](service_of(encoding), trace_id_of(encoding), START)


@pytest.fixture(scope="module")
def loaded():
    server = Varve()
    server.start()
    for signal, encoding in itertools.product(BUILDERS, ENCODINGS):
        body, content_type, compression = ENCODINGS[encoding](sent(signal, encoding))
        answer = server.export(signal, body, content_type, compression)
        assert answer.status_code == 200, f"{signal} {encoding}: {answer.text}"
        assert answer.content in (b"", b"{}"), f"{signal} {encoding}: partial success {answer.content!r}"
    yield server
    server.close()


@pytest.fixture(scope="module", params=["memory", "parts", "restarted"])
def stage(loaded, request):
    if request.param == "parts":
        loaded.flush()
    elif request.param == "restarted":
        loaded.restart()
    return loaded


# ---------------------------------------------------------------- records as OTLP: the REST API

def rest(server, signal, **parameters):
    """The export request that a REST answer is."""
    answer = server.get(f"/varve/api/v1/{signal}", {**RANGE, "limit": "10000", **parameters})
    assert answer.status_code == 200, answer.text
    return from_json(signal, loads(answer.text))


def records(signal, request):
    """(resource group header, scope header, record) of a request; a metric is one record for each of its points."""
    for group in getattr(request, {"traces": "resource_spans", "logs": "resource_logs", "metrics": "resource_metrics"}[signal]):
        for scope in getattr(group, {"traces": "scope_spans", "logs": "scope_logs", "metrics": "scope_metrics"}[signal]):
            header = (group.resource, group.schema_url, scope.scope, scope.schema_url)
            if signal == "traces":
                for span in scope.spans:
                    yield header, span
            elif signal == "logs":
                for record in scope.log_records:
                    yield header, record
            else:
                for metric in scope.metrics:
                    kind = metric.WhichOneof("data")
                    for point in getattr(metric, kind).data_points:
                        single = type(metric)()
                        single.CopyFrom(metric)
                        points = getattr(single, kind).data_points
                        del points[:]
                        points.add().CopyFrom(point)
                        yield header, single


def canonical(signal, request):
    """Records as sorted text: comparable whatever the order of records, groups and attributes."""
    lines = []
    for (resource, schema_url, scope, scope_schema_url), record in records(signal, request):
        parts = [sorted_attributes(message) for message in (resource, scope, record)]
        lines.append("\n".join([schema_url, scope_schema_url, *map(str, parts)]))
    return sorted(lines)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("signal", BUILDERS)
def test_rest_returns_every_field(stage, signal, encoding):
    expected = canonical(signal, sent(signal, encoding))
    actual = canonical(signal, rest(stage, signal, service=service_of(encoding)))
    for left, right in zip(expected, actual):
        assert right == left
    assert len(actual) == len(expected)


def test_rest_aliases_of_the_seed_paths_U_4(stage):
    for signal in BUILDERS:
        stable = stage.get(f"/varve/api/v1/{signal}", {**RANGE, "limit": "3", "service": service_of("zstd")})
        alias = stage.get(f"/api/v1/{signal}", {**RANGE, "limit": "3", "service": service_of("zstd")})
        assert alias.status_code == 200
        assert alias.json() == stable.json()


# ---------------------------------------------------------------- traces: Jaeger

def jaeger_trace(server, encoding):
    answer = server.get(f"/api/traces/{trace_id_of(encoding).hex()}")
    assert answer.status_code == 200, answer.text
    (trace,) = answer.json()["data"]
    return trace


def tags(entries):
    found = {entry["key"]: (entry["type"], entry["value"]) for entry in entries}
    assert len(found) == len(entries), "a tag is there twice"
    return found


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_jaeger_span_is_complete_6_7(stage, encoding):
    trace = jaeger_trace(stage, encoding)
    identifier = trace_id_of(encoding).hex()
    assert trace["traceID"] == identifier
    assert len(trace["spans"]) == 2
    span = next(span for span in trace["spans"] if span["spanID"] == "02" * 8)
    assert span["operationName"] == "every field"
    assert span["startTime"] == (START + 1_000_123) // 1000
    assert span["duration"] == 5_001_333 // 1000
    assert span["flags"] == 1, "the low eight bits"
    assert span["references"] == [
        {"refType": "CHILD_OF", "traceID": identifier, "spanID": "01" * 8},
        {"refType": "FOLLOWS_FROM", "traceID": "aa" * 16, "spanID": "bb" * 8},
        {"refType": "FOLLOWS_FROM", "traceID": "cc" * 16, "spanID": "dd" * 8},
    ]
    process = trace["processes"][span["processID"]]
    assert process["serviceName"] == service_of(encoding)
    resource = tags(process["tags"])
    assert resource["k8s.pod.name"] == ("string", "everything-0")
    assert resource["host.cpus"] == ("int64", 8)
    assert "service.name" not in resource


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_jaeger_tags_have_types_J_20(stage, encoding):
    trace = jaeger_trace(stage, encoding)
    span = next(span for span in trace["spans"] if span["spanID"] == "02" * 8)
    found = tags(span["tags"])
    expected = {
        "a.string": ("string", everything.VALUES["a.string"]),
        "a.bool": ("bool", True),
        "a.bool.false": ("bool", False),
        "a.int": ("int64", 42),
        "a.int.min": ("int64", str(-(2**63))),
        "a.int.max": ("int64", str(2**63 - 1)),
        "a.double": ("float64", 2.5),
        "span.kind": ("string", "client"),
        "otel.scope.name": ("string", "every.scope"),
        "otel.scope.version": ("string", "4.5.6"),
        "otel.status_code": ("string", "ERROR"),
        "error": ("bool", True),
        "otel.status_description": ("string", "it broke"),
        "w3c.tracestate": ("string", "vendor=1,other=t61rcWkgMzE"),
        'with space/and "quotes"\\': ("string", "odd key"),
    }
    assert {key: found.get(key) for key in expected} == expected
    assert found["a.bytes"][0] == "binary"
    assert found["a.double.infinite"][0] == "string"
    assert json.loads(found["a.map"][1]) == everything.VALUES["a.map"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_jaeger_events_become_logs(stage, encoding):
    trace = jaeger_trace(stage, encoding)
    span = next(span for span in trace["spans"] if span["spanID"] == "02" * 8)
    first, second = span["logs"]
    assert first["timestamp"] == (START + 2_000_000) // 1000
    assert tags(first["fields"]) == {
        "event": ("string", "exception"), "exception.type": ("string", "E"), "exception.message": ("string", "m"),
        "exception.stacktrace": ("string", "a\n\tb")}
    assert second["timestamp"] == (START + 3_000_000) // 1000
    assert "event" not in tags(second["fields"])
    assert tags(second["fields"])["n"] == ("int64", 1)


def test_jaeger_v3_is_the_otlp_that_was_sent_J_43(stage):
    answer = stage.get(f"/api/v3/traces/{trace_id_of('protobuf').hex()}")
    assert answer.status_code == 200, answer.text
    found = from_json("traces", loads(answer.text)["result"])
    assert canonical("traces", found) == canonical("traces", sent("traces", "protobuf"))


def test_jaeger_lists_services_and_operations(stage):
    services = stage.get("/api/services").json()["data"]
    assert services == sorted(services)
    assert {service_of(encoding) for encoding in ENCODINGS} <= set(services)
    operations = stage.get("/api/services/every%2Fgzip/operations").json()["data"]
    assert operations == ["every field", "root"]


@pytest.mark.parametrize("filters, found", [
    ({}, True),
    ({"operation": "every field"}, True),
    ({"operation": "no such"}, False),
    ({"tags": '{"a.int":"42","a.bool":"true"}'}, True),
    ({"tags": '{"a.int":"43"}'}, False),
    ({"tags": '{"error":"true"}'}, True),
    ({"tags": '{"exception.type":"E"}'}, True),
    ({"tags": '{"resource.k8s.pod.name":"everything-0"}'}, True),
    ({"tag": "k8s.pod.name:everything-0"}, True),
    ({"minDuration": "19ms"}, True),
    ({"minDuration": "21ms"}, False),
    ({"maxDuration": "5.1ms", "minDuration": "5ms"}, True),
])
def test_jaeger_search_J_8_J_9(stage, filters, found):
    answer = stage.get("/api/traces", {
        "service": service_of("json"), "start": START // 1000 - 10**6, "end": START // 1000 + 10**6, **filters})
    assert answer.status_code == 200, answer.text
    traces = answer.json()["data"]
    assert [trace["traceID"] for trace in traces] == ([trace_id_of("json").hex()] if found else [])
    assert all(len(trace["spans"]) == 2 for trace in traces), "complete traces, not only what matches"


# ---------------------------------------------------------------- logs: Loki

def loki_entries(server, query, **parameters):
    answer = server.get("/loki/api/v1/query_range", {
        "query": query, **RANGE, "limit": "1000", "direction": "forward", **parameters},
        headers={"X-Loki-Response-Encoding-Flags": "categorize-labels"})
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert data["resultType"] == "streams"
    return sorted(
        (int(when), line, stream["stream"], details.get("structuredMetadata", {}), details.get("parsed", {}))
        for stream in data["result"] for when, line, details in stream["values"])


LINES = ["a plain line", "", "42", "-1.5", "true", "AAH+", '["a",1,{"b":null}]', None, ""]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_loki_lines_are_bodies_M_5(stage, encoding):
    entries = loki_entries(stage, f'{{service_name="{service_of(encoding)}"}}')
    assert [entry[0] for entry in entries] == (
        [START + index * 1_000_000 for index in range(len(LINES))] + [START + 20_000_000, START + 21_000_000])
    lines = [entry[1] for entry in entries]
    assert json.loads(lines.pop(7)) == everything.BODIES[7]
    assert lines == [line for line in LINES if line is not None] + ["observed only", "time only"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_loki_labels_and_metadata_M_2_M_4(stage, encoding):
    entry = loki_entries(stage, f'{{service_name="{service_of(encoding)}"}} |= `a plain line`')[0]
    assert entry[2] == {
        "service_name": service_of(encoding), "service_namespace": "books", "service_instance_id": "instance-7",
        "k8s_pod_name": "everything-0", "deployment_environment_name": "test"}
    metadata = entry[3]
    expected = {
        "trace_id": trace_id_of(encoding).hex(), "span_id": "02" * 8, "scope_name": "every.scope",
        "scope_version": "4.5.6", "severity_number": "1", "severity_text": "S0", "flags": "1",
        "observed_timestamp": str(START + 777), "event_name": "event.0", "service_version": "1.2.3",
        "host_cpus": "8", "a_string": everything.VALUES["a.string"], "a_int_max": str(2**63 - 1), "a_bool": "true",
        "a_map_n_m_l": '[1,{"last":true}]', "a_map_k": "v", "scope_level": "2",
        # Rule M-6: the text comes before the number, and a text that is no level stays as it is.
        "detected_level": "S0",
    }
    assert {key: metadata.get(key) for key in expected} == expected
    assert all(isinstance(value, str) for value in metadata.values())


@pytest.mark.parametrize("query, lines", [
    ('{service_name="every/gzip"} | trace_id="11111111111111111111111111111111" |= "plain"', ["a plain line"]),
    ('{service_name="every/gzip", k8s_pod_name=~"every.*"} |~ "pl.in"', ["a plain line"]),
    ('{service_name="every/gzip"} |= "structured" | json | count="3" | line_format "{{.message}}"', ["a structured body"]),
    ('{service_name="every/gzip"} | index="6"', ['["a",1,{"b":null}]']),
    ('{service_name="every/gzip"} |= "no such line"', []),
])
def test_loki_pipelines(stage, query, lines):
    assert trace_id_of("gzip").hex() == "11" * 16
    assert [entry[1] for entry in loki_entries(stage, query)] == lines


def test_loki_counts_every_record(stage):
    answer = stage.get("/loki/api/v1/query", {
        "query": 'sum by (service_name) (count_over_time({service_name=~"every/.*"}[10m]))', "time": RANGE["end"]})
    counts = {entry["metric"]["service_name"]: entry["value"][1] for entry in answer.json()["data"]["result"]}
    assert counts == {service_of(encoding): str(len(everything.BODIES) + 2) for encoding in ENCODINGS}


# ---------------------------------------------------------------- metrics: Prometheus

def vector(server, query, when=START):
    answer = server.get("/api/v1/query", {"query": query, "time": str(when // 10**9)})
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert data["resultType"] == "vector"
    return data["result"]


def job(encoding):
    return f'job="books/{service_of(encoding)}"'


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("selector, values", [
    ('every_gauge_celsius{%s}', {"-9223372036854776000", "-0", "-Inf"}),
    ('every_counter_total{%s}', {"9007199254740992"}),
    ('every_updown{%s}', {"-7.25"}),
    ('every_histogram_seconds_count{%s,route="/a"}', {"10"}),
    ('every_histogram_seconds_sum{%s,route="/a"}', {"12.5"}),
    ('every_histogram_seconds_count{%s,route="/bare"}', {"4"}),
    ('every_histogram_seconds_sum{%s,route="/bare"}', set()),
    ('every_summary_milliseconds{%s,quantile="0.5"}', {"20"}),
    ('every_summary_milliseconds{%s,quantile="0.99"}', {"39.5"}),
    ('every_summary_milliseconds{%s,quantile="1"}', {"NaN"}),
    ('every_summary_milliseconds_sum{%s}', {"400.5"}),
    ('every_summary_milliseconds_count{%s}', {"20"}),
    ('target_info{%s,instance="instance-7",k8s_pod_name="everything-0",host_cpus="8"}', {"1"}),
])
def test_prometheus_values_T_9(stage, encoding, selector, values):
    result = vector(stage, selector % job(encoding))
    assert {entry["value"][1] for entry in result} == values


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_prometheus_labels_T_4_T_5(stage, encoding):
    (entry,) = vector(stage, "every_counter_total{%s}" % job(encoding))
    assert entry["metric"] == {
        "__name__": "every_counter_total", "job": "books/" + service_of(encoding), "instance": "instance-7",
        "route": "/a", "code": "200"}
    assert entry["value"][0] == START // 10**9


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_prometheus_buckets_are_cumulative_T_9(stage, encoding):
    result = vector(stage, 'every_histogram_seconds_bucket{%s,route="/a"}' % job(encoding))
    assert {entry["metric"]["le"]: entry["value"][1] for entry in result} == {
        "0.1": "1", "1": "3", "10": "6", "+Inf": "10"}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_prometheus_native_histogram_P_12(stage, encoding):
    (entry,) = vector(stage, "every_exponential_bytes{%s}" % job(encoding))
    histogram = entry["histogram"][1]
    assert (histogram["count"], histogram["sum"]) == ("16", "-3.5")
    base = 2 ** (2 ** -2)
    # Negative buckets mirrored, (-upper, -lower]; the zero bucket; positive ones, without the empty one at offset -1.
    expected = (
        [(1, -base ** (3 + i + 1), -base ** (3 + i), count) for i, count in reversed(list(enumerate([3, 5])))]
        + [(3, -0.001, 0.001, 1)]
        + [(0, base ** (-2 + i), base ** (-2 + i + 1), count) for i, count in enumerate([1, 0, 4, 2]) if count])
    assert [bucket[0] for bucket in histogram["buckets"]] == [bucket[0] for bucket in expected]
    for found, wanted in zip(histogram["buckets"], expected):
        assert [float(number) for number in found[1:]] == pytest.approx(wanted[1:], rel=1e-12)


def test_prometheus_no_recorded_value_is_a_stale_marker_T_9(stage):
    assert vector(stage, 'every_gauge_celsius{%s,point="absent"}' % job("gzip")) == []


def test_prometheus_exemplars_T_10(stage):
    answer = stage.get("/api/v1/query_exemplars", {
        "query": "every_histogram_seconds_bucket{%s}" % job("zstd"), "start": START // 10**9 - 60, "end": START // 10**9 + 60})
    exemplars = [exemplar for series in answer.json()["data"] for exemplar in series["exemplars"]]
    assert {"labels": {"trace_id": trace_id_of("zstd").hex(), "span_id": "02" * 8, "user": "u1", "n": "2"},
            "value": "0.75", "timestamp": (START // 10**6 - 5) / 1000} in exemplars


def test_prometheus_metadata_T_11(stage):
    data = stage.get("/api/v1/metadata").json()["data"]
    types = {name: data[name][0]["type"] for name in data if name.startswith("every_")}
    delta = {name: types.pop(name) for name in list(types) if name.startswith("every_delta")}
    # Rule T-11: what is not cumulative has no type that Prometheus knows.
    assert list(delta.values()) == ["unknown"]
    assert types == {
        "every_gauge_celsius": "gauge", "every_counter_total": "counter", "every_updown": "gauge",
        "every_histogram_seconds": "histogram", "every_exponential_bytes": "histogram",
        "every_summary_milliseconds": "summary",
    }
    assert data["every_gauge_celsius"] == [{"type": "gauge", "help": "a gauge", "unit": "celsius"}]


def test_prometheus_lists_labels(stage):
    labels = stage.get("/api/v1/labels").json()["data"]
    assert labels == sorted(set(labels))
    assert {"__name__", "job", "instance", "route", "code", "le", "quantile"} <= set(labels)
    assert "every_gauge_celsius" in stage.get("/api/v1/label/__name__/values").json()["data"]


# ---------------------------------------------------------------- the records themselves, as Python values

def test_values_survive_json_and_protobuf(stage):
    """The encodings of one request are stored alike, to the last bit of each value."""
    spans = {}
    for encoding in ENCODINGS:
        for _, span in records("traces", rest(stage, "traces", service=service_of(encoding))):
            if span.span_id == b"\x02" * 8:
                spans[encoding] = python_attributes(span.attributes)
    assert set(spans) == set(ENCODINGS)
    for values in spans.values():
        assert {key: repr(value) for key, value in values.items()} == {
            key: repr(value) for key, value in everything.VALUES.items()}


def test_bodies_keep_their_types(stage):
    request = rest(stage, "logs", service=service_of("json"))
    bodies = {
        record.time_unix_nano: python_value(record.body)
        for _, record in records("logs", request) if 0 < record.time_unix_nano < START + 10_000_000}
    assert [bodies[when] for when in sorted(bodies)] == everything.BODIES


def test_acknowledged_rows_are_visible_at_once(loaded):
    """A 200 is followed by the rows, without a flush and without a wait that a person would notice."""
    trace_id = b"\x77" * 16
    loaded.send("traces", everything.traces("at-once", trace_id, START))

    def check():
        assert loaded.get(f"/api/traces/{trace_id.hex()}").status_code == 200

    eventually(check, timeout=2)
