internal import TableSchema

/// Something about a part that is not as its writer left it.
package struct PartDamage: Hashable, Sendable {
    package enum Place: Hashable, Sendable {
        /// The part as a whole: nothing of it can be trusted.
        case part
        /// The rows of one block.
        case block(Int)
        /// A page of a dictionary. Blocks that refer to it are damaged too, and are named on their own.
        case dictionary(Int, page: Int)
        /// The index of that number, those of tokens behind the bloom filters: no row is lost with it.
        case index(Int)
        /// What the catalog says of the part: no row is lost with it.
        case record
    }

    package var place: Place
    /// The column, field or attribute that it was found in; see `StoredSize.path`.
    package var path: String?
    package var reason: String

    package init(_ place: Place, _ path: String? = nil, _ reason: String) {
        self.place = place
        self.path = path
        self.reason = reason
    }
}

/// What is wrong with one part.
package struct PartReport: Sendable {
    /// The most findings that are kept of one part; the others are counted.
    package static let findingLimit = 200

    package private(set) var damage: [PartDamage] = []
    /// How many there are beyond those in `damage`.
    package private(set) var omitted = 0
    /// Blocks that cannot be kept.
    package private(set) var blocks: Set<Int> = []
    /// By dictionary: pages that cannot be read.
    package private(set) var dictionaryPages: [Int: Set<Int>] = [:]
    /// Indexes that are damaged, or lie.
    package private(set) var indexes: Set<Int> = []
    /// Whether only a newer Varve can read it.
    package internal(set) var isUnsupported = false
    /// Whether nothing of the part can be kept.
    package private(set) var isLost = false

    package init() {}

    package var isClean: Bool { damage.isEmpty }

    package mutating func add(_ found: PartDamage) {
        switch found.place {
        case .part: isLost = true
        case .block(let block): blocks.insert(block)
        case .dictionary(let number, let page): dictionaryPages[number, default: []].insert(page)
        case .index(let number): indexes.insert(number)
        case .record: break
        }
        if damage.count < Self.findingLimit { damage.append(found) } else { omitted += 1 }
    }
}

extension PartError {
    /// What is wrong, in words; where is said by whoever reports it.
    package var reason: String {
        switch self {
        case .notAPart: "it is no part, or was not written to its end"
        case .unsupportedVersion(let version): "it has version \(version), which this Varve does not know"
        case .truncated: "the file ends too early"
        case .corruptFooter(let reason): "the footer is damaged: \(reason)"
        case .wrongTable(let expected, let found):
            "it is a part of table \(found.number), not of table \(expected.number)"
        case .checksumMismatch: "the checksum is wrong"
        case .corruptPage: "the page cannot be decoded"
        case .corruptIndex: "the index is damaged"
        case .file(let operation, let errno): "cannot \(operation): error \(errno)"
        }
    }
}
