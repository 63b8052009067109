"""The OpenTelemetry SDK for Python and its exporters over HTTP and gRPC, as an application uses them."""
import time

import grpc
import pytest
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from varve_process import Varve, eventually

RESOURCE = Resource({
    "service.name": "sdk-shop", "service.namespace": "books", "service.instance.id": "sdk-1", "host.name": "h1",
    "process.pid": 7, "tags": ["a", "b"],
})


class OverHTTP:
    """Exporters to a server."""

    def __init__(self, compression):
        self.compression = compression
        self.name = f"http-{compression.value}"

    def traces(self, server):
        return http_traces.OTLPSpanExporter(server.otlp + "/v1/traces", compression=self.compression)

    def logs(self, server):
        return http_logs.OTLPLogExporter(server.otlp + "/v1/logs", compression=self.compression)

    def metrics(self, server):
        return http_metrics.OTLPMetricExporter(server.otlp + "/v1/metrics", compression=self.compression)


class OverGRPC:
    """As well."""

    def __init__(self, compression):
        self.compression = compression
        self.name = f"grpc-{compression.name}"

    def _options(self, server):
        return {"endpoint": server.grpc, "insecure": True, "compression": self.compression}

    def traces(self, server):
        return grpc_traces.OTLPSpanExporter(**self._options(server))

    def logs(self, server):
        return grpc_logs.OTLPLogExporter(**self._options(server))

    def metrics(self, server):
        return grpc_metrics.OTLPMetricExporter(**self._options(server))


TRANSPORTS = [OverHTTP(compression) for compression in (Compression.NoCompression, Compression.Gzip, Compression.Deflate)] + [
    OverGRPC(compression) for compression in (
        grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate)]


@pytest.fixture(scope="module", params=TRANSPORTS, ids=lambda transport: transport.name)
def shop(request):
    """A server, and an application that has sent to it what it had to say."""
    server = Varve()
    server.start()
    transport = request.param
    sent = {"server": server, "begun": time.time_ns()}

    tracers = TracerProvider(resource=RESOURCE)
    tracers.add_span_processor(BatchSpanProcessor(transport.traces(server)))
    tracer = tracers.get_tracer("sdk.tracer", "1.0", schema_url="https://opentelemetry.io/schemas/1.30.0")
    with tracer.start_as_current_span("other") as other:
        pass
    with tracer.start_as_current_span("GET /books", kind=SpanKind.SERVER, attributes={"http.route": "/books"}) as root:
        sent["root"] = root.get_span_context()
        with tracer.start_as_current_span(
                "SELECT books", kind=SpanKind.CLIENT, links=[Link(other.get_span_context(), {"why": "batch"})]) as child:
            sent["child"] = child.get_span_context()
            child.set_attributes({"rows": 12, "share": 0.25, "cached": False, "ids": [1, 2, 3], "names": ["x", "y"]})
            child.add_event("fetched", {"count": 12})
            try:
                raise ValueError("no such table")
            except ValueError as error:
                child.record_exception(error)
                child.set_status(Status(StatusCode.ERROR, "query failed"))
            context = trace.get_current_span().get_span_context()

        loggers = LoggerProvider(resource=RESOURCE)
        loggers.add_log_record_processor(BatchLogRecordProcessor(transport.logs(server)))
        sent["logged"] = time.time_ns()
        loggers.get_logger("sdk.logger", "2.0").emit(LogRecord(
            timestamp=sent["logged"], observed_timestamp=sent["logged"] + 5, severity_number=SeverityNumber.WARN,
            severity_text="WARNING", body="shelf 7 is empty", attributes={"shelf": 7, "room": "east"},
            trace_id=context.trace_id, span_id=context.span_id, trace_flags=context.trace_flags, event_name="shelf.empty"))
    tracers.shutdown()
    loggers.shutdown()

    reader = PeriodicExportingMetricReader(transport.metrics(server), export_interval_millis=3_600_000)
    meters = MeterProvider(
        resource=RESOURCE, metric_readers=[reader],
        views=[View(instrument_type=Histogram, instrument_name="sizes", aggregation=ExponentialBucketHistogramAggregation())])
    meter = meters.get_meter("sdk.meter", "3.0")
    meter.create_counter("orders", unit="{order}", description="orders placed").add(3, {"country": "de"})
    meter.create_up_down_counter("carts", description="open carts").add(-2, {"country": "de"})
    latency = meter.create_histogram("latency", unit="s", explicit_bucket_boundaries_advisory=[0.1, 1, 10])
    for value in (0.05, 0.5, 0.5, 99):
        latency.record(value, {"route": "/books"})
    sizes = meter.create_histogram("sizes", unit="By")
    for value in (0, 1, 2, 4, 1000):
        sizes.record(value)
    meter.create_gauge("temperature", unit="Cel").set(21.5, {"room": "east"})
    meter.create_observable_gauge("threads", callbacks=[lambda options: [_observation(11)]])
    meters.force_flush()
    meters.shutdown()
    yield sent
    server.close()


def _observation(value):
    from opentelemetry.metrics import Observation
    return Observation(value, {"state": "idle"})


def test_spans_arrive_in_jaeger(shop):
    identifier = format(shop["root"].trace_id, "032x")

    def read():
        answer = shop["server"].get(f"/api/traces/{identifier}")
        assert answer.status_code == 200, answer.text
        return answer.json()["data"][0]

    found = eventually(read)
    spans = {span["operationName"]: span for span in found["spans"]}
    assert set(spans) == {"GET /books", "SELECT books"}
    child = spans["SELECT books"]
    assert child["references"][0] == {
        "refType": "CHILD_OF", "traceID": identifier, "spanID": format(shop["root"].span_id, "016x")}
    assert child["references"][1]["refType"] == "FOLLOWS_FROM"
    tags = {tag["key"]: tag["value"] for tag in child["tags"]}
    assert tags["rows"] == 12
    assert tags["share"] == 0.25
    assert tags["cached"] is False
    assert tags["error"] is True
    assert tags["span.kind"] == "client"
    assert tags["otel.status_description"] == "query failed"
    assert tags["otel.scope.name"] == "sdk.tracer"
    events = [{field["key"]: field["value"] for field in log["fields"]} for log in child["logs"]]
    assert events[0] == {"event": "fetched", "count": 12}
    assert events[1]["exception.type"] == "ValueError"
    assert "no such table" in events[1]["exception.stacktrace"]
    process = found["processes"][child["processID"]]
    assert process["serviceName"] == "sdk-shop"
    assert {"key": "host.name", "type": "string", "value": "h1"} in process["tags"]


def test_log_records_arrive_in_loki(shop):
    def read():
        answer = shop["server"].get("/loki/api/v1/query_range", {
            "query": '{service_name="sdk-shop"} |= `shelf`', "start": str(shop["begun"]), "end": str(time.time_ns() + 10**9)})
        assert answer.status_code == 200, answer.text
        assert answer.json()["data"]["result"], "nothing found"
        return answer.json()["data"]["result"]

    (stream,) = eventually(read)
    assert stream["values"] == [[str(shop["logged"]), "shelf 7 is empty"]]
    labels = stream["stream"]
    assert labels["service_instance_id"] == "sdk-1"
    assert labels["shelf"] == "7"
    assert labels["detected_level"] == "warn"
    assert labels["trace_id"] == format(shop["root"].trace_id, "032x")
    assert labels["event_name"] == "shelf.empty"


@pytest.mark.parametrize("query, value", [
    ('orders_total{country="de",job="books/sdk-shop",instance="sdk-1"}', "3"),
    ('carts{country="de"}', "-2"),
    ('latency_seconds_bucket{le="0.1"}', "1"),
    ('latency_seconds_bucket{le="1"}', "3"),
    ('latency_seconds_bucket{le="+Inf"}', "4"),
    ("latency_seconds_sum", "100.05"),
    ("latency_seconds_count", "4"),
    ('temperature_celsius{room="east"}', "21.5"),
    ('threads{state="idle"}', "11"),
    ("histogram_count(sizes_bytes)", "5"),
    ("histogram_sum(sizes_bytes)", "1007"),
    ("histogram_quantile(1, latency_seconds_bucket)", "10"),
    ('target_info{host_name="h1",process_pid="7"}', "1"),
])
def test_metrics_arrive_in_prometheus(shop, query, value):
    def read():
        answer = shop["server"].get("/api/v1/query", {"query": query})
        assert answer.status_code == 200, answer.text
        assert [entry["value"][1] for entry in answer.json()["data"]["result"]] == [value]

    eventually(read)
