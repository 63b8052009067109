/// Times in the layouts of Go's `time` package: the layout is how the time Mon Jan 2 15:04:05 MST 2006 would be written.
///
/// Times are UTC; a layout with an offset reads it, and writes that of UTC.
struct TimeLayout: Sendable {
    /// As a time prints without a layout.
    static let goDefault = TimeLayout("2006-01-02 15:04:05.999999999 -0700 MST")

    private enum Field: Sendable {
        case literal([UInt8])
        case year, year2, month, month2, monthName, monthNameShort, day, day2, dayPadded, dayOfYear
        case weekday, weekdayShort, hour24, hour12, hour12Padded, minute, minute2, second, second2
        case halfDay(isUpper: Bool)
        /// The digits of a fraction with its mark; trailing zeros stay or go.
        case fraction(digits: Int, mark: UInt8, keepsZeros: Bool)
        case zoneName
        case offset(writesZ: Bool, hasColon: Bool)
    }

    private let fields: [Field]

    /// Longest spelling first, so that `January` is not taken for `Jan`.
    private static let spellings: [(String, Field)] = [
        ("January", .monthName), ("Jan", .monthNameShort), ("Monday", .weekday), ("Mon", .weekdayShort),
        ("MST", .zoneName), ("2006", .year), ("Z07:00", .offset(writesZ: true, hasColon: true)),
        ("Z0700", .offset(writesZ: true, hasColon: false)), ("-07:00", .offset(writesZ: false, hasColon: true)),
        ("-0700", .offset(writesZ: false, hasColon: false)), ("002", .dayOfYear), ("01", .month2), ("02", .day2),
        ("03", .hour12Padded), ("04", .minute2), ("05", .second2), ("06", .year2), ("15", .hour24), ("_2", .dayPadded),
        ("PM", .halfDay(isUpper: true)), ("pm", .halfDay(isUpper: false)), ("1", .month), ("2", .day), ("3", .hour12),
        ("4", .minute), ("5", .second),
    ]

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    private static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

    init(_ layout: String) {
        let bytes = Array(layout.utf8)
        var fields: [Field] = []
        var literal: [UInt8] = []
        var position = 0
        while position < bytes.count {
            guard let (field, length) = Self.field(in: bytes, at: position) else {
                literal.append(bytes[position])
                position += 1
                continue
            }
            if !literal.isEmpty { fields.append(.literal(literal)) }
            literal = []
            fields.append(field)
            position += length
        }
        if !literal.isEmpty { fields.append(.literal(literal)) }
        self.fields = fields
    }

    private static func field(in bytes: [UInt8], at position: Int) -> (Field, Int)? {
        for (spelling, field) in spellings where ByteSearch.has(spelling.utf8Span.span, in: bytes.span, at: position) {
            return (field, spelling.utf8.count)
        }
        let mark = bytes[position]
        guard mark == UInt8(ascii: ".") || mark == UInt8(ascii: ","), position + 1 < bytes.count else { return nil }
        let digit = bytes[position + 1]
        guard digit == UInt8(ascii: "0") || digit == UInt8(ascii: "9") else { return nil }
        let run = bytes[(position + 1)...].prefix { $0 == digit }
        if run.count > 9 || run.endIndex < bytes.count && Quantity.isDigit(bytes[run.endIndex]) { return nil }
        return (.fraction(digits: run.count, mark: mark, keepsZeros: digit == UInt8(ascii: "0")), run.count + 1)
    }

    // MARK: Writing

    func format(_ nanoseconds: Int64) -> String {
        let timestamp = CivilTime(nanoseconds: nanoseconds)
        return fields.map { Self.text(of: $0, timestamp) }.joined()
    }

    private static func text(of field: Field, _ timestamp: CivilTime) -> String {
        let hour12 = timestamp.hour % 12 == 0 ? 12 : timestamp.hour % 12
        switch field {
        case .literal(let bytes): return String(decoding: bytes, as: UTF8.self)
        case .year: return padded(timestamp.year, 4)
        case .year2: return padded(timestamp.year % 100, 2)
        case .month: return String(timestamp.month)
        case .month2: return padded(timestamp.month, 2)
        case .monthName: return months[timestamp.month - 1]
        case .monthNameShort: return String(months[timestamp.month - 1].prefix(3))
        case .day: return String(timestamp.day)
        case .day2: return padded(timestamp.day, 2)
        case .dayPadded: return (timestamp.day < 10 ? " " : "") + String(timestamp.day)
        case .dayOfYear: return padded(timestamp.dayOfYear, 3)
        case .weekday: return weekdays[timestamp.weekday]
        case .weekdayShort: return String(weekdays[timestamp.weekday].prefix(3))
        case .hour24: return padded(timestamp.hour, 2)
        case .hour12: return String(hour12)
        case .hour12Padded: return padded(hour12, 2)
        case .minute: return String(timestamp.minute)
        case .minute2: return padded(timestamp.minute, 2)
        case .second: return String(timestamp.second)
        case .second2: return padded(timestamp.second, 2)
        case .halfDay(let isUpper): return timestamp.hour < 12 ? (isUpper ? "AM" : "am") : (isUpper ? "PM" : "pm")
        case .zoneName: return "UTC"
        case .offset(let writesZ, let hasColon): return writesZ ? "Z" : hasColon ? "+00:00" : "+0000"
        case .fraction(let digits, let mark, let keepsZeros):
            var text = padded(timestamp.nanosecond, 9).utf8.prefix(digits)
            if !keepsZeros { while text.last == UInt8(ascii: "0") { text.removeLast() } }
            return text.isEmpty ? "" : String(decoding: [mark] + text, as: UTF8.self)
        }
    }

    private static func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    // MARK: Reading

    /// - Returns: nil if `text` is not written in this layout, or no such time exists.
    func parse(_ text: String) -> Int64? {
        var reader = Reader(rest: Array(text.utf8)[...])
        for (place, field) in fields.enumerated() {
            guard reader.read(field) else { return nil }
            if case .second2 = field { reader.readFraction(unless: fields.dropFirst(place + 1).first) }
        }
        return reader.rest.isEmpty ? reader.timestamp : nil
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>
        var parts = CivilTime.Parts()
        var isAfternoon: Bool?
        var offset = 0

        var timestamp: Int64? {
            var parts = parts
            if let isAfternoon {
                guard (1...12).contains(parts.hour) else { return nil }
                parts.hour = parts.hour % 12 + (isAfternoon ? 12 : 0)
            }
            return parts.nanoseconds(offsetSeconds: offset)
        }

        mutating func read(_ field: Field) -> Bool {
            switch field {
            case .literal(let bytes):
                guard rest.starts(with: bytes) else { return false }
                rest = rest.dropFirst(bytes.count)
                return true
            case .year: return number(4...4, into: \.year)
            case .year2:
                guard number(2...2, into: \.year) else { return false }
                parts.year += parts.year >= 69 ? 1900 : 2000
                return true
            case .month: return number(1...2, into: \.month)
            case .month2: return number(2...2, into: \.month)
            case .monthName: return name(months, into: \.month)
            case .monthNameShort: return name(months.map { String($0.prefix(3)) }, into: \.month)
            case .day, .dayPadded:
                if rest.first == 0x20 { rest = rest.dropFirst() }
                return number(1...2, into: \.day)
            case .day2: return number(2...2, into: \.day)
            case .dayOfYear: return false
            case .weekday: return skipName(weekdays)
            case .weekdayShort: return skipName(weekdays.map { String($0.prefix(3)) })
            case .hour24, .hour12Padded: return number(2...2, into: \.hour)
            case .hour12: return number(1...2, into: \.hour)
            case .minute: return number(1...2, into: \.minute)
            case .minute2: return number(2...2, into: \.minute)
            case .second: return number(1...2, into: \.second)
            case .second2: return number(2...2, into: \.second)
            case .halfDay: return readHalfDay()
            case .zoneName: return readZoneName()
            case .offset(let writesZ, let hasColon): return readOffset(acceptsZ: writesZ, hasColon: hasColon)
            case .fraction:
                readFraction()
                return true
            }
        }

        private mutating func number(
            _ width: ClosedRange<Int>, into part: WritableKeyPath<CivilTime.Parts, Int>
        ) -> Bool {
            let digits = rest.prefix(width.upperBound).prefix(while: Quantity.isDigit)
            guard digits.count >= width.lowerBound else { return false }
            parts[keyPath: part] = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            rest = rest.dropFirst(digits.count)
            return true
        }

        private mutating func take(_ name: String) -> Bool {
            guard rest.starts(with: name.utf8) else { return false }
            rest = rest.dropFirst(name.utf8.count)
            return true
        }

        private mutating func name(_ names: [String], into part: WritableKeyPath<CivilTime.Parts, Int>) -> Bool {
            for (place, name) in names.enumerated() where take(name) {
                parts[keyPath: part] = place + 1
                return true
            }
            return false
        }

        private mutating func skipName(_ names: [String]) -> Bool {
            names.contains { rest.starts(with: $0.utf8) && take($0) }
        }

        private mutating func readHalfDay() -> Bool {
            if take("AM") || take("am") {
                isAfternoon = false
            } else if take("PM") || take("pm") {
                isAfternoon = true
            }
            return isAfternoon != nil
        }

        private mutating func readZoneName() -> Bool {
            let name = rest.prefix { (0x41...0x5A).contains($0) }
            rest = rest.dropFirst(name.count)
            return (3...5).contains(name.count)
        }

        private mutating func readOffset(acceptsZ: Bool, hasColon: Bool) -> Bool {
            if acceptsZ, take("Z") { return true }
            let text = Array(rest.prefix(hasColon ? 6 : 5))
            guard text.count == (hasColon ? 6 : 5), text[0] == UInt8(ascii: "+") || text[0] == UInt8(ascii: "-"),
                !hasColon || text[3] == UInt8(ascii: ":")
            else { return false }
            let digits = text.dropFirst().filter(Quantity.isDigit).map { Int($0 - 0x30) }
            guard digits.count == 4 else { return false }
            let seconds = (digits[0] * 10 + digits[1]) * 3_600 + (digits[2] * 10 + digits[3]) * 60
            offset = text[0] == UInt8(ascii: "-") ? -seconds : seconds
            rest = rest.dropFirst(text.count)
            return true
        }

        /// Text may have a fraction behind its seconds even if the layout has none.
        mutating func readFraction(unless next: Field?) {
            if case .fraction? = next { return }
            readFraction()
        }

        private mutating func readFraction() {
            guard let mark = rest.first, mark == UInt8(ascii: ".") || mark == UInt8(ascii: ",") else { return }
            let digits = rest.dropFirst().prefix(while: Quantity.isDigit)
            guard (1...9).contains(digits.count) else { return }
            var value = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            for _ in digits.count..<9 { value *= 10 }
            parts.nanosecond = value
            rest = rest.dropFirst(digits.count + 1)
        }
    }
}
