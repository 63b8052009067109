"""Traces that are hard to show, as OTLP requests. Each has an id of its own; times are fixed, so that answers are, too."""
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp_messages import attributes

# 2026-11-20T10:00:00Z and some odd nanoseconds.
START = 1_795_168_800_000_000_000 + 123_456_789
MILLISECOND = 1_000_000


def identifier(number):
    return bytes.fromhex("5b8aa5a2d2c872e8") + number.to_bytes(8, "big")


def span_id(number):
    return number.to_bytes(8, "big")


class Trace:
    """Spans of one trace, by service."""

    def __init__(self, number, raw=None):
        self.id = raw or identifier(number)
        self.request = ExportTraceServiceRequest()

    def add(self, number, service="shop", parent=0, start=0, duration=MILLISECOND, resource=None, scope=("lib", "1.0"), links=(),
            events=(), values=None, **fields):
        group = self.request.resource_spans.add()
        named = {"service.name": service} if service is not None else {}
        group.resource.attributes.extend(attributes({**named, **(resource or {})}))
        scopes = group.scope_spans.add()
        scopes.scope.name, scopes.scope.version = scope
        span = scopes.spans.add(
            trace_id=self.id, span_id=span_id(number), start_time_unix_nano=START + start,
            end_time_unix_nano=START + start + duration, **{"name": f"span {number}", **fields})
        if parent:
            span.parent_span_id = span_id(parent)
        span.attributes.extend(attributes(values or {}))
        for link in links:
            made = span.links.add(trace_id=link[0], span_id=link[1])
            made.attributes.extend(attributes(link[2] if len(link) > 2 else {}))
        for name, offset, event_values in events:
            span.events.add(name=name, time_unix_nano=START + offset).attributes.extend(attributes(event_values))
        return self


def clock_skew():
    """Children that start before their parents and end after them, on hosts whose clocks differ by minutes."""
    return (Trace(1).add(1, "web", start=0, duration=20 * MILLISECOND, kind=2, resource={"host.name": "a"})
            .add(2, "shop", parent=1, start=-180_000 * MILLISECOND, duration=10 * MILLISECOND, kind=2, resource={"host.name": "b"})
            .add(3, "db", parent=2, start=240_000 * MILLISECOND, duration=MILLISECOND + 999, kind=3, resource={"host.name": "c"}))


def negative_durations():
    return (Trace(2).add(1, duration=-5 * MILLISECOND).add(2, parent=1, start=1, duration=0).add(3, parent=1, start=2, duration=-1)
            .add(4, parent=1, start=3, duration=999).add(5, parent=1, start=4, duration=1_999))


def all_types():
    values = {
        "string": "a\nb\t\"c\"\\", "empty": "", "true": True, "false": False, "zero": 0, "negative": -17, "exact": 2**53 - 1,
        "big": 2**53, "least": -2**63, "greatest": 2**63 - 1, "double": 1.5, "tiny": 1e-9, "huge": 1e300, "whole": 3.0,
        "nan": float("nan"), "inf": float("inf"), "minus inf": float("-inf"), "bytes": b"\x00\x01\xff", "no bytes": b"", "none": None,
        "list": [1, "x", True, 2.5, None], "no list": [], "nested": [[1], {"k": [2]}], "map": {"a": 1, "b": {"c": "d"}}, "no map": {},
        "odd list": [float("inf"), b"\x01"],
    }
    return (Trace(3).add(1, values=values, kind=3, status={"code": 2, "message": "boom"}, trace_state="a=b,c=d", flags=0x301,
                         resource={"zone": 7, "share": 0.25, "flag": True, "list": ["p", 1], "raw": b"\x07"},
                         events=[("exception", 5_000, {"exception.type": "E", "n": 1}), ("named", 6_001, {"event": "own"}), ("", 7_999, {})])
            .add(2, parent=1, kind=0, status={"code": 1}, flags=0x100, scope=("", ""))
            .add(3, parent=1, kind=4, status={"message": "only words"}).add(4, parent=1, kind=5, scope=("", "2")).add(5, parent=1, kind=1)
            .add(6, service=None, parent=1).add(7, service="", parent=1))


def links():
    other, child_of = identifier(99), {"opentracing.ref_type": "child_of"}
    return (Trace(4).add(1, links=[(other, span_id(9)), (identifier(98), span_id(8), child_of)])
            .add(2, parent=1, links=[(identifier(4), span_id(1)), (other, span_id(1))])
            .add(3, parent=1, links=[(identifier(4), span_id(1), child_of), (identifier(4), span_id(2), {"why": "x"})])
            .add(4, links=[(bytes(16), span_id(3)), (other, bytes(8)), (bytes(8) + b"\0" * 7 + b"\5", span_id(5))])
            .add(5, parent=77))


def unicode_names():
    return (Trace(5).add(1, "Bücher/日本語", name="GET /über/🚀", values={"ключ": "знач\u0000ение", "emoji": "👩‍👩‍👧", "\u202e": "\u2028</script>"},
                         scope=("библиотека", "β"), status={"code": 2, "message": "Fehler: ü"})
            .add(2, "e\u0301", parent=1, name="e\u0301 and \u00e9", resource={"région": "Ωmega"}))


def slashes():
    return (Trace(6).add(1, "team/shop/api", name="GET /a/b?c=d&e=%2F#f", kind=2, values={"http.route": "/a/{b}", "a/b": "c/d"})
            .add(2, "..", parent=1, name="../..", kind=3).add(3, "a b+c", parent=1, name="", kind=3))


def short_id():
    """The upper half of the id is zero: an id of 64 bits."""
    return Trace(0, raw=bytes(8) + bytes.fromhex("0123456789abcdef")).add(1).add(2, parent=1, start=10)


def huge_attributes():
    values = {f"key {number:04}": "v" * 100 for number in range(1_000)}
    return Trace(7).add(1, values={**values, "megabyte": "x" * 1_000_000, "list": list(range(10_000))}, events=[
        ("e" * 10_000, number, {"n": number}) for number in range(500)])


def ten_thousand_spans():
    trace = Trace(8)
    for number in range(1, 10_001):
        trace.add(number, f"service {number % 7}", parent=number // 3, start=number * 1_001, kind=number % 6,
                  resource={"instance": number % 3}, values={"n": number})
    return trace


# Small enough for files of their own.
SMALL = [clock_skew, negative_durations, all_types, links, unicode_names, slashes, short_id]
LARGE = [huge_attributes, ten_thousand_spans]
