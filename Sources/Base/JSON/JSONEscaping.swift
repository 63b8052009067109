/// Copies text into a JSON string: runs that need no change are found 16 bytes at a time and copied whole.
enum JSONEscaping {
    static func append(_ text: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        guard let base = text.baseAddress else { return }
        var copied = 0
        var position = plainRun(text, from: 0)
        while position < text.count {
            let byte = text[position]
            if byte >= 0x80 {
                let length = UTF8Sequence.length(text, at: position)
                if length > 0 {
                    position += length
                } else {
                    output.append(contentsOf: UnsafeRawBufferPointer(start: base + copied, count: position - copied))
                    output.append(contentsOf: [0xEF, 0xBF, 0xBD])
                    position += -length
                    copied = position
                }
            } else {
                output.append(contentsOf: UnsafeRawBufferPointer(start: base + copied, count: position - copied))
                appendEscape(byte, to: &output)
                position += 1
                copied = position
            }
            position = plainRun(text, from: position)
        }
        output.append(contentsOf: UnsafeRawBufferPointer(start: base + copied, count: position - copied))
    }

    /// The position of the first byte from `start` on that is not ASCII, or must be escaped; the end if there is none.
    @inline(__always)
    static func plainRun(_ text: UnsafeRawBufferPointer, from start: Int) -> Int {
        var position = start
        // As signed numbers, control characters and bytes from 0x80 on are both below the space.
        let space = SIMD16<Int8>(repeating: 0x20)
        let quote = SIMD16<Int8>(repeating: 0x22)
        let backslash = SIMD16<Int8>(repeating: 0x5C)
        while position &+ 16 <= text.count {
            // SAFETY: 16 bytes at `position` are in bounds, and any bits are valid integers.
            let block = text.loadUnaligned(fromByteOffset: position, as: SIMD16<Int8>.self)
            if any((block .< space) .| (block .== quote) .| (block .== backslash)) { break }
            position &+= 16
        }
        while position < text.count {
            let byte = text[position]
            if byte < 0x20 || byte >= 0x80 || byte == 0x22 || byte == 0x5C { break }
            position &+= 1
        }
        return position
    }

    private static func appendEscape(_ byte: UInt8, to output: inout [UInt8]) {
        output.append(0x5C)
        switch byte {
        case 0x22, 0x5C: output.append(byte)
        case 0x0A: output.append(UInt8(ascii: "n"))
        case 0x0D: output.append(UInt8(ascii: "r"))
        case 0x09: output.append(UInt8(ascii: "t"))
        case 0x08: output.append(UInt8(ascii: "b"))
        case 0x0C: output.append(UInt8(ascii: "f"))
        default: output.append(contentsOf: [0x75, 0x30, 0x30, digit(byte >> 4), digit(byte & 0xF)])
        }
    }

    private static func digit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x57 + nibble }
}

/// The shape of UTF-8 sequences, after table 3-7 of the Unicode Standard.
enum UTF8Sequence {
    /// The length of the sequence that begins at `position` with a byte from 0x80 on; negative for an ill-formed one, of which
    /// that many bytes are to be replaced together (the standard's "maximal subpart").
    static func length(_ text: UnsafeRawBufferPointer, at position: Int) -> Int {
        let first = text[position]
        let needed: Int
        var low: UInt8 = 0x80
        var high: UInt8 = 0xBF
        switch first {
        case 0xC2...0xDF: needed = 2
        case 0xE0: (needed, low) = (3, 0xA0)
        case 0xED: (needed, high) = (3, 0x9F)
        case 0xE1...0xEF: needed = 3
        case 0xF0: (needed, low) = (4, 0x90)
        case 0xF1...0xF3: needed = 4
        case 0xF4: (needed, high) = (4, 0x8F)
        default: return -1
        }
        for i in 1..<needed {
            guard position + i < text.count, text[position + i] >= low, text[position + i] <= high else { return -i }
            (low, high) = (0x80, 0xBF)
        }
        return needed
    }
}
