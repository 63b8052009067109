/// Memory for `capacity` elements that lives as long as somebody refers to it.
public final class BufferMemory<Element: BitwiseCopyable>: @unchecked Sendable {
    public let base: UnsafeMutablePointer<Element>
    public let capacity: Int

    @inlinable
    public init(capacity: Int) {
        self.capacity = capacity
        base = .allocate(capacity: max(capacity, 1))
    }

    @inlinable
    deinit { base.deallocate() }
}

/// An immutable run of elements, shared without copying: a decoded page, or what a growing buffer held when it was looked at.
public struct Buffer<Element: BitwiseCopyable>: @unchecked Sendable {
    public let owner: AnyObject?
    public let base: UnsafePointer<Element>
    public let count: Int

    @inlinable
    public init(owner: AnyObject?, base: UnsafePointer<Element>, count: Int) {
        self.owner = owner
        self.base = base
        self.count = count
    }

    /// A copy of `elements`.
    @inlinable
    public init(_ elements: some Collection<Element>) {
        let memory = BufferMemory<Element>(capacity: elements.count)
        var i = 0
        for element in elements {
            (memory.base + i).initialize(to: element)
            i += 1
        }
        self.init(owner: memory, base: memory.base, count: i)
    }

    @inlinable
    public static var empty: Buffer { Buffer([]) }

    @inlinable
    public var indices: Range<Int> { 0..<count }

    @inlinable
    public subscript(index: Int) -> Element {
        precondition(index >= 0 && index < count, "index out of range")
        return base[index]
    }

    /// The elements of `range`, sharing this buffer's memory.
    @inlinable
    public subscript(range: Range<Int>) -> Buffer {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "range out of bounds")
        return Buffer(owner: owner, base: base + range.lowerBound, count: range.count)
    }

    /// The elements, with checked indices.
    @inlinable
    public var span: Span<Element> {
        @_lifetime(borrow self)
        get { _overrideLifetime(Span(_unsafeStart: base, count: count), borrowing: self) }
    }

    /// For loops over memory; valid while this buffer is alive.
    @inlinable
    public var unsafeElements: UnsafeBufferPointer<Element> { .init(start: base, count: count) }

    @inlinable
    public var array: [Element] { Array(unsafeElements) }
}

extension Buffer where Element == Int64 {
    /// Each element, which is not negative, divided and rounded down.
    @inlinable
    @inline(__always)
    public func quotients(by divisor: UInt64) -> Buffer {
        let memory = BufferMemory<Int64>(capacity: count)
        let (source, target) = (base, memory.base)
        for i in 0..<count { target[i] = Int64(truncatingIfNeeded: UInt64(bitPattern: source[i]) / divisor) }
        return Buffer(owner: memory, base: memory.base, count: count)
    }
}

extension Buffer: Sequence {
    /// Needs no check of bounds: it stays inside them.
    public struct Iterator: IteratorProtocol {
        @usableFromInline let buffer: Buffer
        @usableFromInline var place = 0

        @inlinable
        init(_ buffer: Buffer) { self.buffer = buffer }

        @inlinable
        public mutating func next() -> Element? {
            guard place < buffer.count else { return nil }
            defer { place &+= 1 }
            return buffer.base[place]
        }
    }

    @inlinable
    public func makeIterator() -> Iterator { Iterator(self) }

    @inlinable
    public var underestimatedCount: Int { count }

    @inlinable
    public func withContiguousStorageIfAvailable<Result>(
        _ body: (UnsafeBufferPointer<Element>) throws -> Result
    ) rethrows -> Result? {
        try withExtendedLifetime(self) { try body(unsafeElements) }
    }
}

/// A run of elements that only grows at its end, so that a reader's `snapshot` stays valid while a writer appends.
///
/// One writer at a time; snapshots are taken where the writer is excluded. Growth moves the elements to new memory and leaves
/// the old to the snapshots that refer to it; `truncate` only takes back elements that no snapshot has seen.
public struct BufferBuilder<Element: BitwiseCopyable>: ~Copyable {
    public var memory: BufferMemory<Element>
    public var base: UnsafeMutablePointer<Element>
    public var count = 0
    @usableFromInline var capacity: Int

    @inlinable
    public init(capacity: Int = 0) {
        memory = BufferMemory(capacity: capacity)
        base = memory.base
        self.capacity = capacity
    }

    @inlinable
    @inline(__always)
    public mutating func append(_ element: Element) {
        if count == capacity { grow(toHold: count + 1) }
        (base + count).initialize(to: element)
        count &+= 1
    }

    @inlinable
    public mutating func append(contentsOf elements: UnsafeBufferPointer<Element>) {
        guard let source = elements.baseAddress, !elements.isEmpty else { return }
        if capacity - count < elements.count { grow(toHold: count + elements.count) }
        (base + count).initialize(from: source, count: elements.count)
        count += elements.count
    }

    @inlinable
    public mutating func append(repeating element: Element, count added: Int) {
        if capacity - count < added { grow(toHold: count + added) }
        (base + count).initialize(repeating: element, count: added)
        count += added
    }

    @inlinable
    @inline(never)
    public mutating func grow(toHold needed: Int) {
        let next = BufferMemory<Element>(capacity: max(needed, capacity + capacity / 2 + 64))
        next.base.initialize(from: base, count: count)
        memory = next
        base = next.base
        capacity = next.capacity
    }

    @inlinable
    public subscript(index: Int) -> Element {
        precondition(index >= 0 && index < count, "index out of range")
        return base[index]
    }

    /// Takes back the elements from `newCount` on, which no snapshot may have seen.
    @inlinable
    public mutating func truncate(to newCount: Int) {
        precondition(newCount >= 0 && newCount <= count)
        count = newCount
    }

    @inlinable
    public func snapshot() -> Buffer<Element> { Buffer(owner: memory, base: base, count: count) }

    @inlinable
    public var byteCount: Int { capacity * MemoryLayout<Element>.stride }
}
