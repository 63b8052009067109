CREATE TABLE otel_metrics (
    time             DateTime64(9)          CODEC(Delta, ZSTD(1)),
    start_time       DateTime64(9)          CODEC(Delta, ZSTD(1)),
    metric_name      LowCardinality(String),
    series           LowCardinality(String),
    service_name     LowCardinality(String),
    resource         LowCardinality(String),
    scope            LowCardinality(String),
    value_type       UInt8,
    value            Float64,
    value_residue    Int64,
    flags            UInt32,
    distribution Nested(
        count            UInt64,
        present          UInt8,
        sum              Float64,
        min              Float64,
        max              Float64,
        bounds           LowCardinality(String),
        counts           Array(UInt64),
        scale            Int32,
        zero_count       UInt64,
        zero_threshold   Float64,
        positive_offset  Int32,
        negative_offset  Int32,
        negative_counts  Array(UInt64),
        quantiles        Array(Float64),
        quantile_values  Array(Float64)
    ),
    exemplars Nested(
        time_offset      Int64,
        value_type       UInt8,
        value            Float64,
        value_residue    Int64,
        trace_id         FixedString(16),
        span_id          FixedString(8),
        attributes       Map(LowCardinality(String), Dynamic)
    )
) PARTITION BY toStartOfDay(time)
  ORDER BY (metric_name, series, time)
  TTL time + INTERVAL 30 DAY;
