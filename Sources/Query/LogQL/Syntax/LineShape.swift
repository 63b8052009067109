/// A line's form: literal texts and captures (`<name>`) or gaps (`<_>`) between them.
///
/// A filter must fit the whole line. A parser is forgiving: its first literal must begin the line, each capture ends at the next
/// occurrence of the literal behind it, and a capture whose literal is missing takes the rest of the line and ends the match.
package struct LineShape: Hashable, Sendable {
    enum Part: Hashable, Sendable {
        case literal([UInt8])
        /// Nil is a gap.
        case capture(String?)
    }

    package let source: String
    let parts: [Part]

    package init(parser source: String) throws(LogQLError) {
        self.source = source
        parts = try Self.parts(of: source)
        let names = self.names
        guard !names.isEmpty else { throw .semantic("at least one capture is required: invalid expression") }
        for (position, name) in names.enumerated() where names[..<position].contains(name) {
            throw .semantic("duplicate capture name (\(name)): invalid expression")
        }
    }

    package init(filter source: String) throws(LogQLError) {
        self.source = source
        parts = try Self.parts(of: source)
        guard names.isEmpty else { throw .semantic("named captures are not allowed: invalid expression") }
    }

    /// Of the captures, in order.
    var names: [String] {
        parts.compactMap { part in
            if case .capture(let name) = part { name } else { nil }
        }
    }

    var literals: [[UInt8]] {
        parts.compactMap { part in
            if case .literal(let bytes) = part { bytes } else { nil }
        }
    }

    private static func parts(of source: String) throws(LogQLError) -> [Part] {
        let bytes = Array(source.utf8)
        var parts: [Part] = []
        var literal: [UInt8] = []
        var position = 0
        while position < bytes.count {
            guard let name = captureName(in: bytes, at: position) else {
                literal.append(bytes[position])
                position += 1
                continue
            }
            if !literal.isEmpty {
                parts.append(.literal(literal))
                literal = []
            } else if case .capture? = parts.last {
                throw .semantic("found consecutive capture '<\(name)>': invalid expression")
            }
            parts.append(.capture(name == "_" ? nil : name))
            position += name.utf8.count + 2
        }
        if !literal.isEmpty { parts.append(.literal(literal)) }
        return parts
    }

    private static func captureName(in bytes: [UInt8], at position: Int) -> String? {
        guard bytes[position] == UInt8(ascii: "<") else { return nil }
        let name = bytes[(position + 1)...].prefix(while: Lexer.continuesName)
        guard let first = name.first, Lexer.startsName(first), name.endIndex < bytes.count,
            bytes[name.endIndex] == UInt8(ascii: ">")
        else { return nil }
        return String(decoding: name, as: UTF8.self)
    }

    // MARK: Matching

    func fits(_ line: Span<UInt8>) -> Bool {
        var position = 0
        var isAnchored = true
        for (index, part) in parts.enumerated() {
            guard case .literal(let bytes) = part else {
                isAnchored = false
                continue
            }
            let isLast = index == parts.count - 1
            let found: Int?
            if isLast {
                let end = line.count - bytes.count
                let fits = isAnchored ? end == position : end >= position
                found = fits && ByteSearch.has(bytes.span, in: line, at: end) ? end : nil
            } else if isAnchored {
                found = ByteSearch.has(bytes.span, in: line, at: position) ? position : nil
            } else {
                found = ByteSearch.first(bytes.span, in: line, from: position)
            }
            guard let found else { return false }
            position = found + bytes.count
            isAnchored = true
        }
        return !isAnchored || position == line.count
    }

    /// Hands over the captures and gaps by the numbers of their parts, as far as the line fits.
    func captures(in line: Span<UInt8>, _ visit: (Int, Range<Int>) -> Void) {
        var position = 0
        var open: (part: Int, start: Int)?
        for part in parts.indices {
            switch parts[part] {
            case .capture: open = (part, position)
            case .literal(let bytes):
                guard let capture = open else {
                    guard ByteSearch.has(bytes.span, in: line, at: position) else { return }
                    position += bytes.count
                    continue
                }
                let found = ByteSearch.first(bytes.span, in: line, from: position)
                visit(capture.part, capture.start..<(found ?? line.count))
                guard let found else { return }
                position = found + bytes.count
                open = nil
            }
        }
        if let open { visit(open.part, open.start..<line.count) }
    }
}
