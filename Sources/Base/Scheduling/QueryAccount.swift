private import Synchronization

/// Queries that are counted together, of one tenant or of one key: so many of them run at a time, and the others wait among all that
/// wait. Its counts change under the lock of the admission that it is used with.
package final class QueryAccount: Hashable, Sendable {
    /// As many may wait for each other as run, but a few at least: a page of a dashboard asks for many things at once.
    private static let leastWaiting = 16

    private let most: Atomic<Int>
    private let runs = Atomic<Int>(0)
    private let waits = Atomic<Int>(0)

    /// - Parameter limit: nil: any number.
    package init(limit: Int? = nil) { most = Atomic(limit ?? .max) }

    package var limit: Int? {
        get {
            let most = most.load(ordering: .relaxed)
            return most == .max ? nil : most
        }
        set { most.store(newValue ?? .max, ordering: .relaxed) }
    }

    package var running: Int { runs.load(ordering: .relaxed) }
    package var waiting: Int { waits.load(ordering: .relaxed) }
    package var isIdle: Bool { running == 0 && waiting == 0 }

    var isFull: Bool { running >= most.load(ordering: .relaxed) }

    /// Whether no more of its queries may wait.
    var isCrowded: Bool { isFull && waiting >= max(most.load(ordering: .relaxed), Self.leastWaiting) }

    package static func == (left: QueryAccount, right: QueryAccount) -> Bool { left === right }

    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }

    func begin() { runs.add(1, ordering: .relaxed) }
    func end() { runs.subtract(1, ordering: .relaxed) }
    func beginWaiting() { waits.add(1, ordering: .relaxed) }
    func endWaiting() { waits.subtract(1, ordering: .relaxed) }
}
