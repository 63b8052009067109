/// Times as people read and write them: RFC 3339, in UTC and to the nanosecond.
package enum CalendarTime {
    /// `2026-11-21T14:03:27.000000001Z`.
    package static func text(_ time: Timestamp) -> String {
        String(unsafeUninitializedCapacity: 30) { buffer in
            write(time, to: buffer)
            return 30
        }
    }

    /// As `text`, but without digits that are zero: `2026-11-21T14:00:00Z`.
    package static func shortText(_ time: Timestamp) -> String {
        let text = text(time)
        var digits = text.dropLast()
        while digits.hasSuffix("0") { digits.removeLast() }
        if digits.hasSuffix(".") { return text.prefix(19) + "Z" }
        return digits + "Z"
    }

    package static func append(_ time: Timestamp, to bytes: inout [UInt8]) { bytes.append(contentsOf: text(time).utf8) }

    private static func write(_ time: Timestamp, to buffer: UnsafeMutableBufferPointer<UInt8>) {
        let second = floor(time.nanoseconds, 1_000_000_000)
        let day = floor(second, 86_400)
        let date = CivilDay(daysSinceEpoch: Int(day))
        let rest = second - day * 86_400
        func put(_ value: Int64, _ width: Int, at place: Int) {
            var value = value
            for i in stride(from: place + width - 1, through: place, by: -1) {
                buffer[i] = 0x30 + UInt8(truncatingIfNeeded: value % 10)
                value /= 10
            }
        }
        for (place, mark) in zip([4, 7, 10, 13, 16, 19, 29], "--T::.Z".utf8) { buffer[place] = mark }
        put(Int64(date.year), 4, at: 0)
        put(Int64(date.month), 2, at: 5)
        put(Int64(date.dayOfMonth), 2, at: 8)
        put(rest / 3600, 2, at: 11)
        put(rest / 60 % 60, 2, at: 14)
        put(rest % 60, 2, at: 17)
        put(time.nanoseconds &- second &* 1_000_000_000, 9, at: 20)
    }

    private static func floor(_ value: Int64, _ unit: Int64) -> Int64 {
        value / unit - (value % unit < 0 ? 1 : 0)
    }

    /// Reads a day (`2026-11-21`), a timestamp in UTC or with an offset (`2026-11-21T14:00`, `…:00.5Z`, `…+02:00`), and nanoseconds
    /// since the epoch (an integer of more than ten digits).
    ///
    /// - Returns: nil if it is none of these, or not representable.
    package static func parse(_ text: String) -> Timestamp? {
        let bytes = Array(text.utf8)
        if bytes.count > 10, let number = Int64(text) { return Timestamp(nanoseconds: number) }
        var reader = Reader(bytes: bytes)
        guard let year = reader.number(4), reader.take("-"), let month = reader.number(2), reader.take("-"),
            let dayOfMonth = reader.number(2),
            let day = CivilDay(year: Int(year), month: Int(month), dayOfMonth: Int(dayOfMonth))
        else { return nil }
        var seconds = Int64(day.daysSinceEpoch) * 86_400
        var nanoseconds: Int64 = 0
        if !reader.isAtEnd {
            guard reader.take("T") || reader.take("t") || reader.take(" "), let hour = reader.number(2), hour < 24,
                reader.take(":"), let minute = reader.number(2), minute < 60
            else { return nil }
            seconds += hour * 3600 + minute * 60
            if reader.take(":") {
                guard let second = reader.number(2), second < 60 else { return nil }
                seconds += second
                if reader.take(".") {
                    guard let fraction = reader.fraction() else { return nil }
                    nanoseconds = fraction
                }
            }
            guard let offset = reader.offset() else { return nil }
            seconds -= offset
        }
        let (whole, isOver) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isAbove) = whole.addingReportingOverflow(nanoseconds)
        return isOver || isAbove ? nil : Timestamp(nanoseconds: sum)
    }

    private struct Reader {
        let bytes: [UInt8]
        var place = 0

        var isAtEnd: Bool { place == bytes.count }

        init(bytes: [UInt8]) { self.bytes = bytes }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard place < bytes.count, UInt32(bytes[place]) == character.value else { return false }
            place += 1
            return true
        }

        mutating func digit() -> Int64? {
            guard place < bytes.count, (0x30...0x39).contains(bytes[place]) else { return nil }
            place += 1
            return Int64(bytes[place - 1] - 0x30)
        }

        mutating func number(_ digits: Int) -> Int64? {
            var value: Int64 = 0
            for _ in 0..<digits {
                guard let digit = digit() else { return nil }
                value = value * 10 + digit
            }
            return value
        }

        /// Of a second, in nanoseconds: at most nine digits.
        mutating func fraction() -> Int64? {
            var value: Int64 = 0
            var count = 0
            while let digit = digit() {
                guard count < 9 else { return nil }
                value = value * 10 + digit
                count += 1
            }
            guard count > 0 else { return nil }
            for _ in count..<9 { value *= 10 }
            return value
        }

        /// What is left: nothing, `Z`, or `+02:00`; in seconds.
        mutating func offset() -> Int64? {
            if isAtEnd { return 0 }
            if take("Z") || take("z") { return isAtEnd ? 0 : nil }
            let isNegative = take("-")
            guard isNegative || take("+"), let hours = number(2), hours < 24, take(":"), let minutes = number(2),
                minutes < 60, isAtEnd
            else { return nil }
            return (hours * 3600 + minutes * 60) * (isNegative ? -1 : 1)
        }
    }
}
