/// What a template says of all texts that it makes.
package enum TemplateVerdict: UInt8, Sendable {
    /// None of them contains what is looked for.
    case none
    /// Each of them does.
    case all
    /// One may, another may not.
    case some
}

/// Looks for a text in templates.
///
/// It is the bit-parallel search of Baeza-Yates and Gonnet (Shift-And): bit `j` of the state says that the last bytes may be the
/// first `j` of the text. At a slot every number of bytes goes on that one of its values can have, as far as the bytes are
/// among those that stand there. Of a text of more than 63 bytes the first 63 are looked for.
package struct TextMatcher: Sendable {
    private static let mostBytes = 63

    package let text: [UInt8]
    /// By byte: where the text has it.
    private let places: [UInt64]
    private let length: Int

    package init(_ text: [UInt8]) {
        self.text = text
        length = min(text.count, Self.mostBytes)
        var places = [UInt64](repeating: 0, count: 256)
        for (i, byte) in text.prefix(length).enumerated() { places[Int(byte)] |= 1 << UInt64(i) }
        self.places = places
    }

    /// Where the text has bytes that a slot may have.
    private func places(_ slot: TemplateSlot) -> UInt64 {
        var places: UInt64 = 0
        for i in 0..<length where slot.mayHave(text[i]) { places |= 1 << UInt64(i) }
        return places
    }

    package func verdict(_ table: TemplateTable, _ template: Int) -> TemplateVerdict {
        var finding = Finding()
        return verdict(table, template, &finding)
    }

    /// Where a text may stand in those of a template.
    struct Finding {
        /// The slots, counted from the template's first, whose values may have all of it.
        var slots: [Int] = []
        /// Whether it may begin in one slot or constant and end in another.
        var crosses = false
    }

    func verdict(_ table: TemplateTable, _ template: Int, _ finding: inout Finding) -> TemplateVerdict {
        guard length > 0 else { return .all }
        let slots = table.slotRange(template)
        var states: UInt64 = 1
        let isWritten = table.constants.withUnsafeBufferPointer { constants in
            for number in 0...slots.count {
                let range = table.constant(number, template)
                if scan(constants, range, &states, &finding.crosses) { return true }
                guard number < slots.count else { break }
                let mayHold = pass(table.slots[slots.lowerBound + number], &states, &finding.crosses)
                if mayHold { finding.slots.append(number) }
            }
            return false
        }
        return isWritten ? .all : finding.crosses || !finding.slots.isEmpty ? .some : .none
    }

    /// Goes over a constant.
    ///
    /// - Returns: whether all of the text stands in it.
    @inline(__always)
    private func scan(
        _ constants: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ states: inout UInt64, _ crosses: inout Bool
    ) -> Bool {
        let accepted: UInt64 = 1 << UInt64(length)
        var state = states
        defer { states = state }
        return places.withUnsafeBufferPointer { places in
            for i in range {
                state = (state & places[Int(constants[i])]) &<< 1 | 1
                guard state & accepted != 0 else { continue }
                crosses = true
                let start = i &+ 1 &- length
                if start >= range.lowerBound, start &+ text.count <= range.upperBound,
                    zip(text, constants[start..<(start &+ text.count)]).allSatisfy({ $0 == $1 })
                {
                    return true
                }
            }
            return false
        }
    }

    /// Whether a value of the slot may have all of the text, or all of it that is looked for.
    func mayBeHeld(by slot: TemplateSlot) -> Bool {
        slot.longest >= length && text.prefix(length).allSatisfy { slot.mayHave($0) }
    }

    /// Goes over a slot.
    ///
    /// - Returns: whether one of its values may have all of the text.
    @inline(__always)
    private func pass(_ slot: TemplateSlot, _ states: inout UInt64, _ crosses: inout Bool) -> Bool {
        let accepted: UInt64 = 1 << UInt64(length)
        let places = places(slot)
        // Those that come from before the slot, which go over all of a value, and those that begin inside one.
        var coming = states & ~accepted & ~1
        var inside: UInt64 = 1
        var after: UInt64 = slot.shortest == 0 ? coming | 1 : 1
        var mayHold = false
        var step = 1
        while step <= slot.longest {
            let next = (inside & places) &<< 1 | 1
            coming = (coming & places) &<< 1
            if coming == 0, next == inside { break }
            inside = next
            if inside & accepted != 0 { mayHold = true }
            if coming & accepted != 0 { crosses = true }
            after |= inside | (step >= slot.shortest ? coming : 0)
            step &+= 1
        }
        states = after & ~accepted
        // The rest of a long text may stand behind the slot.
        if mayHold, text.count > length { crosses = true }
        return mayHold
    }
}
