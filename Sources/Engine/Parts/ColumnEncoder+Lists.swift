internal import Columns
internal import Core
internal import Encoding

/// Columns of which a part keeps each distinct value once, in a list.
extension ColumnEncoder {
    private static let trialBlocks = 8

    /// Encodes integers as entries of a list; returns false, and adds nothing, if that does not pay.
    mutating func encode(listed values: Buffer<Int64>, _ key: LeafKey, _ selection: RowSelection) -> Bool {
        let rows = selection.rows
        guard IntegerList.mayPay(count: rows.count, { values[Int(rows[$0])] }) else { return false }
        var list = IntegerList()
        var blocks: [[UInt32]] = []
        var trials: [(values: [Int64], entries: [UInt32])] = []
        let step = max(selection.blockEnds.count / Self.trialBlocks, 1)
        for block in selection.blockEnds.indices {
            let some = rows[selection.rows(ofBlock: block)].map { values[Int($0)] }
            guard let entries = list.entries(of: some) else { return false }
            if block % step == 0 { trials.append((some, entries)) }
            blocks.append(entries)
        }
        guard IntegerList.pays(trials, of: rows.count, entries: list.values.count, &encoder) else { return false }
        let dictionary = add(list.encoded(&encoder))
        var zones: [Zone] = []
        addLeaf(key, .listedIntegers, dictionary: dictionary, selection) { encoder, block, range in
            var least = Int64.max
            var greatest = Int64.min
            for row in rows[range] {
                least = min(least, values.base[Int(row)])
                greatest = max(greatest, values.base[Int(row)])
            }
            zones.append(Zone(least: least, greatest: greatest))
            return blocks[block].withUnsafeBufferPointer { encoder.encoder.encode(entries: $0) }
        }
        setZones(zones)
        return true
    }

    /// Encodes ids of 16 bytes as entries of a list; returns false, and adds nothing, if that does not pay.
    mutating func encode(listed values: FixedColumn, _ key: LeafKey, _ selection: RowSelection) -> Bool {
        guard let list = IDList.make(values, selection) else { return false }
        let dictionary = add(list.encoded(&encoder))
        var zones: [Zone] = []
        addLeaf(key, .listed16, dictionary: dictionary, selection) { encoder, _, range in
            Self.gather(values, selection.rows[range], into: &encoder.byteScratch)
            let scratch = encoder.byteScratch
            let (page, zone) = scratch.withUnsafeBufferPointer { encoder.encoder.encode(ids: $0, in: list) }
            zones.append(zone)
            return page
        }
        setZones(zones)
        return true
    }
}

extension PageEncoder {
    /// Ids of 16 bytes as entries of a list if they can be, and the zone that says which.
    mutating func encode(ids bytes: UnsafeBufferPointer<UInt8>, in list: IDList) -> (page: EncodedPage, zone: Zone) {
        if let (page, entries) = encode(ids: bytes, entriesOf: list.index) {
            return (page, Zone(least: Int64(entries.lowerBound), greatest: Int64(entries.upperBound)))
        }
        return (encode(fixed: bytes, width: 16), Zone(least: 0, greatest: 0))
    }
}
