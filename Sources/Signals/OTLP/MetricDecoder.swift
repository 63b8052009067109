internal import Columns
internal import Core
package import Telemetry

/// Reads `ExportMetricsServiceRequest` from protobuf bytes straight into the columns of `otel_metrics`, a row per data point.
package enum MetricDecoder {
    /// - Parameter times: those that rows may have; others are rejected alone.
    package static func decode(
        _ body: UnsafeRawBufferPointer, accepting times: ClosedRange<Int64> = .min ... .max,
        into builder: inout MetricBuilder
    ) throws(ProtobufError) -> DecodeOutcome {
        var outcome = DecodeOutcome()
        try RequestWalker.forEachItem(of: body, into: &builder) {
            (metric, codes, builder) throws(ProtobufError) in
            try decodeMetric(metric, codes, times, &builder, &outcome)
        }
        return outcome
    }

    /// What all points of a metric share.
    struct MetricCodes {
        let identity: IdentityCodes
        var name: UInt32 = 0
        var context: UInt32 = 0
        var header = MetricHeader()

        init(_ identity: IdentityCodes) { self.identity = identity }

        mutating func setMetric(
            _ header: MetricHeader, _ builder: inout MetricBuilder
        ) throws(ProtobufError) {
            self.header = header
            name = builder.metricNames.code(header.name.start, count: header.name.count)
            builder.scratch.bytes.removeAll(keepingCapacity: true)
            header.write(
                resource: identity.resourceHash, scope: identity.scopeHash, into: &builder.scratch)
            guard builder.scratch.bytes.count <= RequestLimits.identityBytes else { throw .tooLarge }
            context = builder.cache.context(builder.scratch.bytes)
        }
    }

    /// A metric's descriptor, and where its data are.
    struct MetricHeader {
        var name = ProtobufSlice.empty
        var description = ProtobufSlice.empty
        var unit = ProtobufSlice.empty
        /// The whole metric, for its metadata in field 12.
        var message = ProtobufSlice.empty
        var kind: UInt64 = 0
        var data = ProtobufSlice.empty
        var temporality: UInt64 = 0
        var isMonotonic: UInt64 = 0

        init() {}

        /// - Parameter joined: room for data that come in several fields; it must live as long as the header.
        init(_ message: ProtobufSlice, joining joined: inout BufferBuilder<UInt8>) throws(ProtobufError) {
            self.message = message
            joined.truncate(to: 0)
            var reader = ProtobufReader(message)
            while !reader.isAtEnd {
                let tag = try reader.tag()
                switch tag {
                case 1 << 3 | 2: name = try reader.bytes()
                case 2 << 3 | 2: description = try reader.bytes()
                case 3 << 3 | 2: unit = try reader.bytes()
                case 12 << 3 | 2: _ = try AnyValue.scalar(AnyValue.keyValue(reader.bytes()).value)
                default:
                    let kind = Self.kind(ofTag: tag)
                    if kind == 0 { try reader.skip(tag) } else { setData(kind, try reader.bytes(), &joined) }
                }
            }
            try readData()
        }

        /// The fields of gauges, sums, histograms, exponential histograms and summaries.
        private static let dataFields: [UInt64] = [5, 7, 9, 10, 11]

        /// `MetricKind`'s number of what a field holds, zero of one that holds no data.
        @inline(__always)
        static func kind(ofTag tag: UInt64) -> UInt64 {
            switch tag {
            case 5 << 3 | 2: 1
            case 7 << 3 | 2: 2
            case 9 << 3 | 2: 3
            case 10 << 3 | 2: 4
            case 11 << 3 | 2: 5
            default: 0
            }
        }

        /// The number of the field that the data come in.
        var dataField: UInt64 { kind == 0 ? 0 : Self.dataFields[Int(kind) - 1] }

        /// Of several kinds the last one counts; the fields of one kind that comes several times are those of all.
        @inline(__always)
        private mutating func setData(
            _ newKind: UInt64, _ part: ProtobufSlice, _ joined: inout BufferBuilder<UInt8>
        ) {
            if newKind == kind, data.count > 0 {
                join(part, &joined)
            } else {
                (kind, data) = (newKind, part)
                joined.truncate(to: 0)
            }
        }

        @inline(never)
        private mutating func join(_ part: ProtobufSlice, _ joined: inout BufferBuilder<UInt8>) {
            if joined.count == 0 {
                joined.append(contentsOf: UnsafeBufferPointer(start: data.start, count: data.count))
            }
            joined.append(contentsOf: UnsafeBufferPointer(start: part.start, count: part.count))
            data = ProtobufSlice(start: joined.base, count: joined.count)
        }

        private mutating func readData() throws(ProtobufError) {
            var reader = ProtobufReader(data)
            while !reader.isAtEnd {
                let tag = try reader.tag()
                switch tag {
                case 2 << 3: temporality = try reader.varint() & 0xFFFF_FFFF
                case 3 << 3: isMonotonic = try reader.varint() == 0 ? 0 : 1
                default: try reader.skip(tag)
                }
            }
        }

        /// The fields of `SeriesIdentity` that the metric gives.
        ///
        /// - Parameters:
        ///   - resource: the hash that stands for it.
        ///   - scope: likewise.
        func write(resource: UInt64, scope: UInt64, into writer: inout ProtobufWriter) {
            writer.field(1, bytes: name.raw)
            writer.field(4, varint: kind)
            if temporality != 0 { writer.field(5, varint: temporality) }
            if isMonotonic != 0 { writer.field(6, varint: isMonotonic) }
            if unit.count > 0 { writer.field(2, bytes: unit.raw) }
            if description.count > 0 { writer.field(3, bytes: description.raw) }
            try? RequestWalker.forEach(12, in: message) { item in writer.field(12, bytes: item.raw) }
            writer.field(8, fixed64: resource)
            writer.field(9, fixed64: scope)
        }

        /// Calls `body` with each data point.
        func forEachPoint(_ body: (ProtobufSlice) throws(ProtobufError) -> Void) throws(ProtobufError) {
            try RequestWalker.forEach(1, in: data, body)
        }

        /// The number of the attributes' field in this kind's data points (contract §8.4).
        var attributesField: UInt64 {
            switch kind {
            case 3: 9
            case 4: 1
            default: 7
            }
        }
    }

    private static func decodeMetric(
        _ message: ProtobufSlice, _ identity: IdentityCodes, _ times: ClosedRange<Int64>,
        _ builder: inout MetricBuilder, _ outcome: inout DecodeOutcome
    ) throws(ProtobufError) {
        let header = try MetricHeader(message, joining: &builder.joined)
        var codes = MetricCodes(identity)
        if header.name.count > 0 { try codes.setMetric(header, &builder) }
        let before = builder.itemCount
        var points = ProtobufReader(header.data)
        while !points.isAtEnd {
            let tag = try points.tag()
            guard tag == 1 << 3 | 2 else {
                try points.skip(tag)
                continue
            }
            let point = try points.bytes()
            if header.name.count == 0 {
                outcome.reject("a metric must have a name")
                continue
            }
            guard builder.itemCount &- before < RequestLimits.items else { throw .tooLarge }
            if point.count > RequestLimits.pointBytes {
                outcome.reject("a data point must not have more than \(RequestLimits.pointBytes) bytes")
                continue
            }
            let rows = builder.rowCount
            var fault: String?
            switch header.kind {
            case 3: fault = try decodeHistogram(point, codes, &builder)
            case 4: fault = try decodeExponentialHistogram(point, codes, &builder)
            case 5: fault = try decodeSummary(point, codes, &builder)
            default: fault = try decodeNumber(point, codes, &builder)
            }
            if fault == nil { fault = childrenFault(builder) }
            if let fault {
                builder.truncate(to: rows)
                outcome.reject(fault)
            } else if let time = lastTime(builder), !times.contains(time) {
                builder.truncate(to: rows)
                outcome.reject("a data point's time", at: time, outside: times)
            } else {
                outcome.accepted &+= 1
            }
        }
    }

    /// Why the last row cannot be stored for what it holds, or nil.
    @inline(__always)
    private static func childrenFault(_ builder: borrowing MetricBuilder) -> String? {
        if last(builder.exemplars.ends) > RequestLimits.children {
            return "a data point must not have more than \(RequestLimits.children) exemplars"
        }
        if last(builder.distributions.ends) > 0,
            max(
                last(builder.distributions.bucketEnds), last(builder.distributions.negativeEnds),
                last(builder.distributions.quantileEnds)) > RequestLimits.buckets
        {
            return "a data point must not have more than \(RequestLimits.buckets) buckets or quantiles"
        }
        return nil
    }

    /// The time of the last row.
    @inline(__always)
    private static func lastTime(_ builder: borrowing MetricBuilder) -> Int64? {
        builder.times.count > 0 ? builder.times.base[builder.times.count - 1] : nil
    }

    /// The length of the last list.
    @inline(__always)
    private static func last(_ ends: borrowing BufferBuilder<UInt32>) -> Int {
        Int(ends.base[ends.count - 1]) - Int(ends.base[ends.count - 2])
    }

    private static func decodeNumber(
        _ message: ProtobufSlice, _ codes: MetricCodes, _ builder: inout MetricBuilder
    ) throws(ProtobufError) -> String? {
        var fields = PointFields()
        var attributes = AttributeRun()
        var type = MetricTable.ValueType.none
        var bits: UInt64 = 0
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let begin = reader.position
            let tag = try reader.tag()
            switch tag {
            case 2 << 3 | 1: fields.start = try reader.fixed64()
            case 3 << 3 | 1: fields.time = try reader.fixed64()
            case 4 << 3 | 1: (type, bits) = (MetricTable.ValueType.double, try reader.fixed64())
            case 5 << 3 | 2: try decodeExemplar(reader.bytes(), &builder)
            case 6 << 3 | 1: (type, bits) = (MetricTable.ValueType.int, try reader.fixed64())
            case 7 << 3 | 2:
                _ = try reader.bytes()
                attributes.extend(from: begin, to: reader.position)
            case 8 << 3: fields.flags = Int64(UInt32(truncatingIfNeeded: try reader.varint()))
            default: try reader.skip(tag)
            }
        }
        if let fault = fields.fault { return fault }
        try appendSeries(attributes, message, codes, &builder)
        builder.valueTypes.append(type)
        if type == MetricTable.ValueType.int {
            let (value, residue) = MetricTable.split(Int64(bitPattern: bits))
            builder.values.append(value)
            builder.residues.append(residue)
        } else {
            builder.values.append(Double(bitPattern: bits))
            builder.residues.append(0)
        }
        finish(fields, codes, &builder)
        return nil
    }

    /// Ends a row whose value, series and distribution have been appended.
    static func finish(
        _ fields: PointFields, _ codes: MetricCodes, _ builder: inout MetricBuilder
    ) {
        builder.flags.append(fields.flags)
        builder.metricNames.append(code: codes.name)
        codes.identity.append(to: &builder)
        builder.startTimes.append(Int64(fields.start))
        let time = Int64(fields.time)
        var exemplar = Int(builder.exemplars.ends.base[builder.exemplars.ends.count - 1])
        while exemplar < builder.exemplars.timeOffsets.count {
            builder.exemplars.timeOffsets.base[exemplar] &-= time
            exemplar += 1
        }
        builder.exemplars.ends.append(UInt32(truncatingIfNeeded: builder.exemplars.values.count))
        builder.distributions.ends.append(UInt32(truncatingIfNeeded: builder.distributions.counts.count))
        builder.times.append(time)
    }

    /// What every kind of data point has.
    struct PointFields {
        var start: UInt64 = 0
        var time: UInt64 = 0
        var flags: Int64 = 0

        @inline(__always)
        var fault: String? {
            start >= UInt64(Int64.max) || time >= UInt64(Int64.max)
                ? "a data point's times must lie before 2262-04-11" : nil
        }
    }

    /// The attributes of a data point as they are in the request: nearly always one run of fields.
    struct AttributeRun {
        private(set) var start: UnsafePointer<UInt8>?
        private var end: UnsafePointer<UInt8>?
        private(set) var isContiguous = true

        @inline(__always)
        mutating func extend(from begin: UnsafePointer<UInt8>, to newEnd: UnsafePointer<UInt8>) {
            if start == nil {
                start = begin
            } else if end != begin {
                isContiguous = false
            }
            end = newEnd
        }

        @inline(__always)
        var count: Int {
            guard let start, let end else { return 0 }
            return end - start
        }
    }

    @inline(__always)
    static func appendSeries(
        _ run: AttributeRun, _ message: ProtobufSlice, _ codes: MetricCodes,
        _ builder: inout MetricBuilder
    ) throws(ProtobufError) {
        guard run.isContiguous else { return try appendScattered(message, codes, &builder) }
        let start = run.start ?? message.start
        let (key, isNew) = builder.cache.key(context: codes.context, start, count: run.count)
        if isNew {
            let attributes = ProtobufSlice(start: start, count: run.count)
            builder.cache.setEntry(try addSeries(attributes, codes, &builder), ofKey: key)
        }
        builder.series.append(code: builder.cache.entry(ofKey: key))
    }

    private static func appendScattered(
        _ message: ProtobufSlice, _ codes: MetricCodes, _ builder: inout MetricBuilder
    ) throws(ProtobufError) {
        let field = codes.header.attributesField
        var run = ProtobufWriter()
        try RequestWalker.forEach(field, in: message) { item in run.field(field, bytes: item.raw) }
        let (key, isNew) = builder.cache.key(context: codes.context, run.bytes, count: run.bytes.count)
        if isNew {
            let code: UInt32 = try run.bytes.withUnsafeBufferPointer {
                (bytes) throws(ProtobufError) in
                try addSeries(ProtobufSlice(UnsafeRawBufferPointer(bytes)), codes, &builder)
            }
            builder.cache.setEntry(code, ofKey: key)
        }
        builder.series.append(code: builder.cache.entry(ofKey: key))
    }

    /// The entry in the series column for attributes seen for the first time.
    private static func addSeries(
        _ attributes: ProtobufSlice, _ codes: MetricCodes, _ builder: inout MetricBuilder
    ) throws(ProtobufError) -> UInt32 {
        builder.scratch.bytes.removeAll(keepingCapacity: true)
        codes.header.write(
            resource: codes.identity.resourceHash, scope: codes.identity.scopeHash, into: &builder.scratch)
        var reader = ProtobufReader(attributes)
        while !reader.isAtEnd {
            _ = try reader.tag()
            let item = try reader.bytes()
            _ = try AnyValue.scalar(AnyValue.keyValue(item).value)
            builder.scratch.field(7, bytes: item.raw)
        }
        guard builder.scratch.bytes.count <= RequestLimits.identityBytes else { throw .tooLarge }
        return builder.series.code(builder.scratch.bytes, count: builder.scratch.bytes.count)
    }
}
