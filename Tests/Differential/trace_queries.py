"""Random questions about spans: Jaeger's searches of both generations, traces by id, dependencies and metrics."""
import datetime
import json

from awkward_rows import BASE, END, OPERATIONS, ROUTES, SERVICES, WORDS

TAGS = [
    ("http.response.status_code", ["500", "200", "404"]), ("http.route", ROUTES + ["/linked"]), ("user.id", ["u1", "u7", "u99"]), ("sampled", ["true", "false"]),
    ("ratio", ["0.5", "2", "7.875"]), ("error", ["true", "false"]), ("span.kind", ["server", "client", "made up"]), ("exception.message", WORDS),
    ("k8s.pod.name", ["shop-0", "cart-1"]), ("host.cpus", ["8"]), ("", ["empty key"]), ("x", [""]), ("list", ["[\"a\",1,null,[\"b\"]]"]),
    ("big", [str(2**63 - 1)]), ("nan", ["NaN"]), ("otel.status_code", ["ERROR", "OK"]), ("span.status", ["ok", "error", "unset"]),
    ("service.name", ["shop", "not the resource's"]), ("otel.scope.name", ["scope of shop"]), ("nope", ["x"]), ("event", ["exception"]), ("internal.span.format", ["otlp"]),
]
KINDS = ["server", "client", "internal", "producer", "consumer", "unspecified"]
DURATIONS = ["1ms", "10ms", "1us", "1s", "100ms", "1ns", "0.5s"]


def tags(c):
    chosen = {}
    for _ in c.some([0], 3, 35):
        name, values = c.one(TAGS)
        chosen[name] = c.one(values)
    return chosen


def times(c):
    start = c.one([BASE, BASE + 3600, BASE + 5000, BASE - 600, END - 600])
    return start, start + c.one([3 * 3600, 3600, 600, 60, 0])


def rfc3339(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def legacy(c):
    start, end = times(c)
    parameters = [("service", c.one(SERVICES + ["odd", "nope"])), ("start", str(start * 10**6)), ("end", str(end * 10**6)), ("limit", c.one(["20", "1", "5", "1000"]))]
    if c.chance(30):
        parameters.append(("operation", c.one([name for name in OPERATIONS if name] + ["odd 2"])))
    if c.chance(30):
        parameters.append(("minDuration", c.one(DURATIONS)))
    if c.chance(20):
        parameters.append(("maxDuration", c.one(DURATIONS)))
    if c.chance(20):
        parameters.append(("spanKind", c.one(KINDS)))
    chosen = tags(c)
    if chosen:
        parameters += [("tags", json.dumps(chosen))] if c.chance(60) else [("tag", f"{name}:{value}") for name, value in chosen.items()]
    return "/api/traces", parameters


def version3(c):
    start, end = times(c)
    parameters = [("query.startTimeMin", rfc3339(start)), ("query.startTimeMax", rfc3339(end)), ("query.searchDepth", c.one(["20", "3", "500"]))]
    if c.chance(70):
        parameters.append(("query.serviceName", c.one(SERVICES + ["odd"])))
    if c.chance(30):
        parameters.append(("query.operationName", c.one([name for name in OPERATIONS if name])))
    if c.chance(30):
        parameters.append(("query.durationMin", c.one(DURATIONS)))
    if c.chance(20):
        parameters.append(("query.durationMax", c.one(DURATIONS)))
    chosen = tags(c)
    if chosen:
        parameters.append(("query.attributes", json.dumps(chosen)))
    return c.one(["/api/v3/traces", "/api/v3/trace-summaries"]), parameters


def monitor(c):
    _, end = times(c)
    parameters = [("service", service) for service in [c.one(SERVICES)] + c.some(SERVICES + ["odd"], 2)]
    parameters += [("endTs", str(end * 1000 + c.one([0, 0, 137]))), ("lookback", c.one(["3600000", "10800000", "600000", "1"])), ("step", c.one(["600000", "60000", "3600000", "7000"]))]
    parameters += [("ratePer", c.one(["600000", "3600000", "60000"]))] + [("spanKind", kind) for kind in c.some(KINDS, 2)]
    if c.chance(40):
        parameters.append(("groupByOperation", "true"))
    what = c.one(["calls", "errors", "latencies"])
    if what == "latencies":
        parameters.append(("quantile", c.one(["0.95", "0.5", "0", "1"])))
    return f"/api/metrics/{what}", parameters


def dependencies(c):
    _, end = times(c)
    return "/api/dependencies", [("endTs", str(end * 1000)), ("lookback", c.one(["10800000", "3600000", "60000", "86400000"]))]


def question(c, trace_ids):
    make = c.weighted((60, legacy), (20, version3), (10, monitor), (5, dependencies), (5, None), (3, "names"))
    tenant = c.weighted((9, "default"), (1, "acme"))
    if make is None:
        identity = c.one(trace_ids + ["1234567890abcdef", "0" * 31 + "1"])
        return c.one(["/api/traces/", "/api/v3/traces/"]) + identity, [], tenant, {}
    if make == "names":
        return c.one([lambda: ("/api/services", []), lambda: ("/api/operations", [("service", c.one(SERVICES))]),
                      lambda: ("/api/v3/operations", [("service", c.one(SERVICES))]), lambda: ("/api/v3/services", [])])() + (tenant, {})
    return make(c) + (tenant, {})
