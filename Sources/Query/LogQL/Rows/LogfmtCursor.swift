import Core

/// Walks over the pairs of a line in logfmt: the grammar of `LogfmtFields`, on bytes that it borrows.
struct LogfmtCursor: ~Escapable {
    private let line: Span<UInt8>
    private var position = 0
    /// Whether a strict walk met what is no pair, and ended there.
    private(set) var isMalformed = false

    struct Pair {
        var key: Range<Int>
        var value: JSONCursor.Text
    }

    @_lifetime(copy line)
    init(_ line: Span<UInt8>) { self.line = line }

    /// The next pair; what is none is skipped up to the next blank.
    mutating func next(isStrict: Bool) -> Pair? {
        while !isMalformed {
            while position < line.count, line[position] <= 0x20 { position += 1 }
            guard position < line.count else { return nil }
            if let pair = pair() { return pair }
            isMalformed = isStrict
            while position < line.count, line[position] > 0x20 { position += 1 }
        }
        return nil
    }

    /// Appends a value without its escapes.
    func append(_ value: JSONCursor.Text, to output: inout [UInt8]) {
        let before = output.count
        do throws(JSONFault) {
            try JSONCursor(line).append(value, to: &output)
        } catch {
            // `pair` has looked at the escapes.
            output.removeLast(output.count - before)
        }
    }

    private mutating func endOfWord() -> Int {
        var end = position
        while end < line.count, line[end] > 0x20, line[end] != UInt8(ascii: "="), line[end] != UInt8(ascii: "\"") {
            end += 1
        }
        return end
    }

    private mutating func pair() -> Pair? {
        let key = position..<endOfWord()
        position = key.upperBound
        guard !key.isEmpty else { return nil }
        guard position < line.count, line[position] > 0x20 else {
            return Pair(key: key, value: JSONCursor.Text(range: position..<position))
        }
        guard line[position] == UInt8(ascii: "=") else { return nil }
        position += 1
        if position < line.count, line[position] == UInt8(ascii: "\"") {
            return quoted().map { Pair(key: key, value: $0) }
        }
        let value = position..<endOfWord()
        position = value.upperBound
        guard position == line.count || line[position] <= 0x20 else { return nil }
        return Pair(key: key, value: JSONCursor.Text(range: value))
    }

    private mutating func quoted() -> JSONCursor.Text? {
        let start = position + 1
        var end = start
        var hasEscapes = false
        while true {
            end = end < line.count ? line.indexOfQuoteOrBackslash(from: end) : line.count
            guard end < line.count else {
                position = line.count
                return nil
            }
            if line[end] == UInt8(ascii: "\"") { break }
            hasEscapes = true
            end += 2
        }
        position = end + 1
        guard position == line.count || line[position] <= 0x20 else { return nil }
        let text = JSONCursor.Text(range: start..<end, hasEscapes: hasEscapes)
        do throws(JSONFault) { try JSONCursor(line).check(text) } catch { return nil }
        return text
    }
}
