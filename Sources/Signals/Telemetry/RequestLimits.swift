/// What a request may hold, so that a small body of empty messages does not become gigabytes of columns, and every row that is
/// stored can be read back.
package enum RequestLimits {
    /// Rows, and rows inside rows, of one request: some hundred bytes of memory each.
    package static let items = 1 << 21
    /// Bytes of one span, log record or metric.
    package static let itemBytes = 1 << 27
    /// Bytes of one data point.
    package static let pointBytes = 1 << 22
    /// Events of a span, links of a span, exemplars of a point.
    package static let children = 1 << 15
    /// Buckets or quantiles of a point.
    package static let buckets = 1 << 16
    /// Attributes of one set.
    package static let attributes = 1 << 16
    /// Bytes of a resource, of a scope, of what identifies a time series.
    package static let identityBytes = 1 << 20
}
