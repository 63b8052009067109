internal import Telemetry

/// The three levels that every OTLP request has: resources, scopes, items.
enum RequestWalker {
    /// The parts of a `ResourceSpans`, `ResourceLogs`, `ResourceMetrics`, or of the scope level below, which have the same
    /// numbers: 1 the resource or scope, 2 what it holds, 3 the schema URL. The fields may come in any order.
    struct Group {
        var header = ProtobufSlice.empty
        var schemaURL = ProtobufSlice.empty
        /// Where the first field 2 begins, to spare a second walk over what precedes it.
        var items: ProtobufSlice

        init(_ message: ProtobufSlice) throws(ProtobufError) {
            items = message
            var reader = ProtobufReader(message)
            while !reader.isAtEnd {
                let tag = try reader.tag()
                switch tag {
                case 1 << 3 | 2: header = try reader.bytes()
                case 3 << 3 | 2: schemaURL = try reader.bytes()
                default: try reader.skip(tag)
                }
            }
        }
    }

    /// Calls `body` with each value of the length-delimited field `number`.
    @inline(__always)
    static func forEach(
        _ number: UInt64, in message: ProtobufSlice,
        _ body: (ProtobufSlice) throws(ProtobufError) -> Void
    ) throws(ProtobufError) {
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == number << 3 | 2 {
                try body(reader.bytes())
            } else {
                try reader.skip(tag)
            }
        }
    }
}
