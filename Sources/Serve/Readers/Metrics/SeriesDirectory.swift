internal import Columns
internal import Core
internal import Indexing
internal import Parts
internal import QueryModel
internal import Storage
internal import Synchronization
internal import Telemetry

/// The streams of one tenant as Prometheus sees them, translated once and kept between queries, with an index of their labels.
///
/// A stream has a number, and everything that is asked about many streams is a set of numbers: those with a label, those of a
/// metric, those in a part. Matchers, names and values of labels are answered by operations on these sets.
///
/// A query uses one directory from its beginning to its end, so that numbers mean the same throughout. A directory only grows;
/// `SeriesDirectories` lets go of those that take more than their share of memory.
final class SeriesDirectory: Sendable {
    struct State {
        /// By the hash of a stream's identity: those whose identities have it, mostly one.
        var models: [UInt64: [SeriesModel]] = [:]
        /// By number.
        var all: [SeriesModel] = []
        let streams = RoaringBitmap()
        var labels = LabelPostings()
        var families: [MetricFamily.Key: MetricFamily?] = [:]
        /// By number: the metrics that have series, and their streams.
        var familyStreams: [(family: MetricFamily, streams: RoaringBitmap)] = []
        var resources: [UInt64: ResourceModel] = [:]
        var resourceStreams: [(resource: ResourceModel, streams: RoaringBitmap)] = []
        var scopes: [UInt64: IdentityMessage] = [:]
        var parts: [UInt64: KnownPart] = [:]
        /// Of memtables, newest last; their dictionaries grow at the end.
        var memory: [MemorySeries] = []
        /// Of memory, about, but for the postings of labels.
        var byteCount = 0
    }

    private struct Interned {
        var keys: [Labels: SeriesKey] = [:]
        var bounds: [[UInt8]: BucketBounds] = [:]
    }

    struct KnownPart {
        /// Nil once the part was merged away and nobody reads it any more.
        weak var handle: PartHandle?
        let series: PartSeries
    }

    struct MemorySeries {
        /// Holds on to its memory, which therefore is no other dictionary's.
        let dictionary: StringDictionary
        var models: [SeriesModel]
        /// Of the first `counted` entries.
        let streams = RoaringBitmap()
        var counted = 0
    }

    /// As many as a tenant has memtables at once, and one more.
    private static let rememberedMemtables = 4

    private let builder: SeriesModelBuilder
    let state = Mutex(State())
    private let stateBytes = Atomic<Int>(0)
    private let internedBytes = Atomic<Int>(0)
    private let interned = Mutex(Interned())

    init(translation: MetricTranslation) { builder = SeriesModelBuilder(translation: translation) }

    /// Bytes of memory, about; to be asked at any time, also while streams are being translated.
    var byteCount: Int { stateBytes.load(ordering: .relaxed) + internedBytes.load(ordering: .relaxed) }

    private func note(_ state: borrowing State) {
        stateBytes.store(state.byteCount + state.labels.byteCount, ordering: .relaxed)
    }

    var modelCount: Int { state.withLock { $0.all.count } }

    func key(_ labels: Labels) -> SeriesKey {
        interned.withLock { interned in
            if let known = interned.keys[labels] { return known }
            let key = SeriesKey(number: interned.keys.count, labels: labels)
            interned.keys[labels] = key
            internedBytes.add(256 + labels.pairs.count * MemoryLayout<Label>.stride, ordering: .relaxed)
            return key
        }
    }

    func bounds(_ bytes: Span<UInt8>) -> BucketBounds {
        let key = Array(copying: bytes)
        return interned.withLock { interned in
            if let known = interned.bounds[key] { return known }
            let bounds = BucketBounds(bytes, number: interned.bounds.count)
            interned.bounds[key] = bounds
            internedBytes.add(256 + 8 * key.count, ordering: .relaxed)
            return bounds
        }
    }

    // MARK: Parts and memtables

    /// The streams of a part, by the code that its series column has for them.
    func series(
        of handle: PartHandle, _ part: Part, table: MetricTable
    ) throws(PartError) -> PartSeries {
        let number = handle.record.id.number
        if let known = state.withLock({ $0.parts[number]?.series }) { return known }
        guard let dictionary = try part.dictionary(table.series.ordinal) else {
            throw .corruptFooter("the series have no dictionary")
        }
        var identities = IdentityPlaces(resources: try Self.entries(of: part, table.resource.ordinal))
        if builder.translation.promotesScopeMetadata {
            identities.scopes = try Self.entries(of: part, table.scope.ordinal)
        }
        return state.withLock { state in
            if let known = state.parts[number] { return known.series }
            let series = PartSeries(models: models(dictionary, from: 0, &identities, &state))
            for (number, part) in state.parts where part.handle == nil {
                state.byteCount -= part.series.byteCount
                state.parts[number] = nil
            }
            state.parts[number] = KnownPart(handle: handle, series: series)
            state.byteCount += series.byteCount
            note(state)
            return series
        }
    }

    /// The streams of a memtable, by code. Its dictionaries grow, so what is known of a shorter one still holds.
    func series(ofMemory batch: ColumnBatch, table: MetricTable) -> [SeriesModel] {
        state.withLock { state in
            guard let place = place(ofMemory: batch, table, &state) else {
                var identities = Self.identities(batch, table)
                return models(batch[table.series].dictionary, from: 0, &identities, &state)
            }
            return state.memory[place].models
        }
    }

    /// The streams of the rows of a memtable. Entries of dictionaries beyond the batch's own belong to requests that are not durable
    /// yet.
    func streams(ofMemory batch: ColumnBatch, table: MetricTable) -> RoaringBitmap {
        let count = batch[table.series].dictionary.count
        return state.withLock { state in
            guard let place = place(ofMemory: batch, table, &state), state.memory[place].counted <= count else {
                var identities = Self.identities(batch, table)
                let known = models(batch[table.series].dictionary, from: 0, &identities, &state)
                return RoaringBitmap(known.prefix(count).map { UInt32($0.number) })
            }
            for model in state.memory[place].models[state.memory[place].counted..<count] {
                state.memory[place].streams.insert(UInt32(model.number))
            }
            state.memory[place].counted = count
            return state.memory[place].streams.copy()
        }
    }

    /// Where what is known of a memtable is, with all of the batch's streams; nil if it has none.
    private func place(ofMemory batch: ColumnBatch, _ table: MetricTable, _ state: inout State) -> Int? {
        let dictionary = batch[table.series].dictionary
        guard let memory = dictionary.memory else { return nil }
        let place: Int
        if let known = state.memory.firstIndex(where: { $0.dictionary.memory === memory }) {
            place = known
        } else {
            if state.memory.count >= Self.rememberedMemtables { state.memory.removeFirst() }
            place = state.memory.count
            state.memory.append(MemorySeries(dictionary: dictionary, models: []))
        }
        let known = state.memory[place].models.count
        // A batch that was taken earlier sees fewer entries than are known by now.
        if known < dictionary.count {
            var identities = Self.identities(batch, table)
            state.memory[place].models += models(dictionary, from: known, &identities, &state)
        }
        return place
    }

    private static func identities(_ batch: ColumnBatch, _ table: MetricTable) -> IdentityPlaces {
        var identities = IdentityPlaces(resources: [batch[table.resource].dictionary])
        identities.scopes = [batch[table.scope].dictionary]
        return identities
    }

    /// The distinct values of a string column of a part.
    private static func entries(of part: Part, _ column: Int) throws(PartError) -> [StringDictionary] {
        if let dictionary = try part.dictionary(column) { return [dictionary] }
        var dictionaries: [StringDictionary] = []
        for block in 0..<part.blockCount {
            guard case .strings(let values) = try part.read(column, block: block) else { continue }
            dictionaries.append(values.dictionary)
        }
        return dictionaries
    }

    // MARK: Models

    private func models(
        _ dictionary: StringDictionary, from first: Int, _ identities: inout IdentityPlaces,
        _ state: inout State
    ) -> [SeriesModel] {
        defer { note(state) }
        return (first..<dictionary.count).map { entry in
            let bytes = dictionary.span(entry)
            let hash = XXH3.hash(bytes)
            if let known = state.models[hash]?.first(where: { model in
                let known = model.bytes
                return bytes.isEqual(to: known.span)
            }) {
                return known
            }
            return add(SeriesIdentity(bytes), Array(copying: bytes), hash, &identities, &state)
        }
    }

    private func add(
        _ identity: SeriesIdentity, _ bytes: [UInt8], _ hash: UInt64, _ identities: inout IdentityPlaces,
        _ state: inout State
    ) -> SeriesModel {
        let number = state.all.count
        let family = family(identity, &state)
        let resource = resource(identity.resourceHash, &identities, &state)
        let labels = builder.labels(
            identity, resource: resource, scope: scope(identity.scopeHash, &identities, &state))
        let model = SeriesModel(
            number: number, bytes: bytes, identity: hash, family: family, resource: resource,
            labels: state.labels.insert(labels, stream: UInt32(number)))
        state.models[hash, default: []].append(model)
        state.all.append(model)
        state.streams.insert(UInt32(number))
        if let family { state.familyStreams[family.number].streams.insert(UInt32(number)) }
        state.resourceStreams[resource.number].streams.insert(UInt32(number))
        state.byteCount += 320 + bytes.count + labels.pairs.count * MemoryLayout<Label>.stride
        return model
    }

    private func resource(
        _ hash: UInt64, _ identities: inout IdentityPlaces, _ state: inout State
    ) -> ResourceModel {
        if let known = state.resources[hash] { return known }
        let identity = identities.withResource(hash) { IdentityMessage(resource: $0) }
        let model = builder.resource(identity, number: state.resources.count, key: key)
        state.resources[hash] = model
        state.resourceStreams.append((model, RoaringBitmap()))
        state.byteCount += 1024
        return model
    }

    /// Nil if scopes are not to be seen.
    private func scope(
        _ hash: UInt64, _ identities: inout IdentityPlaces, _ state: inout State
    ) -> IdentityMessage? {
        guard builder.translation.promotesScopeMetadata else { return nil }
        if let known = state.scopes[hash] { return known }
        let identity = identities.withScope(hash) { IdentityMessage(scope: $0) }
        state.scopes[hash] = identity
        return identity
    }

    private func family(_ identity: SeriesIdentity, _ state: inout State) -> MetricFamily? {
        let key = MetricFamily.Key(
            name: identity.name, unit: identity.unit, description: identity.description,
            kind: identity.kind, temporality: identity.temporality,
            isMonotonic: identity.isMonotonic)
        if let known = state.families[key] { return known }
        let family = MetricFamily(key, number: state.familyStreams.count, translation: builder.names)
        if let family { state.familyStreams.append((family, RoaringBitmap())) }
        state.byteCount += 512 + identity.description.utf8.count
        state.families[key] = .some(family)
        return family
    }
}
