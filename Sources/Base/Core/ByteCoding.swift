/// The coding of plans and states: varints, zigzag integers, words of 8 bytes, texts with their length before them, and lists. Whoever
/// has a format writes and reads it with these; docs/FORMAT.md, "Plans and states".
public struct ByteWriter {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public mutating func byte(_ byte: UInt8) { bytes.append(byte) }

    public mutating func natural(_ value: UInt64) { Varint.append(value, to: &bytes) }

    public mutating func count(_ value: Int) { natural(UInt64(value)) }

    /// Zigzag, so that small numbers of either sign are short.
    public mutating func integer(_ value: Int64) { natural(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    public mutating func word(_ value: UInt64) { bytes.append(littleEndian: value) }

    public mutating func text(_ text: some Collection<UInt8>) {
        count(text.count)
        bytes += text
    }

    public mutating func list<Element>(_ elements: [Element], _ write: (inout ByteWriter, Element) -> Void) {
        count(elements.count)
        for element in elements { write(&self, element) }
    }
}

/// What a reader of a format throws where bytes are wrong.
public protocol ByteFailure: Error {
    static var corrupt: Self { get }
    /// More of something than may be.
    static func tooLarge(_ what: String) -> Self
}

/// Reads what `ByteWriter` writes, from anybody.
///
/// It takes nothing on trust: every count is bounded by the bytes that are left before anything is allocated, and what nests is
/// counted.
public struct ByteReader<Failure: ByteFailure> {
    private let bytes: [UInt8]
    private var position = 0
    private var nodes = 0
    private var depth = 0
    private var patterns = 0
    private var patternBytes = 0

    public init(_ bytes: [UInt8], atMost limit: Int) throws(Failure) {
        guard bytes.count <= limit else { throw .tooLarge("bytes") }
        self.bytes = bytes
    }

    public var left: Int { bytes.count - position }

    public func end() throws(Failure) {
        guard left == 0 else { throw .corrupt }
    }

    public mutating func byte() throws(Failure) -> UInt8 {
        guard position < bytes.count else { throw .corrupt }
        defer { position += 1 }
        return bytes[position]
    }

    public mutating func flag() throws(Failure) -> Bool {
        let byte = try byte()
        guard byte <= 1 else { throw .corrupt }
        return byte == 1
    }

    public mutating func natural() throws(Failure) -> UInt64 {
        var end = position
        guard let value = Varint.read(bytes.span, &end) else { throw .corrupt }
        position = end
        return value
    }

    public mutating func integer() throws(Failure) -> Int64 {
        let value = try natural()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    public mutating func word() throws(Failure) -> UInt64 {
        guard left >= 8 else { throw .corrupt }
        defer { position += 8 }
        return bytes.span.littleEndian(at: position)
    }

    /// - Parameter size: the least bytes that each of so many things takes.
    public mutating func count(atMost limit: Int = .max, of what: String, size: Int = 1) throws(Failure) -> Int {
        let value = try natural()
        guard value <= UInt64(limit) else { throw .tooLarge(what) }
        guard value <= UInt64(left / size) else { throw .corrupt }
        return Int(value)
    }

    public mutating func text() throws(Failure) -> [UInt8] {
        let count = try count(of: "bytes")
        defer { position += count }
        return Array(bytes[position..<(position + count)])
    }

    /// A text for people, or a pattern.
    public mutating func string() throws(Failure) -> String {
        guard let text = String(validating: try text(), as: UTF8.self) else { throw .corrupt }
        return text
    }

    /// - Parameters:
    ///   - limit: of patterns in all.
    ///   - byteLimit: of their bytes.
    public mutating func pattern(atMost limit: Int, bytes byteLimit: Int) throws(Failure) -> String {
        let source = try string()
        patterns += 1
        patternBytes += source.utf8.count
        guard patterns <= limit, patternBytes <= byteLimit else { throw .tooLarge("regular expressions") }
        return source
    }

    public mutating func list<Element>(
        atMost limit: Int = .max, of what: String, size: Int = 1,
        _ read: (inout ByteReader) throws(Failure) -> Element
    ) throws(Failure) -> [Element] {
        let count = try count(atMost: limit, of: what, size: size)
        return try elements(count, size: size, read)
    }

    /// So many elements without their count.
    public mutating func elements<Element>(
        _ count: Int, size: Int = 1, _ read: (inout ByteReader) throws(Failure) -> Element
    ) throws(Failure) -> [Element] {
        guard count <= left / size else { throw .corrupt }
        var elements: [Element] = []
        elements.reserveCapacity(min(count, 1024))
        for _ in 0..<count { elements.append(try read(&self)) }
        return elements
    }

    /// A list whose elements ascend, each of which is there once.
    public mutating func ascending<Element>(
        of what: String, size: Int = 1, _ precedes: (Element, Element) -> Bool,
        _ read: (inout ByteReader) throws(Failure) -> Element
    ) throws(Failure) -> [Element] {
        let elements = try list(of: what, size: size, read)
        for index in elements.indices.dropFirst() where !precedes(elements[index - 1], elements[index]) {
            throw .corrupt
        }
        return elements
    }

    /// Counts something that may hold others of its kind, and goes into it.
    ///
    /// - Parameters:
    ///   - limit: of such things in all.
    ///   - depthLimit: of those that are in each other.
    ///   - what: their name, in the plural.
    public mutating func nested<Value>(
        atMost limit: Int, depth depthLimit: Int, of what: String,
        _ read: (inout ByteReader) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        nodes += 1
        depth += 1
        guard nodes <= limit else { throw .tooLarge(what) }
        guard depth <= depthLimit else { throw .tooLarge("levels of \(what)") }
        let value = try read(&self)
        depth -= 1
        return value
    }
}
