/// Writes JSON text into a byte array, in one pass and without a tree.
///
/// Commas come by themselves; the caller keeps keys and values in turn and closes what it opens. Text is UTF-8 without HTML
/// escapes (rule G-2): only `"`, `\` and control characters are escaped, and bytes that are not UTF-8 become U+FFFD.
package struct JSONWriter: Sendable {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init() {}

    package init(reserving capacity: Int) { bytes.reserveCapacity(capacity) }

    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Forgets what was written, and keeps the memory.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        needsComma = false
    }

    // MARK: Structure

    package mutating func beginObject() { open(UInt8(ascii: "{")) }
    package mutating func endObject() { close(UInt8(ascii: "}")) }
    package mutating func beginArray() { open(UInt8(ascii: "[")) }
    package mutating func endArray() { close(UInt8(ascii: "]")) }

    /// A member's key, which must need no escape.
    package mutating func key(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        finishKey()
    }

    package mutating func key(_ name: String) {
        separate()
        appendQuoted(name)
        finishKey(quoted: true)
    }

    private mutating func finishKey(quoted: Bool = false) {
        if !quoted { bytes.append(UInt8(ascii: "\"")) }
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    @inline(__always)
    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    // MARK: Fixed pieces

    /// The beginning of a value, up to where another value stands: `{"key":`.
    package mutating func begin(_ piece: StaticString) {
        separate()
        append(piece)
        needsComma = false
    }

    /// What stands between two values inside one that was begun: `,"value":`.
    package mutating func go(on piece: StaticString) {
        append(piece)
        needsComma = false
    }

    /// What ends a value that was begun: `}`.
    package mutating func end(_ piece: StaticString) {
        append(piece)
        needsComma = true
    }

    /// Digits inside a string that was begun.
    package mutating func digits(_ value: UInt64) { Decimal.append(value, to: &bytes) }

    // MARK: Values

    package mutating func string(_ text: String) {
        separate()
        appendQuoted(text)
    }

    /// A string from bytes that ought to be UTF-8.
    package mutating func string(_ text: UnsafeRawBufferPointer) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        JSONEscaping.append(text, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    package mutating func string(_ text: [UInt8]) {
        text.withUnsafeBytes { string($0) }
    }

    package mutating func int(_ value: Int64) {
        separate()
        Decimal.append(value, to: &bytes)
    }

    package mutating func int(_ value: Int) { int(Int64(value)) }

    package mutating func uint(_ value: UInt64) {
        separate()
        Decimal.append(value, to: &bytes)
    }

    /// An integer as a string, as 64-bit numbers are in OTLP and Jaeger.
    package mutating func quoted(_ value: Int64) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        Decimal.append(value, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    package mutating func quoted(_ value: UInt64) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        Decimal.append(value, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// The shortest decimal that reads back as `value`; `null` for what JSON cannot say.
    package mutating func double(_ value: Double) {
        guard value.isFinite else { return null() }
        separate()
        PrometheusNumber.append(value, to: &bytes)
    }

    package mutating func bool(_ value: Bool) {
        separate()
        append(value ? "true" : "false")
    }

    package mutating func null() {
        separate()
        append("null")
    }

    /// One whole value that is JSON already.
    package mutating func raw(_ json: [UInt8]) {
        separate()
        bytes.append(contentsOf: json)
    }

    package mutating func raw(_ json: StaticString) {
        separate()
        append(json)
    }

    /// A sample's value as Prometheus writes it: a string (rule P-5).
    package mutating func prometheusValue(_ value: Double) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        PrometheusNumber.append(value, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// A time as Prometheus writes it: seconds, with three decimals or none (rule P-5).
    package mutating func prometheusTime(milliseconds: Int64) {
        separate()
        PrometheusNumber.appendSeconds(milliseconds: milliseconds, to: &bytes)
    }

    /// A line break between values, for a stream of one JSON value a line.
    package mutating func newline() {
        bytes.append(UInt8(ascii: "\n"))
        needsComma = false
    }

    private mutating func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func appendQuoted(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { JSONEscaping.append(UnsafeRawBufferPointer($0), to: &bytes) }
        bytes.append(UInt8(ascii: "\""))
    }
}
