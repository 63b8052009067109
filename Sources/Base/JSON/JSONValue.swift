/// A JSON text as a tree. Objects keep their members' order and duplicates.
package enum JSONValue: Sendable {
    /// How numbers become values.
    package enum Numbers: Sendable {
        /// `.int`, `.uint`, `.double`; `.number` for what none of them holds.
        case typed
        /// Always `.number`: the digits as they were sent.
        case text
    }

    case null
    case bool(Bool)
    case int(Int64)
    /// An integer above `Int64.max`.
    case uint(UInt64)
    /// A number with a fraction or an exponent.
    case double(Double)
    /// An integer of more than 64 bits, a number beyond the doubles, or any number if its text was asked for.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])

    package static func parse(
        _ bytes: [UInt8], maximumDepth: Int = JSONReader.usualDepth, numbers: Numbers = .typed
    ) throws(JSONError) -> JSONValue {
        var result: Result<JSONValue, JSONError>?
        bytes.withUnsafeBytes { buffer in
            do throws(JSONError) {
                result = .success(try parse(buffer, maximumDepth: maximumDepth, numbers: numbers))
            } catch {
                result = .failure(error)
            }
        }
        guard let result else { throw JSONError(.unexpectedEnd, at: 0) }
        return try result.get()
    }

    package static func parse(
        _ bytes: UnsafeRawBufferPointer, maximumDepth: Int = JSONReader.usualDepth, numbers: Numbers = .typed
    ) throws(JSONError) -> JSONValue {
        var reader = JSONReader(bytes, maximumDepth: maximumDepth)
        let value = try read(try reader.next(), from: &reader, numbers: numbers)
        _ = try reader.next()
        return value
    }

    /// The value that begins with `token`; recursion ends at the reader's maximum depth.
    package static func read(
        _ token: JSONReader.Token, from reader: inout JSONReader, numbers: Numbers = .typed
    ) throws(JSONError) -> JSONValue {
        switch token {
        case .null: return .null
        case .bool(let value): return .bool(value)
        case .string(let slice): return .string(reader.string(slice))
        case .number(let slice):
            let text = reader.string(slice)
            return numbers == .text ? .number(text) : typed(text)
        case .beginArray:
            var elements: [JSONValue] = []
            while true {
                let next = try reader.next()
                if next == .endArray { return .array(elements) }
                elements.append(try read(next, from: &reader, numbers: numbers))
            }
        case .beginObject:
            var members: [(key: String, value: JSONValue)] = []
            while case .key(let slice) = try reader.next() {
                let key = reader.string(slice)
                members.append((key, try read(try reader.next(), from: &reader, numbers: numbers)))
            }
            return .object(members)
        case .endObject, .endArray, .key, .end:
            throw JSONError(.unexpectedEnd, at: reader.offset)
        }
    }

    private static func typed(_ text: String) -> JSONValue {
        if text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2D }) {
            // The only integer whose sign a double keeps and an integer loses.
            if text == "-0" { return .double(-0.0) }
            if let value = Int64(text) { return .int(value) }
            return UInt64(text).map(JSONValue.uint) ?? .number(text)
        }
        guard let value = Double(text), value.isFinite else { return .number(text) }
        return .double(value)
    }

    /// The last member of that name, if this is an object that has one.
    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key == key }?.value
    }
}

extension JSONValue: Equatable {
    package static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.int(let a), .int(let b)): a == b
        case (.uint(let a), .uint(let b)): a == b
        case (.double(let a), .double(let b)): a == b
        case (.number(let a), .number(let b)): a == b
        case (.string(let a), .string(let b)): a == b
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)): a.elementsEqual(b) { $0.key == $1.key && $0.value == $1.value }
        default: false
        }
    }
}

extension JSONWriter {
    /// Writes a whole tree.
    package mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .int(let value): int(value)
        case .uint(let value): uint(value)
        case .double(let value): double(value)
        case .number(let text): raw(Array(text.utf8))
        case .string(let text): string(text)
        case .array(let elements):
            beginArray()
            for element in elements { self.value(element) }
            endArray()
        case .object(let members):
            beginObject()
            for member in members {
                key(member.key)
                self.value(member.value)
            }
            endObject()
        }
    }
}
