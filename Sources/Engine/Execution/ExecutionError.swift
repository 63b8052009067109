/// Why a plan that fits its table was not run to its end, beside what ends scans.
package enum ExecutionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The groups would be more than the plan allows.
    case tooManyGroups(limit: Int)
    /// Bytes that are no states.
    case corruptStates
    case unsupportedVersion(Int)
    /// States of another aggregation.
    case differentAggregations

    package var description: String {
        switch self {
        case .tooManyGroups(let limit): "the query makes more than \(limit) groups"
        case .corruptStates: "the bytes are no states of aggregates"
        case .unsupportedVersion(let version): "the states have version \(version), of a newer Varve"
        case .differentAggregations: "the states are of another aggregation"
        }
    }
}
