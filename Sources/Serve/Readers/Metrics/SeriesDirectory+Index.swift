internal import Indexing
internal import QueryModel
internal import Synchronization

/// What is answered by sets of streams.
extension SeriesDirectory {
    /// The streams that a selector accepts.
    ///
    /// - Parameter matchers: of labels other than the name.
    func select(_ selection: inout SeriesSelection, _ matchers: [LabelMatcher]) -> SelectedStreams {
        state.withLock { state in
            var selected = SelectedStreams(limit: state.all.count)
            var labelled: [String: RoaringBitmap] = [:]
            for role in SampleRoles.all {
                let named = RoaringBitmap()
                for (family, streams) in state.familyStreams where selection.roles(of: family).contains(role) {
                    named.formUnion(streams)
                }
                if named.isEmpty { continue }
                // Whether the extra label matches is not known of streams.
                let open = role.extraLabel ?? ""
                let streams = labelled[open] ?? Self.streams(matching: matchers.filter { $0.name != open }, state)
                labelled[open] = streams
                named.formIntersection(streams)
                selected.insert(named, role)
            }
            return selected
        }
    }

    private static func streams(matching matchers: [LabelMatcher], _ state: borrowing State) -> RoaringBitmap {
        let result = state.streams.copy()
        for matcher in matchers where !result.isEmpty {
            result.formIntersection(state.labels.streams(matching: matcher, of: result))
        }
        return result
    }

    /// Ascending in their numbers.
    func models(_ streams: RoaringBitmap) -> [SeriesModel] {
        let numbers = streams.numbers
        return state.withLock { state in numbers.map { state.all[Int($0)] } }
    }

    /// The metrics that any of the streams belongs to.
    func families(of streams: RoaringBitmap) -> [MetricFamily] {
        state.withLock { $0.familyStreams.filter { $0.streams.intersects(streams) }.map(\.family) }
    }

    /// The resources that any of the streams belongs to, in the order of their numbers.
    func resources(of streams: RoaringBitmap) -> [ResourceModel] {
        state.withLock { $0.resourceStreams.filter { $0.streams.intersects(streams) }.map(\.resource) }
    }

    /// The names of labels that any of the streams has, in no order.
    func labelNames(of streams: RoaringBitmap) -> [String] { state.withLock { $0.labels.names(in: streams) } }

    /// The values of a label that any of the streams has, in no order.
    func labelValues(of name: String, in streams: RoaringBitmap) -> [String] {
        state.withLock { $0.labels.values(of: name, in: streams) }
    }
}
