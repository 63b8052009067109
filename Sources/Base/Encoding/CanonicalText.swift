/// Lower-case hexadecimal digits, two a byte.
enum HexText {
    static func isCanonical(_ text: UnsafeRawBufferPointer) -> Bool {
        for i in 0..<text.count where HexText.value(text[i]) > 15 { return false }
        return true
    }

    /// The value of a lower-case digit, or more than 15.
    @inline(__always)
    static func value(_ digit: UInt8) -> UInt8 {
        let number = digit &- 0x30
        if number < 10 { return number }
        let letter = digit &- 0x61
        return letter < 6 ? letter &+ 10 : 0xFF
    }

    static func parse(_ text: UnsafeRawBufferPointer, into target: UnsafeMutablePointer<UInt8>) {
        for i in 0..<(text.count / 2) { target[i] = value(text[2 &* i]) &<< 4 | value(text[2 &* i &+ 1]) }
    }

    @inline(__always)
    static func print(_ value: UnsafePointer<UInt8>, _ count: Int, into text: UnsafeMutablePointer<UInt8>) -> Int {
        for i in 0..<count {
            text[2 &* i] = digit(value[i] &>> 4)
            text[2 &* i &+ 1] = digit(value[i] & 15)
        }
        return count &* 2
    }

    @inline(__always)
    private static func digit(_ nibble: UInt8) -> UInt8 { nibble &+ (nibble > 9 ? 0x57 : 0x30) }
}

/// UUIDs in lower case.
enum UUIDText {
    private static let dashes: (Int, Int, Int, Int) = (8, 13, 18, 23)

    private static func isDash(_ i: Int) -> Bool {
        i == dashes.0 || i == dashes.1 || i == dashes.2 || i == dashes.3
    }

    static func isCanonical(_ text: UnsafeRawBufferPointer) -> Bool {
        for i in 0..<36 {
            if isDash(i) ? text[i] != 0x2D : HexText.value(text[i]) > 15 { return false }
        }
        return true
    }

    static func parse(_ text: UnsafeRawBufferPointer, into target: UnsafeMutablePointer<UInt8>) {
        var i = 0
        for byte in 0..<16 {
            if isDash(i) { i += 1 }
            target[byte] = HexText.value(text[i]) &<< 4 | HexText.value(text[i + 1])
            i += 2
        }
    }

    static func print(_ value: UnsafePointer<UInt8>, into text: UnsafeMutablePointer<UInt8>) -> Int {
        _ = HexText.print(value, 4, into: text)
        _ = HexText.print(value + 4, 2, into: text + 9)
        _ = HexText.print(value + 6, 2, into: text + 14)
        _ = HexText.print(value + 8, 2, into: text + 19)
        _ = HexText.print(value + 10, 6, into: text + 24)
        (text[dashes.0], text[dashes.1], text[dashes.2], text[dashes.3]) = (0x2D, 0x2D, 0x2D, 0x2D)
        return 36
    }
}

/// Naturals without leading zeros.
enum DecimalText {
    static let greatest: Int64 = 999_999_999_999_999_999

    static func value(_ text: UnsafeRawBufferPointer) -> Int64? {
        guard let first = text.first, text.count <= 18, first != 0x30 || text.count == 1 else { return nil }
        var value: Int64 = 0
        for i in 0..<text.count {
            let digit = text[i] &- 0x30
            guard digit < 10 else { return nil }
            value = value &* 10 &+ Int64(digit)
        }
        return value
    }

    @inline(__always)
    static func length(_ value: Int64) -> Int {
        if value < 10 { return 1 }
        if value < 100 { return 2 }
        if value < 1000 { return 3 }
        if value < 10_000 { return 4 }
        if value < 100_000 { return 5 }
        var length = 6
        var rest = value / 100_000
        while rest >= 10 {
            rest /= 10
            length += 1
        }
        return length
    }

    static func print(_ value: Int64, into text: UnsafeMutablePointer<UInt8>) -> Int {
        let length = length(value)
        var rest = UInt64(bitPattern: value)
        var i = length
        while i > 0 {
            i &-= 1
            text[i] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        return length
    }
}

/// Naturals with leading zeros.
enum PaddedText {
    static func greatest(_ width: Int) -> Int64 {
        var power: Int64 = 1
        for _ in 0..<min(width, 18) { power *= 10 }
        return power - 1
    }

    @inline(__always)
    static func print(_ value: Int64, _ width: Int, into text: UnsafeMutablePointer<UInt8>) -> Int {
        var rest = value
        for i in stride(from: width - 1, through: 0, by: -1) {
            text[i] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        return width
    }
}

/// IPv4 addresses, as the integer whose most significant byte stands first.
enum AddressText {
    static let greatest = Int64(UInt32.max)

    static func value(_ text: UnsafeRawBufferPointer) -> Int64? {
        guard (7...15).contains(text.count) else { return nil }
        var value: Int64 = 0
        var part: Int64 = 0
        var digits = 0
        var parts = 1
        for i in 0..<text.count {
            if text[i] == 0x2E {
                guard digits > 0, parts < 4 else { return nil }
                value = value << 8 | part
                part = 0
                digits = 0
                parts += 1
                continue
            }
            let digit = text[i] &- 0x30
            guard digit < 10, digits == 0 || part > 0 else { return nil }
            part = part * 10 + Int64(digit)
            digits += 1
            guard part <= 255 else { return nil }
        }
        guard digits > 0, parts == 4 else { return nil }
        return value << 8 | part
    }

    static func length(_ value: Int64) -> Int {
        var length = 3
        for k in 0..<4 { length += DecimalText.length(value >> Int64(8 * k) & 255) }
        return length
    }

    static func print(_ value: Int64, into text: UnsafeMutablePointer<UInt8>) -> Int {
        var written = 0
        for k in stride(from: 3, through: 0, by: -1) {
            written += DecimalText.print(value >> Int64(8 * k) & 255, into: text + written)
            if k > 0 {
                text[written] = 0x2E
                written += 1
            }
        }
        return written
    }
}
