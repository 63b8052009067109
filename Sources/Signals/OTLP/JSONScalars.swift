import Core
import JSON

/// JSON values as the scalars of protobuf: each wrong type or range is an error at the walk's place.
extension JSONTranscoder {
    func string(_ value: JSONValue) throws(OTLPJSONError) -> String {
        guard case .string(let text) = value else { throw failure("expected a string, found \(value.kindName)") }
        return text
    }

    /// A number, its decimal text, or an integral double such as `1e3`.
    func signed(_ value: JSONValue) throws(OTLPJSONError) -> Int64 {
        let integer: Int64? =
            switch value {
            case .int(let integer): integer
            case .uint(let integer): Int64(exactly: integer)
            case .double(let double): Int64(exactly: double)
            case .string(let text): Int64(text)
            case .number: nil
            default: throw failure("expected an integer, found \(value.kindName)")
            }
        guard let integer else { throw failure("is not a signed 64-bit integer") }
        return integer
    }

    func unsigned(_ value: JSONValue) throws(OTLPJSONError) -> UInt64 {
        let integer: UInt64? =
            switch value {
            case .int(let integer): UInt64(exactly: integer)
            case .uint(let integer): integer
            case .double(let double): UInt64(exactly: double)
            case .string(let text): UInt64(text)
            case .number: nil
            default: throw failure("expected an integer, found \(value.kindName)")
            }
        guard let integer else { throw failure("is not an unsigned 64-bit integer") }
        return integer
    }

    func narrow(_ value: JSONValue) throws(OTLPJSONError) -> Int32 {
        guard let integer = Int32(exactly: try signed(value)) else { throw failure("is not a signed 32-bit integer") }
        return integer
    }

    func narrowUnsigned(_ value: JSONValue) throws(OTLPJSONError) -> UInt32 {
        guard let integer = UInt32(exactly: try unsigned(value)) else {
            throw failure("is not an unsigned 32-bit integer")
        }
        return integer
    }

    func enumeration(_ value: JSONValue, _ names: JSONEnumeration) throws(OTLPJSONError) -> Int32 {
        guard case .string(let name) = value, Int32(name) == nil else { return try narrow(value) }
        guard let number = names.number(named: name) else { throw failure("is not a known name") }
        return number
    }

    /// A number, its decimal text, `"NaN"`, `"Infinity"` or `"-Infinity"` (O-22).
    func double(_ value: JSONValue) throws(OTLPJSONError) -> Double {
        switch value {
        case .int(let integer): return Double(integer)
        case .uint(let integer): return Double(integer)
        case .double(let double): return double
        case .string("NaN"): return .nan
        case .string("Infinity"): return .infinity
        case .string("-Infinity"): return -.infinity
        case .string(let text), .number(let text):
            // Swift would also read "inf", "nan" and hexadecimal floats.
            let isDecimal = text.utf8.allSatisfy { "0123456789+-.eE".utf8.contains($0) }
            guard isDecimal, let double = Double(text), double.isFinite else { throw failure("is not a number") }
            return double
        default:
            throw failure("expected a number, found \(value.kindName)")
        }
    }

    /// The bytes of hexadecimal digits of either case, of whatever length: the decoder rejects wrong lengths by record (O-20).
    func identifier(_ value: JSONValue) throws(OTLPJSONError) -> [UInt8] {
        let text = try string(value)
        guard text.utf8.count.isMultiple(of: 2) else { throw failure("has an odd number of hexadecimal digits") }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count / 2)
        var high: UInt8?
        for byte in text.utf8 {
            guard let digit = Hex.value(byte) else { throw failure("is not hexadecimal") }
            if let upper = high {
                bytes.append(upper << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return bytes
    }

    func base64(_ value: JSONValue) throws(OTLPJSONError) -> [UInt8] {
        guard let bytes = Base64.decode(try string(value)) else { throw failure("is not base64") }
        return bytes
    }
}

extension JSONValue {
    /// What the value is, for messages.
    var kindName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .int, .uint, .double, .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}
