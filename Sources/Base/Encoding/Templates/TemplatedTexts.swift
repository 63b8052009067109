package import Core

/// A condition on texts: what is looked for in templates first, and in a text itself only where these do not tell.
package struct TextTest: Sendable {
    private enum Condition: Sendable {
        /// One of these is contained.
        case texts([TextMatcher])
        /// A test that can only hold where of each of these sets of texts one is contained.
        case test(required: [[TextMatcher]], @Sendable (UnsafeRawBufferPointer) -> Bool)
    }

    private let condition: Condition
    /// Whether a text is kept if the condition holds, or if it does not.
    package let keepsMatches: Bool

    /// - Parameter texts: of which one must be contained.
    package init(anyOf texts: [[UInt8]], keepsMatches: Bool) {
        condition = .texts(texts.map { TextMatcher($0) })
        self.keepsMatches = keepsMatches
    }

    /// - Parameters:
    ///   - required: sets of texts; where the test holds, the text contains one of each set. Empty if nothing is known.
    ///   - holds: asked about a whole text.
    package init(
        required: [[[UInt8]]], keepsMatches: Bool, holds: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool
    ) {
        condition = .test(required: required.map { $0.map { TextMatcher($0) } }, holds)
        self.keepsMatches = keepsMatches
    }

    /// Tells whether one of some texts stands in the values of a slot, or may stand there.
    typealias SlotSearch = (_ texts: [TextMatcher], _ slot: Int) throws(EncodingError) -> Bool

    /// Whether the condition holds for the texts of a template.
    private func verdict(
        _ table: TemplateTable, _ template: Int, _ search: SlotSearch
    ) throws(EncodingError) -> TemplateVerdict {
        switch condition {
        case .texts(let texts): return try Self.anyOf(texts, table, template, search)
        case .test(let required, let holds):
            for texts in required {
                if case .none = try Self.anyOf(texts, table, template, search) { return .none }
            }
            guard table.slotRange(template).isEmpty else { return .some }
            let range = table.constant(0, template)
            return table.constants.withUnsafeBytes { holds(UnsafeRawBufferPointer(rebasing: $0[range])) } ? .all : .none
        }
    }

    private static func anyOf(
        _ texts: [TextMatcher], _ table: TemplateTable, _ template: Int, _ search: SlotSearch
    ) throws(EncodingError) -> TemplateVerdict {
        var verdict = TemplateVerdict.none
        var finding = TextMatcher.Finding()
        for text in texts {
            switch text.verdict(table, template, &finding) {
            case .all: return .all
            case .some: verdict = .some
            case .none: break
            }
        }
        guard case .some = verdict, !finding.crosses else { return verdict }
        for slot in Set(finding.slots) where try search(texts, slot) { return .some }
        return .none
    }

    /// Whether texts of a template are kept: all, none, or some of them.
    func keeps(
        _ table: TemplateTable, _ template: Int, _ search: SlotSearch
    ) throws(EncodingError) -> TemplateVerdict {
        switch (try verdict(table, template, search), keepsMatches) {
        case (.some, _): .some
        case (.all, true), (.none, false): .all
        case (.all, false), (.none, true): .none
        }
    }

    /// Whether a text is kept.
    package func keeps(_ text: UnsafeRawBufferPointer) -> Bool {
        switch condition {
        case .texts(let texts): texts.contains { $0.isContained(in: text) } == keepsMatches
        case .test(_, let holds): holds(text) == keepsMatches
        }
    }
}

extension TextMatcher {
    /// Whether a text contains this one.
    package func isContained(in bytes: UnsafeRawBufferPointer) -> Bool {
        Span<UInt8>(_unsafeBytes: bytes).index(of: text.span) != nil
    }
}

/// The texts of one block, cut into templates: they are asked first, and texts are put together only for those rows that are
/// asked for.
package final class TemplatedTexts: Sendable {
    private let payload: [UInt8]
    private let page: TemplatePage

    package var count: Int { page.count }
    package var table: TemplateTable { page.table }
    /// By row: its template.
    package var codes: Buffer<UInt32> { page.codes }
    package var byteCount: Int { payload.count + page.count * 8 + page.table.constantBytes }

    /// - Returns: nil if the page is not made of templates.
    /// - Throws: if it is, and is damaged.
    package init?(
        page bytes: [UInt8], encoding: UInt8, compression: UInt8, count: Int, rawLength: Int, byteLimit: Int
    ) throws(EncodingError) {
        guard encoding == EncodingID.templates.rawValue else { return nil }
        let compression = try CompressionID(checking: compression)
        guard rawLength >= 0, rawLength <= byteLimit else { throw .tooLarge(limit: byteLimit) }
        if compression == .none {
            guard bytes.count == rawLength else { throw .corrupt }
            payload = bytes
        } else {
            var raw = [UInt8](repeating: 0, count: rawLength)
            try raw.withUnsafeMutableBufferPointer { (raw) throws(EncodingError) in
                try bytes.withUnsafeBufferPointer { (bytes) throws(EncodingError) in
                    try Compressor.decompress(
                        UnsafeRawBufferPointer(bytes), compression, into: UnsafeMutableRawBufferPointer(raw))
                }
            }
            payload = raw
        }
        page = try payload.withUnsafeBufferPointer { (payload) throws(EncodingError) in
            try TemplatePage(UnsafeRawBufferPointer(payload), count: count, Bounds(bytes: byteLimit))
        }
    }

    /// Keeps of `rows` those whose text passes all tests.
    ///
    /// - Parameter rows: ascending.
    /// - Returns: the bytes of the texts that had to be put together.
    @discardableResult
    package func keep(_ rows: inout [UInt32], passing tests: [TextTest]) throws(EncodingError) -> Int {
        var verdicts: [UInt8] = []
        try payload.withUnsafeBufferPointer { (payload) throws(EncodingError) in
            let payload = UnsafeRawBufferPointer(payload)
            for template in 0..<table.count {
                verdicts.append(try verdict(of: tests, template, payload).rawValue)
            }
        }
        guard verdicts.contains(TemplateVerdict.some.rawValue) else {
            filter(&rows, verdicts, keeping: .all)
            return 0
        }
        var open = rows
        filter(&open, verdicts, keeping: .some)
        let (found, bytes) = try look(open, verdicts.map { $0 == TemplateVerdict.some.rawValue }, tests)
        filter(&rows, verdicts, keeping: .all)
        rows = Self.merged(rows, found)
        return bytes
    }

    private func verdict(
        of tests: [TextTest], _ template: Int, _ payload: UnsafeRawBufferPointer
    ) throws(EncodingError) -> TemplateVerdict {
        var verdict = TemplateVerdict.all
        for test in tests {
            let keeps = try test.keeps(table, template) { (texts, slot) throws(EncodingError) in
                try page.mayContain(texts, slot: slot, template, payload)
            }
            switch keeps {
            case .all: continue
            case .some: verdict = .some
            case .none: return .none
            }
        }
        return verdict
    }

    /// Keeps the rows whose template has that verdict.
    private func filter(_ rows: inout [UInt32], _ verdicts: [UInt8], keeping wanted: TemplateVerdict) {
        let codes = codes
        precondition(rows.allSatisfy { $0 < UInt32(codes.count) }, "rows of another block")
        var kept = 0
        rows.withUnsafeMutableBufferPointer { rows in
            verdicts.withUnsafeBufferPointer { verdicts in
                // Codes are below the number of templates: `TemplatePage` has checked them.
                guard let verdicts = verdicts.baseAddress else { return }
                for i in 0..<rows.count {
                    let row = rows[i]
                    rows[kept] = row
                    kept &+= verdicts[Int(codes.base[Int(row)])] == wanted.rawValue ? 1 : 0
                }
            }
        }
        rows.removeLast(rows.count - kept)
    }

    /// Rows of two lists, ascending.
    private static func merged(_ some: [UInt32], _ others: [UInt32]) -> [UInt32] {
        if others.isEmpty { return some }
        if some.isEmpty { return others }
        var merged: [UInt32] = []
        merged.reserveCapacity(some.count + others.count)
        var next = 0
        for row in some {
            while next < others.count, others[next] < row {
                merged.append(others[next])
                next += 1
            }
            merged.append(row)
        }
        return merged + others[next...]
    }

    /// Those of some rows whose texts pass.
    private func look(
        _ rows: [UInt32], _ templates: [Bool], _ tests: [TextTest]
    ) throws(EncodingError) -> (rows: [UInt32], bytes: Int) {
        guard !rows.isEmpty else { return ([], 0) }
        let lengths = Scratch<UInt32>(count)
        let texts = try payload.withUnsafeBufferPointer { (payload) throws(EncodingError) in
            try page.decode(
                UnsafeRawBufferPointer(payload), wanted: templates, rows: rows, lengths: lengths.base)
        }
        var found: [UInt32] = []
        var start = 0
        for row in rows {
            let text = UnsafeRawBufferPointer(start: texts.base + start, count: Int(lengths.base[Int(row)]))
            start += text.count
            if tests.allSatisfy({ $0.keeps(text) }) { found.append(row) }
        }
        return (found, texts.count)
    }

    /// The lengths of texts, in bytes; those of others are zero.
    ///
    /// - Parameter rows: ascending; nil: all.
    package func lengths(_ rows: [UInt32]? = nil) throws(EncodingError) -> Buffer<UInt32> {
        let lengths = BufferMemory<UInt32>(capacity: count)
        try payload.withUnsafeBufferPointer { (payload) throws(EncodingError) in
            try page.lengths(UnsafeRawBufferPointer(payload), rows: rows, into: lengths.base)
        }
        return Buffer(owner: lengths, base: lengths.base, count: count)
    }

    /// The lengths of all texts, and the bytes of those that are wanted: others are empty.
    ///
    /// - Parameter rows: ascending; nil: all.
    package func texts(_ rows: [UInt32]? = nil) throws(EncodingError) -> (lengths: Buffer<UInt32>, bytes: Buffer<UInt8>)
    {
        let lengths = BufferMemory<UInt32>(capacity: count)
        let bytes = try payload.withUnsafeBufferPointer { (payload) throws(EncodingError) in
            try page.decode(UnsafeRawBufferPointer(payload), rows: rows, lengths: lengths.base)
        }
        return (Buffer(owner: lengths, base: lengths.base, count: count), bytes)
    }
}
