package import Core
package import TableSchema

/// A part's number: never reused (invariant 1).
package struct PartID: Hashable, Comparable, Sendable {
    package let number: UInt64

    package init(number: UInt64) { self.number = number }

    package static func < (left: PartID, right: PartID) -> Bool { left.number < right.number }
}

/// What the catalog knows of a part.
package struct PartRecord: Hashable, Sendable {
    package var id: PartID
    package var tenant: TenantID
    package var table: TableID
    /// The partition's start, nanoseconds since the epoch.
    package var partition: Int64
    /// 0 from a flush; one more than the greatest of its inputs from a merge.
    package var level: UInt8
    package var rowCount: Int
    package var byteCount: Int64
    /// Of the partition column.
    package var leastTime: Int64
    package var greatestTime: Int64

    package init(
        id: PartID, tenant: TenantID, table: TableID, partition: Int64, level: UInt8, rowCount: Int,
        byteCount: Int64, leastTime: Int64, greatestTime: Int64
    ) {
        self.id = id
        self.tenant = tenant
        self.table = table
        self.partition = partition
        self.level = level
        self.rowCount = rowCount
        self.byteCount = byteCount
        self.leastTime = leastTime
        self.greatestTime = greatestTime
    }
}

/// A tenant's rows of one table.
package struct TenantTable: Hashable, Comparable, Sendable {
    package var tenant: TenantID
    package var table: TableID

    package init(tenant: TenantID, table: TableID) {
        self.tenant = tenant
        self.table = table
    }

    package static func < (left: TenantTable, right: TenantTable) -> Bool {
        (left.tenant, left.table) < (right.tenant, right.table)
    }
}

/// Views that have the rows of a part: those of tables with numbers below 64, which Schema/ keeps to.
package struct ViewSet: Hashable, Sendable {
    package private(set) var bits: UInt64

    package init(bits: UInt64 = 0) { self.bits = bits }

    package init(_ views: some Sequence<TableID>) {
        bits = 0
        for view in views { insert(view) }
    }

    package var isEmpty: Bool { bits == 0 }

    package func contains(_ view: TableID) -> Bool { view.number < 64 && bits >> UInt64(view.number) & 1 == 1 }

    package mutating func insert(_ view: TableID) {
        precondition(view.number < 64, "Schema/ was checked")
        bits |= 1 << UInt64(view.number)
    }

    package mutating func formUnion(_ other: ViewSet) { bits |= other.bits }
}

/// One record of the catalog: changes that become visible, and durable, together.
package struct CatalogEdit: Hashable, Sendable {
    package var added: [PartRecord]
    package var removed: [PartID]
    /// Views that have the rows of parts, which are there or added, from now on (invariant 9).
    package var rolledUp: [PartID: ViewSet]
    /// By tenant and table: every log record up to this one is in parts.
    package var flushed: [TenantTable: UInt64]

    package init(
        added: [PartRecord] = [], removed: [PartID] = [], rolledUp: [PartID: ViewSet] = [:],
        flushed: [TenantTable: UInt64] = [:]
    ) {
        self.added = added
        self.removed = removed
        self.rolledUp = rolledUp.filter { !$0.value.isEmpty }
        self.flushed = flushed
    }
}

/// Everything that the catalog says at one point in time.
struct CatalogState: Equatable {
    var parts: [PartID: PartRecord] = [:]
    /// Without parts that are in no view.
    var rolledUp: [PartID: ViewSet] = [:]
    var flushed: [TenantTable: UInt64] = [:]
    /// Above every part ever added.
    var nextPart: UInt64 = 1

    /// Why the edit contradicts the state, or nil. Takes as long as the edit has items, however large the state is.
    func contradiction(_ edit: CatalogEdit) -> String? {
        var removed: Set<PartID> = []
        for id in edit.removed where parts[id] == nil || !removed.insert(id).inserted {
            return "part \(id.number) is removed, but was not there"
        }
        var added: Set<PartID> = []
        for part in edit.added {
            guard parts[part.id] == nil || removed.contains(part.id), added.insert(part.id).inserted else {
                return "part \(part.id.number) is added twice"
            }
        }
        for id in edit.rolledUp.keys where !added.contains(id) && (parts[id] == nil || removed.contains(id)) {
            return "part \(id.number) is rolled up, but is not there"
        }
        return nil
    }

    /// - Returns: why the edit contradicts the state, or nil; if it does, it may be applied in part.
    mutating func apply(_ edit: CatalogEdit) -> String? {
        for id in edit.removed where parts.removeValue(forKey: id) == nil {
            return "part \(id.number) is removed, but was not there"
        }
        for id in edit.removed { rolledUp[id] = nil }
        for part in edit.added {
            guard parts.updateValue(part, forKey: part.id) == nil else {
                return "part \(part.id.number) is added twice"
            }
            nextPart = max(nextPart, part.id.number &+ 1)
        }
        for (id, views) in edit.rolledUp {
            guard parts[id] != nil else { return "part \(id.number) is rolled up, but is not there" }
            rolledUp[id, default: ViewSet()].formUnion(views)
        }
        for (key, position) in edit.flushed { flushed[key] = max(flushed[key] ?? 0, position) }
        return nil
    }

    /// Applies what can be applied of an edit that contradicts the state, since records before it were lost.
    mutating func applyAnyway(_ edit: CatalogEdit) {
        for id in edit.removed {
            parts[id] = nil
            rolledUp[id] = nil
        }
        for part in edit.added {
            parts[part.id] = part
            nextPart = max(nextPart, part.id.number &+ 1)
        }
        for (id, views) in edit.rolledUp where parts[id] != nil { rolledUp[id, default: ViewSet()].formUnion(views) }
        for (key, position) in edit.flushed { flushed[key] = max(flushed[key] ?? 0, position) }
    }

    /// The edit that makes this state from nothing.
    var whole: CatalogEdit {
        CatalogEdit(added: parts.values.sorted { $0.id < $1.id }, rolledUp: rolledUp, flushed: flushed)
    }
}
