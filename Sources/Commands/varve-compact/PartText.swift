internal import Core
internal import Encoding
internal import JSON
internal import Offline
internal import Parts
internal import Storage
internal import TableSchema

/// Parts in the tool's answers.
enum PartText {
    /// The table's name, or `table 17` if only a newer Varve knows it.
    static func table(_ part: StoredPart) -> String { part.table?.name ?? "table \(part.record.table.number)" }

    static func time(_ nanoseconds: Int64) -> String { CalendarTime.shortText(Timestamp(nanoseconds: nanoseconds)) }

    /// The members that say which part it is.
    static func identity(_ part: StoredPart, to json: inout JSONWriter) {
        json.key("table")
        json.string(table(part))
        json.key("tenant")
        json.string(part.record.tenant.name)
        json.key("partition")
        json.string(time(part.record.partition))
        json.key("part")
        json.uint(part.record.id.number)
    }

    static func encoding(_ number: UInt8) -> String { EncodingID(rawValue: number).map { "\($0)" } ?? "\(number)" }
    static func compression(_ number: UInt8) -> String {
        CompressionID(rawValue: number).map { "\($0)" } ?? "\(number)"
    }

    /// `deltaPacked 12, packed+zstd 3`: how many pages have which encoding, the most frequent first.
    static func encodings(_ size: StoredSize) -> String {
        let encodings = size.encodings.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        var text = encodings.map { "\(encoding($0.key)) \($0.value)" }.joined(separator: ", ")
        for (number, count) in size.compressions.sorted(by: { $0.key < $1.key }) where number != 0 {
            text += "; \(compression(number)) \(count)"
        }
        return text
    }
}
