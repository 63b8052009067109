"""One request for each signal that has every field of its data model set, most of which the SDKs cannot send."""
import struct

from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from otlp_messages import REQUESTS, any_value, attributes

VALUES = {
    "a.string": "Grüße, 世界 \U0001f4da",
    "a.string.empty": "",
    "a.bool": True,
    "a.bool.false": False,
    "a.int": 42,
    "a.int.zero": 0,
    "a.int.min": -(2**63),
    "a.int.max": 2**63 - 1,
    "a.double": 2.5,
    "a.double.tiny": 5e-324,
    "a.double.negative.zero": -0.0,
    "a.double.infinite": float("inf"),
    "a.bytes": bytes(range(256)),
    "a.array": ["x", 1, 2.5, False, b"\x00\xff", None, ["deep", ["deeper"]]],
    "a.array.empty": [],
    "a.map": {"k": "v", "n": {"m": {"l": [1, {"last": True}]}}},
    "a.map.empty": {},
    "a.none": None,
    "with space/and \"quotes\"\\": "odd key",
    "\u00fcmlaut": 1,
}
RESOURCE = {
    "service.namespace": "books",
    "service.instance.id": "instance-7",
    "service.version": "1.2.3",
    "k8s.pod.name": "everything-0",
    "deployment.environment.name": "test",
    "host.cpus": 8,
    "host.tags": ["a", "b"],
    "host.labels": {"zone": "z1"},
}
RESOURCE_SCHEMA = "https://opentelemetry.io/schemas/1.27.0"
SCOPE_SCHEMA = "https://opentelemetry.io/schemas/1.26.0"


def _describe(group, scope, service):
    group.resource.attributes.extend(attributes({"service.name": service, **RESOURCE}))
    group.resource.dropped_attributes_count = 3
    group.schema_url = RESOURCE_SCHEMA
    scope.scope.name = "every.scope"
    scope.scope.version = "4.5.6"
    scope.scope.attributes.extend(attributes({"scope.kind": "test", "scope.level": 2}))
    scope.scope.dropped_attributes_count = 4
    scope.schema_url = SCOPE_SCHEMA


def traces(service, trace_id, start):
    """A root and its child: 1 ms after `start`, 5 ms long. Span ids are 0101… and 0202…"""
    request = REQUESTS["traces"]()
    group = request.resource_spans.add()
    scope = group.scope_spans.add()
    _describe(group, scope, service)
    scope.spans.add(
        trace_id=trace_id, span_id=b"\x01" * 8, name="root", kind=trace_pb2.Span.SPAN_KIND_SERVER,
        start_time_unix_nano=start, end_time_unix_nano=start + 20_000_000)
    span = scope.spans.add(
        trace_id=trace_id, span_id=b"\x02" * 8, parent_span_id=b"\x01" * 8, trace_state="vendor=1,other=t61rcWkgMzE",
        name="every field", kind=trace_pb2.Span.SPAN_KIND_CLIENT, start_time_unix_nano=start + 1_000_123,
        end_time_unix_nano=start + 6_001_456, dropped_attributes_count=5, dropped_events_count=6,
        dropped_links_count=7, flags=0x301)
    span.attributes.extend(attributes(VALUES))
    first = span.events.add(time_unix_nano=start + 2_000_000, name="exception", dropped_attributes_count=8)
    first.attributes.extend(attributes({"exception.type": "E", "exception.message": "m", "exception.stacktrace": "a\n\tb"}))
    span.events.add(time_unix_nano=start + 3_000_000, name="").attributes.extend(attributes({"n": 1, "map": {"x": [1]}}))
    link = span.links.add(
        trace_id=b"\xaa" * 16, span_id=b"\xbb" * 8, trace_state="l=1", dropped_attributes_count=9, flags=0x101)
    link.attributes.extend(attributes({"link.reason": "retry", "link.n": 3}))
    span.links.add(trace_id=b"\xcc" * 16, span_id=b"\xdd" * 8)
    span.status.code = trace_pb2.Status.STATUS_CODE_ERROR
    span.status.message = "it broke"
    return request


BODIES = [
    "a plain line", "", 42, -1.5, True, b"\x00\x01\xfe", ["a", 1, {"b": None}],
    {"message": "a structured body", "count": 3, "nested": {"list": [1, 2]}}, None,
]


def logs(service, trace_id, start):
    """One record for each kind of body, a millisecond apart, then one without time and one without observed time."""
    request = REQUESTS["logs"]()
    group = request.resource_logs.add()
    scope = group.scope_logs.add()
    _describe(group, scope, service)
    for index, body in enumerate(BODIES):
        record = scope.log_records.add(
            time_unix_nano=start + index * 1_000_000, observed_time_unix_nano=start + index * 1_000_000 + 777,
            severity_number=logs_pb2.SEVERITY_NUMBER_TRACE + 3 * index % 24, severity_text=f"S{index}",
            dropped_attributes_count=index, flags=1, trace_id=trace_id, span_id=b"\x02" * 8,
            event_name=f"event.{index}")
        if body is not None:
            record.body.CopyFrom(any_value(body))
        record.attributes.extend(attributes(VALUES if index == 0 else {"index": index}))
    scope.log_records.add(observed_time_unix_nano=start + 20_000_000).body.string_value = "observed only"
    scope.log_records.add(time_unix_nano=start + 21_000_000).body.string_value = "time only"
    return request


NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000000))[0]


def metrics(service, trace_id, start):
    """Every kind of metric, with every field of its points."""
    request = REQUESTS["metrics"]()
    group = request.resource_metrics.add()
    scope = group.scope_metrics.add()
    _describe(group, scope, service)
    born = start - 60_000_000_000
    common = {"start_time_unix_nano": born, "time_unix_nano": start}
    labels = attributes({"route": "/a", "code": 200})

    def exemplar(point, **value):
        entry = point.exemplars.add(time_unix_nano=start - 5_000_000, span_id=b"\x02" * 8, trace_id=trace_id, **value)
        entry.filtered_attributes.extend(attributes({"user": "u1", "n": 2}))

    gauge = scope.metrics.add(name="every.gauge", description="a gauge", unit="Cel")
    gauge.metadata.extend(attributes({"source": "probe"}))
    for point, value in (("int", {"as_int": -(2**63)}), ("double", {"as_double": -0.0}), ("inf", {"as_double": float("-inf")})):
        entry = gauge.gauge.data_points.add(**common, **value, flags=0)
        entry.attributes.extend(attributes({"point": point}))
    absent = gauge.gauge.data_points.add(**common, flags=1)
    absent.attributes.extend(attributes({"point": "absent"}))

    for name, monotonic, temporality, value in (
            ("every.counter", True, metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE, {"as_int": 2**53 + 1}),
            ("every.updown", False, metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE, {"as_double": -7.25}),
            ("every.delta", True, metrics_pb2.AGGREGATION_TEMPORALITY_DELTA, {"as_int": 5})):
        metric = scope.metrics.add(name=name, description=f"about {name}", unit="{item}")
        metric.sum.is_monotonic = monotonic
        metric.sum.aggregation_temporality = temporality
        point = metric.sum.data_points.add(**common, **value)
        point.attributes.extend(labels)
        exemplar(point, as_int=3)

    metric = scope.metrics.add(name="every.histogram", description="a histogram", unit="s")
    metric.histogram.aggregation_temporality = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
    point = metric.histogram.data_points.add(
        **common, count=10, sum=12.5, bucket_counts=[1, 2, 3, 4], explicit_bounds=[0.1, 1.0, 10.0], min=0.05, max=99.0)
    point.attributes.extend(labels)
    exemplar(point, as_double=0.75)
    # No sum, no extremes, no buckets.
    metric.histogram.data_points.add(**common, count=4).attributes.extend(attributes({"route": "/bare"}))

    metric = scope.metrics.add(name="every.exponential", description="an exponential histogram", unit="By")
    metric.exponential_histogram.aggregation_temporality = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
    point = metric.exponential_histogram.data_points.add(
        **common, count=16, sum=-3.5, scale=2, zero_count=1, zero_threshold=0.001, min=-8.0, max=16.0)
    point.positive.offset = -2
    point.positive.bucket_counts.extend([1, 0, 4, 2])
    point.negative.offset = 3
    point.negative.bucket_counts.extend([3, 5])
    point.attributes.extend(labels)
    exemplar(point, as_double=2.0)

    metric = scope.metrics.add(name="every.summary", description="a summary", unit="ms")
    point = metric.summary.data_points.add(**common, count=20, sum=400.5)
    for quantile, value in ((0.0, 1.0), (0.5, 20.0), (0.99, 39.5), (1.0, NAN)):
        point.quantile_values.add(quantile=quantile, value=value)
    point.attributes.extend(labels)
    return request
