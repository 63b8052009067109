/// Which templates the texts of some blocks in a row are made of: read first, it leaves out blocks that cannot have a text.
///
/// ```
/// number of templates, varint | each (TemplateTable; its slots hold what any of the blocks has there)
/// for each block: 0, if it is not known what its texts are made of; else one more than it has templates, varint
///                 for each of these, ascending: its number less the one before, varint
/// ```
package struct TemplateIndex: Sendable {
    package let table: TemplateTable
    package let blockCount: Int
    /// Of all blocks, one after the other.
    private var templates: [UInt32] = []
    /// By block, and one more: where its templates begin.
    private var firsts: [Int] = [0]
    private var isKnown: [Bool] = []

    /// - Parameter bytes: an index of `blockCount` blocks.
    package init(decoding bytes: [UInt8], blockCount: Int) throws(EncodingError) {
        self.blockCount = blockCount
        var table = TemplateTable()
        let rest = try bytes.withUnsafeBufferPointer { (bytes) throws(EncodingError) in
            var source = ByteSource(UnsafeRawBufferPointer(bytes))
            for _ in 0..<(try source.count(atMost: TemplateTable.mostTemplates)) { try table.read(&source) }
            return source.rest.count
        }
        self.table = table
        try bytes[(bytes.count - rest)...].withUnsafeBufferPointer { (bytes) throws(EncodingError) in
            var source = ByteSource(UnsafeRawBufferPointer(bytes))
            for _ in 0..<blockCount { try readBlock(&source) }
            try source.end()
        }
    }

    private mutating func readBlock(_ source: inout ByteSource) throws(EncodingError) {
        let count = try source.count(atMost: table.count + 1)
        isKnown.append(count > 0)
        var last = 0
        for i in 1..<max(count, 1) {
            let number = last + (try source.count(atMost: table.count))
            guard number < table.count, i == 1 || number > last else { throw .corrupt }
            templates.append(UInt32(number))
            last = number
        }
        firsts.append(templates.count)
    }

    /// Bytes of memory, about.
    package var byteCount: Int {
        table.constantBytes + table.slots.count * MemoryLayout<TemplateSlot>.stride + table.count * 24
            + templates.count * 4 + blockCount * 16
    }

    /// The blocks, from 0, of which some text may contain one of `texts`.
    package func blocks(mayContain texts: [TextMatcher]) -> [Int] {
        // Most texts that are there stand in a slot whole, which takes less time to see than what a template makes of its slots.
        let isHeld = (0..<table.count).map { template in
            table.slotRange(template).contains { slot in texts.contains { $0.mayBeHeld(by: table.slots[slot]) } }
        }
        var isPossible = [Bool?](repeating: nil, count: table.count)
        func mayContain(_ template: Int) -> Bool {
            if let known = isPossible[template] { return known }
            let answer = texts.contains { if case .none = $0.verdict(table, template) { false } else { true } }
            isPossible[template] = answer
            return answer
        }
        return (0..<blockCount).filter { block in
            let templates = templates[firsts[block]..<firsts[block + 1]]
            return !isKnown[block] || templates.contains { isHeld[Int($0)] }
                || templates.contains { mayContain(Int($0)) }
        }
    }

    /// Whether the index has all that the texts of a block are made of.
    package func covers(_ texts: TemplatedTexts, block: Int) -> Bool {
        guard isKnown[block] else { return true }
        var known: [[UInt8]: Int] = [:]
        for template in templates[firsts[block]..<firsts[block + 1]] {
            known[TemplateKey.make(table, Int(template))] = Int(template)
        }
        return (0..<texts.table.count).allSatisfy { template in
            guard let number = known[TemplateKey.make(texts.table, template)] else { return false }
            return zip(texts.table.slotRange(template), table.slotRange(number)).allSatisfy { slot, other in
                var united = table.slots[other]
                united.formUnion(texts.table.slots[slot])
                return united == table.slots[other]
            }
        }
    }

    /// Gathers the templates of blocks.
    package struct Builder: Sendable {
        private var table = TemplateTable()
        private var numbers: [[UInt8]: Int] = [:]
        private var blocks: [UInt8] = []
        /// Of the current block; nil if its texts are not known.
        private var current: Set<Int>? = []
        package private(set) var blockCount = 0

        package init() {}

        /// Bytes that wait in memory, about.
        package var byteCount: Int { table.constantBytes * 2 + table.count * 128 + blocks.count }

        /// Adds what a page of texts of the block is made of, as it is stored.
        package mutating func add(page bytes: UnsafeRawBufferPointer, encoding: UInt8, compression: UInt8, count: Int) {
            guard count > 0 else { return }
            guard encoding == EncodingID.templates.rawValue, compression == CompressionID.none.rawValue else {
                current = nil
                return
            }
            let added: TemplateTable
            do throws(EncodingError) {
                added = try TemplatePage.table(bytes, count: count)
            } catch {
                current = nil
                return
            }
            for template in 0..<added.count {
                let number = insert(template, of: added)
                current?.insert(number)
            }
        }

        private mutating func insert(_ template: Int, of other: TemplateTable) -> Int {
            let key = TemplateKey.make(other, template)
            let slots = other.slotRange(template)
            if let number = numbers[key] {
                for (slot, added) in zip(table.slotRange(number), slots) {
                    table.widen(slot: slot, by: other.slots[added])
                }
                return number
            }
            table.append(template, of: other)
            numbers[key] = table.count - 1
            return table.count - 1
        }

        package mutating func endBlock() {
            var sink = ByteSink(capacity: 64)
            sink.append(varint: current.map { $0.count + 1 } ?? 0)
            var last = 0
            for number in (current ?? []).sorted() {
                sink.append(varint: number - last)
                last = number
            }
            blocks.append(contentsOf: sink.bytes)
            blockCount += 1
            current = []
        }

        /// The index so far. Starts over.
        package mutating func finish() -> [UInt8] {
            let bytes = table.encoded + blocks
            self = Builder()
            return bytes
        }
    }
}

/// What tells templates apart.
private enum TemplateKey {
    /// Constants with their lengths, and which slots are UUIDs.
    static func make(_ table: TemplateTable, _ template: Int) -> [UInt8] {
        let slots = table.slotRange(template)
        var sink = ByteSink(capacity: 256)
        sink.append(varint: slots.count)
        for slot in slots { sink.append(table.slots[slot].kind == .uuid ? 1 : 0) }
        for number in 0...slots.count { sink.append(varint: table.constant(number, template).count) }
        table.constants.withUnsafeBytes {
            let all = table.constant(0, template).lowerBound..<table.constant(slots.count, template).upperBound
            sink.append(UnsafeRawBufferPointer(rebasing: $0[all]))
        }
        return Array(sink.bytes)
    }
}
