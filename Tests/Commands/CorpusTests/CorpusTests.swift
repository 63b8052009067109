import Corpus
import Testing

/// The generator's corpora are what their manifests say, and the same each time.
struct CorpusTests {
    private func corpus(
        _ signal: CorpusGenerator.Signal, rows: Int = 10_000, seed: UInt64 = 3
    ) -> (requests: [CorpusRequest], truth: CorpusTruth) {
        var requests: [CorpusRequest] = []
        let options = CorpusGenerator.Options(signal: signal, rows: rows, hours: 0.05, seed: seed, end: 1_790_000_000)
        let truth = CorpusGenerator(options).run { requests.append($0) }
        return (requests, truth)
    }

    /// The rows of a body: `resource_* { scope_* { rows } }`, for metrics the points of each metric.
    private func rows(_ body: [UInt8], _ signal: CorpusGenerator.Signal) throws -> [[UInt8]] {
        try WireReader.messages(1, in: body).flatMap { resource in
            try WireReader.messages(2, in: resource).flatMap { scope in
                let entries = try WireReader.messages(2, in: scope)
                guard signal == .metrics else { return entries }
                return try entries.flatMap { metric in
                    try [5, 7, 9, 10].flatMap { kind in
                        try WireReader.messages(kind, in: metric).flatMap { try WireReader.messages(1, in: $0) }
                    }
                }
            }
        }
    }

    @Test(arguments: CorpusGenerator.Signal.allCases)
    func `the truth counts the rows that the bodies hold`(signal: CorpusGenerator.Signal) throws {
        let (requests, truth) = corpus(signal)
        var counted = 0
        for request in requests {
            let rows = try rows(request.body, signal).count
            #expect(rows == request.rows)
            counted += rows
        }
        #expect(counted == truth.rows)
        #expect(truth.rowsByService.values.reduce(0, +) == truth.rows)
        #expect(truth.rowsByKind.values.reduce(0, +) == truth.rows)
        #expect(requests.count == truth.requests)
        #expect(requests.reduce(0) { $0 + $1.body.count } == truth.bytes)
        #expect((9_000...11_000).contains(truth.rows), "about as many rows as were asked for")
    }

    @Test(arguments: CorpusGenerator.Signal.allCases)
    func `the same options give the same bytes, another seed gives others`(signal: CorpusGenerator.Signal) {
        let first = corpus(signal, rows: 4_000).requests.map(\.body)
        #expect(first == corpus(signal, rows: 4_000).requests.map(\.body))
        #expect(first != corpus(signal, rows: 4_000, seed: 4).requests.map(\.body))
    }

    @Test
    func `a trace's spans arrive in several requests, and sample traces are whole`() throws {
        let (requests, truth) = corpus(.traces)
        var spans: [[UInt8]: Int] = [:]
        var places: [[UInt8]: Set<Int>] = [:]
        for (number, request) in requests.enumerated() {
            for span in try rows(request.body, .traces) {
                guard case .bytes(let id)? = try WireReader.fields(span).first?.value else {
                    throw WireReader.Malformed()
                }
                spans[id, default: 0] += 1
                places[id, default: []].insert(number)
            }
        }
        #expect(spans.count == truth.traces)
        #expect(Double(places.values.count { $0.count > 1 }) > 0.8 * Double(spans.count))
        #expect(!truth.sampleTraces.isEmpty)
        for sample in truth.sampleTraces {
            let id = stride(from: 0, to: 32, by: 2).compactMap { UInt8(sample.id.dropFirst($0).prefix(2), radix: 16) }
            #expect(spans[id] == sample.spans)
        }
    }

    @Test
    func `the records of the logs corpus belong to traces of the traces corpus`() throws {
        var known: Set<[UInt8]> = []
        for request in corpus(.traces).requests {
            for span in try rows(request.body, .traces) {
                if case .bytes(let id)? = try WireReader.fields(span).first?.value { known.insert(id) }
            }
        }
        var withContext = 0
        let (requests, truth) = corpus(.logs)
        for request in requests {
            for record in try rows(request.body, .logs) {
                guard let field = try WireReader.fields(record).first(where: { $0.number == 9 }),
                    case .bytes(let id) = field.value
                else { continue }
                withContext += 1
                #expect(known.contains(id))
            }
        }
        let share = Double(withContext) / Double(truth.rows)
        #expect((0.6...0.75).contains(share), "two thirds of the records have a trace")
    }

    @Test
    func `each needle is in as many bodies as the truth says`() throws {
        let (requests, truth) = corpus(.logs)
        var found = Dictionary(uniqueKeysWithValues: truth.needles.keys.map { ($0, 0) })
        for request in requests {
            for record in try rows(request.body, .logs) {
                guard let body = try WireReader.messages(5, in: record).first,
                    case .bytes(let text)? = try WireReader.fields(body).first?.value
                else { continue }
                let words = String(decoding: text, as: UTF8.self)
                for needle in truth.needles.keys where words.contains(needle) { found[needle, default: 0] += 1 }
            }
        }
        #expect(found == truth.needles)
        #expect(truth.needles.count == 3)
    }

    @Test
    func `about two spans in a hundred fail`() {
        let truth = corpus(.traces).truth
        #expect((0.012...0.03).contains(Double(truth.errorSpans) / Double(truth.rows)))
    }
}
