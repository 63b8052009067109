internal import Core
package import Telemetry

/// An `ExportMetricsServiceRequest` without some of its data points, so that what is logged is what is stored: a replay has no refused
/// ones to refuse again. Everything else stays byte for byte; a metric that has no points left goes.
package enum RequestWithoutPoints {
    /// - Parameter isRefused: of each point in the order of `RequestCensus`; points beyond its end stay.
    package static func write(
        _ body: UnsafeRawBufferPointer, isRefused: [Bool]
    ) throws(ProtobufError) -> [UInt8] {
        var point = 0
        var joined = BufferBuilder<UInt8>()
        return try rewrite(ProtobufSlice(body), field: 1) { resource throws(ProtobufError) in
            try rewrite(resource, field: 2) { scope throws(ProtobufError) in
                try rewrite(scope, field: 2) { metric throws(ProtobufError) in
                    try self.metric(metric, isRefused, &point, &joined)
                }
            }
        }
    }

    /// Copies a message, but for the length-delimited values of one field, of which `inner` says what becomes of them; nil leaves one out.
    private static func rewrite(
        _ message: ProtobufSlice, field: UInt64, _ inner: (ProtobufSlice) throws(ProtobufError) -> [UInt8]?
    ) throws(ProtobufError) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.bytes.reserveCapacity(message.count)
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let begin = reader.position
            let tag = try reader.tag()
            guard tag == field << 3 | 2 else {
                try reader.skip(tag)
                writer.bytes.append(contentsOf: UnsafeBufferPointer(start: begin, count: reader.position - begin))
                continue
            }
            if let bytes = try inner(reader.bytes()) { writer.field(field, bytes: bytes) }
        }
        return writer.bytes
    }

    /// - Returns: nil if no point is left of those that there were.
    private static func metric(
        _ message: ProtobufSlice, _ isRefused: [Bool], _ point: inout Int, _ joined: inout BufferBuilder<UInt8>
    ) throws(ProtobufError) -> [UInt8]? {
        let header = try MetricDecoder.MetricHeader(message, joining: &joined)
        var (first, left) = (point, 0)
        try header.forEachPoint { _ in point += 1 }
        for place in first..<point where !isRefusedAt(place, isRefused) { left += 1 }
        if left == point - first { return message.array }
        if left == 0 { return nil }
        let data = try rewrite(header.data, field: 1) { bytes in
            defer { first += 1 }
            return isRefusedAt(first, isRefused) ? nil : bytes.array
        }
        var writer = ProtobufWriter()
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let begin = reader.position
            let tag = try reader.tag()
            try reader.skip(tag)
            if MetricDecoder.MetricHeader.kind(ofTag: tag) == 0 {
                writer.bytes.append(contentsOf: UnsafeBufferPointer(start: begin, count: reader.position - begin))
            }
        }
        writer.field(header.dataField, bytes: data)
        return writer.bytes
    }

    private static func isRefusedAt(_ point: Int, _ isRefused: [Bool]) -> Bool {
        point < isRefused.count && isRefused[point]
    }
}
