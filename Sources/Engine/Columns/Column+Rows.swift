public import Core

/// Some rows of a column, copied.
extension Buffer {
    /// - Parameter rows: nil: all, without a copy.
    @inlinable
    public func taking(_ rows: [UInt32]?) -> Buffer {
        guard let rows else { return self }
        let memory = BufferMemory<Element>(capacity: rows.count)
        for (place, row) in rows.enumerated() {
            precondition(Int(row) < count)
            (memory.base + place).initialize(to: base[Int(row)])
        }
        return Buffer(owner: memory, base: memory.base, count: rows.count)
    }
}

extension FixedColumn {
    /// - Parameter rows: nil: all, without a copy.
    package func taking(_ rows: [UInt32]?) -> FixedColumn {
        guard let rows else { return self }
        let memory = BufferMemory<UInt8>(capacity: rows.count * width)
        for (place, row) in rows.enumerated() {
            precondition((Int(row) + 1) * width <= bytes.count)
            (memory.base + place * width).initialize(from: bytes.base + Int(row) * width, count: width)
        }
        return FixedColumn(
            width: width, bytes: Buffer(owner: memory, base: memory.base, count: rows.count * width))
    }

    /// Ids of big-endian words.
    package init(width: Int, words: [UInt64]) {
        let memory = BufferMemory<UInt8>(capacity: words.count * 8)
        for (place, word) in words.enumerated() {
            UnsafeMutableRawPointer(memory.base + place * 8).storeBytes(of: word.bigEndian, as: UInt64.self)
        }
        self.init(width: width, bytes: Buffer(owner: memory, base: memory.base, count: words.count * 8))
    }

    /// The big-endian words at byte `offset` of the first values.
    package func words(_ count: Int, at offset: Int) -> [UInt64] {
        precondition(count <= self.count && offset + 8 <= width)
        let start = UnsafeRawPointer(bytes.base) + offset
        return [UInt64](unsafeUninitializedCapacity: count) { memory, filled in
            for row in 0..<count {
                memory[row] = UInt64(
                    bigEndian: start.loadUnaligned(fromByteOffset: row &* width, as: UInt64.self))
            }
            filled = count
        }
    }
}
