internal import Columns
internal import QueryModel
internal import Scheduling

/// What one thread knows of the dictionaries that it met. A dictionary is known by its address, so each value keeps its own; when there are
/// too many, all are let go. What they take counts against the query's memory until then.
final class KnownDictionaries<Key: Hashable, Value> {
    private let context: QueryContext
    private let limit: Int
    private var values: [Key: Value] = [:]
    private var heldBytes = 0

    /// - Parameter limit: the most values.
    init(_ context: QueryContext, limit: Int) {
        self.context = context
        self.limit = limit
    }

    deinit { context.release(bytes: heldBytes) }

    /// - Parameters:
    ///   - bytes: what the value takes, with all that it will find out.
    ///   - make: makes one that is not known yet.
    func value(_ key: Key, bytes: Int, _ make: () -> Value) throws(QueryError) -> Value {
        if let known = values[key] { return known }
        if values.count >= limit {
            values = [:]
            context.release(bytes: heldBytes)
            heldBytes = 0
        }
        // They count also if that fails.
        heldBytes += bytes
        try context.charge(bytes: bytes)
        let made = make()
        values[key] = made
        return made
    }
}

extension StringDictionary {
    /// Of something of so many bytes that is kept for each entry, and the dictionary with it.
    func heldBytes(perEntry size: Int) -> Int { byteCount + count * size }
}
