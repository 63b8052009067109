import Core

/// A page of texts whose templates were read, and whose variables were not.
///
/// What it says is untrusted: numbers, lengths and sums are checked when they are read, before memory is taken for them.
struct TemplatePage {
    private struct Group {
        /// The templates of it, one after the other.
        var templates: [Int] = []
        var slots: Range<Int>
        /// The number of its first column.
        var firstColumn: Int
        var count = 0
    }

    let count: Int
    private(set) var table = TemplateTable()
    /// By string: its template.
    let codes: Buffer<UInt32>
    /// By template: the number of its strings.
    private(set) var counts: [Int]
    private var groups: [Group] = []
    private var groupOf: [Int] = []
    /// By template: the values of its group before it.
    private var before: [Int] = []
    /// By column: where its section is in the payload; empty for UUIDs.
    private var columns: [Range<Int>] = []
    private var uuidSection = 0..<0
    /// By string: the number of UUIDs before it; empty if there are none.
    private let firstUUIDs: Buffer<UInt32>
    private var uuidCount = 0
    private let bounds: Bounds

    init(_ payload: UnsafeRawBufferPointer, count: Int, _ bounds: Bounds) throws(EncodingError) {
        self.count = count
        self.bounds = bounds
        var source = ByteSource(payload)
        (table, groupOf) = try Self.table(&source, count: count)
        let templates = table.count
        for (template, group) in groupOf.enumerated() {
            let slots = table.slotRange(template)
            if group == groups.count {
                groups.append(
                    Group(slots: slots, firstColumn: groups.last.map { $0.firstColumn + $0.slots.count } ?? 0))
            }
            guard Self.areAlike(table.slots[groups[group].slots], table.slots[slots]) else { throw .corrupt }
            groups[group].templates.append(template)
        }
        let codes = BufferMemory<UInt32>(capacity: count)
        try Section.decode(&source, count: count, bounds, into: codes.base)
        counts = try Self.counts(codes.base, count, templates)
        self.codes = Buffer(owner: codes, base: codes.base, count: count)
        before = Array(repeating: 0, count: templates)
        for group in groups.indices {
            for template in groups[group].templates {
                before[template] = groups[group].count
                groups[group].count += counts[template]
            }
        }
        (firstUUIDs, uuidCount) = try Self.uuids(self.codes, table, bounds)
        try findColumns(&source, payload.count)
    }

    private static func counts(
        _ codes: UnsafePointer<UInt32>, _ count: Int, _ templates: Int
    ) throws(EncodingError) -> [Int] {
        var greatest: UInt32 = 0
        for i in 0..<count { greatest = max(greatest, codes[i]) }
        guard count == 0 || greatest < UInt32(templates) else { throw .corrupt }
        return [Int](unsafeUninitializedCapacity: templates) { counts, filled in
            counts.initialize(repeating: 0)
            filled = templates
            guard let counts = counts.baseAddress else { return }
            for i in 0..<count { counts[Int(codes[i])] &+= 1 }
        }
    }

    /// The templates of a page alone.
    static func table(_ payload: UnsafeRawBufferPointer, count: Int) throws(EncodingError) -> TemplateTable {
        var source = ByteSource(payload)
        return try table(&source, count: count).table
    }

    /// The templates, and the number of the group of each.
    private static func table(
        _ source: inout ByteSource, count: Int
    ) throws(EncodingError) -> (table: TemplateTable, groups: [Int]) {
        let templates = try source.count(atMost: min(count, TemplateTable.mostTemplates))
        let memory = Scratch<UInt8>(try source.count(atMost: TemplateTable.mostBytes))
        try Section.decode(&source, into: memory.bytes)
        var head = ByteSource(UnsafeRawBufferPointer(memory.elements))
        var table = TemplateTable()
        var groups: [Int] = []
        var groupCount = 0
        for _ in 0..<templates {
            let group = try head.count(atMost: groupCount)
            groupCount = max(groupCount, group + 1)
            groups.append(group)
            try table.read(&head)
        }
        try head.end()
        return (table, groups)
    }

    private static func areAlike(_ some: ArraySlice<TemplateSlot>, _ others: ArraySlice<TemplateSlot>) -> Bool {
        some.count == others.count && zip(some, others).allSatisfy { $0.kind == $1.kind && $0.width == $1.width }
    }

    private static func uuids(
        _ codes: Buffer<UInt32>, _ table: TemplateTable, _ bounds: Bounds
    ) throws(EncodingError) -> (Buffer<UInt32>, Int) {
        let each = (0..<table.count).map { template in
            table.slots[table.slotRange(template)].count { $0.kind == .uuid }
        }
        guard each.contains(where: { $0 > 0 }) else { return (.empty, 0) }
        let firsts = BufferMemory<UInt32>(capacity: codes.count)
        var sum = 0
        for i in 0..<codes.count {
            firsts.base[i] = UInt32(truncatingIfNeeded: sum)
            sum &+= each[Int(codes.base[i])]
        }
        guard sum <= bounds.bytes / 16 else { throw .tooLarge(limit: bounds.bytes) }
        return (Buffer(owner: firsts, base: firsts.base, count: codes.count), sum)
    }

    /// Notes where the sections of the columns are.
    private mutating func findColumns(_ source: inout ByteSource, _ length: Int) throws(EncodingError) {
        for group in groups {
            for slot in table.slots[group.slots] {
                let start = length - source.rest.count
                if slot.kind != .uuid { try Section.skip(&source, limit: bounds.bytes) }
                columns.append(start..<(length - source.rest.count))
            }
        }
        if uuidCount > 0 {
            let start = length - source.rest.count
            try Section.skip(&source, limit: bounds.bytes)
            uuidSection = start..<(length - source.rest.count)
        }
        try source.end()
    }

    // MARK: Variables

    /// The values of one slot of a group.
    private enum Values {
        /// - Parameter width: of digits, or 0.
        case numbers(Buffer<Int64>, width: Int)
        case texts(offsets: Buffer<UInt32>, Buffer<UInt8>)
        /// The number of the slot among those of UUIDs of its template.
        case uuids(Int)
    }

    private func values(_ group: Group, _ payload: UnsafeRawBufferPointer) throws(EncodingError) -> [Values] {
        var values: [Values] = []
        var uuids = 0
        for (number, slot) in table.slots[group.slots].enumerated() {
            var source = ByteSource(UnsafeRawBufferPointer(rebasing: payload[columns[group.firstColumn + number]]))
            switch slot.kind {
            case .uuid:
                values.append(.uuids(uuids))
                uuids += 1
            case .decimal, .padded:
                values.append(.numbers(try numbers(&source, slot, group.count), width: Int(slot.width)))
            case .text: values.append(try texts(&source, group.count))
            }
        }
        return values
    }

    private func numbers(
        _ source: inout ByteSource, _ slot: TemplateSlot, _ count: Int
    ) throws(EncodingError) -> Buffer<Int64> {
        let memory = BufferMemory<Int64>(capacity: count)
        try Section.decode(&source, count: count, bounds, into: memory.base)
        let greatest = slot.kind == .decimal ? DecimalText.greatest : PaddedText.greatest(Int(slot.width))
        for i in 0..<count {
            guard memory.base[i] >= 0, memory.base[i] <= greatest else { throw .corrupt }
        }
        return Buffer(owner: memory, base: memory.base, count: count)
    }

    private func texts(_ source: inout ByteSource, _ count: Int) throws(EncodingError) -> Values {
        let lengths = Scratch<UInt32>(count)
        let inner = try bounds.inner()
        var bytes = Buffer<UInt8>.empty
        try Section.withPayload(&source, bounds) { payload, encoding throws(EncodingError) in
            guard encoding != .templates else { throw .wrongType(encoding) }
            bytes = try StringCodec.decode(payload, encoding, count: count, inner, lengths: lengths.base)
        }
        let offsets = BufferMemory<UInt32>(capacity: count + 1)
        var sum = 0
        offsets.base[0] = 0
        for i in 0..<count {
            sum &+= Int(lengths.base[i])
            offsets.base[i + 1] = UInt32(truncatingIfNeeded: sum)
        }
        guard sum == bytes.count else { throw .corrupt }
        return .texts(offsets: Buffer(owner: offsets, base: offsets.base, count: count + 1), bytes)
    }

    /// Whether one of some texts stands in the values of a slot, or may stand there. Of texts that repeat each is looked at once.
    func mayContain(
        _ texts: [TextMatcher], slot: Int, _ template: Int, _ payload: UnsafeRawBufferPointer
    ) throws(EncodingError) -> Bool {
        let group = groups[groupOf[template]]
        guard table.slots[group.slots.lowerBound + slot].kind == .text else { return true }
        var source = ByteSource(UnsafeRawBufferPointer(rebasing: payload[columns[group.firstColumn + slot]]))
        let inner = try bounds.inner()
        var isFound = false
        try Section.withPayload(&source, bounds) { payload, encoding throws(EncodingError) in
            guard encoding != .templates else { throw .wrongType(encoding) }
            let bytes = try StringCodec.distinctBytes(payload, encoding, count: group.count, inner)
            let all = UnsafeRawBufferPointer(bytes.unsafeElements)
            isFound = texts.contains { $0.isContained(in: all) }
        }
        return isFound
    }

    private func uuids(_ payload: UnsafeRawBufferPointer) throws(EncodingError) -> Buffer<UInt8> {
        guard uuidCount > 0 else { return .empty }
        var source = ByteSource(UnsafeRawBufferPointer(rebasing: payload[uuidSection]))
        let memory = BufferMemory<UInt8>(capacity: uuidCount * 16)
        try Section.decode(&source, count: uuidCount, width: 16, bounds, into: memory.base)
        return Buffer(owner: memory, base: memory.base, count: uuidCount * 16)
    }

    // MARK: Texts

    /// Puts strings together.
    ///
    /// - Parameters:
    ///   - wanted: by template, whether its strings are; of others nothing is read.
    ///   - rows: the strings that are put together, ascending; nil: all that are wanted. Others are empty.
    ///   - lengths: gets the length of each string.
    func decode(
        _ payload: UnsafeRawBufferPointer, wanted: [Bool]? = nil, rows: [UInt32]? = nil,
        lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Buffer<UInt8> {
        let order = order(rows)
        let values = try measure(payload, wanted, order, lengths)
        let uuids = try uuids(payload)
        let total = try StringCodec.sum(lengths, count, bounds)
        let memory = BufferMemory<UInt8>(capacity: total)
        let offsets = Scratch<Int>(count)
        var sum = 0
        for i in 0..<count {
            offsets.base[i] = sum
            sum &+= Int(lengths[i])
        }
        for template in 0..<table.count {
            guard wanted?[template] ?? true, let values = values[groupOf[template]] else { continue }
            write(template, values, uuids, order, offsets, memory.base)
        }
        return Buffer(owner: memory, base: memory.base, count: total)
    }

    /// Sets the lengths of strings that nobody puts together.
    ///
    /// - Parameter rows: ascending; nil: all. Others have no length.
    func lengths(
        _ payload: UnsafeRawBufferPointer, rows: [UInt32]?, into lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) {
        _ = try measure(payload, nil, order(rows), lengths)
        _ = try StringCodec.sum(lengths, count, bounds)
    }

    /// - Returns: by group, its values, if a string of it is wanted.
    private func measure(
        _ payload: UnsafeRawBufferPointer, _ wanted: [Bool]?, _ order: borrowing Order,
        _ lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> [[Values]?] {
        lengths.update(repeating: 0, count: count)
        var values: [[Values]?] = []
        for group in groups {
            var isWanted = false
            for template in group.templates
            where wanted?[template] ?? true && order.starts[template + 1] > order.starts[template] { isWanted = true }
            values.append(isWanted ? try self.values(group, payload) : nil)
        }
        for template in 0..<table.count {
            guard wanted?[template] ?? true, let values = values[groupOf[template]] else { continue }
            try measure(template, values, order, lengths)
        }
        return values
    }

    /// Strings by template, and which value of its template each has.
    private struct Order: ~Copyable {
        let rows: Scratch<UInt32>
        let numbers: Scratch<UInt32>
        var starts: [Int]

        /// Of some rows only, ascending.
        consuming func keeping(_ wanted: [UInt32], _ codes: Buffer<UInt32>, _ counts: [Int]) -> Order {
            var kept = [Int](repeating: 0, count: counts.count)
            for row in wanted { kept[Int(codes.base[Int(row)])] += 1 }
            var starts = [0]
            for count in kept { starts.append(starts[starts.count - 1] + count) }
            var next = starts
            var passed = [UInt32](repeating: 0, count: counts.count)
            var place = 0
            for row in 0..<codes.count where place < wanted.count {
                let template = Int(codes.base[row])
                if Int(wanted[place]) == row {
                    rows.base[next[template]] = UInt32(truncatingIfNeeded: row)
                    numbers.base[next[template]] = passed[template]
                    next[template] += 1
                    place += 1
                }
                passed[template] &+= 1
            }
            self.starts = starts
            return self
        }
    }

    private func order(_ wanted: [UInt32]?) -> Order {
        var starts = [0]
        for count in counts { starts.append(starts[starts.count - 1] + count) }
        let order = Order(rows: Scratch(count), numbers: Scratch(count), starts: starts)
        var passed = [Int](repeating: 0, count: counts.count)
        guard let wanted else {
            for row in 0..<count {
                let template = Int(codes.base[row])
                let place = starts[template] &+ passed[template]
                order.rows.base[place] = UInt32(truncatingIfNeeded: row)
                order.numbers.base[place] = UInt32(truncatingIfNeeded: passed[template])
                passed[template] &+= 1
            }
            return order
        }
        return order.keeping(wanted, codes, counts)
    }

    /// Sets the lengths of a template's strings.
    private func measure(
        _ template: Int, _ values: [Values], _ order: borrowing Order, _ lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) {
        let slots = table.slotRange(template)
        let constants =
            table.constant(slots.count, template).upperBound - table.constant(0, template).lowerBound
        let places = order.starts[template]..<order.starts[template + 1]
        let numbers = order.numbers.base + places.lowerBound
        let sums = Scratch<Int>(places.count)
        var fixed = constants
        for values in values {
            switch values {
            case .uuids: fixed += 36
            case .numbers(_, let width): fixed += width
            case .texts: break
            }
        }
        sums.base.initialize(repeating: fixed, count: places.count)
        let first = before[template]
        for values in values {
            switch values {
            case .uuids: continue
            case .numbers(let values, let width):
                guard width == 0 else { continue }
                for i in 0..<places.count {
                    sums.base[i] &+= DecimalText.length(values.base[first &+ Int(numbers[i])])
                }
            case .texts(let offsets, _):
                for i in 0..<places.count {
                    let number = first &+ Int(numbers[i])
                    sums.base[i] &+= Int(offsets.base[number &+ 1] &- offsets.base[number])
                }
            }
        }
        for i in 0..<places.count {
            guard sums.base[i] <= bounds.bytes else { throw .tooLarge(limit: bounds.bytes) }
            lengths[Int(order.rows.base[places.lowerBound + i])] = UInt32(truncatingIfNeeded: sums.base[i])
        }
    }

    /// Writes a template's strings to where each begins, slot by slot.
    private func write(
        _ template: Int, _ values: [Values], _ uuids: Buffer<UInt8>, _ order: borrowing Order,
        _ offsets: borrowing Scratch<Int>, _ target: UnsafeMutablePointer<UInt8>
    ) {
        let places = order.starts[template]..<order.starts[template + 1]
        let rows = order.rows.base + places.lowerBound
        let numbers = order.numbers.base + places.lowerBound
        let ends = Scratch<UnsafeMutablePointer<UInt8>>(places.count)
        for i in 0..<places.count { ends.base[i] = target + offsets.base[Int(rows[i])] }
        let first = before[template]
        table.constants.withUnsafeBufferPointer { constants in
            for (slot, values) in values.enumerated() {
                let constant = UnsafeBufferPointer(rebasing: constants[table.constant(slot, template)])
                let ends = ends.base
                switch values {
                case .numbers(let values, let width) where width > 0:
                    for i in 0..<places.count {
                        let text = Self.copy(constant, to: ends[i])
                        ends[i] = text + PaddedText.print(values.base[first &+ Int(numbers[i])], width, into: text)
                    }
                case .numbers(let values, _):
                    for i in 0..<places.count {
                        let text = Self.copy(constant, to: ends[i])
                        ends[i] = text + DecimalText.print(values.base[first &+ Int(numbers[i])], into: text)
                    }
                case .texts(let offsets, let bytes):
                    for i in 0..<places.count {
                        let text = Self.copy(constant, to: ends[i])
                        let number = first &+ Int(numbers[i])
                        let start = Int(offsets.base[number])
                        let length = Int(offsets.base[number &+ 1]) &- start
                        text.update(from: bytes.base + start, count: length)
                        ends[i] = text + length
                    }
                case .uuids(let among):
                    for i in 0..<places.count {
                        let text = Self.copy(constant, to: ends[i])
                        let id = (Int(firstUUIDs.base[Int(rows[i])]) &+ among) &* 16
                        ends[i] = text + UUIDText.print(uuids.base + id, into: text)
                    }
                }
            }
            let constant = UnsafeBufferPointer(rebasing: constants[table.constant(values.count, template)])
            for i in 0..<places.count { _ = Self.copy(constant, to: ends.base[i]) }
        }
    }

    @inline(__always)
    private static func copy(
        _ constant: UnsafeBufferPointer<UInt8>, to target: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        guard let base = constant.baseAddress else { return target }
        target.update(from: base, count: constant.count)
        return target + constant.count
    }
}
