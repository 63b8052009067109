/// Base64 by RFC 4648.
package enum Base64 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The standard alphabet, padded.
    package static func encode(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var word: UInt32 = 0
        var held = 0
        for byte in bytes {
            word = word << 8 | UInt32(byte)
            held += 1
            if held == 3 {
                for shift in [18, 12, 6, 0] { text.append(digits[Int(word >> UInt32(shift) & 63)]) }
                word = 0
                held = 0
            }
        }
        if held > 0 {
            word <<= UInt32(8 * (3 - held))
            for shift in [18, 12, 6].prefix(held + 1) { text.append(digits[Int(word >> UInt32(shift) & 63)]) }
            for _ in held..<3 { text.append(0x3D) }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads the standard and the URL-safe alphabet, padded or not.
    ///
    /// - Returns: nil for any other character, and for a length or padding that no bytes have.
    package static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count / 4 * 3 + 3)
        var word: UInt32 = 0
        var count = 0
        var padding = 0
        for byte in text.utf8 {
            if byte == 0x3D {
                padding += 1
                continue
            }
            guard padding == 0, let digit = value(byte) else { return nil }
            word = word << 6 | UInt32(digit)
            count += 1
            if count.isMultiple(of: 4) {
                for shift in [16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(shift))) }
                word = 0
            }
        }
        let rest = count % 4
        guard rest != 1, padding == 0 || (rest != 0 && padding == 4 - rest) else { return nil }
        if rest >= 2 { bytes.append(UInt8(truncatingIfNeeded: word >> (rest == 2 ? 4 : 10))) }
        if rest == 3 { bytes.append(UInt8(truncatingIfNeeded: word >> 2)) }
        return bytes
    }

    private static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x41...0x5A: byte - 0x41
        case 0x61...0x7A: byte - 0x61 + 26
        case 0x30...0x39: byte - 0x30 + 52
        case 0x2B, 0x2D: 62
        case 0x2F, 0x5F: 63
        default: nil
        }
    }
}
