internal import Columns
internal import Core
internal import Telemetry

/// The data points that are distributions: histograms, exponential histograms and summaries.
extension MetricDecoder {
    /// The fields of `distribution` that do not go to lists.
    private struct Distribution {
        var count: UInt64 = 0
        var present: Int64 = 0
        var sum: UInt64 = 0
        var min: UInt64 = 0
        var max: UInt64 = 0
        var scale: Int64 = 0
        var zeroCount: UInt64 = 0
        var zeroThreshold: UInt64 = 0
        var positiveOffset: Int64 = 0
        var negativeOffset: Int64 = 0
    }

    static func decodeHistogram(
        _ message: ProtobufSlice, _ codes: MetricCodes, _ builder: inout MetricBuilder
    ) throws(ProtobufError) -> String? {
        var fields = PointFields()
        var attributes = AttributeRun()
        var distribution = Distribution()
        builder.scratch2.bytes.removeAll(keepingCapacity: true)
        let firstBucket = builder.distributions.buckets.count
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let begin = reader.position
            let tag = try reader.tag()
            switch tag {
            case 2 << 3 | 1: fields.start = try reader.fixed64()
            case 3 << 3 | 1: fields.time = try reader.fixed64()
            case 4 << 3 | 1: distribution.count = try reader.fixed64()
            case 5 << 3 | 1:
                distribution.sum = try reader.fixed64()
                distribution.present |= MetricTable.Present.sum
            case 6 << 3 | 2: try appendFixed(reader.bytes(), &builder.distributions.buckets)
            case 6 << 3 | 1: builder.distributions.buckets.append(Int64(bitPattern: try reader.fixed64()))
            case 7 << 3 | 2: builder.scratch2.bytes.append(contentsOf: try reader.bytes().raw)
            case 7 << 3 | 1:
                let bound = try reader.fixed64()
                withUnsafeBytes(of: bound.littleEndian) { builder.scratch2.bytes.append(contentsOf: $0) }
            case 8 << 3 | 2: try decodeExemplar(reader.bytes(), &builder)
            case 9 << 3 | 2:
                _ = try reader.bytes()
                attributes.extend(from: begin, to: reader.position)
            case 10 << 3: fields.flags = Int64(UInt32(truncatingIfNeeded: try reader.varint()))
            case 11 << 3 | 1:
                distribution.min = try reader.fixed64()
                distribution.present |= MetricTable.Present.min
            case 12 << 3 | 1:
                distribution.max = try reader.fixed64()
                distribution.present |= MetricTable.Present.max
            default: try reader.skip(tag)
            }
        }
        let buckets = builder.distributions.buckets.count - firstBucket
        let boundBytes = builder.scratch2.bytes.count
        if boundBytes % 8 != 0 || (buckets != 0 || boundBytes != 0) && buckets != boundBytes / 8 + 1 {
            return "a histogram must have one bucket count more than explicit bounds"
        }
        if let fault = fields.fault { return fault }
        try appendSeries(attributes, message, codes, &builder)
        appendRow(distribution, &builder)
        finishDistribution(fields, codes, &builder)
        return nil
    }

    static func decodeExponentialHistogram(
        _ message: ProtobufSlice, _ codes: MetricCodes, _ builder: inout MetricBuilder
    ) throws(ProtobufError) -> String? {
        var fields = PointFields()
        var attributes = AttributeRun()
        var distribution = Distribution()
        builder.scratch2.bytes.removeAll(keepingCapacity: true)
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let begin = reader.position
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | 2:
                _ = try reader.bytes()
                attributes.extend(from: begin, to: reader.position)
            case 2 << 3 | 1: fields.start = try reader.fixed64()
            case 3 << 3 | 1: fields.time = try reader.fixed64()
            case 4 << 3 | 1: distribution.count = try reader.fixed64()
            case 5 << 3 | 1:
                distribution.sum = try reader.fixed64()
                distribution.present |= MetricTable.Present.sum
            case 6 << 3: distribution.scale = zigzag(try reader.varint())
            case 7 << 3 | 1: distribution.zeroCount = try reader.fixed64()
            case 8 << 3 | 2:
                try decodeBuckets(
                    reader.bytes(), &distribution.positiveOffset, &builder.distributions.buckets)
            case 9 << 3 | 2:
                try decodeBuckets(
                    reader.bytes(), &distribution.negativeOffset, &builder.distributions.negatives)
            case 10 << 3: fields.flags = Int64(UInt32(truncatingIfNeeded: try reader.varint()))
            case 11 << 3 | 2: try decodeExemplar(reader.bytes(), &builder)
            case 12 << 3 | 1:
                distribution.min = try reader.fixed64()
                distribution.present |= MetricTable.Present.min
            case 13 << 3 | 1:
                distribution.max = try reader.fixed64()
                distribution.present |= MetricTable.Present.max
            case 14 << 3 | 1: distribution.zeroThreshold = try reader.fixed64()
            default: try reader.skip(tag)
            }
        }
        if let fault = fields.fault { return fault }
        try appendSeries(attributes, message, codes, &builder)
        appendRow(distribution, &builder)
        finishDistribution(fields, codes, &builder)
        return nil
    }

    static func decodeSummary(
        _ message: ProtobufSlice, _ codes: MetricCodes, _ builder: inout MetricBuilder
    ) throws(ProtobufError) -> String? {
        var fields = PointFields()
        var attributes = AttributeRun()
        var distribution = Distribution()
        distribution.present = MetricTable.Present.sum
        builder.scratch2.bytes.removeAll(keepingCapacity: true)
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let begin = reader.position
            let tag = try reader.tag()
            switch tag {
            case 2 << 3 | 1: fields.start = try reader.fixed64()
            case 3 << 3 | 1: fields.time = try reader.fixed64()
            case 4 << 3 | 1: distribution.count = try reader.fixed64()
            case 5 << 3 | 1: distribution.sum = try reader.fixed64()
            case 6 << 3 | 2: try decodeQuantile(reader.bytes(), &builder)
            case 7 << 3 | 2:
                _ = try reader.bytes()
                attributes.extend(from: begin, to: reader.position)
            case 8 << 3: fields.flags = Int64(UInt32(truncatingIfNeeded: try reader.varint()))
            default: try reader.skip(tag)
            }
        }
        if let fault = fields.fault { return fault }
        try appendSeries(attributes, message, codes, &builder)
        appendRow(distribution, &builder)
        finishDistribution(fields, codes, &builder)
        return nil
    }

    static func decodeExemplar(
        _ message: ProtobufSlice, _ builder: inout MetricBuilder
    ) throws(ProtobufError) {
        var time: UInt64 = 0
        var type = MetricTable.ValueType.none
        var bits: UInt64 = 0
        var traceID = ProtobufSlice.empty
        var spanID = ProtobufSlice.empty
        var fits = true
        builder.exemplars.attributes.begin()
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 2 << 3 | 1: time = try reader.fixed64()
            case 3 << 3 | 1: (type, bits) = (MetricTable.ValueType.double, try reader.fixed64())
            case 4 << 3 | 2: spanID = try reader.bytes()
            case 5 << 3 | 2: traceID = try reader.bytes()
            case 6 << 3 | 1: (type, bits) = (MetricTable.ValueType.int, try reader.fixed64())
            case 7 << 3 | 2:
                let attribute = try reader.bytes()
                if fits { fits = try builder.exemplars.attributes.append(keyValue: attribute) }
            default: try reader.skip(tag)
            }
        }
        if !fits { try builder.exemplars.attributes.rewrite(from: message, field: 7) }
        builder.exemplars.attributes.end()
        builder.exemplars.timeOffsets.append(Int64(clamping: time))
        builder.exemplars.valueTypes.append(type)
        if type == MetricTable.ValueType.int {
            let (value, residue) = MetricTable.split(Int64(bitPattern: bits))
            builder.exemplars.values.append(value)
            builder.exemplars.residues.append(residue)
        } else {
            builder.exemplars.values.append(Double(bitPattern: bits))
            builder.exemplars.residues.append(0)
        }
        builder.exemplars.traceIDs.append(id: traceID, width: 16)
        builder.exemplars.spanIDs.append(id: spanID, width: 8)
    }

    private static func decodeQuantile(
        _ message: ProtobufSlice, _ builder: inout MetricBuilder
    ) throws(ProtobufError) {
        var quantile: UInt64 = 0
        var value: UInt64 = 0
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | 1: quantile = try reader.fixed64()
            case 2 << 3 | 1: value = try reader.fixed64()
            default: try reader.skip(tag)
            }
        }
        builder.distributions.quantiles.append(Double(bitPattern: quantile))
        builder.distributions.quantileValues.append(Double(bitPattern: value))
    }

    /// Appends an exponential histogram's bucket counts, and sets the index of the first bucket if it is given.
    private static func decodeBuckets(
        _ message: ProtobufSlice, _ offset: inout Int64, _ counts: inout BufferBuilder<Int64>
    ) throws(ProtobufError) {
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3: offset = zigzag(try reader.varint())
            case 2 << 3: counts.append(Int64(bitPattern: try reader.varint()))
            case 2 << 3 | 2:
                var packed = ProtobufReader(try reader.bytes())
                while !packed.isAtEnd { counts.append(Int64(bitPattern: try packed.varint())) }
            default: try reader.skip(tag)
            }
        }
    }

    private static func appendFixed(
        _ packed: ProtobufSlice, _ values: inout BufferBuilder<Int64>
    ) throws(ProtobufError) {
        var reader = ProtobufReader(packed)
        while !reader.isAtEnd { values.append(Int64(bitPattern: try reader.fixed64())) }
    }

    /// A `sint32`.
    private static func zigzag(_ value: UInt64) -> Int64 {
        let word = UInt32(truncatingIfNeeded: value)
        return Int64(Int32(bitPattern: (word >> 1) ^ (0 &- (word & 1))))
    }

    private static func appendRow(_ distribution: Distribution, _ builder: inout MetricBuilder) {
        builder.distributions.counts.append(Int64(bitPattern: distribution.count))
        builder.distributions.present.append(distribution.present)
        builder.distributions.sums.append(Double(bitPattern: distribution.sum))
        builder.distributions.minima.append(Double(bitPattern: distribution.min))
        builder.distributions.maxima.append(Double(bitPattern: distribution.max))
        builder.distributions.bounds.append(
            builder.scratch2.bytes, count: builder.scratch2.bytes.count)
        builder.distributions.bucketEnds.append(UInt32(builder.distributions.buckets.count))
        builder.distributions.scales.append(distribution.scale)
        builder.distributions.zeroCounts.append(Int64(bitPattern: distribution.zeroCount))
        builder.distributions.zeroThresholds.append(Double(bitPattern: distribution.zeroThreshold))
        builder.distributions.positiveOffsets.append(distribution.positiveOffset)
        builder.distributions.negativeOffsets.append(distribution.negativeOffset)
        builder.distributions.negativeEnds.append(UInt32(builder.distributions.negatives.count))
        builder.distributions.quantileEnds.append(UInt32(builder.distributions.quantiles.count))
    }

    private static func finishDistribution(
        _ fields: PointFields, _ codes: MetricCodes, _ builder: inout MetricBuilder
    ) {
        builder.valueTypes.append(MetricTable.ValueType.distribution)
        builder.values.append(0)
        builder.residues.append(0)
        finish(fields, codes, &builder)
    }
}
