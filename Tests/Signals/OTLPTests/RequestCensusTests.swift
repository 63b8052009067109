import Columns
import EngineFixtures
import OTLP
import Randomness
import Telemetry
import Testing

/// What is counted of a request before it is decoded, and requests without some of their points, beside what decoders make of them.
struct RequestCensusTests {
    private let tables: TestTables

    init() throws { tables = try TestTables() }

    private func points(_ request: [UInt8]) throws -> RequestCensus {
        try request.withUnsafeBytes { try RequestCensus.points(of: $0, hashesSeries: true) }
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func `as many rows are counted as are decoded or rejected`(seed: UInt64) throws {
        var generator = OTLPGenerator(seed: seed)
        func expect<Signal: DecodedSignal & ~Copyable>(
            _ builder: consuming Signal, _ count: ([UInt8]) throws -> RequestCensus
        ) throws {
            for _ in 0..<4 {
                let request = Signal.request(&generator)
                let outcome = try builder.decode(request)
                #expect(try count(request).rows == outcome.accepted + outcome.rejected)
            }
        }
        func items(_ request: [UInt8]) throws -> RequestCensus {
            try request.withUnsafeBytes { try RequestCensus.items(of: $0) }
        }
        try expect(SpanBuilder(tables), items)
        try expect(LogBuilder(tables), items)
        try expect(MetricBuilder(tables), points)
    }

    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func `series have the same hash where they are the same`(seed: UInt64) throws {
        var generator = OTLPGenerator(seed: seed)
        var hashes: [UInt64] = []
        var builder = MetricBuilder(tables.metrics)
        for _ in 0..<6 {
            let request = generator.metrics()
            let rows = builder.rowCount
            guard try builder.decode(request).rejected == 0 else {
                builder.truncate(to: rows)
                continue
            }
            let census = try points(request)
            #expect(census.series.count == census.rows && !census.series.contains(0))
            hashes += census.series
        }
        let series = builder.naiveRows.map { $0[tables.metrics.series.ordinal] }
        #expect(series.count == hashes.count)
        #expect(Set(series).count == Set(hashes).count)
        #expect(Set(zip(series, hashes).map { "\($0) \($1)" }).count == Set(hashes).count)
    }

    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func `a request without some points has the rows of the others`(seed: UInt64) throws {
        var generator = OTLPGenerator(seed: seed)
        for odds in [1, 2, 3, 10] {
            let request = generator.metrics()
            let (whole, rejected) = try rows(request)
            guard rejected == 0 else { continue }
            let isRefused = whole.map { _ in generator.random.oneIn(odds) }
            let rest = try request.withUnsafeBytes { try RequestWithoutPoints.write($0, isRefused: isRefused) }
            #expect(try rows(rest).rows == zip(whole, isRefused).filter { !$0.1 }.map(\.0))
            if odds == 1 { #expect(try points(rest).rows == 0) }
        }
    }

    private func rows(_ request: [UInt8]) throws -> (rows: [[Cell]], rejected: Int) {
        var builder = MetricBuilder(tables.metrics)
        let outcome = try builder.decode(request)
        return (builder.naiveRows, outcome.rejected)
    }

    @Test func `a request of which nothing is refused stays byte for byte`() throws {
        var generator = OTLPGenerator(seed: 9)
        for _ in 0..<20 {
            let request = generator.metrics()
            #expect(try request.withUnsafeBytes { try RequestWithoutPoints.write($0, isRefused: []) } == request)
        }
    }

    @Test func `every prefix of a request is counted or refused as the decoder does`() throws {
        var style = OTLPGenerator.Style()
        style.itemLimit = 3
        var generator = OTLPGenerator(seed: 5, style: style)
        let request = generator.metrics()
        for end in request.indices {
            let bytes = Array(request[..<end])
            var builder = MetricBuilder(tables.metrics)
            let outcome = try? builder.decode(bytes)
            let census = try? points(bytes)
            // The decoder looks at more of it: what it takes is counted.
            if let outcome { #expect(census?.rows == outcome.accepted + outcome.rejected) }
            _ = try? bytes.withUnsafeBytes { try RequestWithoutPoints.write($0, isRefused: [true, false, true]) }
        }
    }
}
