CREATE TABLE otel_traces (
    start_time               DateTime64(9)          CODEC(Delta, ZSTD(1)),
    duration                 Int64                  CODEC(ZSTD(1)),
    trace_id                 FixedString(16),
    span_id                  FixedString(8),
    parent_span_id           FixedString(8),
    service_name             LowCardinality(String),
    span_name                LowCardinality(String),
    span_kind                Int32,
    status_code              Int32,
    status_message           LowCardinality(String),
    trace_state              LowCardinality(String),
    flags                    UInt32,
    resource                 LowCardinality(String),
    scope                    LowCardinality(String),
    attributes               Map(LowCardinality(String), Dynamic),
    dropped_attributes_count UInt32,
    events Nested(
        time_offset              Int64,
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
    INDEX by_trace_id trace_id TYPE bloom_filter(0.001)
) PARTITION BY toStartOfHour(start_time)
  ORDER BY (toStartOfMinute(start_time), trace_id, start_time)
  TTL start_time + INTERVAL 30 DAY;
