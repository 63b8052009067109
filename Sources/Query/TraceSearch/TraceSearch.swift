package import Core
internal import Observability
package import QueryModel
package import Scheduling

/// Searches traces over a `TraceSource`.
///
/// A trace matches if one of its spans satisfies the whole query (J-8). Of the matching traces the answer is the `limit`
/// newest by earliest start, equal starts by trace id (J-10), each complete. This selection is exact, though the scan sees
/// spans by their own start and stops early:
///
/// 1. The scan hands over spans newest first, or, if the source can tell which match, only their traces. A matching span of a
///    trace not met before makes the trace a candidate.
/// 2. Of candidates the earliest start is looked up, in groups. The `limit` best are kept.
/// 3. A trace starts no later than any of its spans. So once the kept ones are `limit` many and the worst of them starts
///    after the scan's position, no trace that is still unseen can be better, nor can a candidate whose match lies there.
/// 4. The kept ones are fetched complete. A first group of traces that did not run at the same time is fetched at once, instead of its
///    starts: it mostly is the answer.
///
/// What is looked up beyond the answer is the traces that were running when the answer's oldest trace began.
package struct TraceSearch: Sendable {
    let source: any TraceSource
    /// What of archived traces is not in the source any more belongs to them all the same.
    let archive: (any TraceArchive)?

    package init(source: any TraceSource, archive: (any TraceArchive)? = nil) {
        self.source = source
        self.archive = archive
    }

    /// - Returns: if the time or the memory of the query came to an end before, what was found until then, with a warning in the
    ///   context's statistics; if that is nothing, the end is thrown.
    package func search(_ query: TraceQuery, context: QueryContext) throws(QueryError) -> [Trace] {
        try find(query, size: \.footprint, context) { ids throws(QueryError) in try traces(ids, context: context) }
    }

    /// As `search`, but only what a list of results shows: few columns are read.
    package func summaries(_ query: TraceQuery, context: QueryContext) throws(QueryError) -> [TraceSummary] {
        try find(query, size: \.footprint, context) { ids throws(QueryError) in
            try summaries(of: ids, context: context)
        }
    }

    /// - Parameter ids: each once.
    private func summaries(of ids: [TraceID], context: QueryContext) throws(QueryError) -> [TraceSummary] {
        var found: [TraceSummary] = []
        var unclear: [TraceID] = []
        for (id, outlines) in zip(ids, try source.outlines(of: ids, context: context)) {
            let isArchived = archive?.contains(id, context: context) ?? false
            if !isArchived, let summary = TraceSummary(id: id, outlines: outlines) {
                found.append(summary)
            } else if !outlines.isEmpty {
                unclear.append(id)
            }
        }
        for id in unclear {
            if let trace = try trace(id, context: context) { found.append(TraceSummary(trace)) }
        }
        return found
    }

    /// The trace with all its spans, or nil if it is not stored.
    package func trace(_ id: TraceID, context: QueryContext) throws(QueryError) -> Trace? {
        try traces([id], context: context).first
    }

    /// Those of the traces that are stored, in the order asked for, each once.
    package func traces(_ ids: [TraceID], context: QueryContext) throws(QueryError) -> [Trace] {
        var seen: Set<TraceID> = []
        let unique = ids.filter { seen.insert($0).inserted }
        guard !unique.isEmpty else { return [] }
        var spans = try source.spans(of: unique, context: context)
        if let archive {
            for (index, id) in unique.enumerated() { try add(id, of: archive, to: &spans[index], context) }
        }
        return zip(unique, spans).compactMap { Trace(id: $0, spans: $1) }
    }

    /// Adds the archived spans of a trace, those that are there twice included; that they cannot be read is a warning.
    private func add(
        _ id: TraceID, of archive: any TraceArchive, to spans: inout [TraceSpan], _ context: QueryContext
    ) throws(QueryError) {
        do throws(QueryError) {
            spans += try archive.spans(of: id, context: context)
        } catch .storage(let reason) {
            context.statistics.warn(reason)
        }
    }

    /// Sorted and unique; spans whose resource names no service are `TraceSpan.unnamedService`.
    package func services(context: QueryContext) throws(QueryError) -> [String] {
        let names = try source.services(context: context).map { $0.isEmpty ? TraceSpan.unnamedService : $0 }
        return Set(names).sorted()
    }

    /// Span names and kinds, sorted and unique; none for an unknown service.
    package func operations(
        of service: String, context: QueryContext
    ) throws(QueryError) -> [(name: String, kind: Int32)] {
        var found = try source.operations(of: service, context: context)
        if service == TraceSpan.unnamedService {
            found += try source.operations(of: "", context: context)
        }
        found.sort { ($0.name, $0.kind) < ($1.name, $1.kind) }
        var unique: [(name: String, kind: Int32)] = []
        for operation in found where unique.last.map({ $0 != operation }) ?? true { unique.append(operation) }
        return unique
    }

    /// Scans the source, and stops when the query was interrupted.
    func scan(
        _ query: TraceQuery, context: QueryContext, visit: ([TraceSpan]) throws(QueryError) -> Bool
    ) throws(QueryError) {
        try source.scan(query, context: context) { spans throws(QueryError) -> Bool in
            try check(context)
            return try visit(spans)
        }
    }

    func check(_ context: QueryContext) throws(QueryError) {
        do { try context.check() } catch { throw .interrupted(error) }
    }

    func spend(_ bytes: Int, _ context: QueryContext) throws(QueryError) {
        do { try context.spend(bytes: bytes) } catch { throw .interrupted(error) }
    }
}
