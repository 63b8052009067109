/// Memory for `count` elements that is freed at the end of its scope. Starts out uninitialized.
struct Scratch<Element: BitwiseCopyable>: ~Copyable {
    let base: UnsafeMutablePointer<Element>
    let count: Int

    init(_ count: Int) {
        self.count = count
        base = .allocate(capacity: max(count, 1))
    }

    deinit { base.deallocate() }

    var elements: UnsafeBufferPointer<Element> { .init(start: base, count: count) }

    /// The first of the elements, when not all were needed.
    func prefix(_ length: Int) -> UnsafeBufferPointer<Element> {
        precondition(length <= count)
        return .init(start: base, count: length)
    }

    var bytes: UnsafeMutableRawBufferPointer {
        .init(start: base, count: count * MemoryLayout<Element>.stride)
    }
}

/// What bounds the decoding of one page.
struct Bounds {
    /// The most bytes of a payload inside another, and of decoded strings or rows.
    var bytes: Int
    /// How many payloads may still lie inside each other. The deepest that encoders write is eight: strings'
    /// dictionary, canonical, runs, sparse, runs, dictionary, scaled, runs.
    var depth = 10

    func inner() throws(EncodingError) -> Bounds {
        guard depth > 0 else { throw .corrupt }
        return Bounds(bytes: bytes, depth: depth - 1)
    }
}
