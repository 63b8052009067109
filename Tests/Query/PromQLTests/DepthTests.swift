import Core
import Foundation
import PromQL
import QueryModel
import QuerySupport
import Scheduling
import Testing

/// The deepest expressions that the parser lets through do not exhaust a thread's stack.
struct DepthTests {
    @Test(arguments: [
        Array(repeating: "vector(1)", count: 240).joined(separator: "+"),
        Array(repeating: "1", count: 490).joined(separator: "+"),
        String(repeating: "abs(", count: 95) + "vector(1)" + String(repeating: ")", count: 95),
        String(repeating: "-(", count: 45) + "vector(1)" + String(repeating: ")", count: 45),
        String(repeating: "max_over_time(", count: 45) + "vector(1)" + String(repeating: "[2s:1s])", count: 45),
        String(repeating: "sum(topk(1,", count: 45) + "vector(1)" + String(repeating: "))", count: 45),
    ])
    func `the deepest expressions are evaluated on a small stack`(query: String) async throws {
        let finished = await withCheckedContinuation { continuation in
            let thread = Thread {
                let engine = PromQLEngine(source: MemorySeriesSource())
                let parsed = try? PromQLQuery(query)
                let again = parsed.flatMap { try? PromQLQuery($0.expression.prettyText) }
                let answer = try? parsed.map {
                    try engine.instant($0, at: 1000, context: QueryContext(tenant: .default))
                }
                continuation.resume(returning: answer != nil && again?.selectors.count == parsed?.selectors.count)
            }
            // As the server gives its threads.
            thread.stackSize = 1 << 20
            thread.start()
        }
        #expect(finished)
    }
}
