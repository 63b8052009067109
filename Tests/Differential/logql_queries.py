"""Random questions to Loki's API: pipelines of all stages, metric queries over them, labels and volumes."""
from awkward_rows import BASE, END, NS, PODS, ROUTES, SERVICES, WORDS

STREAM_LABELS = ["service_name", "k8s_pod_name", "k8s_namespace_name", "service_namespace", "deployment_environment"]
STREAM_VALUES = {
    "service_name": SERVICES + ["odd", "nope"], "k8s_pod_name": [PODS[s][0] for s in SERVICES], "k8s_namespace_name": ["prod", "dev"],
    "service_namespace": ["test"], "deployment_environment": ["test", ""],
}
METADATA = ["severity_text", "detected_level", "thread", "user_id", "n", "took", "trace_id", "severity_number", "span_id", "scope_name", "level",
            "host_cpus", "nope"]
VALUES = ["ERROR", "error", "info", "t1", "u7", "17", "", "WARN", "5", "logger", "200", "500", "warn", "10.0.0.1"]
VALUES_OF = {
    "severity_text": ["ERROR", "WARN", "INFO", ""], "detected_level": ["error", "info", "warn", "unknown"], "thread": ["t0", "t1", ""], "user_id": ["u7", "u1", ""],
    "n": ["17", "3", "not a number"], "took": ["5ms", ""], "severity_number": ["17", "9"], "scope_name": ["logger"], "level": ["info", "error", "warn"], "host_cpus": ["8"],
    "status": ["200", "500", "404"], "msg": ["timeout", "order done"], "req_ip": ["10.0.0.1"], "ip": ["10.0.0.1"], "method": ["GET"], "code": ["1"],
}
TEXTS = WORDS + ["imeou", "zzqx", "took", "", "GET /a", "10.0", "{", "user u1", "\u00fc", "m", "failed for user", "error", "0ms: t"]
EXPRESSIONS = ["timeout|order", "u[0-9]+", "^request", "took [0-9.]+ms", "(?i)TIMEOUT", ".*", "", "error$", "status\":(404|500)", "\\\\d{4}", "x.*y"]
PARSED = ["status", "level", "msg", "took", "size", "req_ip", "ip", "user", "method", "code", "a", "n", "nope"]
RANGES = ["5m", "1m", "1h", "30s", "1000s", "7m"]


def quoted(text):
    return "`" + text + "`" if "\\" not in text else "\"" + text + "\""


def selector(c):
    def one(operations):
        label = c.one(STREAM_LABELS)
        operation = c.one(operations)
        if operation in ("=~", "!~"):
            value = c.one([".+", "shop|cart", ".*0", "test", "p.*", "[a-z]+-1"])
        else:
            value = c.one(STREAM_VALUES[label])
        return f"{label}{operation}\"{value}\""

    first = c.weighted((6, "service_name=~\".+\""), (4, None)) or one(["=", "=~"])
    return "{" + ", ".join([first] + [one(["=", "!=", "=~", "!~"]) for _ in c.some([0], 2, 25)]) + "}"


def line_filter(c):
    operation = c.one(["|=", "!=", "|~", "!~", "|>", "!>"])
    if operation in ("|=", "!="):
        text = "|= ip(\"" + c.one(["10.0.0.0/16", "10.0.0.1", "192.168.0.0-192.168.9.9"]) + "\")" if c.chance(6) else None
        if text:
            return text
        return f"{operation} " + " or ".join(quoted(c.one(TEXTS)) for _ in range(1 + len(c.some([0], 2, 20))))
    if operation in ("|~", "!~"):
        return f"{operation} {quoted(c.one(EXPRESSIONS))}"
    return f"{operation} {quoted(c.one(['<_>took<_>', 'request from <_> took <_>', '<_>timeout', 'level=<_>', '<_>']))}"


def condition(c, depth=1):
    if depth and c.chance(25):
        return f"({condition(c, 0)} {c.one(['and', 'or'])} {condition(c, 0)})"
    label = c.one(METADATA + PARSED)
    return c.weighted(
        (4, lambda: f"{label}{c.one(['=', '!=', '='])}\"{c.one(VALUES_OF.get(label, VALUES))}\""),
        (2, lambda: f"{label}{c.one(['=~', '!~'])}\"{c.one(['.+', '', 'e.*', '[0-9]+', 'u1.?', 'ERROR|error', '(?i)error'])}\""),
        (2, lambda: f"{label} {c.one(['>', '>=', '<', '<=', '==', '!='])} {c.one(['5', '400', '17', '-1', '2.5'])}"),
        (1, lambda: f"{label} {c.one(['>', '<='])} {c.one(['20ms', '1s'])}"),
        (1, lambda: f"{label} {c.one(['>', '<='])} {c.one(['4KB', '1MB'])}"),
        (1, lambda: f"{label} = ip(\"10.0.0.0/16\")"))()


def parser(c):
    return c.weighted(
        (4, lambda: "json"), (3, lambda: "logfmt"),
        (1, lambda: "json " + ", ".join([c.one(["status", "ip=\"req.ip\"", "t=\"req.tags[1]\"", "nope=\"a.b\"", "msg"])] + c.some(["took", "level"], 1))),
        (1, lambda: "logfmt " + c.one(["status", "--strict", "--keep-empty", "message=\"msg\", status", "--strict took"])),
        (1, lambda: "regexp " + c.one(["`(?P<ip>[0-9.]+) - (?P<user>\\w+)`", "`took (?P<took>[0-9.]+ms)`", "`(?P<status>\\d{3}) (?P<size>\\d+)$`"])),
        (1, lambda: "pattern " + c.one(["`<ip> - <user> [<_>] \"<method> <path> <_>\" <status> <size>`", "`request from <ip> took <took>: <msg>`"])),
        (1, lambda: "unpack"))()


def stage(c):
    return c.weighted(
        (6, lambda: line_filter(c)), (6, lambda: "| " + condition(c)), (4, lambda: "| " + parser(c)),
        (1, lambda: "| line_format `" + c.one(["{{.service_name}} {{.status}}", "{{__line__ | ToUpper}}", "{{.nope}}|{{.took}}", "const", "{{.msg | trunc 3}}"]) + "`"),
        (1, lambda: "| label_format " + c.one(["x=service_name", "status=\"{{.status}}!\"", "level=`{{.level | ToUpper}}`", "service_name=\"same\"", "a=b, n=took"])),
        (1, lambda: "| drop " + c.one(["took", "status, level", "k8s_pod_name", "__error__, __error_details__", "level=\"info\"", "user_id=~\"u1.*\""])),
        (1, lambda: "| keep " + c.one(["service_name", "status, service_name", "level=\"error\", service_name", "nope"])),
        (1, lambda: "| decolorize"), (1, lambda: "| __error__=\"\""))()


def pipeline(c, most=4):
    return " ".join([selector(c)] + [stage(c) for _ in c.some([0], most, 60)])


def grouping(c):
    word = c.one(["", "by", "without"])
    if not word:
        return ""
    return f" {word} (" + ", ".join(sorted(set([c.one(["service_name", "k8s_pod_name", "detected_level", "status", "level", "severity_text", "nope"])]
                                             + c.some(STREAM_LABELS + PARSED, 2)))) + ")"


def range_aggregation(c):
    offset = c.weighted((8, ""), (1, " offset 5m"), (1, " offset -30s"))
    how = c.weighted((12, "count"), (5, "unwrap"), (1, "absent"))
    if how == "unwrap":
        name = c.one(["n", "status", "took", "size", "host_cpus"])
        unwrap = c.one([name, f"duration({name})", f"bytes({name})", f"duration_seconds({name})"])
        after = c.one([" | __error__=\"\"", ""])
        function = c.one(["sum", "avg", "min", "max", "first", "last", "stddev", "stdvar"])
        inner = f"{pipeline(c, 3)} | unwrap {unwrap}{after} [{c.one(RANGES)}]{offset}"
        return c.weighted(
            (5, lambda: f"{function}_over_time({inner})" + (grouping(c) if function not in ("sum",) else "")),
            (1, lambda: f"quantile_over_time({c.one(['0.5', '0.99'])}, {inner})" + grouping(c)),
            (1, lambda: f"rate({inner})"), (1, lambda: f"rate_counter({inner})"))()
    function = "absent_over_time" if how == "absent" else c.one(["count_over_time", "rate", "bytes_over_time", "bytes_rate"])
    return f"{function}({pipeline(c)} [{c.one(RANGES)}]{offset})"


def metric(c, depth):
    if depth <= 0:
        return range_aggregation(c)
    how = c.weighted((8, "sum"), (2, "range"), (1, "topk"), (1, "binary"), (1, "scalar"), (1, "sort"), (1, "replace"))
    inner = metric(c, depth - 1)
    if how == "sum":
        return f"{c.one(['sum', 'count', 'max', 'min', 'avg', 'stddev', 'stdvar'])}{grouping(c)} ({inner})"
    if how == "topk":
        return f"{c.one(['topk', 'bottomk'])}({c.one(['3', '1'])}, {inner})"
    if how == "binary":
        words = c.one(["", " on (service_name)", " ignoring (nope)"])
        return f"({inner}) {c.one(['+', '-', '*', '/', '%', '>', '==', 'and', 'or', 'unless'])}{words} ({metric(c, depth - 1)})"
    if how == "scalar":
        return f"({inner}) {c.one(['>', '*', '/', '> bool', '+'])} {c.one(['2', '0', '0.5'])}"
    if how == "sort":
        return f"{c.one(['sort', 'sort_desc'])}({inner})"
    if how == "replace":
        return f"label_replace({inner}, \"x\", \"$1\", \"service_name\", \"(.*)\")"
    return inner


def question(c):
    what = c.weighted((45, "lines"), (35, "metric range"), (8, "metric instant"), (10, "other"))
    tenant = c.weighted((9, "default"), (1, "acme"))
    starts = [BASE, BASE + 3600, BASE + 5000, END - 300, BASE - 600]
    start = c.one(starts)
    end = start + c.one([3600, 600, HOUR3, 60, 7])
    bounds = [("start", str(start * NS)), ("end", str(end * NS))]
    if what == "lines":
        limit = c.one(["100", "10", "1", "1000"])
        parameters = [("query", pipeline(c, 5))] + bounds + [("limit", limit), ("direction", c.one(["backward", "forward"]))]
        if c.chance(8):
            parameters.append(("interval", c.one(["10s", "1m"])))
        return "/loki/api/v1/query_range", parameters, tenant, {"limit": int(limit), "backward": parameters[4][1] == "backward"}
    if what == "other":
        return other(c, bounds, tenant)
    query = metric(c, c.one([1, 0, 2]))
    notes = {"choosing": "topk" in query or "bottomk" in query}
    if what == "metric instant":
        notes["ordered"] = query.startswith("sort")
        return "/loki/api/v1/query", [("query", query), ("time", str(end * NS))], tenant, notes
    step = max((end - start) // c.one([10, 1, 40, 7]), 1)
    return "/loki/api/v1/query_range", [("query", query)] + bounds + [("step", f"{step}s")], tenant, notes


HOUR3 = 3 * 3600


def other(c, bounds, tenant):
    query = [("query", selector(c))]
    return c.one([
        lambda: ("/loki/api/v1/labels", bounds, tenant, {}),
        lambda: (f"/loki/api/v1/label/{c.one(STREAM_LABELS + METADATA[:4])}/values", bounds + (query if c.chance(30) else []), tenant, {}),
        lambda: ("/loki/api/v1/series", bounds + [("match[]", selector(c))], tenant, {}),
        lambda: ("/loki/api/v1/index/stats", bounds + query, tenant, {}),
        lambda: ("/loki/api/v1/index/volume", bounds + query + [("targetLabels", c.one(STREAM_LABELS))], tenant, {"choosing": True}),
        lambda: ("/loki/api/v1/index/volume_range", bounds + query + [("step", "600")], tenant, {"choosing": True}),
        lambda: ("/loki/api/v1/detected_labels", bounds + query, tenant, {}),
        lambda: ("/loki/api/v1/detected_fields", bounds + query, tenant, {}),
        lambda: ("/loki/api/v1/patterns", bounds + query, tenant, {}),
    ])()
