"""Whether two answers say the same.

Numbers are the same within one part in a thousand million, or if they differ by less than that: sums may be added in any order. What an API
leaves open is not compared: the order of a map's keys, of series, and of entries of one time, which of these a limit cuts off, which of equal
values a top list takes; nor is what tells how an answer came about. The order that it promises is.
"""
import collections
import json
import math

TOLERANCE = 1e-9
# How an answer came about, and how long it took.
ABOUT = ("stats", "explain", "tables", "warnings", "infos")


# Labels from just outside of the range may be told (P-21), records of one time may stand in any order.
ABOUT_PARTS = ("/loki/api/v1/label", "/loki/api/v1/series", "/loki/api/v1/detected_", "/loki/api/v1/index/stats", "/varve/api/v1/metrics",
               "/api/v1/label", "/api/v1/series", "/api/v1/metadata")


def depends_on_parts(path, parameters):
    """Whether an answer may differ between servers whose rows are the same, but in other parts."""
    return path.startswith(ABOUT_PARTS) or "interval" in dict(parameters)


def depends_on_time(parameters):
    """Whether an answer is of what summaries have by now, which catch up in the background."""
    return dict(parameters).get("source") == "rollup"


def difference(path, notes, old, new):
    """None, or where two answers (status, body) differ."""
    if old[0] != new[0]:
        return f"status {old[0]} against {new[0]}: {old[1][:300]!r} against {new[1][:300]!r}"
    if old[1] == new[1] or old[0] >= 500:
        return None
    if old[0] != 200:
        return None if error(old[1]) == error(new[1]) else f"error {old[1][:300]!r} against {new[1][:300]!r}"
    return unequal(meaning(path, notes, old[1]), meaning(path, notes, new[1]))


def error(body):
    try:
        return json.loads(body).get("errorType")
    except ValueError:
        return "text"


def is_empty(body):
    """Whether an answer that succeeded says that nothing was found."""
    head = body[:4000].replace(b" ", b"")
    return any(mark in head for mark in (b"\"result\":[]", b"\"data\":[]", b"\"data\":null", b"\"services\":[]", b"\"resourceSpans\":[]",
                                         b"\"resourceLogs\":[]", b"\"resourceMetrics\":[]", b"\"metrics\":[]", b"\"values\":[]")) or len(head) < 3


def meaning(path, notes, body):
    document = json.loads(body)
    if not isinstance(document, dict):
        return document
    document = {key: value for key, value in document.items() if key not in ABOUT}
    data = document.get("data")
    if isinstance(data, dict) and "resultType" in data:
        return {"resultType": data["resultType"], "result": result(data, notes)}
    if path.startswith(("/api/traces", "/api/v3/traces", "/varve/api/v1/")):
        return records(document)
    return document


# ------------------------------------------------------------ series and streams

def result(data, notes):
    kind, found = data["resultType"], data["result"]
    if kind == "streams":
        return streams(found, notes)
    if kind not in ("vector", "matrix"):
        return found
    if notes.get("choosing"):
        values = collections.defaultdict(list)
        for series in found:
            for time, value in points(series):
                values[time].append(value)
        return {str(time): sorted(members, key=sortable) for time, members in values.items()}
    if notes.get("ordered") and kind == "vector":
        # Elements of equal values may stand in any order.
        return [value for series in found for _, value in points(series)] + [by_labels(found)]
    return by_labels(found)


def by_labels(found):
    series = {}
    for one in found:
        name = key(one["metric"])
        if name in series:
            name += " again"
        series[name] = points(one)
    return series


def points(series):
    pairs = series.get("values", []) + ([series["value"]] if "value" in series else [])
    return pairs + series.get("histograms", []) + ([series["histogram"]] if "histogram" in series else [])


def sortable(value):
    if isinstance(value, str):
        number = float(value)
        return (1, 0.0, "") if math.isnan(number) else (0, number, "")
    return 2, 0.0, json.dumps(value, sort_keys=True)


def streams(found, notes):
    entries = [(int(entry[0]), key(one["stream"]), entry[1:]) for one in found for entry in one["values"]]
    cut = None
    if len(entries) == notes.get("limit") and entries:
        times = [time for time, _, _ in entries]
        cut = min(times) if notes["backward"] else max(times)
    series = collections.defaultdict(list)
    for one in found:
        times = [int(entry[0]) for entry in one["values"]]
        if times != sorted(times, reverse=notes["backward"]):
            series["out of order"] = [one["stream"]]
    for time, name, entry in entries:
        if time != cut:
            series[name].append([str(time), *entry])
    return {name: sorted(members, key=lambda entry: json.dumps(entry)) for name, members in series.items()} | {
        "entries": len(entries), "cut at": cut}


def key(labels):
    return json.dumps(labels, sort_keys=True)


# ------------------------------------------------------------ spans and records

def records(document):
    """Resources, processes and scopes beside each record, whose order within one of them is free."""
    if isinstance(document.get("data"), list) and document["data"] and isinstance(document["data"][0], dict) and "spans" in document["data"][0]:
        return [jaeger_trace(trace) for trace in document["data"]] + [document.get("errors")]
    document = document.get("result", document)
    for groups, scopes, members in (("resourceSpans", "scopeSpans", "spans"), ("resourceLogs", "scopeLogs", "logRecords"),
                                    ("resourceMetrics", "scopeMetrics", "metrics")):
        if groups in document:
            flat = []
            for group in document[groups]:
                for scope in group.get(scopes, []):
                    header = [{name: value for name, value in group.items() if name != scopes},
                              {name: value for name, value in scope.items() if name != members}]
                    for record in scope.get(members, []):
                        flat += [json.dumps([header, one], sort_keys=True) for one in data_points(record)]
            return sorted(flat)
    return document


def data_points(record):
    """A metric as one record for each of its points."""
    for kind in ("gauge", "sum", "histogram", "exponentialHistogram", "summary"):
        if isinstance(record.get(kind), dict):
            return [{**record, kind: {**record[kind], "dataPoints": [point]}} for point in record[kind].get("dataPoints", [])]
    return [record]


def jaeger_trace(trace):
    processes = trace.get("processes", {})
    spans = []
    for span in trace["spans"]:
        span = dict(span)
        span["processID"] = processes.get(span.get("processID"))
        spans.append(json.dumps(span, sort_keys=True))
    return {"traceID": trace["traceID"], "spans": sorted(spans), "warnings": trace.get("warnings")}


# ------------------------------------------------------------ values

def unequal(old, new, where=""):
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(set(old) | set(new), key=str):
            if name not in old or name not in new:
                return f"{where}: only the {'old' if name in old else 'new'} answer has {name} = {short(old.get(name, new.get(name)))}"
            found = unequal(old[name], new[name], f"{where}/{name}")
            if found:
                return found
        return None
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            first = next((i for i, (a, b) in enumerate(zip(old, new)) if unequal(a, b)), min(len(old), len(new)))
            return f"{where}: {len(old)} against {len(new)}, from {first}: {short(old[first:first + 2])} against {short(new[first:first + 2])}"
        for position, (a, b) in enumerate(zip(old, new)):
            found = unequal(a, b, f"{where}[{position}]")
            if found:
                return found
        return None
    if old == new or close(number(old), number(new)):
        return None
    return f"{where}: {short(old)} against {short(new)}"


def number(value):
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    try:
        return float(value) if isinstance(value, str) and len(value) < 40 else None
    except ValueError:
        return None


def close(a, b):
    if a is None or b is None:
        return False
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or abs(a - b) <= TOLERANCE * max(abs(a), abs(b), 1)


def short(value):
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) < 400 else text[:400] + "…"
