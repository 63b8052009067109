internal import Columns
internal import Core
internal import Plans
internal import Storage

/// A key's values in one block: as codes, and the query-wide number of each code. A code is looked up when it is first met, and then
/// never again as long as blocks have the same dictionary.
struct KeyReader {
    private let key: CompiledAggregation.Key
    private let functions: any ScanFunctions

    /// Set if all rows of the block have the same value: its number.
    private(set) var constant: UInt32?
    /// By row, if they differ.
    private(set) var codes: UnsafePointer<UInt32>
    /// Codes are below.
    private(set) var codeCount = 0
    /// Whether the codes mean the same as in the block before.
    private(set) var isContinued = false

    /// By code: its number, or `unknown`.
    private var numbers: [UInt32] = []
    private var meaning: Meaning = .nothing
    /// What `codes` points into.
    private var owner: Owner = .nothing
    private var scratch: BufferMemory<UInt32>

    private static let unknown = UInt32.max
    /// Integers from 0 to below this are codes as they are.
    private static let smallIntegers = 4096

    /// What codes mean.
    private enum Meaning {
        case nothing
        case entries(StringDictionary)
        /// Code 0 is this one.
        case integers(from: Int64)
        /// Numbers already.
        case numbers
    }

    private enum Owner {
        case nothing
        case buffer(Buffer<UInt32>)
    }

    init(_ key: CompiledAggregation.Key, _ functions: any ScanFunctions) {
        self.key = key
        self.functions = functions
        scratch = BufferMemory(capacity: 0)
        codes = UnsafePointer(scratch.base)
    }

    /// The query-wide number of a code.
    @inline(__always)
    mutating func number(ofCode code: Int) -> UInt32 {
        if case .numbers = meaning { return UInt32(truncatingIfNeeded: code) }
        let known = numbers[code]
        return known != Self.unknown ? known : resolve(code)
    }

    private mutating func resolve(_ code: Int) -> UInt32 {
        let number: UInt32
        switch meaning {
        case .entries(let dictionary): number = self.number(ofEntry: dictionary.bytes(code))
        case .integers(let first):
            number = key.space.number(
                GroupValues.Tag.integer, word: UInt64(bitPattern: first &+ Int64(truncatingIfNeeded: code)))
        case .numbers, .nothing: number = UInt32(truncatingIfNeeded: code)
        }
        numbers[code] = number
        return number
    }

    private func number(ofEntry bytes: UnsafeRawBufferPointer) -> UInt32 {
        guard case .derived(_, let derivation) = key.source else {
            return key.space.number(GroupValues.Tag.text, bytes)
        }
        guard let value = functions.values(derivation, of: Span(_unsafeBytes: bytes)).first else {
            return key.space.absent
        }
        return number(of: value)
    }

    private func number(of value: AttributeValue) -> UInt32 {
        switch value {
        case .empty: return key.space.absent
        case .string(var text):
            return text.withUTF8 { key.space.number(GroupValues.Tag.text, UnsafeRawBufferPointer($0)) }
        case .int(let value): return key.space.number(GroupValues.Tag.integer, word: UInt64(bitPattern: value))
        case .double(let value): return key.space.number(GroupValues.Tag.double, word: value.bitPattern)
        case .bool(let value): return boolean(value)
        case .bytes, .array, .map:
            // As texts: what they are made of is not kept.
            var text = value.text
            return text.withUTF8 { key.space.number(GroupValues.Tag.text, UnsafeRawBufferPointer($0)) }
        }
    }

    private func boolean(_ value: Bool) -> UInt32 {
        withUnsafeBytes(of: UInt8(value ? 1 : 0)) { key.space.number(GroupValues.Tag.boolean, $0) }
    }

    // MARK: Blocks

    /// Reads the key's values of a block; of those that are not selected some may be without meaning.
    mutating func read(_ block: inout BlockReader) throws {
        constant = nil
        isContinued = false
        switch key.source {
        case .strings(let ordinal), .derived(let ordinal, _): try readStrings(&block, ordinal)
        case .integers(let ordinal): try readIntegers(&block, ordinal)
        case .doubles(let ordinal):
            guard case .floats(let values) = try block.column(ordinal) else { throw Self.mismatch }
            try readNumbers(&block) { [space = key.space] row in
                space.number(GroupValues.Tag.double, word: values.base[row].bitPattern)
            } isSame: {
                values.base[$0].bitPattern == values.base[$1].bitPattern
            }
            withExtendedLifetime(values) {}
        case .ids(let ordinal):
            guard case .fixed(let ids) = try block.column(ordinal) else { throw Self.mismatch }
            let (base, width) = (UnsafeRawPointer(ids.bytes.base), ids.width)
            try readNumbers(&block) { [space = key.space] row in
                space.number(
                    GroupValues.Tag.id, UnsafeRawBufferPointer(start: base + row * width, count: width))
            } isSame: { row, other in
                UnsafeRawBufferPointer(start: base + row * width, count: width).isEqual(
                    to: UnsafeRawBufferPointer(start: base + other * width, count: width))
            }
            withExtendedLifetime(ids) {}
        case .attribute(let ordinal, let key): try readAttribute(&block, ordinal, key)
        }
    }

    private static let mismatch = PlanError.mismatch("a key has another type than its column")

    private mutating func readStrings(_ block: inout BlockReader, _ ordinal: Int) throws {
        if let zone = block.zone(ordinal), zone.lowerBound == zone.upperBound,
            let dictionary = try block.dictionary(ordinal), zone.lowerBound >= 0,
            zone.lowerBound < Int64(dictionary.count)
        {
            mean(dictionary)
            constant = number(ofCode: Int(zone.lowerBound))
            return
        }
        guard case .strings(let column) = try block.column(ordinal) else { throw Self.mismatch }
        mean(column.dictionary)
        point(to: column.codes)
    }

    private mutating func mean(_ dictionary: StringDictionary) {
        if case .entries(let known) = meaning, known === dictionary {
            isContinued = true
            return
        }
        meaning = .entries(dictionary)
        forget(dictionary.count)
    }

    private mutating func forget(_ count: Int) {
        codeCount = count
        numbers.removeAll(keepingCapacity: true)
        numbers.append(contentsOf: repeatElement(Self.unknown, count: count))
    }

    private mutating func point(to buffer: Buffer<UInt32>) {
        owner = .buffer(buffer)
        codes = buffer.base
    }

    private mutating func makeRoom(_ count: Int) -> UnsafeMutablePointer<UInt32> {
        if scratch.capacity < count { scratch = BufferMemory(capacity: count) }
        owner = .nothing
        codes = UnsafePointer(scratch.base)
        return scratch.base
    }

    private mutating func readIntegers(_ block: inout BlockReader, _ ordinal: Int) throws {
        let zone = block.zone(ordinal)
        if let zone, zone.lowerBound == zone.upperBound {
            constant = key.space.number(GroupValues.Tag.integer, word: UInt64(bitPattern: zone.lowerBound))
            return
        }
        guard case .integers(let values) = try block.column(ordinal) else { throw Self.mismatch }
        defer { withExtendedLifetime(values) {} }
        let bounds = zone ?? Self.bounds(values)
        guard let bounds, case let (span, overflow) = bounds.upperBound.subtractingReportingOverflow(bounds.lowerBound),
            !overflow, span < 1 << 16
        else {
            return try readNumbers(&block) { [space = key.space] row in
                space.number(GroupValues.Tag.integer, word: UInt64(bitPattern: values.base[row]))
            } isSame: {
                values.base[$0] == values.base[$1]
            }
        }
        var (first, count) = (bounds.lowerBound, Int(span) + 1)
        if first >= 0, bounds.upperBound < Int64(Self.smallIntegers) {
            // The same codes in all blocks.
            (first, count) = (0, 32)
            while count <= Int(bounds.upperBound) { count *= 2 }
        }
        if case .integers(let known) = meaning, known == first, codeCount >= count {
            isContinued = true
        } else {
            meaning = .integers(from: first)
            forget(count)
        }
        let target = makeRoom(values.count)
        // A zone is what a footer says: what lies outside stays inside the table of codes.
        let last = UInt64(codeCount - 1)
        for row in 0..<values.count {
            target[row] = UInt32(truncatingIfNeeded: min(UInt64(bitPattern: values.base[row] &- first), last))
        }
    }

    private static func bounds(_ values: Buffer<Int64>) -> ClosedRange<Int64>? {
        guard values.count > 0 else { return nil }
        var (least, greatest) = (Int64.max, Int64.min)
        for value in values.unsafeElements {
            least = min(least, value)
            greatest = max(greatest, value)
        }
        return least...greatest
    }

    /// Values that are looked up row by row; of equal ones that follow each other only the first.
    private mutating func readNumbers(
        _ block: inout BlockReader, number: (Int) -> UInt32, isSame: (Int, Int) -> Bool
    ) throws {
        meaning = .numbers
        let target = makeRoom(block.rowCount)
        var last: Int?
        block.selection.forEach { row in
            if let last, isSame(row, last) { target[row] = target[last] } else { target[row] = number(row) }
            last = row
        }
        codeCount = key.space.count
    }

    private mutating func readAttribute(_ block: inout BlockReader, _ ordinal: Int, _ name: [UInt8]) throws {
        meaning = .numbers
        let target = makeRoom(block.rowCount)
        target.update(repeating: key.space.absent, count: block.rowCount)
        for subcolumn in try block.subcolumns(ordinal, key: name) {
            readSubcolumn(subcolumn.type, subcolumn.rows, subcolumn.values, name, target)
        }
        codeCount = key.space.count
    }

    private func readSubcolumn(
        _ type: AttributeType, _ rows: [UInt32], _ values: Column, _ name: [UInt8],
        _ target: UnsafeMutablePointer<UInt32>
    ) {
        switch values {
        case .integers(let values):
            for (slot, row) in rows.enumerated() {
                let value = values[slot]
                if slot > 0, values[slot - 1] == value { target[Int(row)] = target[Int(rows[slot - 1])]; continue }
                target[Int(row)] =
                    switch type {
                    case .int: key.space.number(GroupValues.Tag.integer, word: UInt64(bitPattern: value))
                    case .bool: boolean(value != 0)
                    default: key.space.absent
                    }
            }
        case .floats(let values):
            for (slot, row) in rows.enumerated() {
                target[Int(row)] = key.space.number(GroupValues.Tag.double, word: values[slot].bitPattern)
            }
        case .strings(let values):
            var known = [UInt32](repeating: Self.unknown, count: values.dictionary.count)
            for (slot, row) in rows.enumerated() {
                let code = Int(values.codes[slot])
                if known[code] == Self.unknown {
                    guard let number = number(ofAttribute: type, values.dictionary.bytes(code), name) else { continue }
                    known[code] = number
                }
                target[Int(row)] = known[code]
            }
        default: return
        }
    }

    /// - Returns: nil if the attribute is not among those for which there was no subcolumn.
    private func number(ofAttribute type: AttributeType, _ bytes: UnsafeRawBufferPointer, _ name: [UInt8]) -> UInt32? {
        switch type {
        case .string: return key.space.number(GroupValues.Tag.text, bytes)
        case .overflow:
            return functions.values(ofKey: name, amongOverflow: Span(_unsafeBytes: bytes)).first.map { number(of: $0) }
        default: return key.space.number(GroupValues.Tag.stored + type.rawValue, bytes)
        }
    }
}
