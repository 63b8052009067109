internal import Columns
internal import Core
internal import JSON
internal import TableSchema

/// Turns rows into the bytes of a format.
protocol RowWriter {
    /// Places of the columns that must be read.
    var needs: [Int] { get }

    /// What stands before the first row.
    func header() -> [UInt8]
    /// The rows from now on are of this tenant.
    mutating func begin(tenant: TenantID)
    mutating func write(_ batch: ColumnBatch, _ rows: [Int])
    /// What was written since the last time.
    mutating func take() -> [UInt8]
}

/// One JSON object a line.
struct JSONRows: RowWriter {
    private let columns: [ExportColumn]
    private let withTenant: Bool
    private var tenant = TenantID.default
    private var json = JSONWriter()

    init(_ columns: [ExportColumn], withTenant: Bool) {
        self.columns = columns
        self.withTenant = withTenant
    }

    var needs: [Int] { columns.flatMap(\.needs) }

    func header() -> [UInt8] { [] }

    mutating func begin(tenant: TenantID) { self.tenant = tenant }

    mutating func write(_ batch: ColumnBatch, _ rows: [Int]) {
        for row in rows {
            json.beginObject()
            if withTenant {
                json.key("tenant")
                json.string(tenant.name)
            }
            for column in columns {
                json.key(column.definition.name)
                column.write(batch, row, to: &json)
            }
            json.endObject()
            json.newline()
        }
    }

    mutating func take() -> [UInt8] {
        defer { json.removeAll() }
        return json.bytes
    }
}

/// CSV by RFC 4180: lines end with CR LF, and a cell with a comma, a quote or a line break is quoted.
struct CSVRows: RowWriter {
    private let columns: [ExportColumn]
    private let withTenant: Bool
    private var tenant = TenantID.default
    private var bytes: [UInt8] = []

    init(_ columns: [ExportColumn], withTenant: Bool) {
        self.columns = columns
        self.withTenant = withTenant
    }

    var needs: [Int] { columns.flatMap(\.needs) }

    func header() -> [UInt8] {
        Array(((withTenant ? ["tenant"] : []) + columns.map(\.definition.name)).joined(separator: ",").utf8) + [13, 10]
    }

    mutating func begin(tenant: TenantID) { self.tenant = tenant }

    mutating func write(_ batch: ColumnBatch, _ rows: [Int]) {
        var cell: [UInt8] = []
        for row in rows {
            if withTenant { Self.append(Array(tenant.name.utf8), to: &bytes) }
            for (index, column) in columns.enumerated() {
                if index > 0 || withTenant { bytes.append(UInt8(ascii: ",")) }
                cell.removeAll(keepingCapacity: true)
                if column.isPlain, let values = batch.columns[column.ordinal] {
                    column.plain(values, row, to: &cell)
                } else {
                    var json = JSONWriter()
                    column.write(batch, row, to: &json)
                    cell = json.bytes
                }
                Self.append(cell, to: &bytes)
            }
            bytes += [13, 10]
        }
    }

    private static func append(_ cell: [UInt8], to bytes: inout [UInt8]) {
        guard cell.contains(where: { [0x2C, 0x22, 0x0D, 0x0A].contains($0) }) else {
            bytes += cell
            return
        }
        bytes.append(0x22)
        for byte in cell {
            if byte == 0x22 { bytes.append(0x22) }
            bytes.append(byte)
        }
        bytes.append(0x22)
    }

    mutating func take() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }
}
