"""Random questions to Prometheus's API: expressions over every function and aggregation, at an instant and over a range."""
from awkward_rows import BASE, END, PODS, ROUTES, SERVICES

COUNTERS = ["app_requests_total", "app_busy_seconds_total", "app_delta_bytes_total", "app_latency_seconds_count", "app_latency_seconds_sum"]
GAUGES = ["app_queue_size", "app_temperature_celsius", "odd_twice", "odd_big", "_0_odd_n_me_meters_per_second", "odd_summary"]
HISTOGRAMS = ["app_size_bytes", "odd_scales"]
BUCKETS = ["app_latency_seconds_bucket", "odd_bounds_bucket"]
METRICS = COUNTERS * 3 + GAUGES[:2] * 5 + GAUGES + HISTOGRAMS * 2 + BUCKETS * 2 + ["target_info", "absent_metric"]
LABELS = ["job", "instance", "code", "route", "room", "le", "quantile", "a_b", "nope"]
VALUES = {
    "job": [f"test/{service}" for service in SERVICES[:3]] + ["odd", "nope"], "instance": [f"{PODS[s][0]}-id" for s in SERVICES[:3]],
    "code": ["200", "500"], "route": ROUTES[:2], "room": ["a", "b"], "le": ["0.5", "+Inf", "2"], "quantile": ["0.5", "0.99"],
    "a_b": ["1;2"], "nope": [""],
}
PATTERNS = [".*", ".+", "", "test/.*", "2..|4..", "a|b", "[^5]+", "/a", ".*0-id", "test/(shop|cart)"]
RANGES = ["5m", "1m", "30s", "15s", "1h", "17m3s", "90s"]
OVER_TIME = ["sum", "avg", "min", "max", "count", "last", "first", "present", "stddev", "stdvar", "mad",
             "ts_of_min", "ts_of_max", "ts_of_last", "ts_of_first", "absent"]
OF_WINDOW = ["rate", "increase", "delta", "irate", "idelta", "deriv", "changes", "resets"] + [f"{name}_over_time" for name in OVER_TIME]
OF_VECTOR = ["abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
             "tanh", "asinh", "acosh", "atanh", "deg", "rad", "timestamp", "absent", "sort", "sort_desc", "day_of_month", "day_of_week", "day_of_year",
             "days_in_month", "hour", "minute", "month", "year", "histogram_count", "histogram_sum", "histogram_avg", "histogram_stddev",
             "histogram_stdvar"]
AGGREGATIONS = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]
NUMBERS = ["2", "0", "1", "0.5", "-1", "1e3", "NaN", "Inf", "0.99", "100"]


def matcher(c):
    label = c.one(LABELS)
    operation = c.one(["=", "!=", "=~", "!~"])
    value = c.one(VALUES[label]) if operation in ("=", "!=") else c.one(PATTERNS)
    return f"{label}{operation}\"{value}\""


def selector(c, names=None):
    matchers = c.some([None] * 1, 2, 20)
    body = ",".join(matcher(c) for _ in matchers)
    how = c.weighted((20, "name"), (1, "regex"), (1, "label"))
    name = c.one(names or METRICS)
    if how == "regex":
        return "{" + ",".join(["__name__=~\"" + c.one(["app_.*_total", "app_(queue_size|busy_seconds_total)", "odd.*"]) + "\""] + ([body] if body else [])) + "}"
    if how == "label":
        return "{__name__!=\"\"," + matcher(c) + "}"
    return f"{name}{{{body}}}" if body else name


def modifiers(c):
    text = ""
    if c.chance(12):
        text += " offset " + c.one(["5m", "15s", "-1m", "1h"])
    if c.chance(8):
        text += " @ " + c.one([str(BASE + 5400), "start()", "end()", str(END), str(BASE - 100)])
    return text


def window(c, depth, names=None):
    if depth > 0 and c.chance(12):
        step = c.one(["1m", "", "30s", "7s"])
        return f"({vector(c, depth - 1)})[{c.one(['5m', '10m', '3m'])}:{step}]{modifiers(c)}"
    return f"{selector(c, names)}[{c.one(RANGES)}]{modifiers(c)}"


def scalar(c, depth):
    how = c.weighted((8, "number"), (1, "time"), (1, "scalar"), (1, "pi"))
    if how == "time":
        return "time()"
    if how == "pi":
        return "pi()"
    if how == "scalar" and depth > 0:
        return f"scalar({vector(c, depth - 1)})"
    return c.one(NUMBERS)


def grouping(c):
    word = c.one(["", "by", "without"])
    if not word:
        return ""
    return f" {word} (" + ", ".join(sorted(set([c.one(LABELS)] + c.some(LABELS, 2)))) + ")"


def aggregation(c, depth):
    how = c.weighted((10, "plain"), (1, "topk"), (1, "bottomk"), (1, "quantile"), (1, "count_values"), (1, "limitk"))
    group = grouping(c)
    inner = vector(c, depth - 1)
    if how == "plain":
        return f"{c.one(AGGREGATIONS)}{group} ({inner})"
    first = {"topk": c.one(["3", "1", "10"]), "bottomk": c.one(["3", "1"]), "quantile": c.one(["0.5", "0.9", "1.5"]),
             "count_values": "\"v\"", "limitk": c.one(["2", "5"])}[how]
    return f"{how}{group} ({first}, {inner})"


def binary(c, depth):
    operator = c.one(["+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<", ">=", "<=", "and", "or", "unless"])
    sets = operator in ("and", "or", "unless")
    words = ""
    if operator in ("==", "!=", ">", "<", ">=", "<=") and c.chance(30):
        words += " bool"
    left, right = vector(c, depth - 1), vector(c, depth - 1)
    if not sets and c.chance(40):
        return f"({left}) {operator}{words} {scalar(c, 0)}" if c.chance(50) else f"{scalar(c, 0)} {operator}{words} ({right})"
    if c.chance(50):
        words += f" {c.one(['on', 'ignoring'])} (" + ", ".join(sorted(set(c.some(LABELS, 3, 60)))) + ")"
        if not sets and c.chance(40):
            words += f" {c.one(['group_left', 'group_right'])} (" + ", ".join(c.some(["version", "code"], 1)) + ")"
    return f"({left}) {operator}{words} ({right})"


def call(c, depth):
    how = c.weighted(
        (12, "window"), (6, "vector"), (3, "quantile"), (1, "clamp"), (1, "round"), (1, "replace"), (1, "join"), (1, "predict"),
        (1, "quantile_over_time"), (1, "smoothing"), (1, "fraction"), (1, "vector of"), (1, "bare time"))
    if how == "window":
        return f"{c.one(OF_WINDOW)}({window(c, depth)})"
    if how == "vector":
        return f"{c.one(OF_VECTOR)}({vector(c, depth - 1)})"
    if how == "quantile":
        inner = c.one([
            lambda: f"sum by (le{c.one(['', ', job', ', route'])}) (rate({selector(c, BUCKETS)}[{c.one(RANGES)}]))",
            lambda: f"rate({selector(c, BUCKETS + HISTOGRAMS)}[{c.one(RANGES)}])",
            lambda: f"sum by (job) (rate({selector(c, HISTOGRAMS)}[{c.one(RANGES)}]))",
            lambda: selector(c, BUCKETS + HISTOGRAMS),
        ])()
        return f"histogram_quantile({c.one(['0.95', '0.5', '0', '1', '-1', 'NaN'])}, {inner})"
    if how == "clamp":
        return c.one([lambda: f"clamp({vector(c, depth - 1)}, {scalar(c, 0)}, {scalar(c, 0)})", lambda: f"clamp_min({vector(c, depth - 1)}, {scalar(c, 0)})",
                      lambda: f"clamp_max({vector(c, depth - 1)}, {scalar(c, 0)})"])()
    if how == "round":
        return f"round({vector(c, depth - 1)}, {c.one(['5', '0.25', '10'])})"
    if how == "replace":
        return f"label_replace({vector(c, depth - 1)}, \"{c.one(['x', 'job', 'code'])}\", \"{c.one(['$1', 'v', ''])}\", \"{c.one(LABELS)}\", \"{c.one(['(.*)', 'test/(.*)', 'x'])}\")"
    if how == "join":
        return f"label_join({vector(c, depth - 1)}, \"x\", \"-\", \"{c.one(LABELS)}\", \"{c.one(LABELS)}\")"
    if how == "predict":
        return f"predict_linear({window(c, depth)}, {c.one(['60', '3600', '-10'])})"
    if how == "quantile_over_time":
        return f"quantile_over_time({c.one(['0.9', '0.5', '0', '2'])}, {window(c, depth)})"
    if how == "smoothing":
        return f"double_exponential_smoothing({window(c, depth)}, 0.5, 0.5)"
    if how == "fraction":
        return f"histogram_fraction({c.one(['0', '-Inf', '0.1'])}, {c.one(['1', '+Inf', '0.5'])}, {selector(c, BUCKETS + HISTOGRAMS)})"
    if how == "bare time":
        return c.one(["hour()", "minute()", "day_of_week()", "vector(time())"])
    return f"vector({scalar(c, depth)})"


def vector(c, depth):
    if depth <= 0:
        return selector(c) + modifiers(c)
    how = c.weighted((5, call), (5, aggregation), (3, binary), (3, None), (1, "minus"))
    if how is None:
        return selector(c) + modifiers(c)
    if how == "minus":
        return f"-({vector(c, depth - 1)})"
    return how(c, depth)


ORDERED = ("sort(", "sort_desc(", "topk", "bottomk")
# Which of equal values they take is nobody's promise.
CHOOSING = ("topk", "bottomk", "limitk", "limit_ratio")


def question(c):
    """(path, parameters, tenant) and notes for the comparison."""
    what = c.weighted((60, "range"), (30, "instant"), (3, "labels"), (3, "values"), (3, "series"), (1, "metadata"))
    times = [BASE + 3600, BASE + 600, END, BASE + 5400, END - 60, END + 200, BASE - 100, BASE + 7201, BASE + 5000, BASE + 9000]
    tenant = c.weighted((9, "default"), (1, "acme"))
    if what in ("labels", "values", "series"):
        parameters = [("start", str(c.one(times))), ("end", str(END + 600))]
        parameters += [("match[]", selector(c)) for _ in range(c.one([1, 2]) if what == "series" or c.chance(60) else 0)]
        path = {"labels": "labels", "series": "series", "values": f"label/{c.one(LABELS + ['__name__'])}/values"}[what]
        return f"/api/v1/{path}", parameters, tenant, {}
    if what == "metadata":
        return "/api/v1/metadata", [], tenant, {}
    query = vector(c, c.one([2, 1, 3, 0]))
    notes = {"choosing": any(word in query for word in CHOOSING)}
    parameters = [("query", query)]
    if what == "instant":
        notes["ordered"] = query.startswith(ORDERED)
        return "/api/v1/query", parameters + [("time", str(c.one(times)) + c.one(["", ".5"]))], tenant, notes
    step = c.one([60, 15, 300, 7, 61, 1000])
    steps = c.one([30, 1, 5, 60])
    start = c.one(times)
    return "/api/v1/query_range", parameters + [
        ("start", str(start)), ("end", str(start + step * steps)), ("step", str(step))], tenant, notes
