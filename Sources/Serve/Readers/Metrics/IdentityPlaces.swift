internal import Columns
internal import Telemetry

/// Finds resources and scopes by the hashes that series name them with.
struct IdentityPlaces {
    private typealias Places = [UInt64: (dictionary: StringDictionary, entry: Int)]

    let resources: [StringDictionary]
    var scopes: [StringDictionary] = []
    /// Made when the first unknown one is asked for: mostly all are known.
    private var resourcePlaces: Places?
    private var scopePlaces: Places?

    init(resources: [StringDictionary]) { self.resources = resources }

    mutating func withResource<Result>(
        _ hash: UInt64, _ body: (Span<UInt8>) -> Result
    ) -> Result {
        let places = resourcePlaces ?? Self.places(resources)
        resourcePlaces = places
        return Self.read(places[hash], body)
    }

    mutating func withScope<Result>(
        _ hash: UInt64, _ body: (Span<UInt8>) -> Result
    ) -> Result {
        let places = scopePlaces ?? Self.places(scopes)
        scopePlaces = places
        return Self.read(places[hash], body)
    }

    private static func read<Result>(
        _ place: (dictionary: StringDictionary, entry: Int)?, _ body: (Span<UInt8>) -> Result
    ) -> Result {
        guard let place else { return body(Span()) }
        return withExtendedLifetime(place.dictionary) { body(place.dictionary.span(place.entry)) }
    }

    private static func places(_ dictionaries: [StringDictionary]) -> Places {
        var places: Places = [:]
        for dictionary in dictionaries {
            for entry in 0..<dictionary.count {
                places[SeriesIdentity.hash(dictionary.span(entry))] = (dictionary, entry)
            }
        }
        return places
    }
}
