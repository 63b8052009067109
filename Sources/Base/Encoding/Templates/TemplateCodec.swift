private import Glibc

/// Strings that few statements wrote: templates, which of them each string is, and the variables by their slots.
///
/// ```
/// templates:  number of templates, varint
///             length of the table, varint | section of its bytes (TemplateTable, each template with its group in front)
///             section of `count` integers: the template of each string
///             for each slot of each group that is no UUID: section of its values
///             if there are UUIDs: section of them, 16 bytes each, in the order of the strings
/// ```
/// A *group* is one template with many strings, or several with few whose slots are alike: their values stand together, template
/// by template, so that a rare template costs its constants and little else.
enum TemplateCodec {
    /// A page with fewer strings is not cut into templates.
    private static let leastStrings = 32
    /// Rarer templates share the sections of others.
    private static let ownGroup = 128

    /// Appends the payload; nothing if the strings are better off as they are.
    static func append(
        _ strings: borrowing StringCodec.Strings, with compressor: Compressor, to sink: inout ByteSink
    ) -> Bool {
        guard strings.count >= leastStrings else { return false }
        var finder = TemplateFinder(strings)
        guard finder.find(strings) else { return false }
        let layout = TemplateLayout(strings, finder, ownGroup: ownGroup)
        layout.append(strings, finder, with: compressor, to: &sink)
        return true
    }
}

/// The template of each string of a page.
struct TemplateFinder: ~Copyable {
    private static let mostTemplates = 1024
    private static let mostConstants = 1 << 18
    private static let slotCount = 4096
    /// Slots of the table that are looked at for one string.
    private static let mostProbes = 24
    /// After how many strings it is seen whether templates pay.
    private static let tried = 512

    /// The string that is all one variable, if there is any.
    static let whole = 0

    struct Template {
        /// The string that was the first.
        var first: Int
        var hash: UInt64
        var variables: Int
        var count = 0
    }

    private var scanner = TemplateScanner()
    private let table: Scratch<Int32>
    private(set) var templates: [Template] = [Template(first: -1, hash: 0, variables: 1)]
    let codes: Scratch<UInt32>
    /// By string, and one more: where its variables begin.
    let firsts: Scratch<UInt32>
    private(set) var variables: UnsafeMutablePointer<TemplateVariable>
    private var capacity: Int
    private var variableCount = 0
    private var constantBytes = 0

    init(_ strings: borrowing StringCodec.Strings) {
        table = Scratch(Self.slotCount)
        table.base.initialize(repeating: -1, count: Self.slotCount)
        codes = Scratch(strings.count)
        firsts = Scratch(strings.count + 1)
        capacity = strings.count * 6 + TemplateScanner.mostVariables
        variables = .allocate(capacity: capacity)
    }

    deinit { variables.deallocate() }

    /// - Returns: whether templates pay.
    mutating func find(_ strings: borrowing StringCodec.Strings) -> Bool {
        guard !strings.bytes.isEmpty, strings.bytes.count < 1 << 30 else { return false }
        var constants = 0
        for i in 0..<strings.count {
            if i == Self.tried, !pays(constants, of: strings, i) { return false }
            let text = strings[i]
            scanner.scan(text)
            if variableCount &+ scanner.count &+ 1 > capacity { grow() }
            firsts.base[i] = UInt32(truncatingIfNeeded: variableCount)
            let (hash, length) = hash(text)
            let template = template(of: text, i, hash, length, strings)
            codes.base[i] = UInt32(truncatingIfNeeded: template)
            templates[template].count &+= 1
            if template == Self.whole {
                variables[variableCount] = TemplateVariable(.text, 0, text.count)
                variableCount &+= 1
            } else {
                (variables + variableCount).update(from: scanner.variables.base, count: scanner.count)
                variableCount &+= scanner.count
                constants &+= length
            }
        }
        firsts.base[strings.count] = UInt32(truncatingIfNeeded: variableCount)
        return pays(constants, of: strings, strings.count)
    }

    /// Whether constants that need not be written are an eighth of all bytes.
    private func pays(_ constants: Int, of strings: borrowing StringCodec.Strings, _ count: Int) -> Bool {
        var bytes = 0
        for i in 0..<count { bytes &+= Int(strings.lengths[i]) }
        return constants - constantBytes > bytes / 8 && templates.count * 2 <= count
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<TemplateVariable>.allocate(
            capacity: capacity * 2 + TemplateScanner.mostVariables)
        larger.update(from: variables, count: variableCount)
        variables.deallocate()
        variables = larger
        capacity = capacity * 2 + TemplateScanner.mostVariables
    }

    // MARK: Constants

    /// The hash of a text's constants and the kinds of its variables, and the length of the constants.
    @inline(__always)
    private func hash(_ text: UnsafeRawBufferPointer) -> (hash: UInt64, length: Int) {
        var hash: UInt64 = 0x9E37_79B9_7F4A_7C15
        var length = 0
        var start = 0
        for number in 0..<scanner.count {
            let variable = scanner.variables.base[number]
            hash = Self.mix(hash, text, start, variable.start) &+ variable.tag &+ 1
            length &+= variable.start &- start
            start = variable.end
        }
        hash = Self.mix(hash, text, start, text.count)
        return (hash ^ hash &>> 29, length &+ text.count &- start)
    }

    @inline(__always)
    private static func mix(_ hash: UInt64, _ text: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> UInt64 {
        let factor: UInt64 = 0xD6E8_FEB8_6659_FD93
        var hash = (hash ^ UInt64(truncatingIfNeeded: end &- start)) &* factor
        guard let base = text.baseAddress else { return hash }
        var i = start
        while i &+ 8 <= end {
            hash = (hash ^ base.loadUnaligned(fromByteOffset: i, as: UInt64.self)) &* factor
            hash ^= hash &>> 32
            i &+= 8
        }
        var rest: UInt64 = 0
        while i < end {
            rest = rest &<< 8 | UInt64(base.load(fromByteOffset: i, as: UInt8.self))
            i &+= 1
        }
        hash = (hash ^ rest) &* factor
        return hash ^ hash &>> 32
    }

    /// The template of a text that was scanned, which may be a new one.
    @inline(__always)
    private mutating func template(
        of text: UnsafeRawBufferPointer, _ number: Int, _ hash: UInt64, _ length: Int,
        _ strings: borrowing StringCodec.Strings
    ) -> Int {
        var slot = Int(truncatingIfNeeded: hash) & (Self.slotCount - 1)
        for _ in 0..<Self.mostProbes {
            let known = Int(table.base[slot])
            if known < 0 { return new(number, hash, length, slot) }
            if templates[known].hash == hash, isSame(text, strings[templates[known].first], templates[known]) {
                return known
            }
            slot = (slot &+ 1) & (Self.slotCount - 1)
        }
        return Self.whole
    }

    private mutating func new(_ number: Int, _ hash: UInt64, _ length: Int, _ slot: Int) -> Int {
        guard templates.count < Self.mostTemplates, constantBytes + length <= Self.mostConstants,
            // Texts that have nothing in common are no templates.
            templates.count < 64 || templates.count * 3 <= number
        else { return Self.whole }
        table.base[slot] = Int32(truncatingIfNeeded: templates.count)
        templates.append(Template(first: number, hash: hash, variables: scanner.count))
        constantBytes += length
        return templates.count - 1
    }

    /// Whether a text that was scanned has the constants of another one.
    @inline(__always)
    private func isSame(
        _ text: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer, _ template: Template
    ) -> Bool {
        guard scanner.count == template.variables else { return false }
        let known = variables + Int(firsts.base[template.first])
        var start = 0
        var otherStart = 0
        for number in 0..<scanner.count {
            let variable = scanner.variables.base[number]
            let otherVariable = known[number]
            let length = variable.start &- start
            guard variable.tag == otherVariable.tag, otherVariable.start &- otherStart == length,
                Self.areEqual(text, start, other, otherStart, length)
            else { return false }
            start = variable.end
            otherStart = otherVariable.end
        }
        let length = text.count &- start
        return other.count &- otherStart == length && Self.areEqual(text, start, other, otherStart, length)
    }

    @inline(__always)
    private static func areEqual(
        _ a: UnsafeRawBufferPointer, _ aStart: Int, _ b: UnsafeRawBufferPointer, _ bStart: Int, _ length: Int
    ) -> Bool {
        guard length > 0, let left = a.baseAddress, let right = b.baseAddress else { return true }
        return memcmp(left + aStart, right + bStart, length) == 0
    }
}
