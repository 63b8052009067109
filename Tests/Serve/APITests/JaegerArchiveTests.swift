import API
import Archive
import Core
import EngineFixtures
import Files
import HTTP
import JSON
import QueryModel
import Testing
import TraceFixtures
import TraceSearch

/// Traces that are archived are found by all APIs when the store has them no more (J-50).
struct JaegerArchiveTests {
    private static let empty = #"{"data":[],"total":0,"limit":0,"offset":0,"errors":[]}"#

    private func client(
        _ disk: SimulatedFileSystem, _ spans: [TraceSpan], _ change: (inout TraceFiles.Limits) -> Void = { _ in }
    ) throws -> TraceClient {
        var limits = TraceFiles.Limits()
        change(&limits)
        return TraceClient(
            spans, archive: ArchivedTraces(try TraceFiles(directory: "/data", fileSystem: disk, limits: limits)))
    }

    @Test func `J-50 an archived trace outlives its spans, in every form`() throws {
        let disk = SimulatedFileSystem(seed: 1)
        let id = AwkwardTrace.id.hex
        let before = try client(disk, AwkwardTrace.spans)
        let answer = before.post("/api/archive/\(id)", "")
        #expect(answer.status == 200)
        #expect(answer.text == Self.empty)
        disk.crash()
        let after = try client(disk, [])
        for path in ["/api/traces/\(id)", "/api/v3/traces/\(id)", "/api/v1/traces/\(id)", "/api/traces?traceID=\(id)"] {
            let plain = TraceClient(AwkwardTrace.spans).get(path)
            #expect(plain.status == 200)
            #expect(before.get(path).body == plain.body, "\(path)")
            #expect(after.get(path).body == plain.body, "\(path)")
        }
        #expect(after.get("/api/traces/\(id)").status == 200)
        #expect(TraceClient().get("/api/traces/\(id)").status == 404)
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func `J-50 archived spans and stored ones are united, each once`(seed: UInt64) throws {
        var random = RandomTraces(seed: seed)
        let spans = random.spans(traces: 3)
        let disk = SimulatedFileSystem(seed: seed)
        let whole = try client(disk, spans)
        let ids = Set(spans.map(\.traceID)).sorted()
        for id in ids { #expect(whole.post("/api/archive/\(id.hex)", "").status == 200) }
        // Half of them have been dropped.
        let half = try client(disk, spans.enumerated().filter { $0.offset % 2 == 0 }.map(\.element))
        for id in ids {
            let path = "/api/traces/\(id.hex)"
            #expect(half.get(path).body == TraceClient(spans).get(path).body, "seed \(seed), \(id.hex)")
        }
        // What a search finds is complete as well; of a trace with no stored span it finds nothing.
        let search = "query.startTimeMin=1970-01-01T00:00:00Z&query.startTimeMax=2262-01-01T00:00:00Z"
        func summaries(_ client: TraceClient) throws -> [JSONValue] {
            try client.get("/api/v3/trace-summaries?\(search)").json()["summaries"]?.elements ?? []
        }
        let (found, all) = (try summaries(half), try summaries(TraceClient(spans)))
        #expect(!found.isEmpty && found.allSatisfy { all.contains($0) }, "seed \(seed)")
        // Archiving again keeps all.
        for id in ids { #expect(half.post("/api/archive/\(id.hex)", "").status == 200) }
        let none = try client(disk, [])
        for id in ids {
            let path = "/api/traces/\(id.hex)"
            #expect(none.get(path).body == TraceClient(spans).get(path).body, "seed \(seed), \(id.hex)")
        }
    }

    @Test func `J-50 what cannot be archived is told`() throws {
        let id = AwkwardTrace.id.hex
        func post(_ client: TraceClient, _ id: String) throws -> (Int, JSONValue?) {
            let response = client.post("/api/archive/\(id)", "")
            return (response.status, try response.json()["errors"]?[0]?["code"])
        }
        let disk = SimulatedFileSystem(seed: 1)
        #expect(try post(client(disk, []), "ffff") == (404, .int(404)))
        #expect(try post(client(disk, []), "xyz") == (400, .int(400)))
        #expect(try post(TraceClient(AwkwardTrace.spans), id) == (501, .int(501)))
        #expect(try post(client(disk, AwkwardTrace.spans) { $0.documentBytes = 10 }, id) == (413, .int(413)))
        #expect(try post(client(disk, AwkwardTrace.spans) { $0.bytes = 10 }, id) == (507, .int(507)))
        #expect(try post(client(disk, AwkwardTrace.spans) { $0.files = 0 }, id) == (507, .int(507)))
        disk.setFull(true)
        #expect(try post(client(disk, AwkwardTrace.spans), id) == (507, .int(507)))
        #expect(try client(disk, []).get("/api/archive/\(id)").status == 405)
    }

    @Test func `J-50 a damaged file is a warning beside stored spans, and an error without them`() throws {
        let disk = SimulatedFileSystem(seed: 1)
        let id = AwkwardTrace.id.hex
        #expect(try client(disk, AwkwardTrace.spans).post("/api/archive/\(id)", "").status == 200)
        let path = try #require(disk.files.first)
        disk.edit(path) { $0[40] ^= 1 }
        let reason = "the archived trace \(id) cannot be read: \(path) is not as it was written"
        let beside = try client(disk, AwkwardTrace.spans).get("/api/traces/\(id)").json()
        #expect(beside["data"]?.elements.count == 1)
        #expect(beside["errors"] == .array([.object([("msg", .string(reason))])]))
        let without = try client(disk, []).get("/api/traces/\(id)")
        #expect(without.status == 500)
        #expect(try without.json()["errors"]?[0]?["msg"] == .string(reason))
        #expect(try client(disk, []).get("/api/v3/traces/\(id)").status == 500)
        // Archiving again repairs it.
        #expect(try client(disk, AwkwardTrace.spans).post("/api/archive/\(id)", "").status == 200)
        #expect(try client(disk, []).get("/api/traces/\(id)").status == 200)
    }
}
