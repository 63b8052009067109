import Core
import Pattern
import QueryModel

/// Runs a program over rows. Made once for each thread; nothing is allocated for a row.
struct RowMachine {
    let program: RowProgram
    private(set) var values: RowValues
    /// The bytes of the row's line, if a stage made it another one.
    private(set) var changedLength: Int?
    /// The name of a field on its way to becoming a label's, as `sanitizedLabelName` makes it.
    private var path: [UInt8] = []
    /// By slot: the name's bytes.
    private let names: [[UInt8]]
    /// Lines that stages made, which may be several at a time.
    private var spareLines: [[UInt8]] = []
    /// What `unpack` found: where to, or -1 for the line.
    private var packed: [(slot: Int, range: Range<Int>)] = []

    init(_ program: RowProgram) {
        self.program = program
        values = RowValues(program)
        names = program.names.map { Array($0.utf8) }
    }

    /// - Parameter columns: the labels' columns, by slot.
    mutating func begin(_ columns: [LogTextColumn?]) { values.begin(columns) }

    /// - Returns: whether the row stays.
    mutating func run(_ row: Int, _ lines: borrowing LogTextColumn) -> Bool {
        values.begin(row: row)
        changedLength = nil
        guard program.readsLine else { return run(from: 0, Span()) }
        let line = lines.bytes(row: row)
        if line.isASCII || Self.isText(line) { return run(from: 0, line) }
        let repaired = Array(String(repairing: line).utf8)
        return run(from: 0, repaired.span)
    }

    private static func isText(_ bytes: Span<UInt8>) -> Bool {
        do {
            _ = try UTF8Span(validating: bytes)
            return true
        } catch {
            return false
        }
    }

    private mutating func run(from first: Int, _ line: Span<UInt8>) -> Bool {
        for number in first..<program.steps.count {
            switch program.steps[number] {
            case .line(let filter): if !filter.accepts(line) { return false }
            case .label(let filter): if !accepts(filter) { return false }
            case .json: parseObject(line)
            case .jsonFields(let fields): parseFields(fields, line)
            case .logfmt(let options): parseLogfmt(options, line)
            case .logfmtFields(let options, let fields): parseLogfmt(options, fields, line)
            case .regexp(let pattern, let targets): match(pattern, targets, line)
            case .pattern(let shape, let targets):
                shape.captures(in: line) { part, range in
                    if let target = targets[part] { values.extract(target, line.extracting(range)) }
                }
            case .unpack:
                if let range = unpack(line) {
                    return run(from: number + 1, copying: values.arena[range])
                }
            case .decolorize:
                var plain = spareLines.popLast() ?? []
                if Decoloring.remove(from: line, into: &plain) { return run(from: number + 1, taking: plain) }
                spareLines.append(plain)
            case .rename(let pairs): for pair in pairs { values.rename(pair.source, to: pair.target) }
            case .drop(let conditions):
                for (slot, condition) in conditions
                where values.withValue(slot, { condition.accepts($0) }) == true { values.remove(slot) }
            case .keep(let conditions): for slot in conditions.indices { values.keep(slot, conditions[slot]) }
            }
        }
        return true
    }

    private mutating func run(from first: Int, copying bytes: ArraySlice<UInt8>) -> Bool {
        var line = spareLines.popLast() ?? []
        line.removeAll(keepingCapacity: true)
        line.append(contentsOf: bytes)
        return run(from: first, taking: line)
    }

    private mutating func run(from first: Int, taking line: [UInt8]) -> Bool {
        defer { spareLines.append(line) }
        changedLength = line.count
        return run(from: first, line.span)
    }

    // MARK: Labels

    /// As `LabelFilter.accepts`.
    mutating func accepts(_ filter: RowLabelFilter) -> Bool {
        switch filter {
        case .text(let slot, let matcher):
            return values.withValue(slot) { matcher.matches($0) } ?? matcher.matchesEmpty
        case .all(let filters):
            for filter in filters where !accepts(filter) { return false }
            return true
        case .any(let filters):
            for filter in filters where accepts(filter) { return true }
            return false
        case .number(let slot, let comparison, let operand):
            return compare(slot) { Numeral.parse($0).map { comparison.holds($0, operand) } }
        case .duration(let slot, let comparison, let operand):
            return compare(slot) { Quantity.duration($0).map { comparison.holds($0, operand) } }
        case .bytes(let slot, let comparison, let operand):
            return compare(slot) { Quantity.bytes($0).map { comparison.holds($0, operand) } }
        case .address(let slot, let isNegated, let range):
            return compare(slot) { range.contains($0).map { $0 != isNegated } }
        }
    }

    /// - Parameter test: nil if the text cannot be compared.
    private mutating func compare(_ slot: Int, _ test: (Span<UInt8>) -> Bool?) -> Bool {
        if values.hasError { return true }
        guard let answer = values.withValue(slot, test) else { return false }
        if answer == nil { values.fail(.labelFilter) }
        return answer ?? true
    }

    mutating func fail(_ failure: PipelineFailure) { values.fail(failure) }
    mutating func remove(_ slot: Int) { values.remove(slot) }

    /// The slot whose label has the name that is in `path`.
    private func slotOfPath() -> Int? {
        guard let first = path.first else { return nil }
        let added = Quantity.isDigit(first) ? 1 : 0
        for slot in names.indices where names[slot].count == path.count + added {
            if added == 0 {
                if names[slot] == path { return slot }
            } else if names[slot][0] == UInt8(ascii: "_"), names[slot].dropFirst().elementsEqual(path) {
                return slot
            }
        }
        return nil
    }

    private mutating func appendToPath(_ key: Span<UInt8>) {
        for index in key.indices {
            let byte = key[index]
            if byte & 0xC0 == 0x80 { continue }
            path.append(Lexer.continuesName(byte) ? byte : UInt8(ascii: "_"))
        }
    }

    private mutating func slot(ofKey key: Span<UInt8>) -> Int? {
        path.removeAll(keepingCapacity: true)
        appendToPath(key)
        return slotOfPath()
    }

    // MARK: JSON

    private mutating func parseObject(_ line: Span<UInt8>) {
        var cursor = JSONCursor(line)
        do throws(JSONFault) {
            guard try cursor.kind() == .object else { throw JSONFault("expected an object") }
            path.removeAll(keepingCapacity: true)
            try flatten(&cursor, depth: 0)
        } catch {
            values.fail(.json)
        }
    }

    private mutating func flatten(_ cursor: inout JSONCursor, depth: Int) throws(JSONFault) {
        guard depth < JSONCursor.deepestNesting else { throw JSONFault("nested too deeply") }
        let prefix = path.count
        var hasMore = try cursor.beginObject()
        while hasMore {
            let key = try cursor.key()
            let kind = try cursor.kind()
            switch kind {
            case .array, .null: try cursor.skip()
            case .object, .string, .number, .boolean:
                if prefix > 0 { path.append(UInt8(ascii: "_")) }
                appendToPath(cursor.bytes.extracting(key.range))
                if kind == .object {
                    try flatten(&cursor, depth: depth + 1)
                } else {
                    try extract(try cursor.text(), &cursor)
                }
                path.removeLast(path.count - prefix)
            }
            hasMore = try cursor.next(before: UInt8(ascii: "}"))
        }
    }

    private mutating func extract(_ text: JSONCursor.Text, _ cursor: inout JSONCursor) throws(JSONFault) {
        guard let named = slotOfPath(), let slot = values.slot(of: values.target(named)) else {
            return try cursor.check(text)
        }
        let start = values.arena.count
        try values.append(text, of: cursor)
        values.set(slot, from: start)
    }

    private mutating func parseFields(_ fields: [(target: RowProgram.Target, path: [FieldStep])], _ line: Span<UInt8>) {
        var cursor = JSONCursor(line)
        do throws(JSONFault) {
            guard try cursor.kind() == .object else { throw JSONFault("expected an object") }
            let start = cursor.position
            try cursor.skip()
            for field in fields {
                cursor.move(to: start)
                let from = values.arena.count
                if try cursor.find(field.path), try cursor.kind() != .null {
                    let text = try cursor.text()
                    try values.append(text, of: cursor)
                }
                values.extract(field.target, fromArena: from..<values.arena.count)
            }
        } catch {
            values.fail(.json)
        }
    }

    /// - Returns: where in the arena the new line is, if there is one.
    private mutating func unpack(_ line: Span<UInt8>) -> Range<Int>? {
        var cursor = JSONCursor(line)
        packed.removeAll(keepingCapacity: true)
        do throws(JSONFault) {
            var hasMore = try cursor.beginObject()
            while hasMore {
                let key = try cursor.key()
                if try cursor.kind() == .string {
                    try take(key, try cursor.text(), cursor)
                } else {
                    try cursor.skip()
                }
                hasMore = try cursor.next(before: UInt8(ascii: "}"))
            }
        } catch {
            values.fail(.json)
            return nil
        }
        var newLine: Range<Int>?
        for (slot, range) in packed {
            if slot < 0 { newLine = range } else { values.extract(values.target(slot), fromArena: range) }
        }
        return newLine
    }

    private mutating func take(
        _ key: JSONCursor.Text, _ value: JSONCursor.Text, _ cursor: borrowing JSONCursor
    ) throws(JSONFault) {
        let start = values.arena.count
        try values.append(key, of: cursor)
        let isLine = values.arena.span.extracting(start..<values.arena.count).isEqual(to: Self.packedLine.span)
        path.removeAll(keepingCapacity: true)
        for byte in values.arena[start...] where byte & 0xC0 != 0x80 {
            path.append(Lexer.continuesName(byte) ? byte : UInt8(ascii: "_"))
        }
        let slot = isLine ? -1 : slotOfPath()
        let from = values.arena.count
        try values.append(value, of: cursor)
        if let slot { packed.append((slot, from..<values.arena.count)) }
    }

    private static let packedLine = Array(JSONFields.packedLine.utf8)

    // MARK: Other parsers

    private mutating func parseLogfmt(_ options: LogfmtOptions, _ line: Span<UInt8>) {
        var cursor = LogfmtCursor(line)
        while let pair = cursor.next(isStrict: options.isStrict) {
            guard options.keepsEmpty || !pair.value.range.isEmpty,
                let named = slot(ofKey: line.extracting(pair.key)),
                let slot = values.slot(of: values.target(named))
            else { continue }
            let start = values.arena.count
            values.append(pair.value, of: cursor)
            values.set(slot, from: start)
        }
        if cursor.isMalformed { values.fail(.logfmt) }
    }

    private mutating func parseLogfmt(
        _ options: LogfmtOptions, _ fields: [(target: RowProgram.Target, label: Int, key: String)], _ line: Span<UInt8>
    ) {
        var cursor = LogfmtCursor(line)
        var found: UInt64 = 0
        while let pair = cursor.next(isStrict: options.isStrict) {
            let key = line.extracting(pair.key)
            for field in fields where found & 1 << UInt64(field.label) == 0 && ByteText.isEqual(key, field.key) {
                found |= 1 << UInt64(field.label)
                let start = values.arena.count
                values.append(pair.value, of: cursor)
                values.extract(field.target, fromArena: start..<values.arena.count)
            }
        }
        for field in fields where found & 1 << UInt64(field.label) == 0 {
            values.extract(field.target, fromArena: values.arena.count..<values.arena.count)
        }
        if cursor.isMalformed { values.fail(.logfmt) }
    }

    private mutating func match(_ pattern: Pattern, _ targets: [RowProgram.Target?], _ line: Span<UInt8>) {
        pattern.forEachGroup(in: line) { group, range in
            if let target = targets[group] { values.extract(target, line.extracting(range ?? 0..<0)) }
        }
    }
}
