internal import QueryModel

/// The samples that one stream has for one series.
struct SeriesPiece {
    var key: SeriesKey
    /// Of the stream; see `SeriesModel.identity`.
    var identity: UInt64
    /// Milliseconds.
    var timestamps: [Int64]
    var values: [Double]
    var histograms: [NativeHistogram] = []
    /// Whether timestamps ascend strictly.
    var isAscending: Bool
}

/// Brings the pieces of equal label sets together.
///
/// Of samples with equal times one remains: that of the stream with the greatest identity, and within a stream the one that was
/// stored last.
struct SeriesOutput {
    private var pieces: [SeriesPiece] = []
    /// By the key's number: the first piece, and if there are more, the places of all.
    private var places: [Int: Int] = [:]
    private var shared: [Int: [Int]] = [:]

    mutating func add(_ piece: SeriesPiece) {
        guard !piece.timestamps.isEmpty else { return }
        let place = pieces.count
        pieces.append(piece)
        if let first = places[piece.key.number] {
            shared[piece.key.number, default: [first]].append(place)
        } else {
            places[piece.key.number] = place
        }
    }

    consuming func series() -> [SampleSeries] {
        pieces.indices.compactMap { index in
            let piece = pieces[index]
            if let places = shared[piece.key.number] {
                return places[0] == index ? Self.merge(places.map { pieces[$0] }) : nil
            }
            if !piece.isAscending { return Self.merge([piece]) }
            return SampleSeries(
                labels: piece.key.labels, timestamps: piece.timestamps, values: piece.values,
                histograms: piece.histograms)
        }
    }

    private static func merge(_ pieces: [SeriesPiece]) -> SampleSeries {
        let pieces = pieces.enumerated().sorted {
            ($0.element.identity, $0.offset) < ($1.element.identity, $1.offset)
        }.map(\.element)
        var all: [(time: Int64, piece: Int, sample: Int)] = []
        for (number, piece) in pieces.enumerated() {
            for (sample, time) in piece.timestamps.enumerated() { all.append((time, number, sample)) }
        }
        all.sort { ($0.time, $0.piece, $0.sample) < ($1.time, $1.piece, $1.sample) }
        var result = SampleSeries(labels: pieces[0].key.labels, timestamps: [], values: [])
        // Two metrics of one name, of which one is a native histogram: only the histograms are shown.
        let hasHistograms = pieces.contains { !$0.histograms.isEmpty }
        for (index, entry) in all.enumerated() {
            if index + 1 < all.count, all[index + 1].time == entry.time { continue }
            let piece = pieces[entry.piece]
            if hasHistograms {
                guard !piece.histograms.isEmpty else { continue }
                result.histograms.append(piece.histograms[entry.sample])
            }
            result.timestamps.append(entry.time)
            result.values.append(hasHistograms ? 0 : piece.values[entry.sample])
        }
        return result
    }
}
