"""Jaeger's JSON, field by field, against the mapping rules: for awkward traces, and for what the SDK sends."""
import json
import os
import random
import time

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, get_current_span

import awkward_traces
import jaeger_model
from otlp_messages import from_json, to_json
from varve_process import ROOT, eventually

GOLDEN = ROOT / "Tests/Golden/api/jaeger"


def answer(server, identifier, path="/api/traces/"):
    def read():
        reply = server.get(path + identifier.hex())
        assert reply.status_code == 200, reply.text[:300]
        return reply.json()

    return eventually(read)


def shown(server, identifier):
    document = answer(server, identifier)
    assert document["errors"] is None and document["limit"] == 0 and document["offset"] == 0
    (trace,) = document["data"]
    check_form(trace)
    return trace


def check_form(trace):
    """What holds of every trace, whatever is in it (J-11, J-17 to J-22)."""
    assert set(trace) == {"traceID", "spans", "processes", "warnings"}
    assert trace["spans"], "J-11"
    identities = set()
    for span in trace["spans"]:
        assert set(span) - {"flags"} == {"traceID", "spanID", "operationName", "references", "startTime", "duration", "tags", "logs",
                                         "processID", "warnings"}
        assert span["traceID"] == trace["traceID"] and len(span["spanID"]) == 16, "J-17"
        assert type(span["startTime"]) is int and type(span["duration"]) is int and span["duration"] >= 0, "J-18"
        assert span["processID"] in trace["processes"], "J-11"
        assert span["warnings"] is None and span.get("flags") != 0, "J-19"
        for entry in span["tags"] + [field for log in span["logs"] for field in log["fields"]]:
            check_tag(entry)
    for name, process in trace["processes"].items():
        assert name[0] == "p" and 1 <= int(name[1:]) <= len(trace["processes"]), "J-21"
        assert set(process) == {"serviceName", "tags"}
        identity = (process["serviceName"], json.dumps(sorted(process["tags"], key=json.dumps), sort_keys=True))
        assert identity not in identities, "J-21: two processes are the same"
        identities.add(identity)
        for entry in process["tags"]:
            check_tag(entry)
    starts = [span["startTime"] for span in trace["spans"]]
    assert starts == sorted(starts), "J-22"


def check_tag(entry):
    assert set(entry) == {"key", "type", "value"}
    types = {"string": str, "bool": bool, "int64": (int, str), "float64": (int, float), "binary": str}
    assert isinstance(entry["value"], types[entry["type"]]), entry
    if entry["type"] == "int64":
        assert not isinstance(entry["value"], bool)
        assert isinstance(entry["value"], str) == (abs(int(entry["value"])) > 2**53 - 1), "J-20"


@pytest.mark.parametrize("make", awkward_traces.SMALL + awkward_traces.LARGE, ids=lambda make: make.__name__)
def test_an_awkward_trace_is_shown_by_the_rules(server, make):
    """J-11, J-17 to J-24: from memory and from a part; nothing is adjusted, and orphans stay."""
    trace = make()
    server.send("traces", trace.request)
    wanted = jaeger_model.normal(jaeger_model.trace([trace.request], trace.id))
    assert jaeger_model.normal(shown(server, trace.id)) == wanted
    server.flush()
    assert jaeger_model.normal(shown(server, trace.id)) == wanted, "from a part"


@pytest.mark.parametrize("make", awkward_traces.SMALL, ids=lambda make: make.__name__)
def test_an_awkward_trace_is_as_its_golden_file(server, make):
    """The files are made by the model with VARVE_WRITE_GOLDEN=1 where there are none, and were read by eye."""
    source, expected = GOLDEN / f"{make.__name__}.otlp.json", GOLDEN / f"{make.__name__}.jaeger.json"
    if os.environ.get("VARVE_WRITE_GOLDEN"):
        trace = make()
        model = jaeger_model.normal(jaeger_model.trace([trace.request], trace.id))
        for path, document in ((source, to_json(trace.request)), (expected, model)):
            if not path.exists():
                path.write_text(json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    request = from_json("traces", json.loads(source.read_text()))
    server.send("traces", request)
    identifier = request.resource_spans[0].scope_spans[0].spans[0].trace_id
    assert jaeger_model.normal(shown(server, identifier)) == json.loads(expected.read_text())


@pytest.mark.parametrize("make", awkward_traces.SMALL, ids=lambda make: make.__name__)
def test_both_generations_and_uploads_show_the_same_trace(server, make):
    """v3's OTLP is what was sent (J-43); what it says, uploaded, is shown as the stored trace is (J-51)."""
    trace = make()
    server.send("traces", trace.request)
    stored = shown(server, trace.id)
    document = answer(server, trace.id, "/api/v3/traces/")["result"]
    model = jaeger_model.trace([from_json("traces", document)], trace.id)
    assert jaeger_model.normal(model) == jaeger_model.normal(stored)
    uploaded = server.post("/api/transform", json.dumps(document), headers={"Content-Type": "application/json"})
    assert uploaded.status_code == 200, uploaded.text[:300]
    assert uploaded.json()["data"] == [stored]


@pytest.mark.parametrize("make", awkward_traces.SMALL, ids=lambda make: make.__name__)
def test_awkward_names_are_listed_and_found(server, make):
    """J-5, J-6, J-8, J-41, J-44: by service and operation, whatever is in their names."""
    from urllib.parse import quote
    trace = make()
    server.send("traces", trace.request)
    stored = shown(server, trace.id)
    window = {"query.startTimeMin": "2026-11-20T09:00:00Z", "query.startTimeMax": "2026-11-20T11:00:00.000000001Z"}
    around = {"start": (awkward_traces.START - 3600 * 10**9) // 1000, "end": (awkward_traces.START + 3600 * 10**9) // 1000}
    for span in stored["spans"]:
        service, operation = stored["processes"][span["processID"]]["serviceName"], span["operationName"]
        assert service in server.get("/api/services").json()["data"]
        assert service in server.get("/api/v3/services").json()["services"]
        if service not in (".", ".."):
            listed = server.get(f"/api/services/{quote(service, safe='')}/operations").json()["data"]
            assert operation in listed
            if "//" not in service:
                assert server.get(f"/api/services/{quote(service)}/operations").json()["data"] == listed
        search = server.get("/api/traces", {"service": service, "operation": operation, "limit": 1500, **around}).json()["data"]
        assert [stored] == [found for found in search if found["traceID"] == stored["traceID"]]
        summaries = server.get("/api/v3/trace-summaries", {
            "query.serviceName": service, "query.operationName": operation, "query.searchDepth": 1500, **window}).json()["summaries"]
        (summary,) = [found for found in summaries if found["traceId"] == trace.id.hex()]
        assert summary["spanCount"] == len(stored["spans"])
        assert sum(part["spanCount"] for part in summary["services"]) == len(stored["spans"])


class Collector(SpanProcessor):
    def __init__(self):
        self.spans = []

    def on_end(self, span):
        self.spans.append(span)


@pytest.mark.parametrize("seed", range(3))
def test_what_the_SDK_sends_is_shown_by_the_rules(server, seed):
    """J-17 to J-22: a tree of spans from three services, made by OpenTelemetry's SDK at random and sent by its exporter."""
    print("seed", seed)
    chance = random.Random(seed)
    collectors, providers = [], []
    for name in ("web", "shop/api", "books"):
        provider = TracerProvider(resource=Resource({"service.name": name, "service.instance.id": f"{name}-1", "ports": [80, 443]}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(server.otlp + "/v1/traces")))
        collectors.append(Collector())
        provider.add_span_processor(collectors[-1])
        providers.append(provider)

    def value():
        return chance.choice([1, -2**40, 2.5, True, "text", "ünïcode", ("a", "b"), (1, 2), (True, False), (0.5,), b"\x00\xff"])

    def grow(depth, links):
        tracer = chance.choice(providers).get_tracer(f"tracer.{chance.randint(0, 2)}", chance.choice(["", "1.2.3"]))
        with tracer.start_as_current_span(
                chance.choice(["GET /a/b", "SELECT", "publish"]), kind=chance.choice(list(SpanKind)),
                links=chance.sample(links, min(len(links), chance.randint(0, 2)))) as span:
            for number in range(chance.randint(0, 4)):
                span.set_attribute(f"key.{number}", value())
            if chance.random() < 0.4:
                span.add_event("step", {"at": depth, "of": value()})
            if chance.random() < 0.3:
                span.record_exception(ValueError("no such book"))
            span.set_status(chance.choice([Status(StatusCode.UNSET), Status(StatusCode.OK), Status(StatusCode.ERROR, "bad")]))
            links.append(Link(span.get_span_context(), {"why": "before"}))
            for _ in range(chance.randint(0, 3) if depth < 4 else 0):
                grow(depth + 1, links)
            return get_current_span().get_span_context().trace_id

    identifier = grow(0, []).to_bytes(16, "big")
    for provider in providers:
        provider.shutdown()
    requests = [encode_spans(collector.spans) for collector in collectors if collector.spans]
    wanted = jaeger_model.normal(jaeger_model.trace(requests, identifier))

    def check():
        assert jaeger_model.normal(shown(server, identifier)) == wanted

    eventually(check)
    assert time.time() * 10**6 - wanted["spans"][0]["startTime"] < 3600 * 10**6
