/// A trace's 16-byte id, as two big-endian words, so that its order is the order of its bytes.
package struct TraceID: Hashable, Comparable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// All bytes zero: "no trace" in OTLP.
    package var isZero: Bool { high == 0 && low == 0 }

    package static func < (left: TraceID, right: TraceID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }

    /// 32 lower-case hexadecimal digits.
    package var hex: String { Hex.string(high) + Hex.string(low) }

    /// Parses 1 to 32 hexadecimal digits of either case; missing leading digits are zero (rule J-14).
    package init?(hex text: some StringProtocol) {
        guard (1...32).contains(text.utf8.count) else { return nil }
        self.init(high: 0, low: 0)
        for byte in text.utf8 {
            guard let digit = Hex.value(byte) else { return nil }
            high = high << 4 | low >> 60
            low = low << 4 | UInt64(digit)
        }
    }
}

/// A span's 8-byte id, as a big-endian word. Zero is "no span".
package struct SpanID: Hashable, Comparable, Sendable {
    package var word: UInt64

    package init(word: UInt64) { self.word = word }

    package var isZero: Bool { word == 0 }

    package static func < (left: SpanID, right: SpanID) -> Bool { left.word < right.word }

    /// 16 lower-case hexadecimal digits.
    package var hex: String { Hex.string(word) }

    /// Parses 1 to 16 hexadecimal digits of either case.
    package init?(hex text: some StringProtocol) {
        guard (1...16).contains(text.utf8.count) else { return nil }
        word = 0
        for byte in text.utf8 {
            guard let digit = Hex.value(byte) else { return nil }
            word = word << 4 | UInt64(digit)
        }
    }
}

/// Hexadecimal digits and their values.
package enum Hex {
    /// 16 lower-case digits, most significant first.
    package static func string(_ word: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { buffer in
            for i in 0..<16 {
                let nibble = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * i)) & 0xF
                buffer[i] = digit(nibble)
            }
            return 16
        }
    }

    /// Two lower-case digits for each byte.
    package static func string(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: bytes.flatMap { [digit($0 >> 4), digit($0 & 0xF)] }, as: UTF8.self)
    }

    /// The bytes of digits of either case, two for each; nil if there is anything else.
    package static func bytes(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for place in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[place]), let low = value(digits[place + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    /// The lower-case digit of a value below 16.
    @inlinable
    package static func digit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? 0x30 + nibble : 0x57 + nibble
    }

    /// The value of a digit of either case, or nil if `byte` is none.
    @inlinable
    package static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x61...0x66: byte - 0x57
        case 0x41...0x46: byte - 0x37
        default: nil
        }
    }
}
