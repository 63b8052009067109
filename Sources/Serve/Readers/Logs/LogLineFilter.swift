internal import Columns
internal import Core
private import Encoding
internal import Observability
internal import Pattern
internal import QueryModel
internal import Scheduling
private import Synchronization
internal import Telemetry

/// The conditions of a query on lines, applied to blocks.
///
/// Bodies lie in a page, or in memory, one after the other. If many of those from the first row's to the last one's are asked
/// about, a text is searched in all of these at once, and a hit counts if it lies inside one body; otherwise, and for regular
/// expressions, body by body. A dictionary's entries are asked about once each. Of bodies that are stored as templates only those are put together for which their template
/// does not tell. Bodies that are no strings are turned into lines first. Texts are compared as bytes, so
/// a body that is not UTF-8 is searched as it was sent.
final class LogLineFilter {
    private enum Condition {
        case texts([[UInt8]])
        case patterns([Pattern])
    }

    private struct Test {
        let condition: Condition
        /// Whether a line is kept if the condition holds, or if it does not.
        let keepsMatches: Bool
        /// The same, of bodies that are stored as templates.
        let templated: TextTest

        init(_ condition: Condition, keepsMatches: Bool) {
            self.condition = condition
            self.keepsMatches = keepsMatches
            switch condition {
            case .texts(let texts): templated = TextTest(anyOf: texts, keepsMatches: keepsMatches)
            case .patterns(let patterns):
                // Of several patterns one matches: what all of them require is seldom anything.
                templated = unsafe TextTest(
                    required: patterns.count == 1 ? patterns[0].required : [], keepsMatches: keepsMatches
                ) { line in
                    patterns.contains { unsafe $0.matches(line) }
                }
            }
        }
    }

    private let tests: [Test]
    private let context: QueryContext
    /// Blocks of a few parts come in turn where their times overlap; of more, each dictionary would be held until the end.
    private static let mostDictionaries = 8
    /// Of the dictionaries of parts: the entries that were asked about.
    private let known: KnownDictionaries<ObjectIdentifier, Answers>

    private final class Answers {
        let dictionary: StringDictionary
        /// 0 not asked, 1 kept, 2 not.
        var entries: [UInt8]

        init(_ dictionary: StringDictionary) {
            self.dictionary = dictionary
            entries = Array(repeating: 0, count: dictionary.count)
        }
    }

    /// - Returns: nil if every line passes.
    init?(_ predicates: [LinePredicate], context: QueryContext) {
        tests = predicates.compactMap(Self.test)
        self.context = context
        known = KnownDictionaries(context, limit: Self.mostDictionaries)
        if tests.isEmpty { return nil }
    }

    private static func test(_ predicate: LinePredicate) -> Test? {
        switch predicate {
        case .contains(let texts): test(texts, keepsMatches: true)
        case .lacks(let texts): test(texts, keepsMatches: false)
        case .matches(let patterns): test(patterns, keepsMatches: true)
        case .mismatches(let patterns): test(patterns, keepsMatches: false)
        }
    }

    private static func test(_ texts: [String], keepsMatches: Bool) -> Test? {
        // Every line contains the empty text.
        if keepsMatches, texts.contains("") { return nil }
        if !keepsMatches, texts.isEmpty { return nil }
        return Test(.texts(texts.map { Array($0.utf8) }), keepsMatches: keepsMatches)
    }

    private static func test(_ patterns: [Pattern], keepsMatches: Bool) -> Test? {
        if !keepsMatches, patterns.isEmpty { return nil }
        var texts: [String] = []
        for pattern in patterns {
            guard !pattern.isAnchored, let literals = pattern.literals else {
                return Test(.patterns(patterns), keepsMatches: keepsMatches)
            }
            texts += literals
        }
        return test(texts, keepsMatches: keepsMatches)
    }

    // MARK: Blocks

    /// Keeps the rows whose line passes.
    func keep(in block: LogBlock) throws(QueryError) {
        guard !block.rows.isEmpty else { return }
        guard let types = try block.bodyTypes() else {
            // Not in place: what is read on the way looks at the block's rows.
            var rows = block.rows
            try keepTexts(&rows, block)
            block.rows = rows
            return
        }
        let string = Int64(AttributeType.string.rawValue)
        var texts = block.rows.filter { types[Int($0)] == string }
        var others: [UInt32] = []
        for row in block.rows where types[Int(row)] != string {
            let line = try block.line(Int(row))
            context.statistics.bytesDecoded.add(line.utf8.count, ordering: .relaxed)
            if passes(line.utf8Span.span) { others.append(row) }
        }
        try keepTexts(&texts, block)
        block.rows = others.isEmpty ? texts : (texts + others).sorted()
    }

    private func keepTexts(_ rows: inout [UInt32], _ block: LogBlock) throws(QueryError) {
        guard !rows.isEmpty else { return }
        if try block.keepBodies(&rows, passing: tests.map(\.templated)) { return }
        let bodies = try block[block.table.body]
        count(rows, bodies)
        if bodies.dictionary.isUnique {
            keep(&rows, bodies, try answers(bodies.dictionary))
            return
        }
        for test in tests where !rows.isEmpty {
            let entries = Self.entries(of: bodies, rows)
            if case .texts(let texts) = test.condition, rows.count * 4 >= entries.count {
                let hits = Self.hits(bodies.dictionary, entries, containing: texts)
                rows.removeAll { hits[Int(bodies.codes[Int($0)]) - entries.lowerBound] != test.keepsMatches }
            } else {
                rows.removeAll { !Self.passes(bodies.dictionary.span(Int(bodies.codes[Int($0)])), test) }
            }
        }
    }

    private func count(_ rows: [UInt32], _ bodies: StringColumn) {
        var bytes = 0
        for row in rows { bytes += bodies.dictionary.length(Int(bodies.codes[Int(row)])) }
        context.statistics.bytesDecoded.add(bytes, ordering: .relaxed)
    }

    private func answers(_ dictionary: StringDictionary) throws(QueryError) -> Answers {
        try known.value(ObjectIdentifier(dictionary), bytes: dictionary.heldBytes(perEntry: 1)) { Answers(dictionary) }
    }

    private func keep(_ rows: inout [UInt32], _ bodies: StringColumn, _ answers: Answers) {
        rows.removeAll { row in
            let code = Int(bodies.codes[Int(row)])
            if answers.entries[code] == 0 {
                answers.entries[code] = passes(bodies.dictionary.span(code)) ? 1 : 2
            }
            return answers.entries[code] == 2
        }
    }

    // MARK: Lines

    private func passes(_ line: Span<UInt8>) -> Bool {
        tests.allSatisfy { Self.passes(line, $0) }
    }

    private static func passes(_ line: Span<UInt8>, _ test: Test) -> Bool {
        let holds =
            switch test.condition {
            case .texts(let texts): texts.contains { line.index(of: $0.span) != nil }
            case .patterns(let patterns): patterns.contains { $0.matches(line) }
            }
        return holds == test.keepsMatches
    }

    /// From the least to the greatest that one of the rows has; there is at least one row.
    private static func entries(of bodies: StringColumn, _ rows: [UInt32]) -> Range<Int> {
        var (least, greatest) = (Int.max, 0)
        for row in rows {
            let code = Int(bodies.codes[Int(row)])
            least = min(least, code)
            greatest = max(greatest, code)
        }
        return least..<greatest + 1
    }

    /// By entry, from the first of `entries` on: whether it contains one of the texts.
    private static func hits(
        _ dictionary: StringDictionary, _ entries: Range<Int>, containing texts: [[UInt8]]
    ) -> [Bool] {
        var hits = [Bool](repeating: false, count: entries.count)
        for text in texts {
            if text.isEmpty { return [Bool](repeating: true, count: entries.count) }
            mark(&hits, dictionary, entries, text)
        }
        return hits
    }

    private static func mark(
        _ hits: inout [Bool], _ dictionary: StringDictionary, _ entries: Range<Int>, _ text: [UInt8]
    ) {
        // Entries follow each other in memory.
        let offsets = dictionary.offsets
        let all = dictionary.contents
        let contents = all.span.extracting(..<Int(offsets[entries.upperBound]))
        var position = Int(offsets[entries.lowerBound])
        var entry = entries.lowerBound
        while let hit = contents.index(of: text.span, from: position) {
            entry = self.entry(offsets, at: hit, from: entry, through: entries.upperBound - 1)
            let end = Int(offsets[entry + 1])
            if hit + text.count <= end {
                hits[entry - entries.lowerBound] = true
                position = end
            } else {
                // The text begins in one body and ends in another.
                position = hit + 1
            }
        }
    }

    /// The last entry that begins at or before a place.
    private static func entry(_ offsets: Buffer<UInt32>, at place: Int, from first: Int, through last: Int) -> Int {
        var low = first
        var high = last
        while low < high {
            let middle = (low + high + 1) / 2
            if Int(offsets[middle]) <= place { low = middle } else { high = middle - 1 }
        }
        return low
    }
}
