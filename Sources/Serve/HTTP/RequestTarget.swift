/// Percent-encoding, undone as Go's servers and browsers' forms have it, but never refused: a `%` that two hexadecimal digits do
/// not follow stands for itself, and bytes that are not UTF-8 become U+FFFD.
package enum PercentCoding {
    package static func decode(_ bytes: some Collection<UInt8>, plusIsSpace: Bool) -> String {
        let percent = UInt8(ascii: "%")
        let plus = UInt8(ascii: "+")
        guard bytes.contains(where: { $0 == percent || ($0 == plus && plusIsSpace) }) else {
            return String(decoding: bytes, as: UTF8.self)
        }
        let source = Array(bytes)
        var decoded: [UInt8] = []
        decoded.reserveCapacity(source.count)
        var i = 0
        while i < source.count {
            if source[i] == percent, i + 2 < source.count, let high = digit(source[i + 1]),
                let low = digit(source[i + 2])
            {
                decoded.append(high << 4 | low)
                i += 3
                continue
            }
            decoded.append(source[i] == plus && plusIsSpace ? 0x20 : source[i])
            i += 1
        }
        return String(decoding: decoded, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    /// The segments of a path, each decoded by itself (rule G-8). A slash at the end does not begin another segment.
    package static func segments(ofPath path: some Collection<UInt8>) -> [String] {
        var pieces = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        if pieces.first?.isEmpty == true { pieces.removeFirst() }
        if pieces.last?.isEmpty == true { pieces.removeLast() }
        return pieces.map { decode($0, plusIsSpace: false) }
    }

    /// The parameters of a query or a form, in order (rule G-4). Only `&` separates.
    package static func parameters(_ text: some Collection<UInt8>) -> [(name: String, value: String)] {
        text.split(separator: UInt8(ascii: "&")).map { pair in
            guard let equals = pair.firstIndex(of: UInt8(ascii: "=")) else {
                return (decode(pair, plusIsSpace: true), "")
            }
            return (
                decode(pair[..<equals], plusIsSpace: true),
                decode(pair[pair.index(after: equals)...], plusIsSpace: true)
            )
        }
    }
}
