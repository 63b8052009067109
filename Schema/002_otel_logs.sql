-- Logs: one row per log record, and what went wrong per hour.

CREATE TABLE otel_logs (
    time                     DateTime64(9)          CODEC(Delta, ZSTD(1)),  -- see time_source
    time_source              UInt8,                                         -- 0 time_unix_nano, 1 observed time, 2 time of receipt
    observed_delay           Int64                  CODEC(ZSTD(1)),         -- observed time minus time, ns; -2^63 if absent
    service_name             LowCardinality(String),                        -- the resource's service.name, or empty
    resource                 LowCardinality(String),                        -- OTLP's Resource and its schema URL, in protobuf (docs/FORMAT.md)
    scope                    LowCardinality(String),                        -- OTLP's InstrumentationScope and its schema URL, likewise
    severity_number          Int32,                                         -- OTLP's 1 to 24, 0 if unspecified
    severity_text            LowCardinality(String),
    event_name               LowCardinality(String),
    body                     String                 CODEC(ZSTD(1)),         -- a string, or else an AnyValue in protobuf
    body_type                UInt8,                                         -- 0 empty, 1 string, else the field number in the AnyValue
    trace_id                 FixedString(16),                               -- all zero if there is none
    span_id                  FixedString(8),
    flags                    UInt32,
    attributes               Map(LowCardinality(String), Dynamic),
    dropped_attributes_count UInt32,
    INDEX by_trace_id trace_id TYPE token_postings,
    INDEX by_body body TYPE token_postings,
    INDEX by_template body TYPE templates,
    INDEX by_attributes attributes TYPE token_postings
) PARTITION BY toStartOfDay(time)
  ORDER BY (service_name, resource, time)
  TTL time + INTERVAL 30 DAY;

-- Records per hour, resource and severity: what counts by labels of the resource or by level are answered from. An hour is
-- that behind its bucket, up to and with the next whole one, as the windows of LogQL are.
CREATE MATERIALIZED VIEW otel_logs_counts_1h
    PARTITION BY toStartOfMonth(bucket)
    ORDER BY (service_name, resource, severity_number, severity_text, bucket)
    TTL bucket + INTERVAL 30 DAY
AS SELECT
    toStartOfHour(time - INTERVAL 1 NANOSECOND) AS bucket,
    service_name,
    resource,
    severity_number,
    severity_text,
    count()                                     AS count
FROM otel_logs
GROUP BY bucket, service_name, resource, severity_number, severity_text;

-- Records of severity ERROR (17) and above, per service and hour. No text of theirs: it is gone when the records are.
CREATE MATERIALIZED VIEW otel_logs_errors_1h
    PARTITION BY toStartOfMonth(bucket)
    ORDER BY (service_name, severity_number, severity_text, bucket)
    TTL bucket + INTERVAL 1 YEAR
AS SELECT
    toStartOfHour(time) AS bucket,
    service_name,
    severity_number,
    severity_text,
    count()             AS count,
    min(time)           AS first_time,
    max(time)           AS last_time
FROM otel_logs
WHERE severity_number >= 17
GROUP BY bucket, service_name, severity_number, severity_text;
