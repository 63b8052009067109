internal import Core
internal import Telemetry

/// The three levels that every OTLP request has: resources, scopes, items.
enum RequestWalker {
    /// The parts of a `ResourceSpans`, `ResourceLogs`, `ResourceMetrics`, or of the scope level below, which have the same
    /// numbers: 1 the resource or scope, 2 what it holds, 3 the schema URL. The fields may come in any order.
    ///
    /// A header that comes in several fields is the fields of all: the concatenation of their bytes, which `Group` then owns.
    struct Group {
        private(set) var header = ProtobufSlice.empty
        private var joined: BufferMemory<UInt8>?
        var schemaURL = ProtobufSlice.empty

        init(_ message: ProtobufSlice) throws(ProtobufError) {
            var reader = ProtobufReader(message)
            while !reader.isAtEnd {
                let tag = try reader.tag()
                switch tag {
                case 1 << 3 | 2: addHeader(try reader.bytes())
                case 3 << 3 | 2: schemaURL = try reader.bytes()
                default: try reader.skip(tag)
                }
            }
        }

        @inline(__always)
        private mutating func addHeader(_ part: ProtobufSlice) {
            if header.count == 0 { header = part } else { join(part) }
        }

        @inline(never)
        private mutating func join(_ part: ProtobufSlice) {
            let count = header.count + part.count
            if joined.map({ $0.capacity < count }) ?? true {
                // There may be millions of parts: room is doubled.
                let memory = BufferMemory<UInt8>(capacity: 2 * count)
                memory.base.initialize(from: header.start, count: header.count)
                joined = memory
            }
            guard let joined else { return }
            (joined.base + header.count).initialize(from: part.start, count: part.count)
            header = ProtobufSlice(start: joined.base, count: count)
        }
    }

    /// Calls `body` with each item of a request – a span, a log record, a metric – and the codes of its resource and scope,
    /// which are set in `builder` first.
    @inline(__always)
    static func forEachItem<Builder: IdentityColumns & ~Copyable>(
        of request: UnsafeRawBufferPointer, into builder: inout Builder,
        _ body: (ProtobufSlice, IdentityCodes, inout Builder) throws(ProtobufError) -> Void
    ) throws(ProtobufError) {
        var codes = IdentityCodes()
        let before = builder.itemCount
        try forEach(1, in: ProtobufSlice(request)) { message throws(ProtobufError) in
            let group = try Group(message)
            defer { withExtendedLifetime(group) {} }
            try codes.setResource(group.header, schemaURL: group.schemaURL, in: &builder)
            try forEach(2, in: message) { message throws(ProtobufError) in
                let scope = try Group(message)
                defer { withExtendedLifetime(scope) {} }
                try codes.setScope(scope.header, schemaURL: scope.schemaURL, in: &builder)
                try forEach(2, in: message) { item throws(ProtobufError) in
                    guard item.count <= RequestLimits.itemBytes, builder.itemCount &- before < RequestLimits.items
                    else { throw .tooLarge }
                    try body(item, codes, &builder)
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
