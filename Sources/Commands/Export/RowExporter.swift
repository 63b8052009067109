internal import Columns
internal import Core
internal import Files
package import Offline
internal import Parts
internal import Storage
internal import TableSchema

/// What an export wrote.
package struct ExportSummary: Sendable {
    package var rows = 0
    /// Blocks that could not be read, and rows in them, whether these would have been written or not.
    package var damagedBlocks = 0
    package var damagedRows = 0
}

/// Writes rows of a table, block by block: at no time is more than one block in memory.
///
/// Rows come partition by partition; inside of one, part by part, and in a part in the order of the table. Blocks outside the
/// range are not read, and of the others first the columns that conditions ask about.
package struct RowExporter {
    private let directory: DataDirectory
    private let request: ExportRequest
    private let report: (Finding) -> Void
    private let timeColumn: Int
    private var summary = ExportSummary()
    private var writer: any RowWriter

    /// - Parameters:
    ///   - report: gets what could not be read.
    ///   - write: takes the next bytes; what it throws ends the export.
    package static func run(
        _ directory: DataDirectory, _ request: ExportRequest, report: @escaping (Finding) -> Void,
        progress: (WorkProgress) throws -> Void = { _ in }, write: ([UInt8]) throws -> Void
    ) throws -> ExportSummary {
        var exporter = RowExporter(directory, request, report)
        try exporter.run(progress, write)
        return exporter.summary
    }

    private init(_ directory: DataDirectory, _ request: ExportRequest, _ report: @escaping (Finding) -> Void) {
        self.directory = directory
        self.request = request
        self.report = report
        guard let time = request.table.ordinal(of: request.table.partitionColumn) else {
            preconditionFailure("a table has its partition column")
        }
        timeColumn = time
        let columns = request.columns.map { ExportColumn($0, request.table) }
        switch request.format {
        case .jsonl: writer = JSONRows(columns, withTenant: request.withTenant)
        case .csv: writer = CSVRows(columns, withTenant: request.withTenant)
        }
    }

    private mutating func run(
        _ progress: (WorkProgress) throws -> Void, _ write: ([UInt8]) throws -> Void
    ) throws {
        var parts = directory.parts.filter { part in
            part.record.table == request.table.id && (request.tenant ?? part.record.tenant) == part.record.tenant
                && request.range.overlaps(
                    first: Timestamp(nanoseconds: part.record.leastTime),
                    last: Timestamp(nanoseconds: part.record.greatestTime))
        }
        parts.sort { left, right in
            (left.record.tenant, left.record.partition, left.record.id)
                < (right.record.tenant, right.record.partition, right.record.id)
        }
        var done = WorkProgress()
        done.allBytes = parts.reduce(0) { $0 &+ $1.record.byteCount }
        try write(writer.header())
        for part in parts {
            try progress(done)
            let begun = done.doneBytes
            if let opened = open(part) {
                writer.begin(tenant: part.record.tenant)
                for block in 0..<opened.blockCount {
                    try export(opened, block, of: part)
                    try write(writer.take())
                    done.doneBytes = begun &+ part.record.byteCount &* Int64(block + 1) / Int64(opened.blockCount)
                    done.doneRows = summary.rows
                    try progress(done)
                }
            }
            done.doneBytes = begun &+ part.record.byteCount
        }
    }

    private mutating func open(_ part: StoredPart) -> Part? {
        do {
            return try Part(directory.fileSystem.open(part.path), table: request.table)
        } catch {
            summary.damagedBlocks += 1
            summary.damagedRows += part.record.rowCount
            let reason = (error as? PartError)?.reason ?? "\(error)"
            report(Finding(.damage, part.path, part: part, "\(reason); its \(part.record.rowCount) rows are left out"))
            return nil
        }
    }

    private mutating func export(_ part: Part, _ block: Int, of stored: StoredPart) throws {
        if let zone = part.zone(timeColumn, block: block),
            !request.range.overlaps(
                first: Timestamp(nanoseconds: zone.lowerBound), last: Timestamp(nanoseconds: zone.upperBound))
        {
            return
        }
        var batch = ColumnBatch(
            rowCount: part.rowCount(ofBlock: block), columns: Array(repeating: nil, count: request.table.columns.count))
        let rows: [Int]
        do throws(PartError) {
            rows = try self.rows(part, block, &batch)
            guard !rows.isEmpty else { return }
            for ordinal in Set(writer.needs) { try load(ordinal, part, block, &batch) }
        } catch {
            let lost = part.rowCount(ofBlock: block)
            summary.damagedBlocks += 1
            summary.damagedRows += lost
            return report(
                Finding(
                    .damage, stored.path, part: stored, block: block, "\(error.reason); its \(lost) rows are left out"))
        }
        writer.write(batch, rows)
        summary.rows += rows.count
    }

    private func load(
        _ ordinal: Int, _ part: Part, _ block: Int, _ batch: inout ColumnBatch
    ) throws(PartError) {
        guard batch.columns[ordinal] == nil else { return }
        batch.columns[ordinal] = try part.read(ordinal, block: block)
    }

    /// The rows of a block that are asked for.
    private func rows(_ part: Part, _ block: Int, _ batch: inout ColumnBatch) throws(PartError) -> [Int] {
        var rows = Array(0..<batch.rowCount)
        let zone = part.zone(timeColumn, block: block)
        let isInside = zone.map { zone in
            request.range.contains(Timestamp(nanoseconds: zone.lowerBound))
                && request.range.contains(Timestamp(nanoseconds: zone.upperBound))
        }
        if !(isInside ?? false), request.range != .everything {
            try load(timeColumn, part, block, &batch)
            if case .integers(let times)? = batch.columns[timeColumn] {
                rows.removeAll { !request.range.contains(Timestamp(nanoseconds: times[$0])) }
            }
        }
        for condition in request.conditions where !rows.isEmpty {
            if let zone = part.zone(condition.column, block: block), case .integer(let value) = condition.test,
                !zone.contains(value)
            {
                return []
            }
            try load(condition.column, part, block, &batch)
            if let column = batch.columns[condition.column] { Self.keep(&rows, column, condition.test) }
        }
        return rows
    }

    private static func keep(_ rows: inout [Int], _ column: Column, _ test: RowCondition.Test) {
        switch (column, test) {
        case (.integers(let values), .integer(let value)): rows.removeAll { values[$0] != value }
        case (.floats(let values), .float(let value)): rows.removeAll { values[$0] != value }
        case (.fixed(let values), .bytes(let value)):
            rows.removeAll { row in
                unsafe !values.bytes[(row * values.width)..<((row + 1) * values.width)].unsafeElements.elementsEqual(
                    value)
            }
        case (.strings(let values), .bytes(let value)):
            let accepted = Set(values.dictionary.codes(equalTo: value))
            rows.removeAll { !accepted.contains(values.codes[$0]) }
        case (.attributes(let values), .attribute(let key, let text)):
            rows.removeAll { row in
                !AttributeText.values(of: key, in: values, row: row).contains { $0.text == text }
            }
        default: rows = []
        }
    }
}
