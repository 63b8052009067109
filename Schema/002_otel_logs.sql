CREATE TABLE otel_logs (
    time                     DateTime64(9)          CODEC(Delta, ZSTD(1)),
    time_source              UInt8,
    observed_delay           Int64                  CODEC(ZSTD(1)),
    service_name             LowCardinality(String),
    resource                 LowCardinality(String),
    scope                    LowCardinality(String),
    severity_number          Int32,
    severity_text            LowCardinality(String),
    event_name               LowCardinality(String),
    body                     String                 CODEC(ZSTD(1)),
    body_type                UInt8,
    trace_id                 FixedString(16),
    span_id                  FixedString(8),
    flags                    UInt32,
    attributes               Map(LowCardinality(String), Dynamic),
    dropped_attributes_count UInt32,
    INDEX by_trace_id trace_id TYPE bloom_filter(0.001)
) PARTITION BY toStartOfDay(time)
  ORDER BY (service_name, resource, time)
  TTL time + INTERVAL 30 DAY;
