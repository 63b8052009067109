"""Random questions to the plain read API: records as they were sent, statistics of spans, dependencies of services."""
import json

from awkward_rows import BASE, END, NS, OPERATIONS, SERVICES
from logql_queries import TEXTS

from trace_queries import DURATIONS, KINDS, tags


def bounds(c):
    start = c.one([BASE, BASE + 3600, BASE + 5000, BASE + 7200, BASE - 600])
    end = start + c.one([3 * 3600, 3600, 600, 7200, 60])
    return [("start", str(start * NS + c.one([0, 0, 1, 123456789]))), ("end", str(end * NS + c.one([0, 0, 1])))]


def statistics(c):
    parameters = [("service", service) for service in c.some(SERVICES + ["odd"], 2)] + bounds(c)
    if c.chance(60):
        parameters.append(("step", c.one(["1h", "10m", "1m", "7m", "2h"])))
    if c.chance(50):
        parameters.append(("group", c.one(["operation", "kind", "operation,kind"])))
    if c.chance(30):
        parameters.append(("operation", c.one([name for name in OPERATIONS if name])))
    parameters += [("kind", kind) for kind in c.some(KINDS, 2, 25)]
    if c.chance(40):
        parameters.append(("source", c.one(["auto", "raw", "rollup"])))
    if c.chance(40):
        parameters.append(("durations", "false"))
    return "/varve/api/v1/services/stats", parameters


def dependencies(c):
    parameters = bounds(c) + [("service", service) for service in c.some(SERVICES, 1)]
    if c.chance(40):
        parameters.append(("source", c.one(["auto", "raw", "rollup"])))
    return "/varve/api/v1/services/dependencies", parameters


def traces(c):
    parameters = bounds(c) + [("limit", c.one(["20", "1", "5", "200"]))]
    for percent, name, values in ((60, "service", SERVICES + ["odd"]), (30, "operation", [name for name in OPERATIONS if name]), (20, "kind", KINDS),
                                  (20, "status", ["error", "ok", "unset"]), (30, "minDuration", DURATIONS), (15, "maxDuration", DURATIONS)):
        if c.chance(percent):
            parameters.append((name, c.one(values)))
    chosen = tags(c)
    if chosen:
        parameters.append(("tags", json.dumps(chosen)))
    return "/varve/api/v1/traces", parameters


def logs(c):
    parameters = bounds(c) + [("limit", c.one(["50", "1", "1000", "7"]))]
    for percent, name, values in ((60, "service", SERVICES + ["odd"]), (30, "severity", ["ERROR", "WARN", "5", "TRACE3"]), (40, "contains", [text for text in TEXTS if text])):
        if c.chance(percent):
            parameters.append((name, c.one(values)))
    return "/varve/api/v1/logs", parameters


def metrics(c):
    parameters = bounds(c) + [("limit", c.one(["50", "1", "1000"]))]
    if c.chance(80):
        parameters.append(("name", c.one(["app.requests", "app.latency", "app.size", "odd.twice", "odd.summary", "0 odd-näme", "nope"])))
    if c.chance(50):
        parameters.append(("service", c.one(SERVICES)))
    return "/varve/api/v1/metrics", parameters


def question(c):
    make = c.weighted((8, statistics), (5, traces), (5, logs), (3, metrics), (2, dependencies))
    tenant = c.weighted((9, "default"), (1, "acme"))
    return make(c) + (tenant, {})
