/// Which rows a value at a time `t` depends on: those from `t - back` to `t + ahead`, in the unit of a language's grids.
package struct TimeDependence: Hashable, Sendable {
    package private(set) var back: Int64
    /// Negative if an offset looks into the past.
    package private(set) var ahead: Int64

    /// Of what depends on no row.
    package static let none = TimeDependence(trustedBack: 0, ahead: 0)

    /// Results that look farther are not kept; sums of a few of these do not overflow.
    private static let most: Int64 = 1 << 60

    /// - Returns: nil if a bound is beyond all reason.
    package init?(back: Int64, ahead: Int64) {
        guard back.magnitude < UInt64(Self.most), ahead.magnitude < UInt64(Self.most) else { return nil }
        self.init(trustedBack: back, ahead: ahead)
    }

    private init(trustedBack back: Int64, ahead: Int64) {
        self.back = back
        self.ahead = ahead
    }

    /// Of what depends on what both depend on.
    package func union(_ other: TimeDependence) -> TimeDependence {
        TimeDependence(trustedBack: max(back, other.back), ahead: max(ahead, other.ahead))
    }

    /// Of what looks at that from `reach` before its own time on, and at a time that is `offset` ago.
    package func reaching(back reach: Int64, offset: Int64) -> TimeDependence? {
        guard let own = TimeDependence(back: reach, ahead: offset) else { return nil }
        return TimeDependence(back: back + own.back + own.ahead, ahead: ahead - own.ahead)
    }
}
