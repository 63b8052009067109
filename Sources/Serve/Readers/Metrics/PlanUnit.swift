internal import Core
internal import Indexing
internal import QueryModel

/// What a plan evaluates at once: one series of numbers, or the bucket series of one histogram.
struct PlanUnit: Sendable {
    /// A stream, and what of it.
    struct Member: Sendable {
        let stream: Int
        let role: SampleRoles
    }

    /// More than one if streams come to the same series.
    var members: [Member]
    /// With the metric's name; of buckets without `le`.
    let labels: Labels
}

/// A stream that a plan wants, and where its rows are.
struct PlanStream: Sendable {
    /// The rows of one stream in one part or memtable.
    struct Segment: Sendable {
        enum Source: Sendable {
            /// Those that have any of the rows and may lie in the range, ascending.
            case blocks([PlanBlock])
            /// The number of the memtable, to whose order `rows` refers.
            case memory(Int)
        }

        var source: Source
        var rows: Range<Int>
    }

    let model: SeriesModel
    let family: MetricFamily
    let roles: SampleRoles
    /// In the order in which rows were stored.
    var segments: [Segment] = []

    var rowCount: Int { segments.reduce(0) { $0 + $1.rows.count } }
}

/// The streams that a plan wants, and what they come to.
struct PlanUnits {
    private(set) var streams: [PlanStream] = []
    private(set) var units: [PlanUnit] = []
    /// By the stream's number: its place in `streams`, `unknown` or `unwanted`.
    private var slots: [Int32] = []
    private var selection: SeriesSelection
    /// Bytes of memory that streams, their segments and the units to come take, about.
    private(set) var byteCount = 0
    /// Whether a stream is among them whose samples are no numbers.
    private(set) var hasNativeHistograms = false

    private static let unknown: Int32 = -2
    private static let unwanted: Int32 = -1
    private static let bytesPerStream = 512
    private static let bytesPerSegment = 96

    init(_ selection: SeriesSelection) { self.selection = selection }

    private mutating func slot(_ model: SeriesModel) -> Int? {
        if model.number >= slots.count {
            slots += repeatElement(Self.unknown, count: model.number + 1024 - slots.count)
        }
        let known = slots[model.number]
        if known != Self.unknown { return known >= 0 ? Int(known) : nil }
        let roles = selection.roles(of: model)
        guard !roles.isEmpty, let family = model.family else {
            slots[model.number] = Self.unwanted
            return nil
        }
        if family.kind == .exponentialHistogram { hasNativeHistograms = true }
        slots[model.number] = Int32(streams.count)
        streams.append(PlanStream(model: model, family: family, roles: roles))
        byteCount += Self.bytesPerStream
        return streams.count - 1
    }

    /// Whether a part may have wanted streams.
    mutating func wants(_ series: PartSeries, onlyDeltas: Bool) -> Bool {
        series.runs.contains { family, _ in
            (!onlyDeltas || family.isDelta) && !selection.roles(of: family).isEmpty
        }
    }

    /// Adds the streams of a part.
    ///
    /// - Parameter onlyDeltas: whether the part lies before the range, and is read only to accumulate what comes in it.
    mutating func add(
        part series: PartSeries, _ rows: StreamRows, _ blocks: inout PlanBlocks, _ start: Timestamp,
        deltasSince deltaStart: Timestamp, onlyDeltas: Bool
    ) {
        for code in codes(of: series) {
            let number = Int(series.numbers[code])
            if number < slots.count, slots[number] == Self.unwanted { continue }
            let rows = rows.rows(of: code)
            let model = series.models[code]
            guard !rows.isEmpty, let family = model.family, !onlyDeltas || family.isDelta, let slot = slot(model) else {
                continue
            }
            let found = blocks.blocks(of: rows, since: family.isDelta ? deltaStart : start)
            guard !found.isEmpty else { continue }
            streams[slot].segments.append(PlanStream.Segment(source: .blocks(found), rows: rows))
            byteCount += Self.bytesPerSegment
        }
    }

    /// The codes of a part's streams that may be wanted.
    private mutating func codes(of series: PartSeries) -> [Int] {
        if let selected = selection.selected, series.numberLimit <= selected.limit {
            return selected.all.intersection(series.streams).numbers.map { series.code(of: $0) }
        }
        var codes: [Int] = []
        for (family, range) in series.runs where !selection.roles(of: family).isEmpty {
            codes.append(contentsOf: range)
        }
        return codes
    }

    /// The streams of a memtable that are wanted, by code.
    mutating func wanted(of models: [SeriesModel]) -> [Bool] { models.map { slot($0) != nil } }

    mutating func add(memory models: [SeriesModel], _ rows: StreamRows, number: Int) {
        for (code, model) in models.enumerated() {
            let rows = rows.rows(of: code)
            guard !rows.isEmpty, let slot = slot(model) else { continue }
            streams[slot].segments.append(PlanStream.Segment(source: .memory(number), rows: rows))
            byteCount += Self.bytesPerSegment
        }
    }

    // MARK: Units

    private struct UnitKey: Hashable {
        var series: Int
        /// Bucket series are known by the one that counts all observations, quantiles too.
        var role: UInt8
    }

    /// Finds out what streams come to.
    ///
    /// - Returns: whether they can be told apart by whole streams.
    mutating func makeUnits(_ directory: SeriesDirectory) -> Bool {
        var known: [UnitKey: Int] = [:]
        var names: (plain: Set<String>, bucket: Set<String>) = ([], [])
        for (index, stream) in streams.enumerated() where !stream.segments.isEmpty {
            for role in SampleRoles.all where stream.roles.contains(role) {
                let hasExtra = role.extraLabel != nil
                let key = stream.model.key(hasExtra ? .count : role, in: directory)
                let unit = UnitKey(series: key.number, role: hasExtra ? role.rawValue : 0)
                let name = stream.family.sampleName(role)
                if hasExtra { names.bucket.insert(name) } else { names.plain.insert(name) }
                let member = PlanUnit.Member(stream: index, role: role)
                if let place = known[unit] {
                    units[place].members.append(member)
                    continue
                }
                known[unit] = units.count
                let labels = hasExtra ? Self.base(of: key.labels, role, name: name) : key.labels
                units.append(PlanUnit(members: [member], labels: labels))
            }
        }
        // A gauge that is called as a histogram's buckets are, and has bounds of its own.
        return names.plain.isDisjoint(with: names.bucket)
    }

    private static func base(of labels: Labels, _ role: SampleRoles, name: String) -> Labels {
        let extra = role.extraLabel ?? ""
        let base = labels[extra].isEmpty ? labels : labels.removing([extra])
        return base.setting("__name__", to: name)
    }
}
