/// An attribute, or an entry of a structured log body, before it is encoded.
struct Field {
    enum Value {
        case string(String)
        case int(Int)
        case double(Double)
        case bool(Bool)
        case strings([String])
    }

    var key: String
    var value: Value

    init(_ key: String, _ value: String) { (self.key, self.value) = (key, .string(value)) }
    init(_ key: String, _ value: Int) { (self.key, self.value) = (key, .int(value)) }
    init(_ key: String, _ value: Double) { (self.key, self.value) = (key, .double(value)) }
    init(_ key: String, _ value: Bool) { (self.key, self.value) = (key, .bool(value)) }
    init(_ key: String, _ value: [String]) { (self.key, self.value) = (key, .strings(value)) }
}

extension ProtobufWriter {
    /// OTLP's `KeyValue` as field number `field`.
    mutating func attribute(_ field: UInt64, _ attribute: Field) {
        message(field) { writer in
            writer.string(1, attribute.key)
            writer.message(2) { $0.value(attribute.value) }
        }
    }

    mutating func attributes(_ field: UInt64, _ attributes: [Field]) {
        for entry in attributes { attribute(field, entry) }
    }

    /// The one field of an `AnyValue`.
    mutating func value(_ value: Field.Value) {
        switch value {
        case .string(let text): string(1, text)
        case .bool(let flag): bool(2, flag)
        case .int(let number): int(3, Int64(number))
        case .double(let number): double(4, number)
        case .strings(let texts):
            message(5) { array in
                for text in texts {
                    array.message(1) { $0.string(1, text) }
                }
            }
        }
    }
}
