package import Archive
package import Core
private import Files
private import JSON
private import OTLP
package import QueryModel
package import Scheduling
private import TraceSearch

/// Archived traces as files of OTLP/JSON, so that any tool can read what they hold.
package struct ArchivedTraces: TraceArchive {
    private let files: TraceFiles

    package init(_ files: TraceFiles) { self.files = files }

    package func contains(_ trace: TraceID, context: QueryContext) -> Bool {
        files.contains(trace, tenant: context.tenant)
    }

    package func spans(of trace: TraceID, context: QueryContext) throws(QueryError) -> [TraceSpan] {
        let document: [UInt8]?
        do throws(TraceFiles.Failure) {
            document = try files.document(of: trace, tenant: context.tenant)
        } catch {
            throw .storage("the archived trace \(trace.hex) cannot be read: \(Self.reason(error))")
        }
        guard let document else { return [] }
        // The text as a tree, and its spans.
        let bytes = document.count * 8
        defer { context.release(bytes: bytes) }
        try context.charge(bytes: bytes)
        do throws(OTLPJSONError) {
            return try OTLPTraceReader.traces(in: document).first { $0.id == trace }?.spans ?? []
        } catch {
            throw .storage("the archived trace \(trace.hex) cannot be read: \(error)")
        }
    }

    private static func reason(_ failure: TraceFiles.Failure) -> String {
        switch failure {
        case .damaged(let path): "\(path) is not as it was written"
        case .file(let error): "\(error)"
        case .full(let reason): reason
        case .tooLarge(let bytes, _): "it has \(bytes) bytes"
        }
    }

    package func keep(_ spans: [TraceSpan], of trace: TraceID, context: QueryContext) throws(TraceArchiveError) {
        var writer = OTLPJSONWriter(counting: context)
        writer.json.beginObject()
        writer.json.key("resourceSpans")
        do throws(QueryError) { try writer.resourceSpans(spans) } catch {
            throw .storage("the trace cannot be archived: \(RequestFailure(error).message)")
        }
        writer.json.endObject()
        do throws(TraceFiles.Failure) {
            try files.keep(writer.json.bytes, of: trace, tenant: context.tenant)
        } catch {
            switch error {
            case .tooLarge(let bytes, let limit):
                throw .tooLarge("the trace has \(bytes) bytes, and \(limit) are the most that are archived")
            case .full(let reason): throw .full(reason)
            case .file(let error) where error.isOutOfSpace: throw .full("the disk is full")
            case .damaged, .file: throw .storage("the trace cannot be archived: \(Self.reason(error))")
            }
        }
    }
}
