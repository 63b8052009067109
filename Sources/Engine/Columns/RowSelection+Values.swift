package import Core

/// Keeping rows by the values of a column.
extension RowSelection {
    /// Whether it pays to remember what was answered about entries: of many for a row, most are asked about once.
    package static func remembers(entries: Int, rows: Int) -> Bool { entries <= 4 * rows }

    /// Keeps the rows whose values lie in a range.
    package mutating func keep(_ values: Buffer<Int64>, in range: ClosedRange<Int64>) {
        precondition(rowCount <= values.count)
        let base = values.base
        let low = range.lowerBound
        let span = UInt64(bitPattern: range.upperBound &- low)
        keepRuns { UInt64(bitPattern: base[$0] &- low) <= span }
        withExtendedLifetime(values) {}
    }

    /// Keeps the rows whose values are in a set.
    package mutating func keep(_ integers: Buffer<Int64>, among values: Set<Int64>) {
        precondition(rowCount <= integers.count)
        // Equal values often follow each other.
        var last: (value: Int64, isIn: Bool)?
        keep { row in
            let value = integers.base[row]
            if let last, last.value == value { return last.isIn }
            let isIn = values.contains(value)
            last = (value, isIn)
            return isIn
        }
        withExtendedLifetime(integers) {}
    }

    /// Keeps the rows whose codes are accepted.
    ///
    /// - Parameter accepted: by entry of the dictionary that the codes refer to.
    package mutating func keep(_ values: StringColumn, accepted: [Bool]) {
        precondition(values.dictionary.count == accepted.count && rowCount <= values.codes.count)
        let codes = values.codes.base
        // Codes were checked against the dictionary when they were decoded.
        accepted.withUnsafeBufferPointer { accepted in
            keep { accepted[Int(codes[$0])] }
        }
        withExtendedLifetime(values) {}
    }

    /// Keeps the rows whose strings are accepted.
    package mutating func keep(_ values: StringColumn, where accepts: (Span<UInt8>) -> Bool) {
        precondition(rowCount <= values.codes.count)
        guard Self.remembers(entries: values.dictionary.count, rows: count) else {
            return keep { accepts(values.span($0)) }
        }
        // Entries are asked about as they come up: rows may be few, and entries many.
        var answers = [UInt8](repeating: 0, count: values.dictionary.count)
        keep { row in
            let code = Int(values.codes.base[row])
            if answers[code] == 0 { answers[code] = accepts(values.dictionary.span(code)) ? 1 : 2 }
            return answers[code] == 1
        }
    }

    /// Keeps the rows with one of some ids of 8 bytes, as big-endian words.
    package mutating func keep(_ values: FixedColumn, words ids: Set<UInt64>) { keep { ids.contains(values.word($0)) } }

    /// Keeps the rows with one of some ids of 16 bytes.
    package mutating func keep(_ values: FixedColumn, ids: Set<TraceID>) {
        precondition(values.width == 16 && rowCount <= values.count)
        let base = UnsafeRawPointer(values.bytes.base)
        if ids.count == 1, let id = ids.first {
            let (high, low) = (id.high.bigEndian, id.low.bigEndian)
            keep { row in
                (base.loadUnaligned(fromByteOffset: row * 16, as: UInt64.self) == high)
                    && (base.loadUnaligned(fromByteOffset: row * 16 + 8, as: UInt64.self) == low)
            }
            return withExtendedLifetime(values) {}
        }
        // Few rows have one of the ids: a bit for each id's lowest bits tells most of the others.
        let bits = Self.idBits(ids.count)
        let mask = UInt64(bits - 1)
        var words = [UInt64](repeating: 0, count: bits / 64)
        for id in ids { words[Int((id.low & mask) >> 6)] |= 1 << (id.low & 63) }
        words.withUnsafeBufferPointer { words in
            keep { row in
                let low = UInt64(bigEndian: base.loadUnaligned(fromByteOffset: row * 16 + 8, as: UInt64.self))
                guard words[Int((low & mask) >> 6)] & (1 << (low & 63)) != 0 else { return false }
                return ids.contains(values.traceID(row))
            }
        }
        withExtendedLifetime(values) {}
    }

    /// A power of two, at least 64 for each id as long as the table stays small.
    private static func idBits(_ count: Int) -> Int {
        var bits = 1024
        while bits < count * 64, bits < 1 << 17 { bits *= 2 }
        return bits
    }
}
