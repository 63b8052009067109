package import Synchronization

/// What can tell that a part or block has nothing for a query.
package enum SkipIndex: Int, CaseIterable, Sendable {
    /// The times of a part or block, and the least and greatest values of its numbers.
    case zone
    /// No entry of a dictionary is wanted.
    case dictionary
    /// No row has the attribute.
    case attributeKey
    case bloom
    case tokens
    /// No template of a block can make the text.
    case templates

    package var name: String {
        switch self {
        case .zone: "zone"
        case .dictionary: "dictionary"
        case .attributeKey: "attributeKey"
        case .bloom: "bloom"
        case .tokens: "tokens"
        case .templates: "templates"
        }
    }
}

/// What a query read and skipped; each counter only grows.
package final class QueryStatistics: Sendable {
    /// What one kind of index did.
    package final class Index: Sendable {
        /// Parts of which it left nothing over.
        package let partsSkipped = Atomic<Int>(0)
        /// Blocks that it ruled out, of those that earlier ones had left over.
        package let blocksSkipped = Atomic<Int>(0)
        package let rowsSkipped = Atomic<Int>(0)
        /// Bytes that were read to ask it.
        package let bytesRead = Atomic<Int>(0)

        init() {}
    }

    package let partitionsConsidered = Atomic<Int>(0)
    package let partitionsRead = Atomic<Int>(0)
    package let partsConsidered = Atomic<Int>(0)
    package let partsRead = Atomic<Int>(0)
    package let rowGroupsConsidered = Atomic<Int>(0)
    package let rowGroupsRead = Atomic<Int>(0)
    package let blocksConsidered = Atomic<Int>(0)
    package let blocksRead = Atomic<Int>(0)
    package let rowsConsidered = Atomic<Int>(0)
    package let rowsRead = Atomic<Int>(0)
    package let rowsMatched = Atomic<Int>(0)
    /// Rows of memtables among those that were read.
    package let memoryRowsRead = Atomic<Int>(0)
    /// Of pages, as stored.
    package let bytesRead = Atomic<Int>(0)
    /// Bytes of the rows looked at as their sender would count them, for Loki's `stats`.
    package let bytesDecoded = Atomic<Int>(0)
    /// The most bytes that the query held.
    package let peakBytes = Atomic<Int>(0)
    /// Steps of a range whose values were kept from an earlier query.
    package let cachedSteps = Atomic<Int>(0)
    /// Nanoseconds that the query waited for its turn.
    package let queueTime = Atomic<Int>(0)

    private let indexes = SkipIndex.allCases.map { _ in Index() }

    private let noted = Mutex<[String]>([])
    private static let mostPlans = 16

    /// What the answer lacks; the first few of it.
    private let texts = Mutex<[String]>([])
    private static let mostWarnings = 20

    package init() {}

    /// Notes what the query asked of its table.
    ///
    /// - Parameter isRefined: whether it stands for the plan that was noted last.
    package func note(plan: String, insteadOfLast isRefined: Bool = false) {
        noted.withLock { plans in
            if isRefined { _ = plans.popLast() }
            plans.removeAll { $0 == plan }
            if plans.count == Self.mostPlans { plans.removeFirst() }
            plans.append(plan)
        }
    }

    /// The plans that were noted last, for people, each once.
    package var plans: [String] { noted.withLock { $0 } }

    /// The last of them.
    package var plan: String? { plans.last }

    package func warn(_ text: String) {
        texts.withLock { texts in
            if texts.count < Self.mostWarnings, !texts.contains(text) { texts.append(text) }
        }
    }

    package var warnings: [String] { texts.withLock { $0 }.sorted() }

    package func add(queueTime nanoseconds: Int) { queueTime.add(nanoseconds, ordering: .relaxed) }

    package subscript(index: SkipIndex) -> Index { indexes[index.rawValue] }

    package var indexBytesRead: Int {
        indexes.reduce(0) { $0 + $1.bytesRead.load(ordering: .relaxed) }
    }

    /// Everything, by the names that the APIs show, but for what the indexes did.
    package var totals: [(name: String, value: Int)] {
        func value(_ counter: borrowing Atomic<Int>) -> Int { counter.load(ordering: .relaxed) }
        return [
            ("partitionsConsidered", value(partitionsConsidered)), ("partitionsRead", value(partitionsRead)),
            ("partsConsidered", value(partsConsidered)), ("partsRead", value(partsRead)),
            ("rowGroupsConsidered", value(rowGroupsConsidered)), ("rowGroupsRead", value(rowGroupsRead)),
            ("blocksConsidered", value(blocksConsidered)), ("blocksRead", value(blocksRead)),
            ("rowsConsidered", value(rowsConsidered)), ("rowsRead", value(rowsRead)),
            ("memoryRowsRead", value(memoryRowsRead)), ("rowsMatched", value(rowsMatched)),
            ("bytesRead", value(bytesRead)), ("indexBytesRead", indexBytesRead), ("peakBytes", value(peakBytes)),
            ("queueTimeNanoseconds", value(queueTime)), ("cachedSteps", value(cachedSteps)),
        ]
    }

    /// What each index that did something did.
    package var skipped: [(index: SkipIndex, values: [(name: String, value: Int)])] {
        SkipIndex.allCases.compactMap { kind in
            let index = self[kind]
            let values = [
                ("partsSkipped", index.partsSkipped.load(ordering: .relaxed)),
                ("blocksSkipped", index.blocksSkipped.load(ordering: .relaxed)),
                ("rowsSkipped", index.rowsSkipped.load(ordering: .relaxed)),
                ("bytesRead", index.bytesRead.load(ordering: .relaxed)),
            ]
            return values.contains { $0.1 > 0 } ? (kind, values.map { (name: $0.0, value: $0.1) }) : nil
        }
    }
}
