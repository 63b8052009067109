import Core

/// A range of internet addresses of one version: an address, a network (`10.0.0.0/8`) or two ends (`10.0.0.1-10.0.0.9`).
package struct AddressRange: Hashable, Sendable {
    package let source: String
    private let isVersion6: Bool
    private let first: UInt128
    private let last: UInt128

    /// - Returns: nil if `source` is none of the three forms.
    package init?(_ source: String) {
        self.source = source
        let bytes = Array(source.utf8)
        if let slash = bytes.firstIndex(of: UInt8(ascii: "/")) {
            guard let base = Address(bytes[..<slash]),
                let length = Int(String(decoding: bytes[(slash + 1)...], as: UTF8.self)),
                (0...base.width).contains(length)
            else { return nil }
            let hosts = base.width - length
            let mask: UInt128 = hosts == 128 ? .max : (1 << UInt128(hosts)) - 1
            isVersion6 = base.isVersion6
            first = base.value & ~mask
            last = base.value | mask
        } else if let dash = bytes.firstIndex(of: UInt8(ascii: "-")) {
            guard let low = Address(bytes[..<dash]), let high = Address(bytes[(dash + 1)...]),
                low.isVersion6 == high.isVersion6, low.value <= high.value
            else { return nil }
            isVersion6 = low.isVersion6
            first = low.value
            last = high.value
        } else {
            guard let address = Address(bytes[...]) else { return nil }
            isVersion6 = address.isVersion6
            first = address.value
            last = address.value
        }
    }

    private func holds(_ address: Address) -> Bool {
        address.isVersion6 == isVersion6 && first <= address.value && address.value <= last
    }

    /// Whether `text`, as a whole, is an address of the range. Nil: it is no address.
    func contains(_ text: String) -> Bool? { contains(text.utf8Span.span) }

    func contains(_ text: Span<UInt8>) -> Bool? {
        // No address is longer.
        guard text.count <= 45 else { return nil }
        return Address(ArraySlice(copying: text)).map(holds)
    }

    /// Whether an address of the range stands anywhere in the line.
    func occurs(in line: Span<UInt8>) -> Bool {
        var position = 0
        while position < line.count {
            var end = position
            while end < line.count, isVersion6 ? Self.mayBeVersion6(line[end]) : Self.mayBeVersion4(line[end]) {
                end += 1
            }
            // Mostly words are too short, or have nothing that parts an address.
            if end - position >= (isVersion6 ? 2 : 7),
                occurs(inRun: ArraySlice(copying: line.extracting(position..<end)))
            {
                return true
            }
            position = end + 1
        }
        return false
    }

    private func occurs(inRun run: ArraySlice<UInt8>) -> Bool {
        if let address = Address(run), holds(address) { return true }
        // Punctuation of the sentence around it: "from 10.0.0.1." or "peer fe80::1: closed".
        let marks: (UInt8) -> Bool = { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }
        let start = run.firstIndex { !marks($0) } ?? run.endIndex
        let end = (run.lastIndex { !marks($0) } ?? run.startIndex - 1) + 1
        guard start < end else { return false }
        for candidate in [run[start..<end], run[..<end], run[start...]] {
            if let address = Address(candidate), holds(address) { return true }
        }
        return false
    }

    private static func mayBeVersion4(_ byte: UInt8) -> Bool { Quantity.isDigit(byte) || byte == UInt8(ascii: ".") }

    private static func mayBeVersion6(_ byte: UInt8) -> Bool {
        Hex.value(byte) != nil || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
    }
}

extension ArraySlice<UInt8> {
    fileprivate init(copying bytes: Span<UInt8>) {
        var array: [UInt8] = []
        array.append(copying: bytes)
        self = array[...]
    }
}

private struct Address {
    var value: UInt128
    var isVersion6: Bool
    var width: Int { isVersion6 ? 128 : 32 }

    init?(_ text: ArraySlice<UInt8>) {
        isVersion6 = text.contains(UInt8(ascii: ":"))
        guard let value = isVersion6 ? Self.version6(text) : Self.version4(text) else { return nil }
        self.value = value
    }

    private static func version4(_ text: ArraySlice<UInt8>) -> UInt128? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt128 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.allSatisfy(Quantity.isDigit) else { return nil }
            let number = part.reduce(0) { $0 * 10 + UInt128($1 - 0x30) }
            guard number < 256 else { return nil }
            value = value << 8 | number
        }
        return value
    }

    private static func version6(_ text: ArraySlice<UInt8>) -> UInt128? {
        guard text.count <= 45 else { return nil }
        let gap = ByteSearch.first("::".utf8Span.span, in: Array(text).span).map { text.startIndex + $0 }
        guard let gap else {
            guard let groups = groups(text), groups.count == 8 else { return nil }
            return groups.reduce(0) { $0 << 16 | $1 }
        }
        guard let head = groups(text[..<gap]), let tail = groups(text[(gap + 2)...]), head.count + tail.count < 8 else {
            return nil
        }
        let high = head.reduce(UInt128(0)) { $0 << 16 | $1 } << UInt128(16 * (8 - head.count))
        return high | tail.reduce(UInt128(0)) { $0 << 16 | $1 }
    }

    private static func groups(_ text: ArraySlice<UInt8>) -> [UInt128]? {
        if text.isEmpty { return [] }
        var groups: [UInt128] = []
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let address = version4(part) else { return nil }
                groups += [address >> 16, address & 0xFFFF]
                continue
            }
            guard (1...4).contains(part.count) else { return nil }
            var value: UInt128 = 0
            for byte in part {
                guard let digit = Hex.value(byte) else { return nil }
                value = value << 4 | UInt128(digit)
            }
            groups.append(value)
        }
        return groups
    }
}
