import Core

extension CanonicalForm {
    /// Decodes `count` strings: their lengths into `lengths`, and returns their bytes.
    static func decode(
        _ source: inout ByteSource, count: Int, _ bounds: Bounds, lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Buffer<UInt8> {
        guard let form = CanonicalForm(rawValue: try source.byte()) else { throw .corrupt }
        let kept = try source.count(atMost: count)
        try markKept(&source, kept, count: count, lengths)
        switch form {
        case .uuid, .hex: return try form.decodeBinary(&source, kept, count: count, bounds, lengths)
        case .decimal, .address: return try form.decodeIntegers(&source, kept, count: count, bounds, lengths)
        }
    }

    /// Sets the lengths of strings that are not empty to 1 for now.
    private static func markKept(
        _ source: inout ByteSource, _ kept: Int, count: Int, _ lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) {
        lengths.update(repeating: 1, count: count)
        guard kept < count else { return }
        let bitmap = Scratch<UInt8>((count + 7) / 8)
        try Section.decode(&source, into: bitmap.bytes)
        var set = 0
        for i in 0..<count {
            let bit = bitmap.base[i &>> 3] &>> UInt8(i & 7) & 1
            lengths[i] = UInt32(bit)
            set &+= Int(bit)
        }
        guard set == kept else { throw .corrupt }
    }

    private func decodeBinary(
        _ source: inout ByteSource, _ kept: Int, count: Int, _ bounds: Bounds, _ lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Buffer<UInt8> {
        let width = try source.count(atMost: bounds.bytes)
        guard self == .hex || width == 16 else { throw .corrupt }
        let binaryLengths = Scratch<UInt32>(kept)
        binaryLengths.base.initialize(repeating: UInt32(width), count: kept)
        if width == 0 { try Section.decode(&source, count: kept, bounds, into: binaryLengths.base) }
        let binaryTotal = try StringCodec.sum(binaryLengths.base, kept, bounds)
        let total = self == .uuid ? kept * 36 : binaryTotal * 2
        guard total <= bounds.bytes else { throw .tooLarge(limit: bounds.bytes) }
        let binary = Scratch<UInt8>(binaryTotal)
        if width == 0 {
            guard try source.varint() == UInt64(binaryTotal) else { throw .corrupt }
            try Section.decode(&source, into: binary.bytes)
        } else {
            try Section.decode(&source, count: kept, width: width, bounds, into: binary.base)
        }
        try source.end()
        let memory = BufferMemory<UInt8>(capacity: total)
        var text = memory.base
        var value = UnsafePointer(binary.base)
        var next = 0
        for i in 0..<count where lengths[i] > 0 {
            let length = Int(binaryLengths.base[next])
            let written = self == .uuid ? UUIDText.print(value, into: text) : HexText.print(value, length, into: text)
            lengths[i] = UInt32(written)
            text += written
            value += length
            next += 1
        }
        return Buffer(owner: memory, base: memory.base, count: total)
    }

    private func decodeIntegers(
        _ source: inout ByteSource, _ kept: Int, count: Int, _ bounds: Bounds, _ lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Buffer<UInt8> {
        let values = Scratch<Int64>(kept)
        try Section.decode(&source, count: kept, bounds, into: values.base)
        try source.end()
        let greatest = self == .decimal ? DecimalText.greatest : AddressText.greatest
        var total = 0
        for i in 0..<kept {
            let value = values.base[i]
            guard value >= 0, value <= greatest else { throw .corrupt }
            total &+= self == .decimal ? DecimalText.length(value) : AddressText.length(value)
        }
        guard total <= bounds.bytes else { throw .tooLarge(limit: bounds.bytes) }
        let memory = BufferMemory<UInt8>(capacity: total)
        var text = memory.base
        var next = 0
        for i in 0..<count where lengths[i] > 0 {
            let value = values.base[next]
            let written = self == .decimal ? DecimalText.print(value, into: text) : AddressText.print(value, into: text)
            lengths[i] = UInt32(written)
            text += written
            next += 1
        }
        return Buffer(owner: memory, base: memory.base, count: total)
    }
}
