"""The rows that both servers are asked about: ordinary ones, and one of each kind that has been, or could be, got wrong.

All of them follow from a seed. Times lie in the three hours from BASE on. Values are mostly multiples of 1/8, whose sums are the same in any
order. A text that is not UTF-8 cannot be set in a protobuf message by Python, so INVALID stands for it until the message is bytes.
"""
import json
import random

from otlp_messages import REQUESTS, attributes, any_value

BASE = 1_768_464_000  # 2026-01-15T08:00:00Z
HOURS = 3
END = BASE + HOURS * 3600
NS = 10**9
INVALID = b"INVALID-UTF8"
INVALID_BYTES = b"\xff\xfeAB\xc3(\xe2\x28\xa1CD\x80"
assert len(INVALID) == len(INVALID_BYTES)

SERVICES = ["shop", "cart", "pay/ment", "búsqueda", "mail"]
PODS = {service: [f"{service}-{number}" for number in range(2)] for service in SERVICES}
TENANTS = ["default", "acme"]
OPERATIONS = ["GET /books", "GET /books/{id}", "charge", "SELECT", "", "naïve operation"]
ROUTES = ["/a", "/b/{id}", "/c"]
LEVELS = [("INFO", 9), ("DEBUG", 5), ("WARN", 13), ("ERROR", 17), ("", 0), ("warning", 14), ("FATAL", 21), ("Trace", 1), ("INFO", 17), ("", 18)]
IPS = ["10.0.0.1", "10.0.3.7", "192.168.1.9", "fe80::1"]
WORDS = ["timeout", "order", "user", "retry", "connection", "reset", "payment"]


def resource(service, pod):
    return {
        "service.name": service, "service.namespace": "test", "service.instance.id": f"{pod}-id", "k8s.pod.name": pod,
        "k8s.namespace.name": "prod" if pod.endswith("0") else "dev", "host.cpus": 8, "deployment.environment": "test",
    }


def serialized(message):
    return message.SerializeToString().replace(INVALID, INVALID_BYTES)


class Rows:
    """Requests, in the order in which they are sent: (tenant, signal, bytes), in three thirds."""

    def __init__(self, seed, scale=1.0):
        self.random = random.Random(f"rows {seed}")
        self.scale = scale
        self.trace_ids = []
        requests = []
        for tenant, share in (("default", 1.0), ("acme", 0.15)):
            for make in (self.traces, self.logs, self.metrics):
                requests += [(tenant, *request) for request in make(share)]
        self.requests = requests

    # ------------------------------------------------------------ spans

    def traces(self, share):
        rng = self.random
        batch = []
        for number in range(int(900 * self.scale * share)):
            start = (BASE + rng.randrange(HOURS * 3600)) * NS + rng.randrange(NS)
            trace = bytes([rng.randrange(256) for _ in range(16)]) if number % 50 else b"\0" * 8 + bytes(
                [1 + rng.randrange(255) for _ in range(8)])
            self.trace_ids.append(trace.hex())
            spans = []
            for _ in range(rng.choice([1, 2, 3, 5, 8])):
                service = rng.choice(SERVICES)
                spans.append(self.span(trace, spans, service, start + rng.randrange(10**8)))
            batch += spans
            if len(batch) > 400:
                yield "traces", self.trace_request(batch)
                batch = []
        yield "traces", self.trace_request(batch + self.odd_spans())

    def span(self, trace, before, service, start):
        rng = self.random
        kind = rng.choice([1, 2, 3, 3, 2, 4, 5, 0])
        duration = rng.choice([0, 1, 1000, rng.randrange(10**6), rng.randrange(10**8), rng.randrange(10**10)])
        values = {
            "http.response.status_code": rng.choice([200, 200, 404, 500]), "http.route": rng.choice(ROUTES),
            "user.id": f"u{rng.randrange(40)}", "sampled": rng.random() < 0.5, "ratio": rng.randrange(64) / 8,
        }
        for name in list(values):
            if rng.random() < 0.4:
                del values[name]
        fields = {
            "trace_id": trace, "span_id": bytes([1 + rng.randrange(255) for _ in range(8)]), "name": rng.choice(OPERATIONS),
            "kind": kind, "start_time_unix_nano": start, "end_time_unix_nano": start + duration, "attributes": values,
            "status": rng.choice([0, 0, 0, 1, 2]),
        }
        if before:
            fields["parent_span_id"] = rng.choice(before)[1]["span_id"]
        elif rng.random() < 0.1:
            fields["parent_span_id"] = b"\x07" * 8  # nobody's
        if rng.random() < 0.2:
            fields["events"] = [(start + 5, "exception", {"exception.type": "E", "exception.message": rng.choice(WORDS)})]
        if rng.random() < 0.1:
            fields["links"] = [(b"\x09" * 16, b"\x08" * 8, {"link.kind": "follows", "http.route": "/linked"})]
        return service, fields

    def odd_spans(self):
        start = (BASE + 4000) * NS
        trace = bytes(range(16))
        self.trace_ids.append(trace.hex())

        def odd(number, **fields):
            return "odd", {
                "trace_id": trace, "span_id": bytes([0xA0 + number] * 8), "name": f"odd {number}", "kind": 1,
                "start_time_unix_nano": start + number, "end_time_unix_nano": start + number + 10, "attributes": {}, "status": 0,
                **fields,
            }

        return [
            odd(0, end_time_unix_nano=start - 5_000_000),  # ends before it starts
            odd(1, parent_span_id=bytes([0xA1] * 8)),  # its own parent
            odd(2), odd(2),  # sent twice
            odd(3, attributes={"": "empty key", "error": "false", "span.kind": "made up", "a b\"c": 1, "x": "", "nul": "a\0b"}),
            odd(4, attributes={"list": ["a", 1, None, ["b"]], "map": {"k": {"l": 2}}, "bytes": b"\x00\xff", "none": None}),
            odd(5, attributes={"big": 2**63 - 1, "small": -(2**63), "nan": float("nan"), "inf": float("-inf"), "zero": -0.0}),
            odd(6, name="INVALID-UTF8", attributes={"INVALID-UTF8": "v", "bad": "INVALID-UTF8"}),
            odd(7, attributes={"long": "x" * 9000, "http.status_code": 503, "http.response.status_code": "500"}),
            odd(8, kind=0, start_time_unix_nano=start, end_time_unix_nano=start),
            odd(9, status=2, attributes={"service.name": "not the resource's", "otel.status_code": "OK"}),
            odd(10, end_time_unix_nano=start + 86400 * NS),
            odd(11, end_time_unix_nano=0),
            odd(12, links=[(trace, bytes([0xA2] * 8), {"n": 1}), (b"\x01" * 16, b"\x02" * 8, {})]),
            odd(13, events=[(start, "", {}), (0, "INVALID-UTF8", {"": ""}), (start + 1, "e", {"k": ["v"]})]),
        ]

    def trace_request(self, spans):
        request = REQUESTS["traces"]()
        groups = {}
        for service, fields in spans:
            groups.setdefault(service, []).append(fields)
        for service, members in groups.items():
            group = request.resource_spans.add()
            pod = PODS.get(service, ["odd-0"])[len(members) % 2 if service in PODS else 0]
            group.resource.attributes.extend(attributes(resource(service, pod)))
            scope = group.scope_spans.add()
            scope.scope.name = f"scope of {service}"
            for fields in members:
                fields = dict(fields)
                values, status = fields.pop("attributes"), fields.pop("status")
                events, links = fields.pop("events", []), fields.pop("links", [])
                span = scope.spans.add(**fields)
                span.attributes.extend(attributes(values))
                span.status.code = status
                if status == 2:
                    span.status.message = "it broke"
                for time, name, values in events:
                    span.events.add(time_unix_nano=time, name=name).attributes.extend(attributes(values))
                for trace, identity, values in links:
                    span.links.add(trace_id=trace, span_id=identity).attributes.extend(attributes(values))
        return serialized(request)

    # ------------------------------------------------------------ log records

    def line(self):
        rng = self.random
        ip, word, took = rng.choice(IPS), rng.choice(WORDS), rng.randrange(4000) / 8
        return rng.choice([
            lambda: f"request from {ip} took {took}ms: {word}",
            lambda: f"{word} failed for user u{rng.randrange(40)} after {rng.randrange(9)} retries",
            lambda: json.dumps({"level": rng.choice(["info", "error"]), "msg": word, "status": rng.choice([200, 404, 500]),
                                "took": f"{took}ms", "size": f"{rng.randrange(99)}KB", "req": {"ip": ip, "tags": ["a", word]}}),
            lambda: f"level={rng.choice(['info', 'warn'])} msg=\"{word} done\" status={rng.choice([200, 500])} took={took}ms size={rng.randrange(9)}kb ip={ip} empty= flag",
            lambda: f"{ip} - u{rng.randrange(9)} [15/Jan/2026] \"GET {rng.choice(ROUTES)} HTTP/1.1\" {rng.choice([200, 500])} {rng.randrange(9999)}",
            lambda: f"\x1b[31m{word}\x1b[0m code={rng.randrange(5)}",
        ])()

    def logs(self, share):
        rng = self.random
        batch = []
        times = []
        for number in range(int(6000 * self.scale * share)):
            time = (BASE + rng.randrange(HOURS * 3600)) * NS + rng.choice([0, 0, rng.randrange(1000) * 10**6, rng.randrange(NS)])
            if times and rng.random() < 0.05:
                time = rng.choice(times)  # as another's
            times.append(time)
            text, level = rng.choice(LEVELS)
            values = {"thread": f"t{rng.randrange(3)}", "user.id": f"u{rng.randrange(40)}", "n": rng.randrange(50), "took": f"{rng.randrange(90)}ms"}
            for name in list(values):
                if rng.random() < 0.5:
                    del values[name]
            fields = {"time_unix_nano": time, "observed_time_unix_nano": time + 1000, "severity_text": text, "severity_number": level}
            if rng.random() < 0.3 and self.trace_ids:
                fields["trace_id"] = bytes.fromhex(rng.choice(self.trace_ids))
                fields["span_id"] = b"\x05" * 8
            batch.append((rng.choice(SERVICES), self.line(), values, fields))
            if len(batch) > 500:
                yield "logs", self.log_request(batch)
                batch = []
        yield "logs", self.log_request(batch + self.odd_records())

    def odd_records(self):
        time = (BASE + 5000) * NS
        bodies = [
            "", "   ", "\t\n", "INVALID-UTF8 at 10.0.0.1", 42, -1.5, True, b"\x00\xfe", ["a", 1, {"b": None}], None, {"msg": "map", "n": {"m": 1}},
            "{\"broken\": ", "{\"a\":1,\"a\":2,\"n\":null,\"big\":12345678901234567890}", "a=b=c =d e\"f", "x" * 5000, "grüße 世界 \U0001f4da",
            "{\"_entry\":\"packed line\",\"pod\":\"p9\"}", "level=error level=info", "same line", "same line",
        ]
        records = []
        for number, body in enumerate(bodies):
            fields = {"time_unix_nano": time + number // 2 * 1000, "observed_time_unix_nano": time}
            values = {"service_name": "not the label", "level": "nonsense", "": "empty", "n": "not a number"} if number % 5 == 0 else {}
            records.append(("odd", body, values, fields))
        records.append(("odd", "observed only", {}, {"observed_time_unix_nano": time + 77}))
        return records

    def log_request(self, records):
        request = REQUESTS["logs"]()
        groups = {}
        for service, body, values, fields in records:
            groups.setdefault((service, self.random.randrange(2)), []).append((body, values, fields))
        for (service, number), members in groups.items():
            group = request.resource_logs.add()
            group.resource.attributes.extend(attributes(resource(service, PODS.get(service, ["odd-0", "odd-1"])[number])))
            scope = group.scope_logs.add()
            scope.scope.name = "logger"
            for body, values, fields in members:
                record = scope.log_records.add(**fields)
                if body is not None:
                    record.body.CopyFrom(any_value(body))
                record.attributes.extend(attributes(values))
        return serialized(request)

    # ------------------------------------------------------------ data points

    def metrics(self, share):
        rng = self.random
        counters = {}
        steps = int(HOURS * 240 * max(share, 0.3) * min(self.scale, 1.0))
        pods = [(service, pod) for service in SERVICES[:3] for pod in PODS[service]]
        for step in range(steps):
            time = (END - (steps - step) * 15) * NS + rng.choice([0, 0, 5 * 10**6])
            request = REQUESTS["metrics"]()
            for service, pod in pods:
                if rng.random() < 0.02:
                    continue  # a scrape that failed
                if rng.random() < 0.003:
                    counters = {key: value for key, value in counters.items() if key[0] != pod}  # restarted
                self.scrape(request, service, pod, time, counters)
            if step == steps // 2:
                self.odd_points(request, time)
            yield "metrics", serialized(request)
        # Late: what came before, once more or with other values.
        late = REQUESTS["metrics"]()
        for service, pod in pods[:3]:
            self.scrape(late, service, pod, (END - steps * 7) * NS + 10**9, {})
        yield "metrics", serialized(late)

    def scrape(self, request, service, pod, time, counters):
        rng = self.random
        group = request.resource_metrics.add()
        group.resource.attributes.extend(attributes(resource(service, pod)))
        metrics = group.scope_metrics.add().metrics
        born = {"start_time_unix_nano": BASE * NS, "time_unix_nano": time}

        def counted(name, key, most):
            place = (pod, name, key)
            counters[place] = counters.get(place, 0) + rng.randrange(most)
            return counters[place]

        requests = metrics.add(name="app.requests", unit="{request}", description="requests")
        requests.sum.is_monotonic, requests.sum.aggregation_temporality = True, 2
        for code in ("200", "500"):
            for route in ROUTES[:2]:
                point = requests.sum.data_points.add(as_int=counted("requests", code + route, 20), **born)
                point.attributes.extend(attributes({"code": code, "route": route}))
        busy = metrics.add(name="app.busy", unit="s", description="busy")
        busy.sum.is_monotonic, busy.sum.aggregation_temporality = True, 2
        busy.sum.data_points.add(as_double=counted("busy", "", 100) / 8, **born)
        temperature = metrics.add(name="app.temperature", unit="Cel")
        for room in ("a", "b"):
            point = temperature.gauge.data_points.add(as_double=rng.choice([rng.randrange(-400, 400) / 8] * 30 + [
                float("nan"), float("inf"), float("-inf"), -0.0]), **born)
            point.attributes.extend(attributes({"room": room}))
            if rng.random() < 0.01:
                point.flags = 1  # no recorded value
        metrics.add(name="app.queue.size", unit="{item}").gauge.data_points.add(as_int=rng.randrange(-5, 50), **born)
        delta = metrics.add(name="app.delta", unit="By")
        delta.sum.is_monotonic, delta.sum.aggregation_temporality = True, 1
        delta.sum.data_points.add(as_int=rng.randrange(100), start_time_unix_nano=time - 15 * NS, time_unix_nano=time)
        self.distributions(metrics, born, counted)

    def distributions(self, metrics, born, counted):
        rng = self.random
        latency = metrics.add(name="app.latency", unit="s")
        latency.histogram.aggregation_temporality = 2
        for route in ROUTES[:2]:
            counts = [counted("latency", route + str(bound), 5) for bound in range(4)]
            point = latency.histogram.data_points.add(
                count=sum(counts), sum=sum(counts) / 8, bucket_counts=counts, explicit_bounds=[0.125, 0.5, 2.0], **born)
            point.attributes.extend(attributes({"route": route}))
        size = metrics.add(name="app.size", unit="By")
        size.exponential_histogram.aggregation_temporality = 2
        counts = [counted("size", str(bucket), 4) for bucket in range(5)]
        point = size.exponential_histogram.data_points.add(
            count=sum(counts) + 1, sum=float(sum(counts)), scale=2, zero_count=1, zero_threshold=0.001, **born)
        point.positive.offset = -1
        point.positive.bucket_counts.extend(counts[:4])
        point.negative.bucket_counts.extend(counts[4:])

    def odd_points(self, request, time):
        group = request.resource_metrics.add()
        group.resource.attributes.extend(attributes({"service.name": "odd", "odd": "INVALID-UTF8"}))
        metrics = group.scope_metrics.add().metrics
        at = {"time_unix_nano": time}
        twice = metrics.add(name="odd.twice")
        for value in (1.5, 2.5, 2.5):
            twice.gauge.data_points.add(as_double=value, **at)
        for shift in (0, 15, 30):
            metrics.add(name="odd.big").gauge.data_points.add(as_int=2**53 + 1 + shift, time_unix_nano=time + shift * NS)
        named = metrics.add(name="0 odd-näme", unit="m/s")
        named.gauge.data_points.add(as_int=-(2**63), **at).attributes.extend(
            attributes({"a.b": 1, "a_b": 2, "": "e", "le": "x", "job": "mine", "__name__": "other", "list": [1, "a"]}))
        bounds = metrics.add(name="odd.bounds")
        bounds.histogram.aggregation_temporality = 2
        bounds.histogram.data_points.add(count=3, sum=-2.5, bucket_counts=[1, 2], explicit_bounds=[1.0], **at)
        bounds.histogram.data_points.add(
            count=6, sum=1.0, bucket_counts=[1, 2, 3], explicit_bounds=[-1.0, 1.0], time_unix_nano=time + 15 * NS)
        bounds.histogram.data_points.add(count=4, time_unix_nano=time + 30 * NS)
        scales = metrics.add(name="odd.scales")
        scales.exponential_histogram.aggregation_temporality = 2
        for number, scale in enumerate((3, 1, -2)):
            point = scales.exponential_histogram.data_points.add(
                count=5 + number, sum=2.0, scale=scale, time_unix_nano=time + number * 15 * NS)
            point.positive.offset = -3
            point.positive.bucket_counts.extend([1, 0, 4 + number])
        summary = metrics.add(name="odd.summary").summary.data_points.add(count=2, sum=3.5, **at)
        for quantile, value in ((0.5, 1.0), (0.99, float("nan"))):
            summary.quantile_values.add(quantile=quantile, value=value)
