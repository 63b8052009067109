import Core
import HTTP
import JSON
import LogQL
import QueryModel

/// `/labels`, `/label/{name}/values`, `/series` and `/detected_labels` (rules L-20 to L-23, L-26): index labels only.
extension LokiAPI {
    func labelNames(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let streams = try streams(request, selectors: [parameters(request).query])
        let names = Set(streams.flatMap { $0.pairs.map(\.name) }).filter { !$0.hasPrefix("__") }
        return try Self.list(names.sorted(), request) { $0.string($1) }
    }

    func labelValues(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let name = request.pathParameters["name"] ?? ""
        let streams = try streams(request, selectors: [parameters(request).query])
        let values = Set(streams.map { $0[name] }).filter { !$0.isEmpty }
        return try Self.list(values.sorted(), request) { $0.string($1) }
    }

    func series(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let selectors = request.http.parameters.filter { $0.name == "match[]" || $0.name == "match" }.map(\.value)
        let streams = try streams(request, selectors: selectors)
        return try Self.list(streams.sorted(), request) { json, stream in
            json.beginObject()
            for label in stream.pairs {
                json.key(label.name)
                json.string(label.value)
            }
            json.endObject()
        }
    }

    /// Streams near the request's range that one of the selectors accepts; an empty selector accepts all.
    private func streams(_ request: APIRequest, selectors: [String]) throws(RequestFailure) -> [Labels] {
        var matchers: [[LabelMatcher]] = []
        for selector in selectors {
            matchers.append(try reading { () throws(LogQLError) in try LogQLParser.matchers(selector) })
        }
        if matchers.contains(where: \.isEmpty) { matchers = [] }
        let union = matchers
        let range = try parameters(request).range()
        guard !range.isEmpty else { return [] }
        return try askingLoki { () throws(QueryError) in
            try engine.source.streams(matching: union, in: range, context: request.context)
        }
    }

    // MARK: Detected labels

    /// Labels that are worth a look even if all their values are numbers or ids.
    private static let knownLabels: Set = ["cluster", "namespace", "instance", "pod"]

    func detectedLabels(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        var values: [String: Set<String>] = [:]
        for stream in try streams(request, selectors: [parameters(request).query]) {
            for label in stream.pairs where !label.name.hasPrefix("__") {
                values[label.name, default: []].insert(label.value)
            }
        }
        let shown = values.filter { Self.knownLabels.contains($0.key) || !$0.value.allSatisfy(Self.isIdentifier) }
        var json = JSONWriter()
        json.beginObject()
        json.key("detectedLabels")
        json.beginArray()
        for (name, values) in shown.sorted(by: { $0.key < $1.key }) {
            json.beginObject()
            json.key("label")
            json.string(name)
            json.key("cardinality")
            json.int(values.count)
            json.endObject()
        }
        json.endArray()
        json.endObject()
        return .json(json.bytes)
    }

    /// A number or a UUID.
    private static func isIdentifier(_ text: String) -> Bool {
        if DecimalText.double(text) != nil { return true }
        let groups = text.split(separator: "-", omittingEmptySubsequences: false)
        return groups.map(\.utf8.count) == [8, 4, 4, 4, 12]
            && text.utf8.allSatisfy { $0 == UInt8(ascii: "-") || Hex.value($0) != nil }
    }
}
