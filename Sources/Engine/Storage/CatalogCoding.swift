internal import Core
internal import TableSchema

/// The bytes of a catalog record's payload; docs/FORMAT.md, "Catalog".
enum CatalogCoding {
    /// The bytes of an edit that changes nothing, in version 1.
    static let leastLength = 32

    static func encode(_ edit: CatalogEdit, nextPart: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        append(nextPart, to: &bytes)
        append(UInt64(edit.added.count), to: &bytes)
        for part in edit.added {
            append(part.id.number, to: &bytes)
            append(part.tenant.name, to: &bytes)
            append(UInt64(part.table.number), to: &bytes)
            append(UInt64(bitPattern: part.partition), to: &bytes)
            append(UInt64(part.level), to: &bytes)
            append(UInt64(part.rowCount), to: &bytes)
            append(UInt64(bitPattern: part.byteCount), to: &bytes)
            append(UInt64(bitPattern: part.leastTime), to: &bytes)
            append(UInt64(bitPattern: part.greatestTime), to: &bytes)
        }
        append(UInt64(edit.removed.count), to: &bytes)
        for id in edit.removed { append(id.number, to: &bytes) }
        append(UInt64(edit.flushed.count), to: &bytes)
        for (key, position) in edit.flushed.sorted(by: { $0.key < $1.key }) {
            append(key.tenant.name, to: &bytes)
            append(UInt64(key.table.number), to: &bytes)
            append(position, to: &bytes)
        }
        append(UInt64(edit.rolledUp.count), to: &bytes)
        for (id, views) in edit.rolledUp.sorted(by: { $0.key < $1.key }) {
            append(id.number, to: &bytes)
            append(views.bits, to: &bytes)
        }
        return bytes
    }

    private static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        bytes.append(littleEndian: value)
    }

    private static func append(_ text: String, to bytes: inout [UInt8]) {
        append(UInt64(text.utf8.count), to: &bytes)
        bytes.append(contentsOf: text.utf8)
    }

    /// - Returns: nil if the bytes are no record.
    static func decode(_ bytes: [UInt8]) -> (edit: CatalogEdit, nextPart: UInt64)? {
        var reader = Reader(bytes: bytes)
        guard let nextPart = reader.number(), let addedCount = reader.count(itemBytes: 72) else { return nil }
        var edit = CatalogEdit()
        for _ in 0..<addedCount {
            guard let part = reader.part() else { return nil }
            edit.added.append(part)
        }
        guard let removedCount = reader.count(itemBytes: 8) else { return nil }
        for _ in 0..<removedCount {
            guard let id = reader.number() else { return nil }
            edit.removed.append(PartID(number: id))
        }
        guard let flushedCount = reader.count(itemBytes: 24) else { return nil }
        for _ in 0..<flushedCount {
            guard let tenant = reader.tenant(), let table = reader.word(), table <= UInt64(UInt16.max),
                let position = reader.number()
            else { return nil }
            edit.flushed[TenantTable(tenant: tenant, table: TableID(number: UInt16(table)))] = position
        }
        // Version 1 ends here.
        if reader.isAtEnd { return (edit, nextPart) }
        guard let rolledUpCount = reader.count(itemBytes: 16) else { return nil }
        for _ in 0..<rolledUpCount {
            guard let id = reader.number(), let views = reader.word(), views != 0 else { return nil }
            edit.rolledUp[PartID(number: id)] = ViewSet(bits: views)
        }
        return reader.isAtEnd ? (edit, nextPart) : nil
    }

    private struct Reader {
        let bytes: [UInt8]
        private var position = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        var isAtEnd: Bool { position == bytes.count }

        mutating func word() -> UInt64? {
            guard bytes.count - position >= 8 else { return nil }
            defer { position += 8 }
            return bytes.span.littleEndian(at: position)
        }

        /// A part's number or a position in the log: far from the end of the integers, since they are counted on.
        mutating func number() -> UInt64? { word().flatMap { $0 < 1 << 62 ? $0 : nil } }

        mutating func count(itemBytes: Int) -> Int? {
            guard let count = word(), count <= UInt64((bytes.count - position) / itemBytes) else {
                return nil
            }
            return Int(count)
        }

        mutating func tenant() -> TenantID? {
            guard let length = word(), length <= UInt64(bytes.count - position) else { return nil }
            defer { position += Int(length) }
            return TenantID(String(decoding: bytes[position..<(position + Int(length))], as: UTF8.self))
        }

        mutating func part() -> PartRecord? {
            guard let id = number(), let tenant = tenant(), let table = word(), table <= UInt64(UInt16.max),
                let partition = word(), let level = word(), level <= 255, let rows = word(),
                rows < 1 << 32, let size = word(), size < 1 << 48, let least = word(), let greatest = word()
            else { return nil }
            return PartRecord(
                id: PartID(number: id), tenant: tenant, table: TableID(number: UInt16(table)),
                partition: Int64(bitPattern: partition), level: UInt8(level), rowCount: Int(rows),
                byteCount: Int64(bitPattern: size), leastTime: Int64(bitPattern: least),
                greatestTime: Int64(bitPattern: greatest))
        }
    }
}
