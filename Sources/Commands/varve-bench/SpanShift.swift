/// Moves the spans of an `ExportTraceServiceRequest` in time, in place: times are fixed-width fields, so that nothing else changes.
///
/// Ids can be changed too, so that a corpus that is sent again has other traces.
struct SpanShift {
    /// Nanoseconds.
    var times: UInt64
    /// What the first bytes of all trace ids, and all span ids, are combined with.
    var ids: UInt8

    /// The greatest start of a span of a request; zero if there is none.
    static func greatestStart(_ body: [UInt8]) -> UInt64 {
        var greatest: UInt64 = 0
        _ = forEachSpan(body) { range in
            forEachField(body, range) { number, wire, value in
                if number == 7, wire == 1 { greatest = max(greatest, fixed64(body, value.lowerBound)) }
                return true
            }
        }
        return greatest
    }

    /// - Returns: the number of spans; nil if the body is not a request.
    func apply(to body: inout [UInt8]) -> Int? {
        var count = 0
        var times: [Int] = []
        var ids: [Int] = []
        let isWhole = Self.forEachSpan(body) { range in
            count += 1
            var events: [Range<Int>] = []
            let isWhole = Self.forEachField(body, range) { number, wire, value in
                switch (number, wire) {
                case (1, 2), (2, 2), (4, 2): if let first = value.first { ids.append(first) }
                case (7, 1), (8, 1): times.append(value.lowerBound)
                case (11, 2): events.append(value)
                default: break
                }
                return true
            }
            guard isWhole else { return false }
            return events.allSatisfy { event in
                Self.forEachField(body, event) { number, wire, value in
                    if number == 1, wire == 1 { times.append(value.lowerBound) }
                    return true
                }
            }
        }
        guard isWhole else { return nil }
        for place in times { shift(&body, place) }
        for place in ids { body[place] ^= self.ids }
        return count
    }

    private func shift(_ bytes: inout [UInt8], _ place: Int) {
        let moved = Self.fixed64(bytes, place) &+ times
        for i in 0..<8 { bytes[place + i] = UInt8(truncatingIfNeeded: moved >> UInt64(8 * i)) }
    }

    private static func fixed64(_ bytes: [UInt8], _ place: Int) -> UInt64 {
        (0..<8).reduce(0) { $0 | UInt64(bytes[place + $1]) << UInt64(8 * $1) }
    }

    /// Calls `body` with where each span's message is.
    private static func forEachSpan(
        _ bytes: [UInt8], _ body: (Range<Int>) -> Bool
    ) -> Bool {
        var ranges = [0..<bytes.count]
        // resource_spans (1), scope_spans (2), spans (2).
        for wanted in [1, 2, 2] {
            var inner: [Range<Int>] = []
            for range in ranges {
                let isWhole = forEachField(bytes, range) { number, wire, value in
                    if number == wanted, wire == 2 { inner.append(value) }
                    return true
                }
                guard isWhole else { return false }
            }
            ranges = inner
        }
        return ranges.allSatisfy(body)
    }

    /// Calls `body` with each field's number, its wire type and where its value is.
    ///
    /// - Returns: false if the bytes are no message, or `body` answered that.
    @discardableResult
    private static func forEachField(
        _ bytes: [UInt8], _ range: Range<Int>, _ body: (Int, Int, Range<Int>) -> Bool
    ) -> Bool {
        var place = range.lowerBound
        func varint() -> Int? {
            var value: UInt64 = 0
            for shift in stride(from: UInt64(0), to: 64, by: 7) {
                guard place < range.upperBound else { return nil }
                let byte = bytes[place]
                place += 1
                value |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return Int(exactly: value) }
            }
            return nil
        }
        while place < range.upperBound {
            guard let tag = varint() else { return false }
            let start: Int
            switch tag & 7 {
            case 0:
                start = place
                // Ten bytes, as negative numbers have, are more than an Int holds.
                while place < range.upperBound, bytes[place] >= 0x80 { place += 1 }
                place += 1
            case 1:
                start = place
                place += 8
            case 2:
                guard let length = varint(), length <= range.upperBound - place else { return false }
                start = place
                place += length
            case 5:
                start = place
                place += 4
            default: return false
            }
            guard place <= range.upperBound, body(tag >> 3, tag & 7, start..<place) else { return false }
        }
        return true
    }
}
