"""The description of the plain read API against a running server: every path, every parameter, the shape of every answer."""
import json
import re
import time

import pytest

from otlp_messages import attributes, gauge_request, log_request, trace_request
from varve_process import ROOT, Varve, eventually

DOCUMENT = json.loads((ROOT / "docs/openapi.json").read_text())
TRACE = bytes.fromhex("5b8aa5a2d2c872e8321cf37308d69df2")
# Values that a parameter's schema alone does not rule out, or that are hard to take.
BAD = {
    "start": ["x", "2023-13-01T00:00:00Z", "1e"], "end": ["x", "2023-11-14 22"], "limit": ["0", "-1", "x", "1.5"],
    "kind": ["x"], "status": ["x", "ERROR!"], "source": ["x"], "tags": ["{", "[]", "{\"a\":1}", "x"], "tag": ["x"],
    "minDuration": ["5", "-1s", "x", "1y"], "maxDuration": ["x", "99999999999999999999s"], "trace_id": ["xyz", "a" * 33],
    "severity": ["LOUD", "25", "-1"], "group": ["service"], "step": ["0", "-1s", "x", "5"], "durations": ["maybe"],
    "id": ["xyz", "a" * 33, "%20"], "scope": ["x", "span,x"], "order": ["slowest"],
    "q": ["x", "{", "{.a}", "{a=1}", "{duration>5}", "{} {}"],
}
ANY = ["service", "operation", "contains", "name", "prefix", "explain", "X-Scope-OrgID"]


def resolved(node):
    while "$ref" in node:
        target = DOCUMENT
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def check(value, schema, place="$"):
    """Fails if a value is not of a schema; an object has no members but those that the schema names."""
    schema = resolved(schema)
    if "oneOf" in schema:
        problems = []
        for choice in schema["oneOf"]:
            try:
                return check(value, choice, place)
            except AssertionError as error:
                problems.append(str(error))
        raise AssertionError("; ".join(problems))
    kind = schema["type"]
    types = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    assert isinstance(value, types[kind]), f"{place}: {value!r} is no {kind}"
    if kind in ("integer", "number"):
        assert not isinstance(value, bool), f"{place}: {value!r} is no {kind}"
        assert value >= schema.get("minimum", value), f"{place}: {value} is too small"
    if kind == "string":
        assert value in schema.get("enum", [value]), f"{place}: {value!r} is none of {schema.get('enum')}"
        assert re.search(schema.get("pattern", ""), value), f"{place}: {value!r} is not {schema.get('pattern')}"
    if kind == "array":
        assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)), f"{place}: {len(value)} items"
        for index, element in enumerate(value):
            check(element, schema["items"], f"{place}[{index}]")
    if kind == "object" and "properties" in schema:
        for name in schema.get("required", []):
            assert name in value, f"{place}: {name} is missing"
        for name, member in value.items():
            if place == "$" and schema is resolved(DOCUMENT_SCHEMA):
                continue
            if name not in schema["properties"] and schema is resolved(DOCUMENT["components"]["schemas"]["Explain"]):
                continue
            assert name in schema["properties"], f"{place}: {name} is not in the description"
            check(member, schema["properties"][name], f"{place}.{name}")


DOCUMENT_SCHEMA = DOCUMENT["paths"]["/api/v1/openapi.json"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]


@pytest.fixture(scope="module")
def server():
    server = Varve()
    server.start()
    now = time.time_ns() - 10**10
    attribute_values = {"text": "x", "flag": True, "whole": 2**53 + 1, "share": 0.5, "odd": float("nan"), "raw": b"\0\xff",
                        "list": [1, "a", [None]], "map": {"k": {"l": 1}}, "none": None, "http.route": "/books"}
    spans = [
        dict(trace_id=TRACE, span_id=b"\0" * 7 + b"\1", name="GET /books", kind=2, start_time_unix_nano=now,
             end_time_unix_nano=now + 10**7, attributes=attributes(attribute_values), trace_state="a=b", flags=257,
             dropped_attributes_count=1, dropped_events_count=2, dropped_links_count=3, status={"code": 2, "message": "no"},
             events=[{"time_unix_nano": now, "name": "e", "attributes": attributes({"a": 1}), "dropped_attributes_count": 1}],
             links=[{"trace_id": TRACE, "span_id": b"\0" * 7 + b"\2", "trace_state": "c=d", "flags": 1,
                     "attributes": attributes({"why": "batch"}), "dropped_attributes_count": 4}]),
    ]
    server.send("traces", trace_request("shop", spans, {"host.name": "h"}, schema_url="https://example.com/1"))
    child = dict(trace_id=TRACE, span_id=b"\0" * 7 + b"\3", parent_span_id=b"\0" * 7 + b"\1", name="select",
                 kind=3, start_time_unix_nano=now + 1, end_time_unix_nano=now + 5)
    server.send("traces", trace_request("back", [child]))
    server.send("logs", log_request("shop", [dict(
        time_unix_nano=now, observed_time_unix_nano=now + 1, severity_number=17, severity_text="ERROR",
        body={"string_value": "shelf 7"}, trace_id=TRACE, span_id=b"\0" * 7 + b"\1", flags=1, event_name="e",
        attributes=attributes(attribute_values))]))
    metrics = gauge_request("shop", "orders", [dict(time_unix_nano=now, as_int=3, start_time_unix_nano=now - 1, exemplars=[
        dict(time_unix_nano=now, as_double=0.5, trace_id=TRACE, span_id=b"\0" * 7 + b"\1", filtered_attributes=attributes({"a": 1}))])])
    group = metrics.resource_metrics[0].scope_metrics[0]
    point = dict(time_unix_nano=now, count=3)
    group.metrics.add(name="s", unit="By", description="d").sum.data_points.add(time_unix_nano=now, as_double=float("inf"))
    group.metrics.add(name="h").histogram.data_points.add(
        **point, sum=1.5, min=0, max=1, bucket_counts=[1, 2], explicit_bounds=[0.5])
    group.metrics.add(name="e").exponential_histogram.data_points.add(
        **point, sum=1, scale=3, zero_count=1, zero_threshold=0.1, positive={"offset": -2, "bucket_counts": [2]})
    group.metrics.add(name="q").summary.data_points.add(**point, sum=2, quantile_values=[dict(quantile=0.5, value=1)])
    server.send("metrics", metrics)

    def stored():
        assert server.get("/api/v1/traces/" + TRACE.hex()).status_code == 200

    eventually(stored)
    yield server
    server.close()


def operations():
    return [(path, item["get"]) for path, item in DOCUMENT["paths"].items()]


def parameters(operation):
    return [resolved(parameter) for parameter in operation["parameters"]]


def ask(server, path, operation, chosen):
    """Asks with the examples, or other values, of some parameters."""
    query, headers = [], {}
    for parameter in parameters(operation):
        name = parameter["name"]
        value = chosen.get(name, parameter["example"] if parameter["in"] == "path" else None)
        if value is None:
            continue
        values = value if isinstance(value, list) else [value]
        values = [str(v).lower() if isinstance(v, bool) else str(v) for v in values]
        if parameter["in"] == "path":
            path = path.replace("{" + name + "}", values[0])
        elif parameter["in"] == "header":
            headers[name] = values[0]
        else:
            query += [(name, v) for v in values]
    return server.session.get(server.http + path, params=query, headers=headers, timeout=30)


def checked(answer, operation):
    response = operation["responses"].get(str(answer.status_code))
    assert response is not None, f"{answer.status_code} is not in the description: {answer.text[:300]}"
    assert answer.headers["Content-Type"].startswith("application/json")
    check(answer.json(), response["content"]["application/json"]["schema"])
    return answer


def test_the_served_document_is_the_one_in_docs(server):
    for prefix in ("", "/varve"):
        assert server.get(prefix + "/api/v1/openapi.json").json() == DOCUMENT


@pytest.mark.parametrize("path, operation", operations(), ids=[path for path, _ in operations()])
def test_every_answer_has_its_shape(server, path, operation):
    """Without parameters, with each alone, and with all at once; something is found, or nothing."""
    assert checked(ask(server, path, operation, {}), operation).status_code == 200
    examples = {p["name"]: p["example"] for p in parameters(operation)}
    for name, example in examples.items():
        chosen = {name: example} if name != "step" else {name: example, "start": examples["start"], "end": examples["end"]}
        assert checked(ask(server, path, operation, chosen), operation).status_code == 200, name
    assert checked(ask(server, path, operation, {**examples, "X-Scope-OrgID": "default"}), operation).status_code == 200
    if "id" not in examples:
        assert checked(ask(server, path, operation, {**examples, "X-Scope-OrgID": "nobody"}), operation).status_code == 200


@pytest.mark.parametrize("path, operation", operations(), ids=[path for path, _ in operations()])
def test_every_bad_parameter_is_400(server, path, operation):
    for parameter in parameters(operation):
        name = parameter["name"]
        assert name in BAD or name in ANY, f"{name} has no bad values here"
        for value in BAD.get(name, []):
            chosen = {name: value} if name != "step" else {name: value, "start": "2023-11-14T22:00:00Z"}
            answer = ask(server, path, operation, chosen)
            assert answer.status_code == 400, f"{path} {name}={value}: {answer.status_code} {answer.text[:200]}"
            checked(answer, operation)
            assert name in answer.json()["error"]["message"] or name in ("id",), answer.text
            # Again with all the others as they ought to be.
        if name in BAD and parameter["in"] == "query" and name not in ("step", "start", "end"):
            chosen = {p["name"]: p["example"] for p in parameters(operation) if p["in"] == "query"}
            assert ask(server, path, operation, {**chosen, name: BAD[name][0]}).status_code == 400


def test_a_bad_tenant_is_400(server):
    for path, operation in operations():
        if parameters(operation):
            answer = ask(server, path, operation, {"X-Scope-OrgID": "../x"})
            assert answer.status_code == 400
            check(answer.json(), {"$ref": "#/components/schemas/Error"})


def test_what_was_sent_is_found_by_every_condition(server):
    def found(**query):
        data = server.get("/api/v1/traces", query).json()
        return sum(len(inner["spans"]) for group in data["resourceSpans"] for inner in group["scopeSpans"])

    hit = {"service": "shop", "operation": "GET /books", "kind": "server", "status": "error", "tag": "http.route:/books",
           "tags": json.dumps({"whole": str(2**53 + 1), "flag": "true", "resource.host.name": "h"}), "minDuration": "10ms",
           "maxDuration": "0.01s", "limit": "1"}
    assert found(**hit) == 2
    for name, value in {"service": "back", "operation": "x", "kind": "client", "status": "ok", "tag": "http.route:/",
                        "minDuration": "11ms", "maxDuration": "9ms"}.items():
        rest = {key: other for key, other in hit.items() if not key.endswith("Duration") or name == key}
        assert found(**{**rest, name: value}) == 0, name
    assert found(trace_id=TRACE.hex()) == 2
    stats = server.get("/api/v1/services/stats", {"group": "operation,kind"}).json()["services"]
    assert [(s["service"], s["operation"], s["kind"], s["calls"], s["errors"], s["durations"]["max"]) for s in stats] == [
        ("back", "select", "client", 1, 0, 4), ("shop", "GET /books", "server", 1, 1, 10**7)]
    assert [(d["parent"], d["child"], d["calls"]) for d in server.get("/api/v1/services/dependencies").json()["dependencies"]] == [
        ("shop", "back", 1)]
