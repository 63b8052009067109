import Core
import Pattern
import QueryModel

/// The labels of one row on its way through a program, by slot.
///
/// A label is in one of two groups, as in `PipelineEntry`: those that the entry was sent with, of its stream or its metadata, which
/// stay in the columns of the block, and those that stages extracted or set, whose bytes lie one after the other in an arena that
/// the next row uses again.
struct RowValues {
    private let suffixed: [Int?]
    private let errorSlot: Int?
    /// By slot; without meaning where the block has no such column.
    private var columns: [LogTextColumn]
    private var hasColumn: [Bool]
    private var row = 0
    /// By slot: the code in the column, or -1.
    private var sent: [Int]
    /// By slot: where in the arena, or `none`.
    private var extracted: [Range<Int>]
    private(set) var arena: [UInt8] = []
    private(set) var error: PipelineFailure?

    private static let none = -1 ..< -1

    init(_ program: RowProgram) {
        suffixed = program.suffixed
        errorSlot = program.errorSlot
        columns = program.names.map { _ in .none }
        hasColumn = program.names.map { _ in false }
        sent = program.names.map { _ in -1 }
        extracted = program.names.map { _ in Self.none }
    }

    /// Takes the columns of a block, by slot.
    mutating func begin(_ block: [LogTextColumn?]) {
        for slot in columns.indices {
            hasColumn[slot] = false
            if let column = block[slot] {
                columns[slot] = column
                hasColumn[slot] = true
            }
        }
    }

    mutating func begin(row: Int) {
        self.row = row
        arena.removeAll(keepingCapacity: true)
        error = nil
        for slot in columns.indices {
            extracted[slot] = Self.none
            sent[slot] = -1
            if hasColumn[slot] {
                let code = Int(columns[slot].codes[row])
                if !columns[slot].isEmpty(code: code) { sent[slot] = code }
            }
        }
    }

    var hasError: Bool { error != nil }

    // MARK: Reading

    /// Hands over the value of a label; nil if there is none.
    func withValue<Result>(_ slot: Int, _ body: (Span<UInt8>) -> Result) -> Result? {
        let range = extracted[slot]
        if range != Self.none { return body(arena.span.extracting(range)) }
        if sent[slot] >= 0 { return columns[slot].withBytes(code: sent[slot], body) }
        if slot == errorSlot, let error { return body(error.rawValue.utf8Span.span) }
        return nil
    }

    /// The code of a label that is as it was sent; nil if it is not.
    func sentCode(_ slot: Int) -> Int? {
        extracted[slot] == Self.none && sent[slot] >= 0 ? sent[slot] : nil
    }

    // MARK: Changing

    mutating func fail(_ failure: PipelineFailure) { error = failure }

    /// Whether a field is taken out of the line, and where to.
    func slot(of target: RowProgram.Target) -> Int? {
        guard let slot = target.slot else { return nil }
        let chosen = sent[slot] >= 0 ? target.suffixed : slot
        return chosen.flatMap { extracted[$0] == Self.none ? $0 : nil }
    }

    func target(_ slot: Int) -> RowProgram.Target { RowProgram.Target(slot: slot, suffixed: suffixed[slot]) }

    /// Sets an extracted label to what was appended to the arena since `start`.
    mutating func set(_ slot: Int, from start: Int) { extracted[slot] = start..<arena.count }

    mutating func extract(_ target: RowProgram.Target, _ bytes: Span<UInt8>) {
        guard let slot = slot(of: target) else { return }
        let start = arena.count
        arena.append(copying: bytes)
        set(slot, from: start)
    }

    mutating func append(_ text: JSONCursor.Text, of cursor: borrowing JSONCursor) throws(JSONFault) {
        try cursor.append(text, to: &arena)
    }

    mutating func append(_ text: JSONCursor.Text, of cursor: borrowing LogfmtCursor) {
        cursor.append(text, to: &arena)
    }

    mutating func extract(_ target: RowProgram.Target, fromArena range: Range<Int>) {
        if let slot = slot(of: target) { extracted[slot] = range }
    }

    mutating func rename(_ source: Int, to target: Int?) {
        let start = arena.count
        var bytes: [UInt8] = []
        swap(&bytes, &arena)
        defer { swap(&bytes, &arena) }
        if extracted[source] != Self.none {
            let range = extracted[source]
            bytes.append(contentsOf: Array(bytes[range]))
        } else if sent[source] >= 0 {
            columns[source].withBytes(code: sent[source]) { bytes.append(copying: $0) }
        } else if source == errorSlot, let error {
            bytes.append(contentsOf: error.rawValue.utf8)
        } else {
            return
        }
        remove(source)
        guard let target else { return }
        if extracted[target] == Self.none { remove(target) }
        extracted[target] = start..<bytes.count
    }

    mutating func remove(_ slot: Int) {
        if slot == errorSlot { error = nil }
        if extracted[slot] != Self.none {
            extracted[slot] = Self.none
        } else {
            sent[slot] = -1
        }
    }

    /// Leaves a label's values that a condition accepts; errors stay.
    mutating func keep(_ slot: Int, _ conditions: [LabelCondition]) {
        if extracted[slot] != Self.none {
            let range = extracted[slot]
            if !conditions.contains(where: { $0.accepts(arena.span.extracting(range)) }) { extracted[slot] = Self.none }
        }
        if sent[slot] >= 0 {
            let isKept = columns[slot].withBytes(code: sent[slot]) { value in conditions.contains { $0.accepts(value) }
            }
            if !isKept { sent[slot] = -1 }
        }
    }
}

extension LabelCondition {
    func accepts(_ value: Span<UInt8>) -> Bool {
        switch self {
        case .name: true
        case .matcher(let matcher): matcher.matches(value)
        }
    }
}
