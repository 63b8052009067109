internal import Columns
internal import Core
internal import Parts
internal import QueryModel
internal import Storage
internal import Synchronization
internal import Telemetry

/// The streams of one tenant as Prometheus sees them, translated once and kept between queries.
///
/// A query uses one directory from its beginning to its end, so that numbers mean the same throughout. A directory only grows;
/// `SeriesDirectories` begins a new one when it has become too large.
final class SeriesDirectory: Sendable {
    private struct State {
        var models: [UInt64: SeriesModel] = [:]
        var families: [MetricFamily.Key: MetricFamily?] = [:]
        var familyCount = 0
        var resources: [UInt64: ResourceModel] = [:]
        var scopes: [UInt64: IdentityMessage] = [:]
        var parts: [UInt64: KnownPart] = [:]
        /// Of memtables, newest last; their dictionaries grow at the end.
        var memory: [MemorySeries] = []
    }

    private struct Interned {
        var keys: [Labels: SeriesKey] = [:]
        var bounds: [[UInt8]: BucketBounds] = [:]
    }

    private struct KnownPart {
        /// Nil once the part was merged away and nobody reads it any more.
        weak var handle: PartHandle?
        let series: PartSeries
    }

    private struct MemorySeries {
        /// Holds on to its memory, which therefore is no other dictionary's.
        let dictionary: StringDictionary
        var models: [SeriesModel]
    }

    /// As many as a tenant has memtables at once, and one more.
    private static let rememberedMemtables = 4

    private let builder: SeriesModelBuilder
    private let state = Mutex(State())
    private let interned = Mutex(Interned())

    init(translation: MetricTranslation) { builder = SeriesModelBuilder(translation: translation) }

    /// The number of things kept, each of roughly a kilobyte.
    var weight: Int {
        let (keys, bounds) = interned.withLock { ($0.keys.count, $0.bounds.count) }
        return state.withLock { state in
            // A part's table refers to streams by eight bytes each.
            let tables = state.parts.values.reduce(0) { $0 + $1.series.models.count } / 64
            return keys + bounds + state.models.count + state.resources.count + tables
        }
    }

    var modelCount: Int { state.withLock { $0.models.count } }

    func key(_ labels: Labels) -> SeriesKey {
        interned.withLock { interned in
            if let known = interned.keys[labels] { return known }
            let key = SeriesKey(number: interned.keys.count, labels: labels)
            interned.keys[labels] = key
            return key
        }
    }

    func bounds(_ bytes: UnsafeRawBufferPointer) -> BucketBounds {
        let key = Array(bytes)
        return interned.withLock { interned in
            if let known = interned.bounds[key] { return known }
            let bounds = BucketBounds(bytes, number: interned.bounds.count)
            interned.bounds[key] = bounds
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
            state.parts = state.parts.filter { $0.value.handle != nil }
            state.parts[number] = KnownPart(handle: handle, series: series)
            return series
        }
    }

    /// The streams of a memtable, by code. Its dictionaries grow, so what is known of a shorter one still holds.
    func series(ofMemory batch: ColumnBatch, table: MetricTable) -> [SeriesModel] {
        let dictionary = batch[table.series].dictionary
        let memory = dictionary.memory
        return state.withLock { state in
            let place = state.memory.firstIndex { $0.dictionary.memory === memory }
            var series = place.map { state.memory[$0].models } ?? []
            // A batch that was taken earlier sees fewer entries than are known by now.
            guard series.count < dictionary.count else { return series }
            var identities = IdentityPlaces(resources: [batch[table.resource].dictionary])
            identities.scopes = [batch[table.scope].dictionary]
            series += models(dictionary, from: series.count, &identities, &state)
            if let place {
                state.memory[place].models = series
            } else if memory != nil {
                state.memory.append(MemorySeries(dictionary: dictionary, models: series))
                if state.memory.count > Self.rememberedMemtables { state.memory.removeFirst() }
            }
            return series
        }
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
        (first..<dictionary.count).map { entry in
            let bytes = dictionary.bytes(entry)
            let hash = XXH3.hash(bytes)
            if let known = state.models[hash] { return known }
            let identity = SeriesIdentity(bytes)
            let model = builder.model(
                identity, hash: hash, number: state.models.count, family: family(identity, &state),
                resource: resource(identity.resourceHash, &identities, &state),
                scope: scope(identity.scopeHash, &identities, &state))
            state.models[hash] = model
            return model
        }
    }

    private func resource(
        _ hash: UInt64, _ identities: inout IdentityPlaces, _ state: inout State
    ) -> ResourceModel {
        if let known = state.resources[hash] { return known }
        let identity = identities.withResource(hash) { IdentityMessage(resource: $0) }
        let model = builder.resource(identity, number: state.resources.count, key: key)
        state.resources[hash] = model
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
        let family = MetricFamily(key, number: state.familyCount, translation: builder.names)
        if family != nil { state.familyCount += 1 }
        state.families[key] = .some(family)
        return family
    }
}

/// Finds resources and scopes by the hashes that series name them with.
private struct IdentityPlaces {
    private typealias Places = [UInt64: (dictionary: StringDictionary, entry: Int)]

    let resources: [StringDictionary]
    var scopes: [StringDictionary] = []
    /// Made when the first unknown one is asked for: mostly all are known.
    private var resourcePlaces: Places?
    private var scopePlaces: Places?

    init(resources: [StringDictionary]) { self.resources = resources }

    mutating func withResource<Result>(
        _ hash: UInt64, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        let places = resourcePlaces ?? Self.places(resources)
        resourcePlaces = places
        return Self.read(places[hash], body)
    }

    mutating func withScope<Result>(
        _ hash: UInt64, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        let places = scopePlaces ?? Self.places(scopes)
        scopePlaces = places
        return Self.read(places[hash], body)
    }

    private static func read<Result>(
        _ place: (dictionary: StringDictionary, entry: Int)?, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        guard let place else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        return withExtendedLifetime(place.dictionary) { body(place.dictionary.bytes(place.entry)) }
    }

    private static func places(_ dictionaries: [StringDictionary]) -> Places {
        var places: Places = [:]
        for dictionary in dictionaries {
            for entry in 0..<dictionary.count {
                places[SeriesIdentity.hash(dictionary.bytes(entry))] = (dictionary, entry)
            }
        }
        return places
    }
}

/// The directories of all tenants of one reader, bounded together.
final class SeriesDirectories: Sendable {
    /// Things of roughly a kilobyte.
    private let limit: Int
    private let translation: MetricTranslation
    private let directories = Mutex<[TenantID: SeriesDirectory]>([:])

    init(translation: MetricTranslation, limit: Int) {
        self.translation = translation
        self.limit = limit
    }

    func directory(of tenant: TenantID) -> SeriesDirectory {
        directories.withLock { directories in
            if directories.values.reduce(0, { $0 + $1.weight }) > limit { directories = [:] }
            if let known = directories[tenant] { return known }
            let directory = SeriesDirectory(translation: translation)
            directories[tenant] = directory
            return directory
        }
    }
}
