internal import Columns
internal import Core
package import Telemetry

/// Reads `ExportLogsServiceRequest` from protobuf bytes straight into the columns of `otel_logs`.
package enum LogDecoder {
    /// - Parameters:
    ///   - received: the time of records that have none, nanoseconds since the epoch.
    ///   - times: those that rows may have; others are rejected alone.
    package static func decode(
        _ body: UnsafeRawBufferPointer, received: Int64, accepting times: ClosedRange<Int64> = .min ... .max,
        into builder: inout LogBuilder
    ) throws(ProtobufError) -> DecodeOutcome {
        var outcome = DecodeOutcome()
        try RequestWalker.forEachItem(of: body, into: &builder) {
            (record, codes, builder) throws(ProtobufError) in
            try decodeRecord(record, codes, received, times, &builder, &outcome)
        }
        return outcome
    }

    private struct Fields {
        var time: UInt64 = 0
        var observed: UInt64 = 0
        var severityNumber: Int64 = 0
        var severityText = ProtobufSlice.empty
        var body = AnyValue.Scalar()
        var bodyMessage = ProtobufSlice.empty
        var droppedAttributes: Int64 = 0
        var flags: Int64 = 0
        var traceID = ProtobufSlice.empty
        var spanID = ProtobufSlice.empty
        var eventName = ProtobufSlice.empty

        /// Whether an id is none, so that the record counts as one that belongs to no trace.
        @inline(__always)
        var hasIllFormedID: Bool {
            (traceID.count != 0 && traceID.count != 16) || (spanID.count != 0 && spanID.count != 8)
        }

        @inline(__always)
        var fault: String? {
            if time >= UInt64(Int64.max) || observed >= UInt64(Int64.max) {
                return "a log record's times must lie before 2262-04-11"
            }
            return nil
        }
    }

    private static func decodeRecord(
        _ message: ProtobufSlice, _ codes: IdentityCodes, _ received: Int64, _ times: ClosedRange<Int64>,
        _ builder: inout LogBuilder, _ outcome: inout DecodeOutcome
    ) throws(ProtobufError) {
        var fields = Fields()
        var reader = ProtobufReader(message)
        var fits = true
        builder.attributes.begin()
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | 1: fields.time = try reader.fixed64()
            case 2 << 3: fields.severityNumber = Int64(Int32(truncatingIfNeeded: try reader.varint()))
            case 3 << 3 | 2: fields.severityText = try reader.bytes()
            case 5 << 3 | 2:
                fields.bodyMessage = try reader.bytes()
                fields.body = try AnyValue.scalar(fields.bodyMessage)
            case 6 << 3 | 2:
                let attribute = try reader.bytes()
                if fits { fits = try builder.attributes.append(keyValue: attribute) }
            case 7 << 3: fields.droppedAttributes = Int64(UInt32(truncatingIfNeeded: try reader.varint()))
            case 8 << 3 | 5: fields.flags = Int64(try reader.fixed32())
            case 9 << 3 | 2: fields.traceID = try reader.bytes()
            case 10 << 3 | 2: fields.spanID = try reader.bytes()
            case 11 << 3 | 1: fields.observed = try reader.fixed64()
            case 12 << 3 | 2: fields.eventName = try reader.bytes()
            default: try reader.skip(tag)
            }
        }
        if let fault = fields.fault {
            builder.truncate(to: builder.rowCount)
            outcome.reject(fault)
            return
        }
        let time = fields.time != 0 ? fields.time : fields.observed
        // One without a time of its own has that of its receipt.
        guard time == 0 || times.contains(Int64(time)) else {
            builder.truncate(to: builder.rowCount)
            outcome.reject("a log record's time", at: Int64(time), outside: times)
            return
        }
        if !fits { try builder.attributes.rewrite(from: message, field: 6) }
        builder.attributes.end()
        append(fields, codes, received, &builder)
        if fields.hasIllFormedID { outcome.withoutIDs &+= 1 }
        outcome.accepted &+= 1
    }

    private static func append(
        _ fields: Fields, _ codes: IdentityCodes, _ received: Int64, _ builder: inout LogBuilder
    ) {
        let time: Int64
        if fields.time != 0 {
            time = Int64(fields.time)
            builder.timeSources.append(LogTable.TimeSource.record)
        } else if fields.observed != 0 {
            time = Int64(fields.observed)
            builder.timeSources.append(LogTable.TimeSource.observed)
        } else {
            time = received
            builder.timeSources.append(LogTable.TimeSource.receipt)
        }
        builder.observedDelays.append(
            fields.observed == 0 ? LogTable.notObserved : Int64(fields.observed) &- time)
        builder.severityNumbers.append(fields.severityNumber)
        builder.severityTexts.append(fields.severityText.start, count: fields.severityText.count)
        builder.eventNames.append(fields.eventName.start, count: fields.eventName.count)
        builder.bodyTypes.append(Int64(fields.body.type.rawValue))
        if fields.body.type == .string {
            builder.bodies.append(fields.body.bytes.start, count: fields.body.bytes.count)
        } else {
            builder.bodies.append(fields.bodyMessage.start, count: fields.bodyMessage.count)
        }
        builder.droppedAttributes.append(fields.droppedAttributes)
        builder.flags.append(fields.flags)
        builder.traceIDs.append(id: fields.traceID, width: 16)
        builder.spanIDs.append(id: fields.spanID, width: 8)
        codes.append(to: &builder)
        builder.times.append(time)
    }
}
