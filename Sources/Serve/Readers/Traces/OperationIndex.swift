internal import Columns
internal import Core
internal import Parts
internal import Storage
private import Synchronization

/// A span's name and kind, as a list of operations shows them.
struct Operation: Hashable, Comparable {
    let name: String
    let kind: Int32

    static func < (left: Operation, right: Operation) -> Bool { (left.name, left.kind) < (right.name, right.kind) }
}

/// The operations of each service in each part: found by reading three columns once, and kept, since parts never change.
final class OperationIndex: Sendable {
    private struct Known {
        var operations: [PartID: [[UInt8]: [Operation]]] = [:]
        var count = 0
    }

    /// Operations of all parts that are kept: about 100 bytes each.
    private static let limit = 1 << 19

    private let known = Mutex(Known())

    /// - Parameter find: gives those of a part that is not known, and whether they are all: what lacks something is not kept, so
    ///   that the next query looks again, and is warned too.
    func operations<Failure: Error>(
        of part: PartID, find: () throws(Failure) -> (operations: [[UInt8]: [Operation]], isWhole: Bool)
    ) throws(Failure) -> [[UInt8]: [Operation]] {
        if let operations = known.withLock({ $0.operations[part] }) { return operations }
        let (found, isWhole) = try find()
        guard isWhole else { return found }
        let count = found.values.reduce(1) { $0 + $1.count }
        known.withLock { known in
            // Parts that are gone stay until there is no room; then all begin anew.
            if known.count + count > Self.limit { known = Known() }
            guard count <= Self.limit / 2, known.operations.updateValue(found, forKey: part) == nil else { return }
            known.count += count
        }
        return found
    }
}

/// Collects the distinct operations of the rows of some blocks.
struct OperationCollector {
    /// Combinations for which a flag each is cheaper than a set.
    private static let flagLimit = 1 << 22
    private static let kinds = 8

    private struct Combination: Hashable {
        let service, name: UInt32
        let kind: Int32
    }

    /// By the bytes of the service's name as it is shown.
    private(set) var found: [[UInt8]: Set<Operation>] = [:]
    /// What was met in columns with these dictionaries, which the blocks of a part share.
    private var services: StringDictionary?
    private var names: StringDictionary?
    private var flags: [Bool] = []
    private var others: Set<Combination> = []

    mutating func add(services: StringColumn, names: StringColumn, kinds: Buffer<Int64>) {
        begin(services.dictionary, names.dictionary)
        let nameCount = names.dictionary.count
        for row in 0..<kinds.count {
            let service = services.codes[row]
            let name = names.codes[row]
            let kind = Int32(truncatingIfNeeded: kinds[row])
            if !flags.isEmpty, kind >= 0, kind < Int32(Self.kinds) {
                let flag = (Int(service) * nameCount + Int(name)) * Self.kinds + Int(kind)
                if flags[flag] { continue }
                flags[flag] = true
            } else if !others.insert(Combination(service: service, name: name, kind: kind)).inserted {
                continue
            }
            found[Array(services.dictionary.string(Int(service)).utf8), default: []].insert(
                Operation(name: names.dictionary.string(Int(name)), kind: kind))
        }
    }

    private mutating func begin(_ services: StringDictionary, _ names: StringDictionary) {
        guard self.services !== services || self.names !== names else { return }
        (self.services, self.names) = (services, names)
        let (combinations, overflow) = services.count.multipliedReportingOverflow(by: names.count * Self.kinds)
        flags = Array(repeating: false, count: overflow || combinations > Self.flagLimit ? 0 : combinations)
        others = []
    }
}
