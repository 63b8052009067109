internal import Core
package import Telemetry

/// What a request holds, counted before anything of it is stored: a walk over its messages that makes no columns.
package struct RequestCensus: Sendable {
    /// Spans, log records or data points, as they were sent.
    package private(set) var rows = 0
    /// Of each data point, in their order, a hash of what tells its series from others; never zero, but for points that have no series.
    /// Empty if nobody asked for it.
    package private(set) var series: [UInt64] = []

    /// Counts spans or log records.
    package static func items(of body: UnsafeRawBufferPointer) throws(ProtobufError) -> RequestCensus {
        var census = RequestCensus()
        try RequestWalker.forEach(1, in: ProtobufSlice(body)) { resource throws(ProtobufError) in
            try RequestWalker.forEach(2, in: resource) { scope throws(ProtobufError) in
                try RequestWalker.forEach(2, in: scope) { _ throws(ProtobufError) in census.rows += 1 }
            }
        }
        return census
    }

    /// Counts data points.
    ///
    /// - Parameter hashesSeries: whether their series are wanted.
    package static func points(
        of body: UnsafeRawBufferPointer, hashesSeries: Bool
    ) throws(ProtobufError) -> RequestCensus {
        var census = RequestCensus()
        var writer = ProtobufWriter()
        try MetricWalker.forEachMetric(of: body) { (metric, origin) throws(ProtobufError) in
            guard hashesSeries, metric.name.count > 0 else {
                try metric.forEachPoint { _ throws(ProtobufError) in
                    census.rows += 1
                    guard hashesSeries else { return }
                    try census.add(0)
                }
                return
            }
            writer.bytes.removeAll(keepingCapacity: true)
            metric.write(resource: origin.resource, scope: origin.scope, into: &writer)
            let context = XXH3.hash(writer.bytes)
            try metric.forEachPoint { point throws(ProtobufError) in
                census.rows += 1
                try census.add(max(hash(point, metric.attributesField, context, &writer), 1))
            }
        }
        return census
    }

    private mutating func add(_ hash: UInt64) throws(ProtobufError) {
        guard series.count < RequestLimits.items else { throw .tooLarge }
        series.append(hash)
    }

    /// Of the point's attributes, as they were sent: nearly always one run of fields.
    private static func hash(
        _ point: ProtobufSlice, _ field: UInt64, _ context: UInt64, _ writer: inout ProtobufWriter
    ) throws(ProtobufError) -> UInt64 {
        var run = MetricDecoder.AttributeRun()
        var reader = ProtobufReader(point)
        while !reader.isAtEnd {
            let begin = reader.position
            let tag = try reader.tag()
            guard tag == field << 3 | 2 else {
                try reader.skip(tag)
                continue
            }
            _ = try reader.bytes()
            run.extend(from: begin, to: reader.position)
        }
        guard !run.isContiguous else {
            return XXH3.hash(UnsafeRawBufferPointer(start: run.start, count: run.count), seed: context)
        }
        writer.bytes.removeAll(keepingCapacity: true)
        try RequestWalker.forEach(field, in: point) { item in writer.field(field, bytes: item.raw) }
        return XXH3.hash(writer.bytes.span, seed: context)
    }
}

/// The metrics of a request, each with what tells its resource and scope from others.
enum MetricWalker {
    struct Origin {
        var resource: UInt64 = 0
        var scope: UInt64 = 0
    }

    static func forEachMetric(
        of body: UnsafeRawBufferPointer,
        _ visit: (MetricDecoder.MetricHeader, Origin) throws(ProtobufError) -> Void
    ) throws(ProtobufError) {
        var origin = Origin()
        var writer = ProtobufWriter()
        var joined = BufferBuilder<UInt8>()
        func hash(_ message: ProtobufSlice) throws(ProtobufError) -> UInt64 {
            let group = try RequestWalker.Group(message)
            defer { withExtendedLifetime(group) {} }
            ResourceIdentity.write(message: group.header, schemaURL: group.schemaURL, into: &writer)
            return XXH3.hash(writer.bytes)
        }
        try RequestWalker.forEach(1, in: ProtobufSlice(body)) { resource throws(ProtobufError) in
            origin.resource = try hash(resource)
            try RequestWalker.forEach(2, in: resource) { scope throws(ProtobufError) in
                origin.scope = try hash(scope)
                try RequestWalker.forEach(2, in: scope) { metric throws(ProtobufError) in
                    try visit(MetricDecoder.MetricHeader(metric, joining: &joined), origin)
                }
            }
        }
    }
}
