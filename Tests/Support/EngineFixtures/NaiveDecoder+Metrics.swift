import Core

extension NaiveDecoder {
    package mutating func decode(metrics request: [UInt8]) throws {
        var found: [([UInt8], Origin)] = []
        try forEachItem(request) { found.append(($0, $1)) }
        for (item, origin) in found { try addMetric(item, origin) }
    }

    /// A metric's kind, as `series` numbers it, and the number of the field that holds its data.
    private static let kinds: [UInt64: UInt64] = [5: 1, 7: 2, 9: 3, 10: 4, 11: 5]

    private mutating func addMetric(_ bytes: [UInt8], _ origin: Origin) throws {
        let metric = try NaiveMessage(bytes)
        // The data are a oneof: of several kinds the last one counts, and of one kind the fields of all.
        var kind: UInt64 = 0
        var dataBytes: [UInt8] = []
        for field in metric.fields {
            guard let found = Self.kinds[field.number], case .bytes(let message) = field.value else { continue }
            dataBytes = found == kind ? dataBytes + message : message
            kind = found
        }
        let data = try NaiveMessage(dataBytes)
        for point in data.all(1) {
            try accept {
                guard !metric.bytes(1).isEmpty else { throw Rejection() }
                var cells = try Self.point(point, kind)
                cells["metric_name"] = .bytes(metric.bytes(1))
                cells["service_name"] = .bytes(origin.service)
                cells["resource"] = .bytes(origin.resource)
                cells["scope"] = .bytes(origin.scope)
                cells["series"] = .bytes(try Self.series(metric, kind, data, point, origin))
                return cells
            }
        }
    }

    private static func series(
        _ metric: NaiveMessage, _ kind: UInt64, _ data: NaiveMessage, _ point: [UInt8], _ origin: Origin
    ) throws -> [UInt8] {
        var bytes = field(1, metric.bytes(1), evenIfEmpty: true) + [4 << 3] + varint(kind)
        let temporality = (data.varint(2) ?? 0) & 0xFFFF_FFFF
        if temporality != 0 { bytes += [5 << 3] + varint(temporality) }
        if data.varint(3) ?? 0 != 0 { bytes += [6 << 3, 1] }
        bytes += field(2, metric.bytes(3)) + field(3, metric.bytes(2))
        for item in metric.all(12) { bytes += field(12, item, evenIfEmpty: true) }
        bytes += [8 << 3 | 1] + XXH3.hash(origin.resource).littleEndianBytes
        bytes += [9 << 3 | 1] + XXH3.hash(origin.scope).littleEndianBytes
        let attributes: UInt64 = [3: 9, 4: 1][kind] ?? 7
        for item in try NaiveMessage(point).all(attributes) { bytes += field(7, item, evenIfEmpty: true) }
        return bytes
    }

    private static func point(_ bytes: [UInt8], _ kind: UInt64) throws -> [String: Cell] {
        let point = try NaiveMessage(bytes)
        let timestamp = try time(point.fixed64(3))
        var cells: [String: Cell] = [
            "time": .integer(timestamp), "start_time": .integer(try time(point.fixed64(2))),
            "distribution": .rows([]), "exemplars": .rows([]), "value_type": .integer(3), "value": .bits(0),
            "value_residue": .integer(0),
        ]
        let flags: UInt64
        let exemplars: UInt64?
        switch kind {
        case 3:
            (flags, exemplars) = (10, 8)
            cells["distribution"] = .rows([try histogram(point)])
        case 4:
            (flags, exemplars) = (10, 11)
            cells["distribution"] = .rows([try exponential(point)])
        case 5:
            (flags, exemplars) = (8, nil)
            cells["distribution"] = .rows([try summary(point)])
        default:
            (flags, exemplars) = (8, 5)
            (cells["value_type"], cells["value"], cells["value_residue"]) = number(point, double: 4, int: 6)
        }
        cells["flags"] = .integer(point.uint32(flags))
        if let exemplars { cells["exemplars"] = .rows(try point.all(exemplars).map { try exemplar($0, timestamp) }) }
        return cells
    }

    /// The last of a double and an integer: type, value and what the value lacks.
    private static func number(_ message: NaiveMessage, double: UInt64, int: UInt64) -> (Cell, Cell, Cell) {
        var result: (Cell, Cell, Cell) = (.integer(0), .bits(0), .integer(0))
        for field in message.fields {
            guard case .fixed64(let word) = field.value else { continue }
            if field.number == double { result = (.integer(2), .bits(word), .integer(0)) }
            if field.number == int {
                let integer = Int64(bitPattern: word)
                let nearest = Double(integer)
                let residue = Int64(Int128(integer) - Int128(nearest))
                result = (.integer(1), .bits(nearest.bitPattern), .integer(residue))
            }
        }
        return result
    }

    private static func exemplar(_ bytes: [UInt8], _ timestamp: Int64) throws -> [Cell] {
        let exemplar = try NaiveMessage(bytes)
        let (type, value, residue) = number(exemplar, double: 3, int: 6)
        return [
            .integer(Int64(clamping: exemplar.fixed64(2) ?? 0) - timestamp), type, value, residue,
            id(exemplar.bytes(5), 16), id(exemplar.bytes(4), 8),
            .attributes(try NaiveAttributes.set(in: bytes, field: 7)),
        ]
    }

    /// The fields of `distribution` in their order; what a kind does not have is zero or empty.
    private static func distribution(
        _ point: NaiveMessage, present: Int64, sum: UInt64, min: UInt64 = 0, max: UInt64 = 0,
        bounds: [UInt8] = [], counts: [UInt64] = [], scale: Int64 = 0, zeroCount: UInt64 = 0,
        zeroThreshold: UInt64 = 0, offsets: (Int64, Int64) = (0, 0), negatives: [UInt64] = [],
        quantiles: [(UInt64, UInt64)] = []
    ) -> [Cell] {
        func list(_ words: [UInt64]) -> Cell { .list(words.map { .integer(Int64(bitPattern: $0)) }) }
        return [
            .integer(Int64(bitPattern: point.fixed64(4) ?? 0)), .integer(present), .bits(sum), .bits(min),
            .bits(max), .bytes(bounds), list(counts), .integer(scale), .integer(Int64(bitPattern: zeroCount)),
            .bits(zeroThreshold), .integer(offsets.0), .integer(offsets.1), list(negatives),
            .list(quantiles.map { .bits($0.0) }), .list(quantiles.map { .bits($0.1) }),
        ]
    }

    private static func histogram(_ point: NaiveMessage) throws -> [Cell] {
        let counts = try point.words(6)
        guard let bounds = try? point.words(7),
            counts.isEmpty && bounds.isEmpty || counts.count == bounds.count + 1
        else { throw Rejection() }
        let (sum, min, max) = (point.fixed64(5), point.fixed64(11), point.fixed64(12))
        return distribution(
            point, present: (sum == nil ? 0 : 1) + (min == nil ? 0 : 2) + (max == nil ? 0 : 4), sum: sum ?? 0,
            min: min ?? 0, max: max ?? 0, bounds: bounds.flatMap(\.littleEndianBytes), counts: counts)
    }

    private static func exponential(_ point: NaiveMessage) throws -> [Cell] {
        let positive = try NaiveMessage(point.merged(8))
        let negative = try NaiveMessage(point.merged(9))
        let (sum, min, max) = (point.fixed64(5), point.fixed64(12), point.fixed64(13))
        return distribution(
            point, present: (sum == nil ? 0 : 1) + (min == nil ? 0 : 2) + (max == nil ? 0 : 4), sum: sum ?? 0,
            min: min ?? 0, max: max ?? 0, counts: try positive.varints(2), scale: point.sint32(6),
            zeroCount: point.fixed64(7) ?? 0, zeroThreshold: point.fixed64(14) ?? 0,
            offsets: (positive.sint32(1), negative.sint32(1)), negatives: try negative.varints(2))
    }

    private static func summary(_ point: NaiveMessage) throws -> [Cell] {
        let quantiles = try point.all(6).map { bytes in
            let quantile = try NaiveMessage(bytes)
            return (quantile.fixed64(1) ?? 0, quantile.fixed64(2) ?? 0)
        }
        return distribution(point, present: 1, sum: point.fixed64(5) ?? 0, quantiles: quantiles)
    }
}
