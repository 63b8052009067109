internal import Columns
internal import Core
internal import Storage
internal import TableSchema

/// One thing that a repair does, or would do.
package struct RepairAction: Sendable {
    package enum Kind: String, Sendable {
        /// The part is written anew without what is damaged.
        case rewrite
        /// Nothing of the part can be kept.
        case drop
        /// The catalog names a part that is not there.
        case forget
        /// A part that the damaged catalog does not name is taken in.
        case adopt
        /// A part that the damaged catalog does not name is left out: its rows are elsewhere.
        case leaveOut = "leave_out"
        /// The catalog is written anew.
        case catalog
        /// A segment of the log is written anew without what is damaged.
        case log
        /// Nothing is done: only a newer Varve can say what it is.
        case leaveAlone = "leave_alone"
    }

    package var kind: Kind
    package var path: String
    package var part: StoredPart?
    /// Why, and what is known of it.
    package var reason: String
    package var lostRows = 0
    package var lostBlocks = 0
    package var lostBytes: Int64 = 0
    /// The times that lost rows lie between, nanoseconds since the epoch.
    package var lostTimes: ClosedRange<Int64>?
    /// Where the damaged bytes are kept.
    package var quarantine: String?

    init(_ kind: Kind, _ path: String, part: StoredPart? = nil, _ reason: String) {
        self.kind = kind
        self.path = path
        self.part = part
        self.reason = reason
    }

    /// What was lost, in words; nil if nothing was.
    package var loss: String? {
        if lostRows > 0 {
            let times = lostTimes.map { range in
                " from \(CalendarTime.text(Timestamp(nanoseconds: range.lowerBound))) to "
                    + CalendarTime.text(Timestamp(nanoseconds: range.upperBound))
            }
            return "\(lostRows) rows\(times ?? "")"
        }
        return lostBytes > 0 ? "\(lostBytes) bytes of the log" : nil
    }
}

/// What a repair came to.
package struct RepairSummary: Sendable {
    package var actions = 0
    package var lostRows = 0
    /// Of the log, which holds requests that were in no part yet.
    package var lostLogBytes: Int64 = 0
    package var leftAlone = 0

    package init() {}
}
