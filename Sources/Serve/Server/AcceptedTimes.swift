internal import Core
package import Maintenance
internal import TableSchema

/// Which times rows may have when they come: one request with times all over the calendar would make a part for each partition.
package struct AcceptedTimes: Sendable {
    /// How far before the receipt.
    package enum Past: Hashable, Sendable {
        /// As long as the rows of a tenant's table live at the most; older ones would be dropped at once.
        case retention
        /// In nanoseconds.
        case within(Int64)
        case all
    }

    package var past = Past.all
    /// How far after the receipt, in nanoseconds; nil: all.
    package var future: Int64?
    /// What is kept for how long; nil: nothing is dropped.
    package var retention: RetentionPolicy?

    package init() {}

    /// - Returns: nil if all times are accepted.
    func range(received: Int64, tenant: TenantID, table: TableDefinition) -> ClosedRange<Int64>? {
        let age: Int64? =
            switch past {
            case .all: nil
            case .within(let age): age
            case .retention: retention?.lives(tenant: tenant, table: table).longest
            }
        guard age != nil || future != nil else { return nil }
        let now = Timestamp(nanoseconds: received)
        let first = age.map { now.advanced(by: -$0).nanoseconds } ?? .min
        let last = future.map { now.advanced(by: $0).nanoseconds } ?? .max
        return first...max(first, last)
    }
}
