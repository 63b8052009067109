import Core

/// `printf`: Go's verbs `%v %s %q %d %x %X %o %b %c %t %f %e %g %%` with flags `-+ 0#`, width and precision.
enum TemplateFormat {
    static let widest = 1_000

    private struct Verb {
        var letter: UInt8 = 0
        var isLeft = false
        var showsPlus = false
        var fillsZeros = false
        var width = 0
        var precision: Int?
    }

    static func format(_ format: String, _ values: [TemplateValue]) throws(TemplateError) -> String {
        let bytes = Array(format.utf8)
        var output: [UInt8] = []
        var values = values[...]
        var position = 0
        while position < bytes.count {
            guard bytes[position] == UInt8(ascii: "%") else {
                output.append(bytes[position])
                position += 1
                continue
            }
            position += 1
            let verb = try verb(bytes, &position)
            if verb.letter == UInt8(ascii: "%") {
                output.append(verb.letter)
            } else if let value = values.popFirst() {
                output += text(of: value, verb).utf8
            } else {
                output += "%!\(Character(Unicode.Scalar(verb.letter)))(MISSING)".utf8
            }
            guard output.count <= LineTemplate.longestOutput else { throw TemplateError("line is too long") }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func verb(_ bytes: [UInt8], _ position: inout Int) throws(TemplateError) -> Verb {
        var verb = Verb()
        flags: while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "-"): verb.isLeft = true
            case UInt8(ascii: "+"): verb.showsPlus = true
            case UInt8(ascii: "0"): verb.fillsZeros = true
            case UInt8(ascii: " "), UInt8(ascii: "#"): break
            default: break flags
            }
            position += 1
        }
        verb.width = try number(bytes, &position) ?? 0
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            verb.precision = try number(bytes, &position) ?? 0
        }
        guard position < bytes.count else { throw TemplateError("printf: format ends inside a verb") }
        verb.letter = bytes[position]
        position += 1
        return verb
    }

    private static func number(_ bytes: [UInt8], _ position: inout Int) throws(TemplateError) -> Int? {
        let digits = bytes[position...].prefix(while: Quantity.isDigit)
        guard !digits.isEmpty else { return nil }
        position = digits.endIndex
        guard let value = Int(String(decoding: digits, as: UTF8.self)), value <= widest else {
            throw TemplateError("printf: width is out of range")
        }
        return value
    }

    private static func text(of value: TemplateValue, _ verb: Verb) -> String {
        let body = body(of: value, verb)
        let missing = verb.width - body.unicodeScalars.count
        guard missing > 0 else { return body }
        if verb.isLeft { return body + String(repeating: " ", count: missing) }
        guard verb.fillsZeros else { return String(repeating: " ", count: missing) + body }
        let sign = body.utf8.first == UInt8(ascii: "-") || body.utf8.first == UInt8(ascii: "+") ? 1 : 0
        return body.prefix(sign) + String(repeating: "0", count: missing) + body.dropFirst(sign)
    }

    private static func body(of value: TemplateValue, _ verb: Verb) -> String {
        let plus = verb.showsPlus && (value.number ?? -1) >= 0 ? "+" : ""
        switch (Unicode.Scalar(verb.letter), value) {
        case ("v", _): return (isNumber(value) ? plus : "") + value.text
        case ("s", _): return verb.precision.map { String(value.text.unicodeScalars.prefix($0)) } ?? value.text
        case ("q", _): return value.text.quoted
        case ("t", .bool(let flag)): return flag ? "true" : "false"
        case ("d", .integer(let number)): return plus + String(number)
        case ("x", .integer(let number)): return String(number, radix: 16)
        case ("X", .integer(let number)): return String(number, radix: 16, uppercase: true)
        case ("o", .integer(let number)): return String(number, radix: 8)
        case ("b", .integer(let number)): return String(number, radix: 2)
        case ("c", .integer(let number)):
            return UInt32(exactly: number).flatMap(Unicode.Scalar.init).map { String(Character($0)) } ?? "\u{FFFD}"
        case ("x", .string(let text)):
            return String(decoding: text.utf8.flatMap { [Hex.digit($0 >> 4), Hex.digit($0 & 15)] }, as: UTF8.self)
        case ("f", .number(let number)), ("F", .number(let number)):
            return plus + TemplateNumber.fixed(number, digits: verb.precision ?? 6)
        case ("e", .number(let number)): return plus + TemplateNumber.scientific(number, digits: verb.precision ?? 6)
        case ("g", .number(let number)): return plus + TemplateNumber.text(number)
        default: return "%!\(Character(Unicode.Scalar(verb.letter)))(\(value.text))"
        }
    }

    private static func isNumber(_ value: TemplateValue) -> Bool {
        switch value {
        case .integer, .number: true
        default: false
        }
    }
}
