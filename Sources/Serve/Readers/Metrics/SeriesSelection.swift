internal import Indexing
internal import QueryModel

/// Which series the matchers of one selector accept: metric families first, by the names of their series, then streams; both
/// are asked once.
struct SeriesSelection {
    private let nameMatchers: [LabelMatcher]
    private let otherMatchers: [LabelMatcher]
    /// By number: the roles that may match, or `unknown`.
    private var families: [UInt8] = []
    private var models: [UInt8] = []
    /// What the directory answered, of the streams that it knew by then.
    private(set) var selected: SelectedStreams?

    private static let unknown: UInt8 = 0xFF

    init(_ matchers: [LabelMatcher]) {
        nameMatchers = matchers.filter { $0.name == "__name__" }
        // Equality is cheap: it goes before regular expressions.
        let others = matchers.filter { $0.name != "__name__" }
        otherMatchers =
            others.filter { $0.operator == .equal } + others.filter { $0.operator != .equal }
    }

    /// Asks a directory's index once for all streams that it knows; those that come later are asked one by one.
    mutating func resolve(in directory: SeriesDirectory) { selected = directory.select(&self, otherMatchers) }

    /// The roles of which a name matches.
    mutating func roles(of family: MetricFamily) -> SampleRoles {
        if family.number >= families.count {
            families += repeatElement(Self.unknown, count: family.number + 64 - families.count)
        }
        let known = families[family.number]
        if known != Self.unknown { return SampleRoles(rawValue: known) }
        var roles: SampleRoles = []
        for role in SampleRoles.all where family.roles.contains(role) {
            if acceptsName(family.sampleName(role)) { roles.insert(role) }
        }
        families[family.number] = roles.rawValue
        return roles
    }

    func acceptsName(_ name: String) -> Bool { nameMatchers.allSatisfy { $0.matches(name) } }

    /// The roles of a stream that match but for their extra labels, which `accepts(extra:_:)` decides.
    mutating func roles(of model: SeriesModel) -> SampleRoles {
        if model.number >= models.count {
            models += repeatElement(Self.unknown, count: model.number + 1024 - models.count)
        }
        let known = models[model.number]
        if known != Self.unknown { return SampleRoles(rawValue: known) }
        var roles: SampleRoles = []
        if let family = model.family {
            let named = self.roles(of: family)
            if let selected, model.number < selected.limit {
                if !named.isEmpty { roles = selected.roles(of: UInt32(model.number)) }
            } else {
                for role in SampleRoles.all where named.contains(role) && matches(model.labels, role) {
                    roles.insert(role)
                }
            }
        }
        models[model.number] = roles.rawValue
        return roles
    }

    private func matches(_ labels: Labels, _ role: SampleRoles) -> Bool {
        let extra = role.extraLabel
        return otherMatchers.allSatisfy { $0.name == extra || $0.matches(labels[$0.name]) }
    }

    func matches(_ labels: Labels) -> Bool { otherMatchers.matches(labels) }

    /// Whether a role's extra label decides.
    func asksForExtra(_ role: SampleRoles) -> Bool {
        guard let label = role.extraLabel else { return false }
        return otherMatchers.contains { $0.name == label }
    }

    func accepts(extra text: String, _ role: SampleRoles) -> Bool {
        guard let label = role.extraLabel else { return true }
        return otherMatchers.allSatisfy { $0.name != label || $0.matches(text) }
    }
}

/// The streams that a selector accepts, of those that a directory knew when it was asked.
struct SelectedStreams: Sendable {
    /// The directory knew the streams below this number.
    let limit: Int
    /// By role: those of which that role's series match but for their extra label.
    private(set) var byRole: [(role: SampleRoles, streams: RoaringBitmap)] = []
    /// Of any role.
    let all = RoaringBitmap()

    init(limit: Int) { self.limit = limit }

    mutating func insert(_ streams: RoaringBitmap, _ role: SampleRoles) {
        if streams.isEmpty { return }
        byRole.append((role, streams))
        all.formUnion(streams)
    }

    func roles(of number: UInt32) -> SampleRoles {
        var roles: SampleRoles = []
        for (role, streams) in byRole where streams.contains(number) { roles.insert(role) }
        return roles
    }
}
