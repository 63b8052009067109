-- Traces: one row per span, an index of whole traces, and two summaries per hour.

CREATE TABLE otel_traces (
    start_time               DateTime64(9)          CODEC(Delta, ZSTD(1)),
    duration                 Int64                  CODEC(ZSTD(1)),         -- end minus start, ns
    trace_id                 FixedString(16),
    span_id                  FixedString(8),
    parent_span_id           FixedString(8),                                -- all zero: the span is a root
    service_name             LowCardinality(String),                        -- the resource's service.name, or empty
    span_name                LowCardinality(String),
    span_kind                Int32,                                         -- OTLP's SpanKind
    status_code              Int32,                                         -- 0 unset, 1 ok, 2 error
    status_message           LowCardinality(String),
    trace_state              LowCardinality(String),
    flags                    UInt32,
    resource                 LowCardinality(String),                        -- OTLP's Resource and its schema URL, in protobuf (docs/FORMAT.md)
    scope                    LowCardinality(String),                        -- OTLP's InstrumentationScope and its schema URL, likewise
    attributes               Map(LowCardinality(String), Dynamic),
    dropped_attributes_count UInt32,
    events Nested(
        time_offset              Int64,                                     -- the event's time minus the span's start, ns
        name                     LowCardinality(String),
        attributes               Map(LowCardinality(String), Dynamic),
        dropped_attributes_count UInt32
    ),
    dropped_events_count     UInt32,
    links Nested(
        trace_id                 FixedString(16),
        span_id                  FixedString(8),
        trace_state              LowCardinality(String),
        attributes               Map(LowCardinality(String), Dynamic),
        dropped_attributes_count UInt32,
        flags                    UInt32
    ),
    dropped_links_count      UInt32,
    INDEX by_trace_id trace_id TYPE bloom_filter(0.001),                    -- which parts have a trace
    INDEX blocks_of_trace trace_id TYPE token_postings,                     -- and where in them
    INDEX by_attributes attributes TYPE token_postings,
    INDEX by_event_attributes events.attributes TYPE token_postings
) PARTITION BY toStartOfHour(start_time)
  -- A trace's spans stand together: its id is stored once, and reading it touches one block.
  ORDER BY (toStartOfMinute(start_time), trace_id, start_time)
  TTL start_time + INTERVAL 30 DAY;

-- One row per trace and day that it has spans in: where to look for it, and what a list of traces shows.
CREATE MATERIALIZED VIEW otel_trace_index
    PARTITION BY toStartOfDay(day)
    ORDER BY (trace_id, day)
    TTL day + INTERVAL 30 DAY
AS SELECT
    trace_id,
    toStartOfDay(start_time)                                  AS day,
    min(start_time)                                           AS start,
    max(start_time + duration)                                AS end,
    minIf(start_time, parent_span_id = '')                    AS root_time,     -- the greatest time if no root has come
    argMinIf(service_name, start_time, parent_span_id = '')   AS root_service,
    argMinIf(span_name, start_time, parent_span_id = '')      AS root_name,
    count()                                                   AS spans,
    countIf(status_code = 2)                                  AS errors,
    groupUniqArray(service_name)                              AS services
FROM otel_traces
GROUP BY trace_id, day;

-- Calls, errors and durations per operation and hour.
CREATE MATERIALIZED VIEW otel_span_stats_1h
    PARTITION BY toStartOfMonth(bucket)
    ORDER BY (service_name, span_name, span_kind, bucket)
    TTL bucket + INTERVAL 1 YEAR
AS SELECT
    toStartOfHour(start_time)      AS bucket,
    service_name,
    span_name,
    span_kind,
    count()                        AS calls,
    countIf(status_code = 2)       AS errors,
    sumIf(duration, duration > 0)  AS duration_sum,                 -- a span that ends before it starts adds nothing
    min(duration)                  AS duration_min,
    max(duration)                  AS duration_max,
    exponentialHistogram(duration) AS durations
FROM otel_traces
GROUP BY bucket, service_name, span_name, span_kind;

-- Which service calls which, per hour: spans whose parent belongs to another service. An hour is made as a whole, and made again
-- after late spans: a partition of a day is soon written anew.
CREATE MATERIALIZED VIEW otel_service_dependencies_1h
    PARTITION BY toStartOfDay(bucket)
    ORDER BY (parent_service, child_service, bucket)
    TTL bucket + INTERVAL 1 YEAR
AS SELECT
    toStartOfHour(child.start_time)      AS bucket,
    parent.service_name                  AS parent_service,
    child.service_name                   AS child_service,
    count()                              AS calls,
    countIf(child.status_code = 2)       AS errors,
    exponentialHistogram(child.duration) AS durations
FROM otel_traces AS child
INNER JOIN otel_traces AS parent ON child.trace_id = parent.trace_id AND child.parent_span_id = parent.span_id
WHERE child.service_name != parent.service_name
GROUP BY bucket, parent_service, child_service;
