internal import Core

/// The bytes of plans: what travels to where rows are. docs/FORMAT.md, "Plans", has them all.
///
/// A reader takes nothing on trust: every number is bounded, what nests is counted, and what takes memory is no more than some
/// times the bytes that say it.
package enum PlanFormat {
    package static let version = 1
    /// Of a whole plan.
    package static let byteLimit = 16 << 20
    package static let depthLimit = 32
    /// Predicates, conditions and operands together.
    package static let nodeLimit = 4096
    package static let patternLimit = 32
    package static let patternByteLimit = 64 << 10
    package static let columnLimit = 1024
    package static let keyLimit = 64
    package static let aggregateLimit = 64
    package static let edgeLimit = 1 << 16
}

/// Appends numbers and bytes.
struct PlanWriter {
    private(set) var bytes: [UInt8] = []

    mutating func byte(_ byte: UInt8) { bytes.append(byte) }

    mutating func natural(_ value: UInt64) { Varint.append(value, to: &bytes) }

    mutating func count(_ value: Int) { natural(UInt64(value)) }

    /// Zigzag, so that small numbers of either sign are short.
    mutating func integer(_ value: Int64) { natural(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    mutating func word(_ value: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func text(_ text: some Collection<UInt8>) {
        count(text.count)
        bytes += text
    }

    mutating func list<Element>(_ elements: [Element], _ write: (inout PlanWriter, Element) -> Void) {
        count(elements.count)
        for element in elements { write(&self, element) }
    }
}

/// Reads what `PlanWriter` writes, from anybody.
struct PlanReader {
    private let bytes: [UInt8]
    private var position = 0
    private var nodes = 0
    private var depth = 0
    private var patterns = 0
    private var patternBytes = 0

    init(_ bytes: [UInt8]) throws(PlanError) {
        guard bytes.count <= PlanFormat.byteLimit else { throw .tooLarge("bytes") }
        self.bytes = bytes
    }

    var left: Int { bytes.count - position }

    func end() throws(PlanError) {
        guard left == 0 else { throw .corrupt }
    }

    mutating func byte() throws(PlanError) -> UInt8 {
        guard position < bytes.count else { throw .corrupt }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func natural() throws(PlanError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64 {
            let byte = try byte()
            if shift == 63, byte > 1 { throw .corrupt }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw .corrupt
    }

    mutating func integer() throws(PlanError) -> Int64 {
        let value = try natural()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    mutating func word() throws(PlanError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 8) { value |= UInt64(try byte()) << shift }
        return value
    }

    /// - Parameter size: the least bytes that each of so many things takes.
    mutating func count(atMost limit: Int, of what: String, size: Int = 1) throws(PlanError) -> Int {
        let value = try natural()
        guard value <= UInt64(limit) else { throw .tooLarge(what) }
        guard value <= UInt64(left / size) else { throw .corrupt }
        return Int(value)
    }

    mutating func text() throws(PlanError) -> [UInt8] {
        let count = try count(atMost: PlanFormat.byteLimit, of: "bytes")
        defer { position += count }
        return Array(bytes[position..<(position + count)])
    }

    /// A text for people, or a pattern.
    mutating func string() throws(PlanError) -> String {
        guard let text = String(validating: try text(), as: UTF8.self) else { throw .corrupt }
        return text
    }

    mutating func pattern() throws(PlanError) -> String {
        let source = try string()
        patterns += 1
        patternBytes += source.utf8.count
        guard patterns <= PlanFormat.patternLimit, patternBytes <= PlanFormat.patternByteLimit else {
            throw .tooLarge("regular expressions")
        }
        return source
    }

    mutating func list<Element>(
        atMost limit: Int = PlanFormat.byteLimit, of what: String, size: Int = 1,
        _ read: (inout PlanReader) throws(PlanError) -> Element
    ) throws(PlanError) -> [Element] {
        let count = try count(atMost: limit, of: what, size: size)
        var elements: [Element] = []
        elements.reserveCapacity(min(count, 1024))
        for _ in 0..<count { elements.append(try read(&self)) }
        return elements
    }

    /// A list whose elements ascend, each of which is there once.
    mutating func ascending<Element>(
        of what: String, size: Int = 1, _ precedes: (Element, Element) -> Bool,
        _ read: (inout PlanReader) throws(PlanError) -> Element
    ) throws(PlanError) -> [Element] {
        let elements = try list(of: what, size: size, read)
        for index in elements.indices.dropFirst() where !precedes(elements[index - 1], elements[index]) {
            throw .corrupt
        }
        return elements
    }

    /// Counts something that may hold others of its kind, and goes into it.
    mutating func nested<Value>(
        _ read: (inout PlanReader) throws(PlanError) -> Value
    ) throws(PlanError) -> Value {
        nodes += 1
        depth += 1
        guard nodes <= PlanFormat.nodeLimit else { throw .tooLarge("conditions") }
        guard depth <= PlanFormat.depthLimit else { throw .tooLarge("levels of conditions") }
        let value = try read(&self)
        depth -= 1
        return value
    }
}
