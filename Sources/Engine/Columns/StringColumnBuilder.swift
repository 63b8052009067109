public import Core

/// Grows a string column: a code per row into entries that are kept once, as long as that pays.
public struct StringColumnBuilder: ~Copyable {
    public enum Policy: Sendable {
        /// Every entry is kept once, however many there are.
        case unique
        /// Once most values turn out to be new, entries are appended without a look.
        case adaptive
    }

    public var codes: BufferBuilder<UInt32>
    public var entries: StringInterner
    private let policy: Policy
    private var lookups = 0
    public var last: UInt32 = 0

    public init(_ policy: Policy) {
        codes = BufferBuilder()
        entries = StringInterner()
        self.policy = policy
    }

    public var count: Int { codes.count }

    /// Appends a row with the given bytes.
    @inlinable
    @inline(__always)
    public mutating func append(_ start: UnsafePointer<UInt8>, count: Int) {
        codes.append(code(start, count: count))
    }

    /// Appends a row with an entry that `code` returned.
    @inlinable
    @inline(__always)
    public mutating func append(code: UInt32) { codes.append(code) }

    /// The entry with the given bytes, added if it is new.
    @inlinable
    @inline(__always)
    public mutating func code(_ start: UnsafePointer<UInt8>, count: Int) -> UInt32 {
        if entries.count > 0, entries.isEqual(last, start, count) { return last }
        last = find(start, count)
        return last
    }

    public mutating func find(_ start: UnsafePointer<UInt8>, _ count: Int) -> UInt32 {
        guard entries.isUnique else { return entries.add(start, count) }
        let entry = entries.lookUp(start, count)
        lookups &+= 1
        if policy == .adaptive, lookups >= 4096, entries.count * 2 > lookups {
            entries.stopLookingUp()
        }
        return entry
    }

    package mutating func code(_ bytes: Span<UInt8>) -> UInt32 {
        bytes.withUnsafeBufferPointer { bytes in
            var empty: UInt8 = 0
            guard let start = bytes.baseAddress else { return withUnsafePointer(to: &empty) { code($0, count: 0) } }
            return code(start, count: bytes.count)
        }
    }

    public mutating func truncate(to rows: Int) { codes.truncate(to: rows) }

    public var byteCount: Int { codes.count * 4 + entries.byteCount }

    package func snapshot(rows: Int) -> StringColumn {
        StringColumn(codes: codes.snapshot()[0..<rows], dictionary: entries.snapshot())
    }
}
