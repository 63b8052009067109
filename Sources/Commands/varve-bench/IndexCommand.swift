import Columns
import Core
import Corpus
import Files
import Glibc
import Indexing
import OTLP
import Observability
import Parts
import Schema
import Synchronization
import TableSchema
import Telemetry

/// `index`: what each kind of skip index costs on a corpus's columns, and what it saves a search.
///
/// The corpus is cut into parts as flushes would; for each column and kind the parts are written with that index alone.
struct IndexCommand {
    static let options: Set<String> = ["dir", "signal", "part-rows", "limit-rows", "history"]

    private let corpus: CorpusDirectory
    private let partRows: Int
    private let limit: Int
    private let history: String

    init(_ arguments: Arguments) throws(BenchError) {
        corpus = try CorpusDirectory(try arguments.required("dir"), signal: arguments.text("signal"))
        guard corpus.signal != .metrics else { throw .usage("no column of a data point has an index of tokens") }
        partRows = try arguments.int("part-rows", default: 500_000, in: 1...10_000_000)
        limit = try arguments.int("limit-rows", default: .max, in: 1...Int.max)
        history = arguments.text("history") ?? "Benchmarks/history/index.csv"
    }

    private struct Variant {
        var column: String
        var kind: SkipIndexDefinition.Kind?
        var name: String
    }

    /// What a search asks, by how often it is there.
    private struct Question {
        var name: String
        var probe: IndexProbe
    }

    private struct Result {
        var variant: Variant
        var indexBytes = 0
        /// Of the column itself.
        var columnBytes = 0
        var seconds = 0.0
        var answers: [(read: Int, blocks: Int)]
    }

    func run() throws {
        let table = try Self.table(corpus.signal == .logs ? "otel_logs" : "otel_traces")
        let columns =
            corpus.signal == .logs
            ? ["body", "attributes", "trace_id", "span_id"] : ["attributes", "events.attributes", "trace_id"]
        var variants = [Variant(column: "", kind: nil, name: "none")]
        for column in columns {
            if column.hasSuffix("_id") {
                variants.append(
                    Variant(column: column, kind: .bloomFilter(falsePositives: 0.001), name: "bloom_filter(0.001)"))
            }
            variants += [
                Variant(column: column, kind: .tokenBloom(falsePositives: 0.01), name: "tokenbf(0.01)"),
                Variant(column: column, kind: .tokenBloom(falsePositives: 0.0001), name: "tokenbf(0.0001)"),
                Variant(column: column, kind: .tokenPostings, name: "token_postings"),
            ]
            if column == "body" { variants.append(Variant(column: column, kind: .templates, name: "templates")) }
        }
        var ngrams = NgramMeasure(texts)
        var questions: [String: [Question]] = [:]
        var results = variants.map { Result(variant: $0, answers: []) }
        var rows = 0
        var blocks = 0
        var parts = 0
        try forEachBatch { batch in
            for column in columns where questions[column] == nil { questions[column] = ask(column, batch, table) }
            for partition in RowOrder.partitions(of: batch, table: table) {
                for number in results.indices {
                    let part = try measure(
                        &results[number], batch, partition, table, questions[results[number].variant.column] ?? [])
                    if number == 0 { blocks += part.blockCount }
                }
                if corpus.signal == .logs, case .strings(let bodies)? = batch.columns[place("body", table).ordinal] {
                    ngrams.add(bodies, partition.rows)
                }
                parts += 1
            }
            rows += batch.rowCount
        }
        try report(results, questions, rows: rows, blocks: blocks, parts: parts)
        if corpus.signal == .logs { report(ngrams, rows: rows) }
    }

    /// What is looked for in bodies.
    private var texts: [(name: String, text: [UInt8])] {
        var texts = [
            ("absent word", "needlezz0absent"), ("absent letters", "xylophonist"),
            ("absent phrase", "refused to cooperate"), ("absent digits", "99887766554433"),
        ]
        if let needle = corpus.needles.first { texts.append(("rare", needle.word)) }
        texts += [("phrase", " declined "), ("frequent", "timeout"), ("of a regular expression", "retrying after ")]
        return texts.map { ($0.0, Array($0.1.utf8)) }
    }

    private func report(_ ngrams: NgramMeasure, rows: Int) {
        let rows = Double(max(rows, 1))
        var lines: [[String]] = []
        for result in ngrams.results {
            // A filter with one false positive in a hundred takes 9.6 bits for each n-gram of each block; a list of a part
            // takes a fingerprint of 24 bits and the blocks for each n-gram.
            let filter = Double(result.grams) * 9.6 / 8 / rows
            let postings = (Double(result.terms) * 24 + result.postingBits) / 8 / rows
            for (question, blocks) in zip(ngrams.questions, result.blocks) {
                lines.append([
                    "body \(result.kind.name)", Console.decimal(filter, 3), Console.decimal(postings, 3),
                    Console.decimal(result.seconds * 1e9 / rows, 0), question.name, Console.grouped(blocks),
                ])
            }
        }
        Console.table(
            ["n-grams", "filters, bytes/row", "lists, bytes/row", "build ns/row", "question", "blocks left"], lines)
    }

    // MARK: Rows

    private func forEachBatch(_ body: (ColumnBatch) throws -> Void) throws {
        var done = 0
        var logs = try LogBuilder(LogTable(Self.table("otel_logs")))
        var spans = try SpanBuilder(SpanTable(Self.table("otel_traces")))
        func flush(force: Bool) throws {
            let count = logs.rowCount + spans.rowCount
            guard count >= partRows || (force && count > 0) else { return }
            try body(
                corpus.signal == .logs ? logs.snapshot(rows: logs.rowCount) : spans.snapshot(rows: spans.rowCount))
            done += count
            logs = try LogBuilder(LogTable(Self.table("otel_logs")))
            spans = try SpanBuilder(SpanTable(Self.table("otel_traces")))
        }
        for path in corpus.bodies where done < limit {
            let bytes = try FileTree.read(path)
            try bytes.withUnsafeBytes { bytes in
                if corpus.signal == .logs {
                    _ = try LogDecoder.decode(bytes, received: corpus.start, into: &logs)
                } else {
                    _ = try TraceDecoder.decode(bytes, into: &spans)
                }
            }
            try flush(force: false)
        }
        try flush(force: true)
    }

    private static func table(_ name: String) throws -> TableDefinition {
        guard let table = try TableCatalog.parse(files: Schema.files, lock: Schema.lock).table(named: name) else {
            throw BenchError.server("Schema/ has no table \(name)")
        }
        return table
    }

    // MARK: Questions

    private func ask(_ column: String, _ batch: ColumnBatch, _ table: TableDefinition) -> [Question] {
        let place = place(column, table)
        if column == "body" {
            return texts.compactMap { name, text in
                IndexProbe.containing(anyOf: [text]).map { Question(name: name, probe: $0) }
            }
        }
        switch values(place, batch) {
        case .attributes(let attributes)?:
            var questions = [
                Question(name: "absent", probe: .attribute(AttributeProbe(key: Array("no.such.key".utf8), text: "1")))
            ]
            let strings = attributes.subcolumns.filter { $0.type == .string }
            func distinct(_ subcolumn: AttributeSubcolumn) -> Int {
                if case .strings(let values)? = subcolumn.values { values.dictionary.count } else { 0 }
            }
            let sorted = strings.sorted { distinct($0) > distinct($1) }
            for (name, subcolumn) in [("rare", sorted.first), ("frequent", sorted.last)] {
                guard let subcolumn, case .strings(let values)? = subcolumn.values, values.codes.count > 0 else {
                    continue
                }
                questions.append(
                    Question(name: name, probe: .attribute(AttributeProbe(key: subcolumn.key, text: values.string(0)))))
                if name == "rare" {
                    questions.append(
                        Question(
                            name: "absent value",
                            probe: .attribute(AttributeProbe(key: subcolumn.key, text: "no such value"))))
                }
            }
            return questions
        case .fixed(let ids)?:
            let zeros = [UInt8](repeating: 0xA5, count: ids.width)
            var questions = [Question(name: "absent", probe: .ids([XXH3.hash(zeros)]))]
            for row in 0..<ids.count {
                let id = UnsafeRawBufferPointer(start: ids.bytes.base + row * ids.width, count: ids.width)
                if id.allSatisfy({ $0 == 0 }) { continue }
                questions.append(Question(name: "rare", probe: .ids([XXH3.hash(id)])))
                break
            }
            return questions
        default: return []
        }
    }

    private func values(_ place: (ordinal: Int, field: Int?, id: ColumnID), _ batch: ColumnBatch) -> Column? {
        guard let field = place.field else { return batch.columns[place.ordinal] }
        guard case .nested(let nested)? = batch.columns[place.ordinal] else { return nil }
        return nested.fields[field]
    }

    private func place(_ column: String, _ table: TableDefinition) -> (ordinal: Int, field: Int?, id: ColumnID) {
        let path = column.split(separator: ".").map(String.init)
        guard let ordinal = table.columns.firstIndex(where: { $0.name == path[0] }) else {
            preconditionFailure("no column \(column)")
        }
        guard path.count == 2, case .nested(let fields) = table.columns[ordinal].type,
            let field = fields.firstIndex(where: { $0.name == path[1] })
        else { return (ordinal, nil, table.columns[ordinal].id) }
        return (ordinal, field, fields[field].id)
    }

    // MARK: Measuring

    private func measure(
        _ result: inout Result, _ batch: ColumnBatch, _ rows: PartitionRows, _ table: TableDefinition,
        _ questions: [Question]
    ) throws -> Part {
        var table = table
        table.indexes = []
        let variant = result.variant
        if let kind = variant.kind {
            table.indexes = [
                SkipIndexDefinition(name: "measured", column: place(variant.column, table).id, kind: kind)
            ]
        }
        let system = PosixFileSystem()
        let path = "/tmp/varve-bench-index-\(getpid()).vp"
        let file = try system.open(path, .create)
        defer { unlink(path) }
        let begun = Self.processorSeconds()
        let summary = try PartWriter.write(batch, rows, table: table, zstdLevel: 1, to: file)
        result.seconds += Self.processorSeconds() - begun
        let part = try Part(try system.open(path), table: table)
        for size in part.storedSizes(fileLength: summary.byteCount)
        where ["bloom", "tokenbf", "token_postings", "templates"].contains(where: { size.path.hasPrefix($0 + " ") }) {
            result.indexBytes += size.bytes
        }
        for size in part.storedSizes(fileLength: summary.byteCount) where size.path == variant.column {
            result.columnBytes += size.bytes
        }
        guard variant.kind != nil else { return part }
        if result.answers.isEmpty { result.answers = questions.map { _ in (0, 0) } }
        for (number, question) in questions.enumerated() {
            let (read, blocks) = try answer(question, variant, part, table)
            result.answers[number].read += read
            result.answers[number].blocks += blocks
        }
        return part
    }

    /// Bytes read of the index, once its directory is in memory, and the blocks that are left.
    private func answer(
        _ question: Question, _ variant: Variant, _ part: Part, _ table: TableDefinition
    ) throws -> (Int, Int) {
        let place = place(variant.column, table)
        if case .bloomFilter? = variant.kind, case .ids(let hashes) = question.probe, let hash = hashes.first {
            let blocks = try part.blocks(mayContaining: hash, column: place.ordinal)
            return (32, blocks.count)
        }
        var blocks = part.blockCount
        var read = 0
        for _ in 0..<2 {
            let statistics = QueryStatistics()
            let found =
                if case .templates? = variant.kind {
                    try part.candidates(byTemplates: question.probe, column: place.ordinal, statistics: statistics)
                } else if let field = place.field {
                    try part.candidates(question.probe, column: place.ordinal, field: field, statistics: statistics)
                } else {
                    try part.candidates(question.probe, column: place.ordinal, statistics: statistics)
                }
            blocks = found?.count ?? part.blockCount
            read = statistics.indexBytesRead
        }
        return (read, blocks)
    }

    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    // MARK: Report

    private func report(
        _ results: [Result], _ questions: [String: [Question]], rows: Int, blocks: Int, parts: Int
    ) throws(BenchError) {
        print("\(corpus.path): \(Console.grouped(rows)) rows, \(parts) parts, \(blocks) blocks")
        let history = History(
            path: history,
            columns: [
                "date", "commit", "corpus", "rows", "blocks", "column", "kind", "bytes_per_row", "build_ns_per_row",
                "question", "index_bytes_read", "blocks_left",
            ])
        let stamp = Clock.stamp()
        let commit = History.commit()
        var lines: [[String]] = []
        for result in results where result.variant.kind != nil {
            let size = Console.decimal(Double(result.indexBytes) / Double(max(rows, 1)), 3)
            let cost = Console.decimal((result.seconds - results[0].seconds) * 1e9 / Double(max(rows, 1)), 0)
            for (question, answer) in zip(questions[result.variant.column] ?? [], result.answers) {
                lines.append([
                    "\(result.variant.column) \(result.variant.name)",
                    Console.decimal(Double(result.columnBytes) / Double(max(rows, 1)), 3), size, cost, question.name,
                    Console.grouped(answer.read), Console.grouped(answer.blocks),
                ])
                try history.append([
                    "date": stamp, "commit": commit, "corpus": corpus.path, "rows": String(rows),
                    "blocks": String(blocks), "column": result.variant.column, "kind": result.variant.name,
                    "bytes_per_row": size, "build_ns_per_row": cost, "question": question.name,
                    "index_bytes_read": String(answer.read), "blocks_left": String(answer.blocks),
                ])
            }
        }
        Console.table(
            [
                "index", "column bytes/row", "index bytes/row", "build ns/row", "question", "index bytes read",
                "blocks left",
            ], lines)
    }
}
