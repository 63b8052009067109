internal import Columns
internal import Core
package import Telemetry

/// Reads `ExportTraceServiceRequest` from protobuf bytes straight into the columns of `otel_traces`.
///
/// A span whose ids or times cannot be is rejected alone (rule O-5); bytes that are not protobuf throw, and the caller takes
/// back the rows of the request.
package enum TraceDecoder {
    /// - Parameter times: those that rows may have; others are rejected alone.
    package static func decode(
        _ body: UnsafeRawBufferPointer, accepting times: ClosedRange<Int64> = .min ... .max,
        into builder: inout SpanBuilder
    ) throws(ProtobufError) -> DecodeOutcome {
        var outcome = DecodeOutcome()
        try RequestWalker.forEachItem(of: body, into: &builder) {
            (span, codes, builder) throws(ProtobufError) in
            try decodeSpan(span, codes, times, &builder, &outcome)
        }
        return outcome
    }

    /// A span's fields of fixed size, and where its texts are, while it is read.
    private struct Fields {
        var traceID = ProtobufSlice.empty
        var spanID = ProtobufSlice.empty
        var parentSpanID = ProtobufSlice.empty
        var traceState = ProtobufSlice.empty
        var name = ProtobufSlice.empty
        var statusMessage = ProtobufSlice.empty
        var start: UInt64 = 0
        var end: UInt64 = 0
        var kind: Int64 = 0
        var statusCode: Int64 = 0
        var flags: Int64 = 0
        var droppedAttributes: Int64 = 0
        var droppedEvents: Int64 = 0
        var droppedLinks: Int64 = 0
        var events = 0
        var links = 0

        /// Why the span cannot be stored, or nil.
        @inline(__always)
        var fault: String? {
            if traceID.count != 16 || spanID.count != 8
                || (parentSpanID.count != 0 && parentSpanID.count != 8)
            {
                return "a span's trace_id must have 16 bytes, its span_id 8, its parent_span_id 0 or 8"
            }
            if start >= UInt64(Int64.max) || end >= UInt64(Int64.max) {
                return "a span's times must lie before 2262-04-11"
            }
            if Self.isZero(traceID) || Self.isZero(spanID) {
                return "a span's trace_id and span_id must not be all zeros"
            }
            if events > RequestLimits.children || links > RequestLimits.children {
                return "a span must not have more than \(RequestLimits.children) events, nor as many links"
            }
            return nil
        }

        @inline(__always)
        private static func isZero(_ id: ProtobufSlice) -> Bool {
            for i in 0..<id.count where id.start[i] != 0 { return false }
            return true
        }
    }

    private static func decodeSpan(
        _ message: ProtobufSlice, _ codes: IdentityCodes, _ times: ClosedRange<Int64>,
        _ builder: inout SpanBuilder, _ outcome: inout DecodeOutcome
    ) throws(ProtobufError) {
        var fields = Fields()
        var reader = ProtobufReader(message)
        var fits = true
        builder.attributes.begin()
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | 2: fields.traceID = try reader.bytes()
            case 2 << 3 | 2: fields.spanID = try reader.bytes()
            case 3 << 3 | 2: fields.traceState = try reader.bytes()
            case 4 << 3 | 2: fields.parentSpanID = try reader.bytes()
            case 5 << 3 | 2: fields.name = try reader.bytes()
            case 6 << 3: fields.kind = Int64(Int32(truncatingIfNeeded: try reader.varint()))
            case 7 << 3 | 1: fields.start = try reader.fixed64()
            case 8 << 3 | 1: fields.end = try reader.fixed64()
            case 9 << 3 | 2:
                let attribute = try reader.bytes()
                if fits { fits = try builder.attributes.append(keyValue: attribute) }
            case 10 << 3: fields.droppedAttributes = Int64(UInt32(truncatingIfNeeded: try reader.varint()))
            case 11 << 3 | 2:
                let event = try reader.bytes()
                fields.events += 1
                if fields.events <= RequestLimits.children { try decodeEvent(event, &builder) }
            case 12 << 3: fields.droppedEvents = Int64(UInt32(truncatingIfNeeded: try reader.varint()))
            case 13 << 3 | 2:
                let link = try reader.bytes()
                fields.links += 1
                if fields.links <= RequestLimits.children { try decodeLink(link, &builder) }
            case 14 << 3: fields.droppedLinks = Int64(UInt32(truncatingIfNeeded: try reader.varint()))
            case 15 << 3 | 2: try decodeStatus(reader.bytes(), &fields)
            case 16 << 3 | 5: fields.flags = Int64(try reader.fixed32())
            default: try reader.skip(tag)
            }
        }
        if let fault = fields.fault {
            builder.truncate(to: builder.rowCount)
            outcome.reject(fault)
            return
        }
        guard times.contains(Int64(fields.start)) else {
            builder.truncate(to: builder.rowCount)
            outcome.reject("a span's start", at: Int64(fields.start), outside: times)
            return
        }
        if !fits { try builder.attributes.rewrite(from: message, field: 9) }
        builder.attributes.end()
        append(fields, codes, &builder)
        outcome.accepted &+= 1
    }

    private static func append(
        _ fields: Fields, _ codes: IdentityCodes, _ builder: inout SpanBuilder
    ) {
        builder.traceIDs.append(contentsOf: .init(start: fields.traceID.start, count: 16))
        builder.spanIDs.append(contentsOf: .init(start: fields.spanID.start, count: 8))
        if fields.parentSpanID.count == 8 {
            builder.parentSpanIDs.append(contentsOf: .init(start: fields.parentSpanID.start, count: 8))
        } else {
            builder.parentSpanIDs.append(repeating: 0, count: 8)
        }
        builder.kinds.append(fields.kind)
        builder.statusCodes.append(fields.statusCode)
        builder.flags.append(fields.flags)
        builder.droppedAttributes.append(fields.droppedAttributes)
        builder.droppedEvents.append(fields.droppedEvents)
        builder.droppedLinks.append(fields.droppedLinks)
        builder.spanNames.append(fields.name.start, count: fields.name.count)
        builder.statusMessages.append(fields.statusMessage.start, count: fields.statusMessage.count)
        builder.traceStates.append(fields.traceState.start, count: fields.traceState.count)
        codes.append(to: &builder)
        builder.finishRow(start: Int64(fields.start), end: Int64(fields.end))
    }

    private static func decodeStatus(
        _ message: ProtobufSlice, _ fields: inout Fields
    ) throws(ProtobufError) {
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 2 << 3 | 2: fields.statusMessage = try reader.bytes()
            case 3 << 3: fields.statusCode = Int64(Int32(truncatingIfNeeded: try reader.varint()))
            default: try reader.skip(tag)
            }
        }
    }

    private static func decodeEvent(
        _ message: ProtobufSlice, _ builder: inout SpanBuilder
    ) throws(ProtobufError) {
        var reader = ProtobufReader(message)
        var time: UInt64 = 0
        var name = ProtobufSlice.empty
        var dropped: Int64 = 0
        var fits = true
        builder.events.attributes.begin()
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | 1: time = try reader.fixed64()
            case 2 << 3 | 2: name = try reader.bytes()
            case 3 << 3 | 2:
                let attribute = try reader.bytes()
                if fits { fits = try builder.events.attributes.append(keyValue: attribute) }
            case 4 << 3: dropped = Int64(UInt32(truncatingIfNeeded: try reader.varint()))
            default: try reader.skip(tag)
            }
        }
        if !fits { try builder.events.attributes.rewrite(from: message, field: 3) }
        builder.events.attributes.end()
        builder.events.names.append(name.start, count: name.count)
        builder.events.dropped.append(dropped)
        builder.events.times.append(Int64(clamping: time))
    }

    private static func decodeLink(
        _ message: ProtobufSlice, _ builder: inout SpanBuilder
    ) throws(ProtobufError) {
        var reader = ProtobufReader(message)
        var traceID = ProtobufSlice.empty
        var spanID = ProtobufSlice.empty
        var traceState = ProtobufSlice.empty
        var dropped: Int64 = 0
        var flags: Int64 = 0
        var fits = true
        builder.links.attributes.begin()
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | 2: traceID = try reader.bytes()
            case 2 << 3 | 2: spanID = try reader.bytes()
            case 3 << 3 | 2: traceState = try reader.bytes()
            case 4 << 3 | 2:
                let attribute = try reader.bytes()
                if fits { fits = try builder.links.attributes.append(keyValue: attribute) }
            case 5 << 3: dropped = Int64(UInt32(truncatingIfNeeded: try reader.varint()))
            case 6 << 3 | 5: flags = Int64(try reader.fixed32())
            default: try reader.skip(tag)
            }
        }
        if !fits { try builder.links.attributes.rewrite(from: message, field: 4) }
        builder.links.attributes.end()
        builder.links.traceIDs.append(id: traceID, width: 16)
        builder.links.spanIDs.append(id: spanID, width: 8)
        builder.links.traceStates.append(traceState.start, count: traceState.count)
        builder.links.dropped.append(dropped)
        builder.links.flags.append(flags)
    }
}

extension BufferBuilder where Element == UInt8 {
    /// Appends an id of `width` bytes; one of another length becomes "none", all zeros.
    @inline(__always)
    mutating func append(id: ProtobufSlice, width: Int) {
        if id.count == width {
            append(contentsOf: UnsafeBufferPointer(start: id.start, count: width))
        } else {
            append(repeating: 0, count: width)
        }
    }
}
