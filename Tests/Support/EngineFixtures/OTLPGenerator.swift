package import Randomness
import Telemetry

/// Makes random OTLP requests that use every field of contract §8.4: fields in any order, twice, unknown or with the wrong
/// wire type; every kind of value, nested; few or many keys and shapes.
package struct OTLPGenerator {
    package struct Style: Sendable {
        /// Fields of a message in random order.
        package var shuffles = true
        /// Fields that nobody knows, known ones with another wire type, and fields that come twice.
        package var isNoisy = true
        /// Items that must be rejected.
        package var hasRejects = true
        /// Sub-messages that come in pieces.
        package var splitsMessages = true
        /// How many attribute keys there are to choose from.
        package var keyCount = 20
        /// The most attributes of a set.
        package var setLimit = 8
        /// The most items of a scope, and the most events, links and exemplars of an item.
        package var itemLimit = 12
        package var innerLimit = 3
        /// Where times begin, and how far they spread, nanoseconds.
        package var start: Int64 = 1_700_000_000_000_000_000
        package var spread: Int64 = 2 * 3_600_000_000_000

        package init() {}
    }

    package var random: SeededRandom
    package var style: Style

    package init(seed: UInt64, style: Style = Style()) {
        random = SeededRandom(seed: seed)
        self.style = style
    }

    /// The fields of one message, each as its bytes.
    struct Message {
        var fields: [[UInt8]] = []

        mutating func add(_ number: UInt64, bytes: [UInt8]) {
            var writer = ProtobufWriter()
            writer.field(number, bytes: bytes)
            fields.append(writer.bytes)
        }

        mutating func add(_ number: UInt64, text: String) { add(number, bytes: Array(text.utf8)) }

        mutating func add(_ number: UInt64, varint: UInt64) {
            var writer = ProtobufWriter()
            writer.field(number, varint: varint)
            fields.append(writer.bytes)
        }

        mutating func add(_ number: UInt64, fixed64: UInt64) {
            var writer = ProtobufWriter()
            writer.field(number, fixed64: fixed64)
            fields.append(writer.bytes)
        }

        mutating func add(_ number: UInt64, fixed32: UInt32) {
            var writer = ProtobufWriter()
            writer.varint(number << 3 | 5)
            fields.append(writer.bytes + UInt64(fixed32).littleEndianBytes.prefix(4))
        }
    }

    mutating func finish(_ message: Message) -> [UInt8] {
        var message = message
        if style.isNoisy {
            if random.oneIn(6) { message.fields.append(noise()) }
            if !message.fields.isEmpty, random.oneIn(12) { message.fields.append(random.pick(message.fields)) }
        }
        if style.shuffles { message.fields.shuffle(using: &random) }
        return message.fields.flatMap { $0 }
    }

    /// A field that must be passed over.
    private mutating func noise() -> [UInt8] {
        var message = Message()
        let number = UInt64(random.pick([100, 1000, 20_000, 536_870_911]))
        switch random.below(4) {
        case 0: message.add(number, varint: random.next())
        case 1: message.add(number, fixed64: random.next())
        case 2: message.add(number, bytes: random.bytes(random.below(20)))
        default: message.add(number, fixed32: 7)
        }
        return message.fields[0]
    }

    /// A message as one field, or as several whose fields together are the message's.
    mutating func addParts(_ number: UInt64, _ content: Message, to message: inout Message) {
        guard style.splitsMessages, random.oneIn(5), content.fields.count > 1 else {
            return message.add(number, bytes: finish(content))
        }
        let cut = 1 + random.below(content.fields.count - 1)
        var pieces = [Message(fields: Array(content.fields[..<cut])), Message(fields: Array(content.fields[cut...]))]
        if random.oneIn(4) { pieces.append(Message()) }
        for piece in pieces { message.add(number, bytes: piece.fields.flatMap { $0 }) }
    }

    // MARK: Values

    mutating func text() -> [UInt8] {
        switch random.below(12) {
        case 0: []
        case 1: random.bytes(random.below(30))
        case 2: Array(repeating: 0x61, count: random.below(3000))
        case 3: Array("id-\(random.next())".utf8)
        default: Array(random.pick(["GET /", "checkout", "ünïcode", "SELECT 1", "a", "b\u{0}c", "error"]).utf8)
        }
    }

    mutating func double() -> UInt64 {
        switch random.below(8) {
        case 0: random.next()
        case 1: random.pick([0x7FF8_0000_0000_0001, 0x7FF0_0000_0000_0002, 0xFFF8_DEAD_BEEF_0000, 1])
        case 2: random.pick([-0.0, 0, .infinity, -.infinity, .greatestFiniteMagnitude]).bitPattern
        case 3: Double(random.below(1000)).bitPattern
        default: (Double(random.below(100_000)) / 100).bitPattern
        }
    }

    mutating func integer() -> UInt64 {
        switch random.below(6) {
        case 0: random.next()
        case 1:
            UInt64(bitPattern: random.pick([.min, .max, -1, 0, .min + 1, .max - 1, 1 << 53, (1 << 53) + 1]))
        default: UInt64(random.below(500))
        }
    }

    /// What an `AnyValue` holds.
    mutating func value(depth: Int = 0) -> Message {
        var message = Message()
        let choices = depth < 4 ? 9 : 6
        for _ in 0..<(style.isNoisy && random.oneIn(20) ? 2 : 1) {
            switch random.below(choices) {
            case 0: message.add(2, varint: random.pick([0, 1, 1, 2]))
            case 1: message.add(3, varint: integer())
            case 2: message.add(4, fixed64: double())
            case 3: message.add(7, bytes: random.bytes(random.below(9)))
            case 4: break
            case 6, 7:
                var list = Message()
                for _ in 0..<random.below(4) { list.add(1, bytes: finish(value(depth: depth + 1))) }
                message.add(5, bytes: finish(list))
            case 8:
                var map = Message()
                for _ in 0..<random.below(4) { map.add(1, bytes: keyValue(random.below(5), depth: depth + 1)) }
                message.add(6, bytes: finish(map))
            default: message.add(1, bytes: text())
            }
        }
        return message
    }

    private mutating func keyValue(_ key: Int, depth: Int = 0) -> [UInt8] {
        var message = Message()
        // One key is empty, which means the same as leaving it out.
        if key != 3 { message.add(1, text: "key.\(key)") }
        if !random.oneIn(15) { message.add(2, bytes: finish(value(depth: depth))) }
        return finish(message)
    }

    mutating func addAttributes(_ number: UInt64, to message: inout Message) {
        let count = random.oneIn(3) ? 0 : random.below(style.setLimit + 1)
        if random.oneIn(3) {
            // The same keys in the same order, as real senders do.
            for key in 0..<min(count, style.keyCount) { message.add(number, bytes: keyValue(key)) }
        } else {
            for _ in 0..<count { message.add(number, bytes: keyValue(random.below(style.keyCount))) }
        }
    }

    mutating func time() -> UInt64 {
        if style.hasRejects, random.oneIn(60) { return random.pick([1 << 63, .max, UInt64(Int64.max)]) }
        if random.oneIn(30) { return random.pick([0, 1, UInt64(Int64.max) - 1]) }
        return UInt64(style.start) + UInt64(Int64.random(in: 0..<style.spread, using: &random))
    }

    /// An id; `optional` ones may be missing.
    mutating func addID(_ number: UInt64, width: Int, optional: Bool, to message: inout Message) {
        if optional, random.oneIn(2) { return }
        if style.hasRejects, random.oneIn(60) {
            return message.add(number, bytes: random.bytes(random.pick([0, 1, 7, 9, 15, 17])))
        }
        if random.oneIn(60), optional || style.hasRejects {
            return message.add(number, bytes: Array(repeating: 0, count: width))
        }
        if random.oneIn(3) { return message.add(number, bytes: random.bytes(width)) }
        // Few ids, so that traces have several spans.
        message.add(number, bytes: Array(repeating: UInt8(1 + random.below(20)), count: width))
    }

    // MARK: The three levels

    /// A request of `groups` resources at most.
    mutating func request(groups: Int, _ item: (inout OTLPGenerator) -> [UInt8]) -> [UInt8] {
        var request = Message()
        for _ in 0..<groups {
            var group = Message()
            if !random.oneIn(8) { addParts(1, resource(), to: &group) }
            for _ in 0..<random.below(3) {
                var scope = Message()
                if !random.oneIn(3) { addParts(1, self.scope(), to: &scope) }
                for _ in 0..<random.below(style.itemLimit + 1) { scope.add(2, bytes: item(&self)) }
                if random.oneIn(3) { scope.add(3, text: "https://example.test/scope") }
                group.add(2, bytes: finish(scope))
            }
            if random.oneIn(3) { group.add(3, text: "https://example.test/\(random.below(3))") }
            request.add(1, bytes: finish(group))
        }
        return finish(request)
    }

    private mutating func resource() -> Message {
        var message = Message()
        if !random.oneIn(5) {
            var name = Message()
            name.add(1, text: "service.name")
            var value = Message()
            if random.oneIn(10) { value.add(3, varint: 5) } else { value.add(1, text: "svc-\(random.below(6))") }
            name.add(2, bytes: finish(value))
            message.add(1, bytes: finish(name))
        }
        if random.oneIn(2) { addAttributes(1, to: &message) }
        if random.oneIn(4) { message.add(2, varint: UInt64(random.below(9))) }
        return message
    }

    private mutating func scope() -> Message {
        var message = Message()
        message.add(1, text: "lib-\(random.below(4))")
        if random.oneIn(2) { message.add(2, text: "1.\(random.below(3))") }
        if random.oneIn(3) { addAttributes(3, to: &message) }
        if random.oneIn(4) { message.add(4, varint: 3) }
        return message
    }
}
