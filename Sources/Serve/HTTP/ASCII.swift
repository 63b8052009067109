/// Comparisons that HTTP makes without regard to case, on ASCII alone.
package enum ASCII {
    package static func equalIgnoringCase(_ left: some StringProtocol, _ right: some StringProtocol) -> Bool {
        left.utf8.elementsEqual(right.utf8) { lowercased($0) == lowercased($1) }
    }

    package static func lowercased(_ byte: UInt8) -> UInt8 {
        (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }

    /// Without spaces and tabs at both ends.
    package static func trimmed(_ text: some StringProtocol) -> String {
        var slice = Substring(text)
        while let first = slice.utf8.first, first == 0x20 || first == 0x09 { slice.removeFirst() }
        while let last = slice.utf8.last, last == 0x20 || last == 0x09 { slice.removeLast() }
        return String(slice)
    }
}
