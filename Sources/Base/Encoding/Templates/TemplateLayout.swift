/// How the variables of a page's templates are written: which of them stand together, and what each slot holds.
struct TemplateLayout: ~Copyable {
    private struct Group {
        var templates: [Int] = []
        var slots: Range<Int>
        var count = 0
    }

    /// The strings, template by template.
    private let order: Scratch<UInt32>
    /// By template, and one more: where its strings begin in `order`.
    private var starts: [Int] = [0]
    /// Of those templates that have strings, which alone are written.
    private var used: [Int] = []
    private var table = TemplateTable()
    /// By template that is written.
    private var groupOf: [Int] = []
    private var groups: [Group] = []
    private var uuids = 0

    init(_ strings: borrowing StringCodec.Strings, _ finder: borrowing TemplateFinder, ownGroup: Int) {
        order = Scratch(strings.count)
        for template in finder.templates { starts.append(starts[starts.count - 1] + template.count) }
        var next = starts
        for i in 0..<strings.count {
            let template = Int(finder.codes.base[i])
            order.base[next[template]] = UInt32(truncatingIfNeeded: i)
            next[template] += 1
        }
        let seen = Scratch<UInt8>(256)
        var shared: [[UInt8]: Int] = [:]
        for (template, found) in finder.templates.enumerated() where found.count > 0 {
            appendTemplate(template, found, strings, finder, seen)
            let number = table.count - 1
            let slots = table.slotRange(number)
            used.append(template)
            var group = groups.count
            if found.count < ownGroup {
                let alike = table.slots[slots].flatMap { [$0.kind.rawValue, $0.width] }
                group = shared[alike] ?? group
                shared[alike] = group
            }
            if group == groups.count { groups.append(Group(slots: slots)) }
            groups[group].templates.append(template)
            groups[group].count += found.count
            groupOf.append(group)
        }
    }

    private func strings(_ template: Int) -> UnsafeBufferPointer<UInt32> {
        UnsafeBufferPointer(start: order.base + starts[template], count: starts[template + 1] - starts[template])
    }

    private mutating func appendTemplate(
        _ template: Int, _ found: TemplateFinder.Template, _ strings: borrowing StringCodec.Strings,
        _ finder: borrowing TemplateFinder, _ seen: borrowing Scratch<UInt8>
    ) {
        let rows = self.strings(template)
        let isWhole = template == TemplateFinder.whole
        let first = Int(rows[0])
        let text = strings[first]
        let variables = finder.variables + Int(finder.firsts.base[first])
        var start = 0
        for number in 0..<found.variables {
            let variable = variables[number]
            table.append(constant: UnsafeRawBufferPointer(rebasing: text[start..<variable.start]))
            start = variable.end
            switch isWhole ? .text : variable.kind {
            case .uuid:
                table.append(slot: TemplateSlot(.uuid, shortest: 36, longest: 36))
                uuids += rows.count
            case .digits: table.append(slot: Self.digits(rows, number, strings, finder, seen))
            case .text: table.append(slot: Self.text(rows, number, strings, finder, seen))
            }
        }
        table.append(constant: UnsafeRawBufferPointer(rebasing: text[start...]))
        table.endTemplate()
    }

    private static func digits(
        _ rows: UnsafeBufferPointer<UInt32>, _ number: Int, _ strings: borrowing StringCodec.Strings,
        _ finder: borrowing TemplateFinder, _ seen: borrowing Scratch<UInt8>
    ) -> TemplateSlot {
        var shortest = Int.max
        var longest = 0
        var hasZeros = false
        for row in rows {
            let variable = finder.variables[Int(finder.firsts.base[Int(row)]) &+ number]
            let length = variable.length
            shortest = min(shortest, length)
            longest = max(longest, length)
            if length > 1, strings.start(Int(row)).load(fromByteOffset: variable.start, as: UInt8.self) == 0x30 {
                hasZeros = true
            }
        }
        if !hasZeros { return TemplateSlot(.decimal, shortest: shortest, longest: longest) }
        if shortest == longest {
            return TemplateSlot(.padded, width: UInt8(shortest), shortest: shortest, longest: longest)
        }
        return text(rows, number, strings, finder, seen)
    }

    private static func text(
        _ rows: UnsafeBufferPointer<UInt32>, _ number: Int, _ strings: borrowing StringCodec.Strings,
        _ finder: borrowing TemplateFinder, _ seen: borrowing Scratch<UInt8>
    ) -> TemplateSlot {
        var shortest = Int.max
        var longest = 0
        seen.base.initialize(repeating: 0, count: 256)
        for row in rows {
            let variable = finder.variables[Int(finder.firsts.base[Int(row)]) &+ number]
            shortest = min(shortest, variable.length)
            longest = max(longest, variable.length)
            let bytes = strings.start(Int(row)) + variable.start
            for i in 0..<variable.length { seen.base[Int(bytes.load(fromByteOffset: i, as: UInt8.self))] = 1 }
        }
        var slot = TemplateSlot(.text, shortest: shortest, longest: longest)
        for byte in 0..<64 {
            slot.bytes.0 |= UInt64(seen.base[byte]) << UInt64(byte)
            slot.bytes.1 |= UInt64(seen.base[64 + byte]) << UInt64(byte)
        }
        for byte in 128..<256 where seen.base[byte] != 0 { slot.hasHighBytes = true }
        return slot
    }

    // MARK: Bytes

    func append(
        _ strings: borrowing StringCodec.Strings, _ finder: borrowing TemplateFinder, with compressor: Compressor,
        to sink: inout ByteSink
    ) {
        var head = ByteSink(capacity: table.constantBytes + table.slots.count * 24)
        for number in used.indices {
            head.append(varint: groupOf[number])
            table.append(number, to: &head)
        }
        sink.append(varint: used.count)
        sink.append(varint: head.count)
        Section.append(bytes: head.bytes, effort: .full, with: compressor, to: &sink)
        var numbers = [UInt32](repeating: 0, count: finder.templates.count)
        for (number, template) in used.enumerated() { numbers[template] = UInt32(number) }
        let codes = Scratch<Int64>(strings.count)
        for i in 0..<strings.count { codes.base[i] = Int64(numbers[Int(finder.codes.base[i])]) }
        Section.append(integers: codes.elements, with: compressor, to: &sink)
        for group in groups {
            for (number, slot) in table.slots[group.slots].enumerated() {
                switch slot.kind {
                case .uuid: continue
                case .decimal, .padded: appendNumbers(group, number, strings, finder, with: compressor, to: &sink)
                case .text: appendTexts(group, number, strings, finder, with: compressor, to: &sink)
                }
            }
        }
        if uuids > 0 { appendUUIDs(strings, finder, with: compressor, to: &sink) }
    }

    private func appendNumbers(
        _ group: Group, _ number: Int, _ strings: borrowing StringCodec.Strings, _ finder: borrowing TemplateFinder,
        with compressor: Compressor, to sink: inout ByteSink
    ) {
        let values = Scratch<Int64>(group.count)
        var next = 0
        for template in group.templates {
            for row in self.strings(template) {
                let variable = finder.variables[Int(finder.firsts.base[Int(row)]) &+ number]
                let digits = strings.start(Int(row)) + variable.start
                var value: Int64 = 0
                for i in 0..<variable.length {
                    value = value &* 10 &+ Int64(digits.load(fromByteOffset: i, as: UInt8.self) & 15)
                }
                values.base[next] = value
                next &+= 1
            }
        }
        Section.append(integers: values.elements, with: compressor, to: &sink)
    }

    private func appendTexts(
        _ group: Group, _ number: Int, _ strings: borrowing StringCodec.Strings, _ finder: borrowing TemplateFinder,
        with compressor: Compressor, to sink: inout ByteSink
    ) {
        let lengths = Scratch<UInt32>(group.count)
        var bytes = ByteSink(capacity: group.count * 16)
        var next = 0
        for template in group.templates {
            for row in self.strings(template) {
                let variable = finder.variables[Int(finder.firsts.base[Int(row)]) &+ number]
                lengths.base[next] = UInt32(truncatingIfNeeded: variable.length)
                next &+= 1
                bytes.append(
                    UnsafeRawBufferPointer(start: strings.start(Int(row)) + variable.start, count: variable.length))
            }
        }
        var payload = ByteSink(capacity: bytes.count + 64)
        let chosen = StringCodec.encode(lengths.elements, bytes.bytes, with: compressor, into: &payload)
        Section.append(chosen, payload.bytes, with: compressor, to: &sink)
    }

    private func appendUUIDs(
        _ strings: borrowing StringCodec.Strings, _ finder: borrowing TemplateFinder, with compressor: Compressor,
        to sink: inout ByteSink
    ) {
        let values = Scratch<UInt8>(uuids * 16)
        var next = values.base
        for row in 0..<strings.count where finder.codes.base[row] != UInt32(TemplateFinder.whole) {
            for number in Int(finder.firsts.base[row])..<Int(finder.firsts.base[row + 1])
            where finder.variables[number].kind == .uuid {
                let text = UnsafeRawBufferPointer(
                    start: strings.start(row) + finder.variables[number].start, count: 36)
                UUIDText.parse(text, into: next)
                next += 16
            }
        }
        Section.append(fixed: UnsafeRawBufferPointer(values.elements), width: 16, with: compressor, to: &sink)
    }
}
