/// The least and the greatest of some integers: a scan skips what cannot overlap its range.
package struct ZoneMap: Sendable, Equatable {
    package private(set) var least: Int64
    package private(set) var greatest: Int64

    /// The zone of no values, which overlaps nothing.
    package static let empty = ZoneMap(least: .max, greatest: .min)

    /// - Parameters least, greatest: as stored; a least above the greatest is the zone of no values.
    package init(least: Int64, greatest: Int64) {
        self.least = least
        self.greatest = greatest
    }

    package init(_ values: UnsafeBufferPointer<Int64>) {
        var least = Int64.max
        var greatest = Int64.min
        for value in values {
            least = min(least, value)
            greatest = max(greatest, value)
        }
        self.init(least: least, greatest: greatest)
    }

    package var isEmpty: Bool { least > greatest }

    package mutating func include(_ value: Int64) {
        least = min(least, value)
        greatest = max(greatest, value)
    }

    package mutating func include(_ other: ZoneMap) {
        least = min(least, other.least)
        greatest = max(greatest, other.greatest)
    }

    package func mayContain(_ value: Int64) -> Bool { least <= value && value <= greatest }

    package func mayOverlap(_ range: ClosedRange<Int64>) -> Bool {
        !isEmpty && least <= range.upperBound && range.lowerBound <= greatest
    }
}
