package import Core
package import QueryModel
package import Scheduling
import Synchronization

/// Spans in memory, handed over as the protocol asks, in batches of a given size.
package final class MemoryTraceSource: TraceSource {
    /// Newest first; equal starts in the order given.
    private let spans: [TraceSpan]
    private let batchSize: Int
    /// How many spans scans have handed over, to see that a search stops early.
    private let handedOver = Mutex(0)

    package init(_ spans: [TraceSpan], batchSize: Int = 100) {
        self.spans = spans.enumerated()
            .sorted { ($1.element.start, $0.offset) < ($0.element.start, $1.offset) }
            .map(\.element)
        self.batchSize = batchSize
    }

    package var handedOverCount: Int { handedOver.withLock { $0 } }

    package func spans(of traces: [TraceID], context: QueryContext) -> [[TraceSpan]] {
        traces.map { id in spans.filter { $0.traceID == id } }
    }

    package func scan(
        _ query: TraceQuery, context: QueryContext, visit: ([TraceSpan]) throws(QueryError) -> Bool
    ) throws(QueryError) {
        // A source drops what its columns tell; this one knows services only.
        let candidates = spans.filter {
            query.range.contains($0.start) && (query.service == nil || query.service == $0.serviceName)
        }
        var position = 0
        while position < candidates.count {
            let batch = Array(candidates[position..<min(position + batchSize, candidates.count)])
            position += batch.count
            handedOver.withLock { $0 += batch.count }
            guard try visit(batch) else { return }
        }
    }

    package func services(context: QueryContext) -> [String] {
        Set(spans.map { $0.resource.serviceName ?? "" }).sorted()
    }

    package func operations(of service: String, context: QueryContext) -> [(name: String, kind: Int32)] {
        var found: [(name: String, kind: Int32)] = []
        for span in spans where (span.resource.serviceName ?? "") == service {
            if !found.contains(where: { $0 == (span.name, span.kind) }) { found.append((span.name, span.kind)) }
        }
        return found.sorted { ($0.name, $0.kind) < ($1.name, $1.kind) }
    }
}
