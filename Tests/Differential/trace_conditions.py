"""Random conditions on spans, in TraceQL (`q`) and as Jaeger's structured filter (`query.filter`)."""
from awkward_rows import BASE, NS, OPERATIONS, SERVICES, WORDS

from trace_queries import DURATIONS, KINDS, TAGS

NUMBERS = ["0", "2", "200", "404.5", "500", "7.875", "-1", "9223372036854775807", "9007199254740993"]
PATTERNS = ["", ".*", "s.*", "[0-9]+", "GET .*", "shop|cart", "(?i)ERROR"]
ORDERS = ["=", "!=", "<", "<=", ">", ">="]


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def text_test(c, field, texts):
    if c.chance(25):
        return f"{field} {c.one(['=~', '!~'])} {quoted(c.one(PATTERNS))}"
    return f"{field} {c.one(ORDERS)} {quoted(c.one(texts))}"


def attribute(c):
    key, values = c.one([(key, values) for key, values in TAGS if key and key.replace(".", "").replace("_", "").isalnum()])
    field = c.one(["span", "", "resource", "event", "link", "instrumentation"]) + "." + key
    kind = c.below(5)
    if kind == 0:
        return f"{field} {c.one(['=', '!='])} nil"
    if kind == 1:
        return f"{field} {c.one(ORDERS)} {c.one(NUMBERS)}"
    if kind == 2:
        return f"{field} {c.one(['=', '!='])} {c.one(['true', 'false'])}"
    return text_test(c, field, values + ["x"])


def test(c):
    kind = c.below(10)
    if kind < 5:
        return attribute(c)
    if kind == 5:
        return f"duration {c.one(ORDERS)} {c.one([duration for duration in DURATIONS])}"
    if kind == 6:
        return f"kind {c.one(['=', '!='])} {c.one(KINDS)}"
    if kind == 7:
        return f"status {c.one(['=', '!='])} {c.one(['error', 'ok', 'unset'])}"
    field, texts = c.one([("name", [name for name in OPERATIONS if name]), ("resource.service.name", SERVICES + ["odd"]), ("statusMessage", WORDS),
                          ("event:name", ["exception", "log"]), ("instrumentation:name", ["scope of shop", "x"]), ("instrumentation:version", ["1.0"])])
    return text_test(c, field, texts)


def tests(c, depth=0):
    if depth > 1 or c.chance(40):
        return test(c)
    if c.chance(15):
        return f"!({tests(c, depth + 1)})"
    return "(" + c.one([" && ", " || "]).join(tests(c, depth + 1) for _ in range(1 + c.below(3))) + ")"


def spans(c):
    return "{ " + (tests(c) if c.chance(95) else "") + " }"


def question(c):
    start = c.one([BASE, BASE + 3600, BASE + 5000, BASE - 600])
    end = start + c.one([3 * 3600, 3600, 600])
    text = c.one([" && ", " || "]).join(spans(c) for _ in range(c.weighted((6, 1), (3, 2), (1, 3))))
    parameters = [("start", str(start * NS)), ("end", str(end * NS)), ("limit", c.one(["20", "1", "5", "200"])), ("q", text)]
    if c.chance(20):
        parameters.append(("order", "duration"))
    if c.chance(20):
        parameters.append(("service", c.one(SERVICES + ["odd"])))
    return "/varve/api/v1/traces", parameters, c.weighted((9, "default"), (1, "acme")), {}
