import Randomness

extension OTLPGenerator {
    package mutating func traces(groups: Int = 3) -> [UInt8] { request(groups: groups) { $0.span() } }

    package mutating func logs(groups: Int = 3) -> [UInt8] { request(groups: groups) { $0.record() } }

    package mutating func metrics(groups: Int = 3) -> [UInt8] { request(groups: groups) { $0.metric() } }

    private mutating func span() -> [UInt8] {
        var span = Message()
        addID(1, width: 16, optional: false, to: &span)
        addID(2, width: 8, optional: false, to: &span)
        if random.oneIn(4) { span.add(3, text: "vendor=\(random.below(5))") }
        addID(4, width: 8, optional: true, to: &span)
        if !random.oneIn(10) { span.add(5, bytes: text()) }
        if !random.oneIn(5) { span.add(6, varint: random.pick([0, 1, 2, 3, 5, 77, UInt64(bitPattern: -1)])) }
        let start = time()
        span.add(7, fixed64: start)
        if !random.oneIn(8) { span.add(8, fixed64: random.oneIn(8) ? time() : start &+ UInt64(random.below(1 << 30))) }
        addAttributes(9, to: &span)
        if random.oneIn(4) { span.add(10, varint: random.pick([1, 4_294_967_295, 1 << 40])) }
        for _ in 0..<inner() { span.add(11, bytes: event()) }
        if random.oneIn(6) { span.add(12, varint: 2) }
        for _ in 0..<inner() { span.add(13, bytes: link()) }
        if random.oneIn(6) { span.add(14, varint: 3) }
        if random.oneIn(2) {
            var status = Message()
            if random.oneIn(2) { status.add(2, bytes: text()) }
            status.add(3, varint: UInt64(random.below(3)))
            addParts(15, status, to: &span)
        }
        if random.oneIn(3) { span.add(16, fixed32: random.pick([0, 1, 0x301, .max])) }
        return finish(span)
    }

    private mutating func inner() -> Int { random.oneIn(2) ? 0 : random.below(style.innerLimit + 1) }

    private mutating func event() -> [UInt8] {
        var event = Message()
        if !random.oneIn(10) { event.add(1, fixed64: time()) }
        event.add(2, bytes: text())
        addAttributes(3, to: &event)
        if random.oneIn(4) { event.add(4, varint: 1) }
        return finish(event)
    }

    private mutating func link() -> [UInt8] {
        var link = Message()
        addID(1, width: 16, optional: true, to: &link)
        addID(2, width: 8, optional: true, to: &link)
        if random.oneIn(3) { link.add(3, text: "x=y") }
        addAttributes(4, to: &link)
        if random.oneIn(4) { link.add(5, varint: 1) }
        if random.oneIn(4) { link.add(6, fixed32: 0x101) }
        return finish(link)
    }

    private mutating func record() -> [UInt8] {
        var record = Message()
        if !random.oneIn(4) { record.add(1, fixed64: time()) }
        if !random.oneIn(5) { record.add(2, varint: UInt64(random.below(25))) }
        if random.oneIn(2) { record.add(3, text: random.pick(["INFO", "ERROR", "Warn", ""])) }
        if !random.oneIn(8) { record.add(5, bytes: finish(value())) }
        addAttributes(6, to: &record)
        if random.oneIn(5) { record.add(7, varint: 9) }
        if random.oneIn(3) { record.add(8, fixed32: 1) }
        addID(9, width: 16, optional: true, to: &record)
        addID(10, width: 8, optional: true, to: &record)
        if !random.oneIn(3) { record.add(11, fixed64: time()) }
        if random.oneIn(5) { record.add(12, text: "event.\(random.below(3))") }
        return finish(record)
    }

    // MARK: Metrics

    private mutating func metric() -> [UInt8] {
        var metric = Message()
        if !style.hasRejects || !random.oneIn(30) { metric.add(1, text: "metric_\(random.below(8))") }
        if random.oneIn(3) { metric.add(2, text: "what it is") }
        if random.oneIn(3) { metric.add(3, text: random.pick(["s", "By", "{req}"])) }
        let kind = random.below(6)
        var data = Message()
        for _ in 0..<random.below(5) {
            switch kind {
            case 2: data.add(1, bytes: histogram())
            case 3: data.add(1, bytes: exponentialHistogram())
            case 4: data.add(1, bytes: summary())
            default: data.add(1, bytes: number())
            }
        }
        if random.oneIn(2) { data.add(2, varint: UInt64(random.below(3))) }
        if kind == 1, random.oneIn(2) { data.add(3, varint: 1) }
        if kind < 5 { addParts([5, 7, 9, 10, 11][kind], data, to: &metric) }
        if random.oneIn(4) { addAttributes(12, to: &metric) }
        return finish(metric)
    }

    private mutating func addTimes(to point: inout Message) {
        if random.oneIn(2) { point.add(2, fixed64: time()) }
        point.add(3, fixed64: time())
    }

    private mutating func addFlags(_ number: UInt64, to point: inout Message) {
        if random.oneIn(5) { point.add(number, varint: 1) }
    }

    private mutating func number() -> [UInt8] {
        var point = Message()
        addTimes(to: &point)
        switch random.below(5) {
        case 0: break
        case 1, 2: point.add(4, fixed64: double())
        default: point.add(6, fixed64: integer())
        }
        for _ in 0..<inner() { point.add(5, bytes: exemplar()) }
        addAttributes(7, to: &point)
        addFlags(8, to: &point)
        return finish(point)
    }

    private mutating func exemplar() -> [UInt8] {
        var exemplar = Message()
        exemplar.add(2, fixed64: time())
        switch random.below(3) {
        case 0: break
        case 1: exemplar.add(3, fixed64: double())
        default: exemplar.add(6, fixed64: integer())
        }
        addID(4, width: 8, optional: true, to: &exemplar)
        addID(5, width: 16, optional: true, to: &exemplar)
        addAttributes(7, to: &exemplar)
        return finish(exemplar)
    }

    /// A repeated field of eight-byte values: packed, in several packs, or one by one.
    private mutating func add(_ number: UInt64, words: [UInt64], to message: inout Message) {
        var rest = words[...]
        while let first = rest.first {
            if random.oneIn(4) {
                message.add(number, fixed64: first)
                rest = rest.dropFirst()
            } else {
                let pack = rest.prefix(1 + random.below(rest.count))
                message.add(number, bytes: pack.flatMap(\.littleEndianBytes))
                rest = rest.dropFirst(pack.count)
            }
        }
    }

    private mutating func addSumMinMax(_ numbers: [UInt64], to point: inout Message) {
        point.add(4, fixed64: UInt64(random.below(1000)))
        for number in numbers where random.oneIn(2) { point.add(number, fixed64: double()) }
    }

    private mutating func histogram() -> [UInt8] {
        var point = Message()
        addTimes(to: &point)
        addSumMinMax([5, 11, 12], to: &point)
        let buckets = random.oneIn(4) ? 0 : 1 + random.below(12)
        add(6, words: (0..<buckets).map { _ in integer() }, to: &point)
        let bounds = max(0, buckets - 1) + (style.hasRejects && random.oneIn(20) ? 1 : 0)
        add(7, words: (0..<bounds).map { _ in double() }, to: &point)
        for _ in 0..<inner() { point.add(8, bytes: exemplar()) }
        addAttributes(9, to: &point)
        addFlags(10, to: &point)
        return finish(point)
    }

    private mutating func exponentialHistogram() -> [UInt8] {
        var point = Message()
        addAttributes(1, to: &point)
        addTimes(to: &point)
        addSumMinMax([5, 12, 13], to: &point)
        if random.oneIn(2) { point.add(6, varint: UInt64(random.below(40))) }
        if random.oneIn(2) { point.add(7, fixed64: integer()) }
        for number in [8, 9] as [UInt64] where !random.oneIn(3) { addParts(number, buckets(), to: &point) }
        addFlags(10, to: &point)
        for _ in 0..<inner() { point.add(11, bytes: exemplar()) }
        if random.oneIn(3) { point.add(14, fixed64: double()) }
        return finish(point)
    }

    private mutating func buckets() -> Message {
        var message = Message()
        if random.oneIn(2) {
            message.add(1, varint: UInt64(random.pick([0, 1, 2, 4_294_967_295, 4_294_967_294, 300])))
        }
        let counts = (0..<random.below(20)).map { _ in integer() }
        if random.oneIn(3) {
            for count in counts { message.add(2, varint: count) }
        } else {
            message.add(2, bytes: counts.flatMap { Self.varint($0) })
        }
        return message
    }

    private static func varint(_ value: UInt64) -> [UInt8] { NaiveDecoder.varint(value) }

    private mutating func summary() -> [UInt8] {
        var point = Message()
        addTimes(to: &point)
        addSumMinMax([5], to: &point)
        for _ in 0..<random.below(5) {
            var quantile = Message()
            if !random.oneIn(6) { quantile.add(1, fixed64: double()) }
            quantile.add(2, fixed64: double())
            point.add(6, bytes: finish(quantile))
        }
        addAttributes(7, to: &point)
        addFlags(8, to: &point)
        return finish(point)
    }
}
