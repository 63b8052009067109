public import Core

/// Rows that follow each other in a source, and in what is made of several sources.
public struct Piece: Sendable {
    public var source: Int
    public var start: Int
    public var count: Int

    @inlinable
    public init(source: Int, start: Int, count: Int) {
        self.source = source
        self.start = start
        self.count = count
    }
}

/// Puts together what pieces have of their sources.
public enum Pieces {
    /// The pieces' elements, one after the other; `zero` where a source has none.
    ///
    /// - Parameters:
    ///   - total: rows of all pieces.
    ///   - width: elements of a row.
    ///   - buffers: by source.
    @inlinable
    public static func concatenated<Element: BitwiseCopyable>(
        _ pieces: [Piece], _ total: Int, width: Int = 1, zero: Element, _ buffers: [Buffer<Element>?]
    ) -> [Element] {
        // Pointers apart from their owners, so that a piece of few rows costs little more than these.
        let bases = buffers.map { $0?.base }
        let counts = buffers.map { $0?.count ?? 0 }
        return withExtendedLifetime(buffers) {
            [Element](unsafeUninitializedCapacity: total * width) { memory, filled in
                guard var target = memory.baseAddress else { return }
                for piece in pieces {
                    let count = piece.count &* width
                    precondition(count <= memory.count - filled)
                    if let base = bases[piece.source] {
                        let start = piece.start &* width
                        precondition(start >= 0 && count >= 0 && start &+ count <= counts[piece.source])
                        let source = base + start
                        if count < 8 {
                            for index in 0..<count { target[index] = source[index] }
                        } else {
                            target.initialize(from: source, count: count)
                        }
                    } else {
                        target.initialize(repeating: zero, count: count)
                    }
                    target += count
                    filled += count
                }
            }
        }
    }

    /// The lengths of the pieces' lists, and where their elements are; a source without offsets has empty lists.
    package static func lists(
        _ pieces: [Piece], _ offsets: [Buffer<UInt32>?]
    ) -> (lengths: [UInt32], inner: [Piece]) {
        var inner: [Piece] = []
        let lengths = [UInt32](unsafeUninitializedCapacity: pieces.reduce(0) { $0 + $1.count }) { memory, filled in
            guard var target = memory.baseAddress else { return }
            for piece in pieces {
                if let ends = offsets[piece.source] {
                    precondition(piece.start >= 0 && piece.start + piece.count < ends.count)
                    let ends = ends.base + piece.start
                    for row in 0..<piece.count { target[row] = ends[row + 1] - ends[row] }
                    let count = Int(ends[piece.count] - ends[0])
                    if count > 0 { inner.append(Piece(source: piece.source, start: Int(ends[0]), count: count)) }
                } else {
                    target.initialize(repeating: 0, count: piece.count)
                }
                target += piece.count
                filled += piece.count
            }
        }
        return (lengths, inner)
    }

    /// Appends a piece's codes as those of another dictionary.
    ///
    /// - Parameter map: by code: the other's.
    package static func append(
        _ piece: Piece, of codes: Buffer<UInt32>, mapped map: Buffer<UInt32>, to result: inout [UInt32]
    ) {
        precondition(piece.start >= 0 && piece.start + piece.count <= codes.count)
        let source = UnsafeBufferPointer(start: codes.base + piece.start, count: piece.count)
        // Codes are below the number of entries: they were checked when they were decoded.
        result.append(contentsOf: source.lazy.map { map.base[Int($0)] })
        withExtendedLifetime((codes, map)) {}
    }
}
