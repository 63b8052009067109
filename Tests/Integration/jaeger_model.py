"""A second Jaeger mapping: from OTLP's messages to the JSON of Jaeger's legacy API, written from the rules alone.

It follows docs/RULES.md J-17 to J-24 and shares nothing with the server. `trace` makes what is expected of spans; `normal` brings an
answer and an expectation into one form, in which the order of tags and the numbers of processes mean nothing.
"""
import base64
import json
import math

UNNAMED = "OTLPResourceNoServiceName"
KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
EXACT = 2**53 - 1


def number_text(double):
    """A double in plain digits, as a tag's text or inside a list shows it."""
    if math.isnan(double):
        return "NaN"
    if math.isinf(double):
        return "Infinity" if double > 0 else "-Infinity"
    return double


def plain(value):
    """What an AnyValue inside a list or a map is in JSON."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind == "array_value":
        return [plain(element) for element in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
    if kind == "double_value":
        return number_text(value.double_value)
    return getattr(value, kind)


def tag(key, value):
    """J-20: five types; what has no type of its own is a text."""
    kind = value.WhichOneof("value")
    if kind == "bool_value":
        return {"key": key, "type": "bool", "value": value.bool_value}
    if kind == "int_value":
        number = value.int_value
        return {"key": key, "type": "int64", "value": number if abs(number) <= EXACT else str(number)}
    if kind == "double_value":
        if math.isfinite(value.double_value):
            return {"key": key, "type": "float64", "value": value.double_value}
        return {"key": key, "type": "string", "value": number_text(value.double_value)}
    if kind == "bytes_value":
        return {"key": key, "type": "binary", "value": base64.b64encode(value.bytes_value).decode()}
    if kind in ("array_value", "kvlist_value"):
        return {"key": key, "type": "string", "value": ("json", plain(value))}
    return text_tag(key, value.string_value if kind else "")


def text_tag(key, text):
    return {"key": key, "type": "string", "value": text}


def unique(pairs):
    """Of equal keys the last one counts (O-24)."""
    return {pair.key: pair.value for pair in pairs}


def trace_id(raw):
    """J-17: 16 digits if the upper half is zero."""
    return raw.hex()[16:] if raw[:8] == bytes(8) else raw.hex()


def span_json(span, scope, process):
    tags = []
    if scope.name:
        tags.append(text_tag("otel.scope.name", scope.name))
    if scope.version:
        tags.append(text_tag("otel.scope.version", scope.version))
    tags += [tag(key, value) for key, value in unique(span.attributes).items()]
    if span.kind in KINDS:
        tags.append(text_tag("span.kind", KINDS[span.kind]))
    if span.status.code == 2:
        tags += [text_tag("otel.status_code", "ERROR"), {"key": "error", "type": "bool", "value": True}]
    elif span.status.code == 1:
        tags.append(text_tag("otel.status_code", "OK"))
    if span.status.message:
        tags.append(text_tag("otel.status_description", span.status.message))
    if span.trace_state:
        tags.append(text_tag("w3c.tracestate", span.trace_state))
    result = {
        "traceID": trace_id(span.trace_id), "spanID": span.span_id.hex(), "operationName": span.name,
        "references": references(span), "startTime": span.start_time_unix_nano // 1000,
        "duration": max(0, span.end_time_unix_nano - span.start_time_unix_nano) // 1000, "tags": tags,
        "logs": [log(event) for event in span.events], "process": process, "warnings": None,
    }
    if span.flags & 0xFF:
        result["flags"] = span.flags & 0xFF
    return result


def references(span):
    def kind(link):
        is_child = any(pair.key == "opentracing.ref_type" and pair.value.string_value == "child_of" for pair in link.attributes)
        return "CHILD_OF" if is_child else "FOLLOWS_FROM"

    def reference(kind, trace, identifier):
        return {"refType": kind, "traceID": trace_id(trace), "spanID": identifier.hex()}

    links = [link for link in span.links if any(link.trace_id) and any(link.span_id)]
    found = []
    if any(span.parent_span_id):
        found.append(reference("CHILD_OF", span.trace_id, span.parent_span_id))
        parent = ("CHILD_OF", span.trace_id, span.parent_span_id)
        links = [link for link in links if (kind(link), link.trace_id, link.span_id) != parent]
    return found + [reference(kind(link), link.trace_id, link.span_id) for link in links]


def log(event):
    attributes = unique(event.attributes)
    fields = [tag(key, value) for key, value in attributes.items()]
    if event.name and "event" not in attributes:
        fields.insert(0, text_tag("event", event.name))
    return {"timestamp": event.time_unix_nano // 1000, "fields": fields}


def process(resource):
    attributes = unique(resource.attributes)
    name = attributes.pop("service.name", None)
    service = name.string_value if name is not None and name.WhichOneof("value") == "string_value" else ""
    return {"serviceName": service or UNNAMED, "tags": [tag(key, value) for key, value in attributes.items()]}


def trace(requests, identifier):
    """What `/api/traces/{id}` answers, of the spans of some export requests; processes stand in their spans."""
    spans = [
        (span.start_time_unix_nano, span.span_id, span_json(span, scopes.scope, process(group.resource)))
        for request in requests for group in request.resource_spans for scopes in group.scope_spans
        for span in scopes.spans if span.trace_id == identifier]
    return {"traceID": trace_id(identifier), "spans": [span for _, _, span in sorted(spans, key=lambda s: s[:2])], "warnings": None}


def normal(answer):
    """An answer or an expectation in the form in which they are compared."""
    answer = json.loads(json.dumps(answer, default=str)) if "processes" in answer else answer
    result = {"traceID": answer["traceID"], "warnings": answer["warnings"], "spans": []}
    for span in answer["spans"]:
        span = dict(span)
        if "processes" in answer:
            span["process"] = answer["processes"][span.pop("processID")]
        span["process"] = {**span["process"], "tags": tags(span["process"]["tags"])}
        span["tags"] = tags(span["tags"])
        span["logs"] = [{**entry, "fields": tags(entry["fields"])} for entry in span["logs"]]
        result["spans"].append(span)
    result["spans"].sort(key=lambda span: (span["startTime"], span["spanID"], span["duration"]))
    return result


def tags(found):
    """Tags in an order of their own; the text of a list or a map as what it says."""
    def value(entry):
        if isinstance(entry["value"], (tuple, list)) and entry["value"][0] == "json":
            return {**entry, "value": entry["value"][1]}
        if entry["type"] == "string" and entry["value"][:1] in ("[", "{"):
            try:
                return {**entry, "value": json.loads(entry["value"])}
            except ValueError:
                return entry
        return entry

    return sorted((value(entry) for entry in found), key=lambda entry: (entry["key"], entry["type"], json.dumps(entry["value"])))
