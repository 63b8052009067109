package import Columns

extension AttributesBuilder {
    /// Appends one `KeyValue` to the set of the current row.
    ///
    /// - Returns: false if it does not fit (a key that is there already, too many keys): the set must be written again by
    ///   `rewrite`, from all of its `KeyValue`s.
    @inline(__always)
    package mutating func append(keyValue message: ProtobufSlice) throws(ProtobufError) -> Bool {
        let (key, value) = try AnyValue.keyValue(message)
        let scalar = try AnyValue.scalar(value)
        switch scalar.type {
        case .empty, .bool, .int:
            return append(
                key: key.start, key.count, scalar.type, integer: Int64(bitPattern: scalar.word))
        case .double:
            return append(key: key.start, key.count, double: Double(bitPattern: scalar.word))
        case .string, .bytes, .array, .map, .overflow:
            return append(
                key: key.start, key.count, scalar.type, bytes: scalar.bytes.start,
                scalar.bytes.count)
        }
    }

    /// Writes the set of the current row again: of equal keys the last one counts (rule O-24), and what does not fit goes to the
    /// overflow. `message` is where the set's `KeyValue`s are, in fields with the number `field`.
    package mutating func rewrite(
        from message: ProtobufSlice, field: UInt64
    ) throws(ProtobufError) {
        restart()
        let set = try Self.uniqueKeyValues(in: message, field: field)
        var overflow = ProtobufWriter()
        for item in set where try !append(keyValue: item) {
            overflow.field(1, bytes: item.raw)
        }
        if overflow.bytes.isEmpty || appendOverflow(overflow.bytes, overflow.bytes.count) { return }
        restart()
        var all = ProtobufWriter()
        for item in set { all.field(1, bytes: item.raw) }
        let fits = appendOverflow(all.bytes, all.bytes.count)
        precondition(fits, "a set of nothing but overflow has a shape")
    }

    private static func uniqueKeyValues(
        in message: ProtobufSlice, field: UInt64
    ) throws(ProtobufError) -> [ProtobufSlice] {
        var reader = ProtobufReader(message)
        var items: [ProtobufSlice] = []
        var slots: [[UInt8]: Int] = [:]
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == field << 3 | 2 else {
                try reader.skip(tag)
                continue
            }
            let item = try reader.bytes()
            let key = try AnyValue.keyValue(item).key.array
            if let slot = slots[key] {
                items[slot] = item
            } else {
                guard items.count < RequestLimits.attributes else { throw .tooLarge }
                slots[key] = items.count
                items.append(item)
            }
        }
        return items
    }
}
