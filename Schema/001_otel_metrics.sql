-- Metrics: one row per data point, and the rollups that long ranges are read from.

CREATE TABLE otel_metrics (
    time             DateTime64(9)          CODEC(Delta, ZSTD(1)),
    start_time       DateTime64(9)          CODEC(Delta, ZSTD(1)),  -- of the point's interval; the epoch if the sender gave none
    metric_name      LowCardinality(String),
    -- The identity of a time series, as bytes: kind, temporality, monotonicity, name, description, unit, metadata, attributes,
    -- and the hashes of resource and scope. Two points belong to one series if these bytes are equal (docs/FORMAT.md).
    series           LowCardinality(String),
    service_name     LowCardinality(String),                        -- the resource's service.name, or empty
    resource         LowCardinality(String),                        -- OTLP's Resource and its schema URL, in protobuf (docs/FORMAT.md)
    scope            LowCardinality(String),                        -- OTLP's InstrumentationScope and its schema URL, likewise
    value_type       UInt8,                                         -- 0 none, 1 integer, 2 double, 3 in distribution
    value            Float64,                                       -- of an integer the nearest double
    value_residue    Int64,                                         -- the integer minus that double, not 0 only beyond 2^53
    flags            UInt32,                                        -- bit 0: no value was recorded (a stale series)
    -- The value of a histogram, an exponential histogram or a summary: 0 or 1 rows.
    distribution Nested(
        count            UInt64,
        present          UInt8,                                     -- bits: 1 has sum, 2 has min, 4 has max
        sum              Float64,
        min              Float64,
        max              Float64,
        bounds           LowCardinality(String),                    -- a histogram's bounds, doubles in little-endian order
        counts           Array(UInt64),                             -- per bucket; of an exponential histogram the positive ones
        scale            Int32,                                     -- here to negative_counts: exponential histograms
        zero_count       UInt64,
        zero_threshold   Float64,
        positive_offset  Int32,                                     -- the index of the first of counts
        negative_offset  Int32,
        negative_counts  Array(UInt64),
        quantiles        Array(Float64),                            -- of a summary
        quantile_values  Array(Float64)
    ),
    exemplars Nested(
        time_offset      Int64,                                     -- the exemplar's time minus the point's, ns
        value_type       UInt8,                                     -- as above
        value            Float64,
        value_residue    Int64,
        trace_id         FixedString(16),                           -- all zero if there is none
        span_id          FixedString(8),
        attributes       Map(LowCardinality(String), Dynamic)
    )
) PARTITION BY toStartOfDay(time)
  ORDER BY (metric_name, series, time)
  TTL time + INTERVAL 30 DAY;

-- Points with a number and a value, per series and five minutes. A distribution is not rolled up: it is read from otel_metrics.
CREATE MATERIALIZED VIEW otel_metrics_5m
    PARTITION BY toStartOfWeek(bucket)
    ORDER BY (metric_name, series, bucket, service_name, resource, scope)
    TTL bucket + INTERVAL 90 DAY
AS SELECT
    toStartOfFiveMinutes(time)   AS bucket,
    metric_name,
    series,
    service_name,                              -- this and the next two follow from the series
    resource,
    scope,
    count()                      AS count,
    sum(value)                   AS sum,
    min(value)                   AS min,
    max(value)                   AS max,
    min(time)                    AS first_time,
    argMin(value, time)          AS first,
    max(time)                    AS last_time,
    argMax(value, time)          AS last,
    counterIncrease(value, time) AS increase,  -- as if the series were a counter that starts again from zero where it falls
    counterResets(value, time)   AS resets     -- how often it falls
FROM otel_metrics
WHERE (value_type = 1 OR value_type = 2) AND bitAnd(flags, 1) = 0
GROUP BY bucket, metric_name, series, service_name, resource, scope;

-- The same per hour.
CREATE MATERIALIZED VIEW otel_metrics_1h
    PARTITION BY toStartOfMonth(bucket)
    ORDER BY (metric_name, series, bucket, service_name, resource, scope)
    TTL bucket + INTERVAL 1 YEAR
AS SELECT
    toStartOfHour(time)          AS bucket,
    metric_name,
    series,
    service_name,
    resource,
    scope,
    count()                      AS count,
    sum(value)                   AS sum,
    min(value)                   AS min,
    max(value)                   AS max,
    min(time)                    AS first_time,
    argMin(value, time)          AS first,
    max(time)                    AS last_time,
    argMax(value, time)          AS last,
    counterIncrease(value, time) AS increase,
    counterResets(value, time)   AS resets
FROM otel_metrics
WHERE (value_type = 1 OR value_type = 2) AND bitAnd(flags, 1) = 0
GROUP BY bucket, metric_name, series, service_name, resource, scope;
