package import Core
package import QueryModel

/// A log entry on its way through a pipeline.
///
/// Labels are in three groups, each name in at most one of them: those of the stream, the entry's structured metadata, and what
/// stages extracted or set. A stage that sets a label of the first two takes it out of there (rule L-12).
package struct PipelineEntry: Sendable {
    package let timestamp: Timestamp
    package var line: String
    package let stream: LogStream
    /// Nil: as the stream has them.
    private var changedStreamLabels: [Label]?
    package private(set) var metadata: [Label]
    /// In order of extraction. Values may be empty.
    private var extracted: [Label] = []
    /// Places in `extracted`, once it is too long to be searched.
    private var extractedSlots: [String: Int] = [:]
    package private(set) var error = ""
    package private(set) var errorDetails = ""

    private static let longestSearch = 16

    package init(_ entry: LogEntry) {
        timestamp = entry.timestamp
        line = entry.line
        stream = entry.stream
        metadata = entry.metadata
    }

    // MARK: Reading

    package var streamLabels: [Label] { changedStreamLabels ?? stream.labels.pairs }

    /// Extracted and set labels with the error, sorted by name.
    package var parsed: [Label] {
        var labels = extracted
        if !error.isEmpty { labels.append(Label(ErrorLabel.name, error)) }
        if !errorDetails.isEmpty { labels.append(Label(ErrorLabel.details, errorDetails)) }
        return labels.count < 2 ? labels : labels.sorted()
    }

    package var hasError: Bool { !error.isEmpty }

    /// Whether all labels are the stream's.
    package var hasOnlyStreamLabels: Bool {
        changedStreamLabels == nil && metadata.isEmpty && extracted.isEmpty && error.isEmpty && errorDetails.isEmpty
    }

    /// Every label, sorted by name; empty values only among those that were extracted.
    ///
    /// Names are unique even if a sender gave metadata the name of the stream's label or of an error.
    package var allLabels: [Label] {
        let parsed = self.parsed
        if metadata.isEmpty, parsed.isEmpty { return streamLabels }
        var labels: [Label] = []
        labels.reserveCapacity(parsed.count + streamLabels.count + metadata.count)
        for label in (parsed + streamLabels + metadata).sorted(by: { $0.name < $1.name })
        where label.name != labels.last?.name {
            labels.append(label)
        }
        return labels
    }

    /// Nil: there is no such label.
    package func value(of name: String) -> String? {
        if let slot = slot(of: name) { return extracted[slot].value }
        if let label = Self.find(name, in: streamLabels) ?? Self.find(name, in: metadata) { return label.value }
        if name == ErrorLabel.name, !error.isEmpty { return error }
        if name == ErrorLabel.details, !errorDetails.isEmpty { return errorDetails }
        return nil
    }

    private static func find(_ name: String, in labels: [Label]) -> Label? {
        for label in labels where label.name == name { return label }
        return nil
    }

    private func slot(of name: String) -> Int? {
        if extracted.count > Self.longestSearch { return extractedSlots[name] }
        for slot in extracted.indices where extracted[slot].name == name { return slot }
        return nil
    }

    // MARK: Changing

    /// Takes a field that a parser found: a name of the stream or the metadata gets a suffix, and the first of equal names counts.
    package mutating func extract(_ name: String, _ value: String) {
        let name = isTaken(name) ? name + "_extracted" : name
        if slot(of: name) == nil { append(Label(name, value)) }
    }

    /// Whether a field of this name gets the suffix.
    private func isTaken(_ name: String) -> Bool {
        Self.find(name, in: streamLabels) != nil || Self.find(name, in: metadata) != nil
    }

    package mutating func set(_ name: String, to value: String) {
        if let slot = slot(of: name) {
            extracted[slot].value = value
            return
        }
        remove(name)
        append(Label(name, value))
    }

    private mutating func append(_ label: Label) {
        extracted.append(label)
        if extracted.count == Self.longestSearch + 1 {
            indexSlots()
        } else if extracted.count > Self.longestSearch {
            extractedSlots[label.name] = extracted.count - 1
        }
    }

    private mutating func indexSlots() {
        extractedSlots = [:]
        guard extracted.count > Self.longestSearch else { return }
        for (slot, label) in extracted.enumerated() { extractedSlots[label.name] = slot }
    }

    package mutating func remove(_ name: String) {
        if name == ErrorLabel.name { error = "" }
        if name == ErrorLabel.details { errorDetails = "" }
        if let slot = slot(of: name) {
            extracted.remove(at: slot)
            indexSlots()
        } else if Self.find(name, in: streamLabels) != nil {
            changedStreamLabels = streamLabels.filter { $0.name != name }
        } else {
            metadata.removeAll { $0.name == name }
        }
    }

    /// Leaves the labels that `isKept` accepts; errors stay.
    package mutating func keep(where isKept: (Label) -> Bool) {
        if !streamLabels.allSatisfy(isKept) { changedStreamLabels = streamLabels.filter(isKept) }
        metadata.removeAll { !isKept($0) }
        let count = extracted.count
        extracted.removeAll { !isKept($0) }
        if extracted.count != count { indexSlots() }
    }

    package mutating func fail(_ error: PipelineFailure, details: String) {
        self.error = error.rawValue
        errorDetails = details
    }
}

/// What `__error__` can say.
package enum PipelineFailure: String, Sendable {
    case json = "JSONParserErr"
    case logfmt = "LogfmtParserErr"
    case labelFilter = "LabelFilterErr"
    case sample = "SampleExtractionErr"
    case template = "TemplateFormatErr"
}
