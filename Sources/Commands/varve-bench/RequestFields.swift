import Corpus

/// Where an export request has its times and ids. Both are of fixed width, so that they can be changed in place.
struct RequestFields {
    /// Spans, records or data points.
    private(set) var rows = 0
    /// Where times are, eight bytes each, little-endian; a time that was not set is none.
    private(set) var times: [Int] = []
    /// The first byte of each trace and span id.
    private(set) var ids: [Int] = []
    /// The greatest time of a row: a span's start, a record's or a point's time.
    private(set) var greatest: UInt64 = 0

    /// What of a row's message is wanted, by field numbers.
    private struct Layout {
        /// From the request to its rows.
        var path: [Set<Int>]
        /// A row's own time.
        var time: Int
        var otherTimes: Set<Int>
        var ids: Set<Int>
        /// Messages in a row that have a time, and its field there: a span's events, a point's exemplars.
        var nested: Set<Int>
        var nestedTime: Int

        init(_ signal: CorpusGenerator.Signal) {
            let groups: [Set<Int>] = [[1], [2], [2]]
            switch signal {
            case .traces:
                (path, time, otherTimes, ids) = (groups, 7, [8], [1, 2, 4])
                (nested, nestedTime) = ([11], 1)
            case .logs:
                (path, time, otherTimes, ids) = (groups, 1, [11], [9, 10])
                (nested, nestedTime) = ([], 0)
            case .metrics:
                // Gauge, sum, histogram, exponential histogram, summary, and their points. Exemplars have another number in each
                // kind; what else has these numbers has no time.
                (path, time, otherTimes, ids) = (groups + [[5, 7, 9, 10, 11], [1]], 3, [2], [])
                (nested, nestedTime) = ([5, 8, 11], 2)
            }
        }
    }

    /// - Returns: nil if the bytes are no request.
    init?(_ body: [UInt8], of signal: CorpusGenerator.Signal) {
        let layout = Layout(signal)
        var ranges = [0..<body.count]
        for wanted in layout.path {
            var inner: [Range<Int>] = []
            for range in ranges {
                let isWhole = Self.forEachField(body, range) { number, wire, value in
                    if wire == 2, wanted.contains(number) { inner.append(value) }
                }
                guard isWhole else { return nil }
            }
            ranges = inner
        }
        for range in ranges where !addRow(body, range, layout) { return nil }
    }

    /// Moves all times by that many nanoseconds and combines the first byte of every id with `ids`.
    func shift(_ body: inout [UInt8], by nanoseconds: UInt64, ids mask: UInt8) {
        for offset in times {
            let moved = Self.fixed64(body, offset) &+ nanoseconds
            for i in 0..<8 { body[offset + i] = UInt8(truncatingIfNeeded: moved >> UInt64(8 * i)) }
        }
        if mask != 0 {
            for offset in ids { body[offset] ^= mask }
        }
    }

    private mutating func addRow(_ body: [UInt8], _ range: Range<Int>, _ layout: Layout) -> Bool {
        rows += 1
        var nested: [Range<Int>] = []
        let isWhole = Self.forEachField(body, range) { number, wire, value in
            if wire == 1, number == layout.time || layout.otherTimes.contains(number) {
                let time = addTime(body, value.lowerBound)
                if number == layout.time { greatest = max(greatest, time) }
            } else if wire == 2, layout.ids.contains(number) {
                if let first = value.first { ids.append(first) }
            } else if wire == 2, layout.nested.contains(number) {
                nested.append(value)
            }
        }
        guard isWhole else { return false }
        for message in nested {
            // Packed numbers, of which some kinds of points have lists, need not look like a message.
            _ = Self.forEachField(body, message) { number, wire, value in
                if wire == 1, number == layout.nestedTime { _ = addTime(body, value.lowerBound) }
            }
        }
        return true
    }

    private mutating func addTime(_ body: [UInt8], _ offset: Int) -> UInt64 {
        let time = Self.fixed64(body, offset)
        if time != 0 { times.append(offset) }
        return time
    }

    private static func fixed64(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
        (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }

    /// Calls `body` with each field's number, its wire type and where its value is.
    ///
    /// - Returns: false if the bytes are no message.
    private static func forEachField(
        _ bytes: [UInt8], _ range: Range<Int>, _ body: (Int, Int, Range<Int>) -> Void
    ) -> Bool {
        var offset = range.lowerBound
        func varint() -> Int? {
            var value: UInt64 = 0
            for shift in stride(from: UInt64(0), to: 64, by: 7) {
                guard offset < range.upperBound else { return nil }
                let byte = bytes[offset]
                offset += 1
                value |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return Int(exactly: value) }
            }
            return nil
        }
        while offset < range.upperBound {
            guard let tag = varint() else { return false }
            let start: Int
            switch tag & 7 {
            case 0:
                start = offset
                // Ten bytes, as negative numbers have, are more than an Int holds.
                while offset < range.upperBound, bytes[offset] >= 0x80 { offset += 1 }
                offset += 1
            case 1:
                start = offset
                offset += 8
            case 2:
                guard let length = varint(), length <= range.upperBound - offset else { return false }
                start = offset
                offset += length
            case 5:
                start = offset
                offset += 4
            default: return false
            }
            guard offset <= range.upperBound else { return false }
            body(tag >> 3, tag & 7, start..<offset)
        }
        return true
    }
}
