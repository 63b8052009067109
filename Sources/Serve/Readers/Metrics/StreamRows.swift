internal import Columns
internal import Core

/// Where the rows of each stream are, by the code that its part or memtable has for it.
struct StreamRows: Sendable {
    /// The first of a stream's rows, in `order` if there is one, else in the part.
    private(set) var first: [UInt32]
    private(set) var count: [UInt32]
    /// Rows grouped by stream, each stream's as they were stored; nil where rows are so already.
    private(set) var order: [UInt32]?

    func rows(of code: Int) -> Range<Int> { Int(first[code])..<Int(first[code]) + Int(count[code]) }

    /// Of a memtable, whose streams come in any order: rows are counted, and then put in their places.
    ///
    /// - Parameter wanted: by code; other streams have no rows.
    init(memory codes: Buffer<UInt32>, wanted: [Bool]) {
        count = Array(repeating: 0, count: wanted.count)
        first = count
        for code in codes where wanted[Int(code)] { count[Int(code)] &+= 1 }
        var next: UInt32 = 0
        for code in wanted.indices {
            first[code] = next
            next &+= count[code]
        }
        var places = first
        var order = [UInt32](repeating: 0, count: Int(next))
        for row in 0..<codes.count {
            let code = Int(codes[row])
            guard wanted[code] else { continue }
            order[Int(places[code])] = UInt32(truncatingIfNeeded: row)
            places[code] &+= 1
        }
        self.order = order
    }

    /// Of a part, made block by block.
    struct Builder {
        private var first: [UInt32]
        private var count: [UInt32]
        private var row: UInt32 = 0
        private var last = -1
        /// Whether each stream's rows follow each other, as the table's order has them.
        private var isGrouped = true

        init(streamCount: Int) {
            first = Array(repeating: 0, count: streamCount)
            count = first
        }

        mutating func append(_ codes: Buffer<UInt32>) {
            var begin = 0
            while begin < codes.count {
                let code = codes[begin]
                let end = codes.endOfRun(from: begin)
                if count[Int(code)] == 0 {
                    first[Int(code)] = row
                } else if Int(code) != last {
                    isGrouped = false
                }
                last = Int(code)
                count[Int(code)] &+= UInt32(truncatingIfNeeded: end - begin)
                row &+= UInt32(truncatingIfNeeded: end - begin)
                begin = end
            }
        }

        /// Nil if some stream's rows do not follow each other.
        consuming func build() -> StreamRows? {
            isGrouped ? StreamRows(first: first, count: count, order: nil) : nil
        }
    }

    private init(first: [UInt32], count: [UInt32], order: [UInt32]?) {
        self.first = first
        self.count = count
        self.order = order
    }
}

extension Buffer<UInt32> {
    /// Where the elements end that follow `begin` and are equal to the one there.
    func endOfRun(from begin: Int) -> Int {
        let elements = span
        let element = elements[begin]
        var end = begin + 1
        while end < elements.count, elements[end] == element { end += 1 }
        return end
    }
}
