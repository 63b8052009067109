"""Export requests in all their fields, and their two encodings."""
import base64
import copy
import json

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

REQUESTS = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
# JSON names of `bytes` fields that OTLP/JSON writes in hexadecimal (rule O-20).
IDS = {"traceId", "spanId", "parentSpanId"}


def any_value(value):
    """An AnyValue of a Python value; a dict is a map, None is the empty value."""
    result = AnyValue()
    if value is None:
        return result
    if isinstance(value, bool):
        result.bool_value = value
    elif isinstance(value, int):
        result.int_value = value
    elif isinstance(value, float):
        result.double_value = value
    elif isinstance(value, bytes):
        result.bytes_value = value
    elif isinstance(value, (list, tuple)):
        result.array_value.SetInParent()
        result.array_value.values.extend(any_value(element) for element in value)
    elif isinstance(value, dict):
        result.kvlist_value.SetInParent()
        result.kvlist_value.values.extend(attributes(value))
    else:
        result.string_value = value
    return result


def attributes(values):
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def python_value(value):
    """The Python value of an AnyValue."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [python_value(element) for element in value.array_value.values]
    if kind == "kvlist_value":
        return python_attributes(value.kvlist_value.values)
    return getattr(value, kind)


def python_attributes(pairs):
    found = {pair.key: python_value(pair.value) for pair in pairs}
    assert len(found) == len(pairs), "a key is there twice"
    return found


def trace_request(service, spans, resource=None, scope="test", schema_url=""):
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add(schema_url=schema_url)
    group.resource.attributes.extend(attributes({"service.name": service, **(resource or {})}))
    inner = group.scope_spans.add()
    inner.scope.name = scope
    for span in spans:
        inner.spans.add(**span)
    return request


def log_request(service, records, resource=None, scope="test"):
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.extend(attributes({"service.name": service, **(resource or {})}))
    inner = group.scope_logs.add()
    inner.scope.name = scope
    for record in records:
        inner.log_records.add(**record)
    return request


def gauge_request(service, name, points, resource=None):
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    group.resource.attributes.extend(attributes({"service.name": service, **(resource or {})}))
    metric = group.scope_metrics.add().metrics.add(name=name)
    for point in points:
        metric.gauge.data_points.add(**point)
    return request


def to_json(message):
    """OTLP/JSON: as protobuf's own mapping, but with hexadecimal ids and enums as numbers (rules O-20 to O-22)."""
    plain = json_format.MessageToDict(message, use_integers_for_enums=True)
    return _ids(plain, lambda text: base64.b64decode(text).hex())


def loads(text):
    """A JSON document; `-0` is the double that it says, where Python's own reader would make it the integer 0."""
    return json.loads(text, parse_int=lambda digits: -0.0 if digits == "-0" else int(digits))


def from_json(signal_name, document):
    """The export request of a document in OTLP/JSON."""
    plain = _ids(copy.deepcopy(document), lambda text: base64.b64encode(bytes.fromhex(text)).decode())
    return json_format.ParseDict(plain, REQUESTS[signal_name](), ignore_unknown_fields=False)


def _ids(node, convert):
    if isinstance(node, list):
        return [_ids(element, convert) for element in node]
    if not isinstance(node, dict):
        return node
    # Attribute maps are lists of key and value, so that these names are field names wherever they occur.
    return {
        key: convert(value) if key in IDS and isinstance(value, str) else _ids(value, convert)
        for key, value in node.items()
    }


def sorted_attributes(message):
    """A copy whose attributes are in key order, at every level: their order carries no meaning. Nor does an empty status."""
    result = copy.deepcopy(message)
    if "status" in result.DESCRIPTOR.fields_by_name and not result.status.ByteSize():
        result.ClearField("status")
    _sort(result)
    return result


def _sort(message):
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        repeated = not hasattr(value, "ListFields")
        for element in value if repeated else [value]:
            _sort(element)
        if repeated and field.message_type.name == "KeyValue":
            value.sort(key=lambda pair: pair.key)
