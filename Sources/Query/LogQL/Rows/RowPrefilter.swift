import Core
import QueryModel
import Scheduling

/// Leaves out the rows of a log query that its filters drop, in the threads that read them; what is left becomes entries, which go
/// through the whole pipeline.
///
/// Of a block in which many rows pass, a query with a limit wants few: a sample tells, and then the block is handed over as it is.
final class RowPrefilter: LogRowFilter {
    private var machine: RowMachine
    private let context: QueryContext

    private static let sampleSize = 64
    /// Passed rows of a sample from which on a block is handed over.
    private static let many = 8

    private init(_ program: RowProgram, context: QueryContext) {
        machine = RowMachine(program)
        self.context = context
    }

    /// - Returns: nil if the program drops nothing.
    static func filtering(_ program: RowProgram, context: QueryContext) -> LogRowFiltering? {
        guard program.hasFilters else { return nil }
        return LogRowFiltering(LogRowNeeds(labels: program.names, lines: program.readsLine)) {
            RowPrefilter(program, context: context)
        }
    }

    func kept(_ rows: borrowing LogRows) throws(QueryError) -> [UInt32] {
        machine.begin(rows.labels)
        let lines = rows.lines ?? .none
        if rows.rows.count > 2 * Self.sampleSize {
            var passed = 0
            for index in 0..<Self.sampleSize {
                let row = rows.rows[index * rows.rows.count / Self.sampleSize]
                if machine.run(Int(row), lines) { passed += 1 }
            }
            if passed >= Self.many { return rows.rows }
        }
        var kept: [UInt32] = []
        for (index, row) in rows.rows.enumerated() {
            if index % 1024 == 1023 { try context.proceed() }
            if machine.run(Int(row), lines) { kept.append(row) }
        }
        return kept
    }
}
