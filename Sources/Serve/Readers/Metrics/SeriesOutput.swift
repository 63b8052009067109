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
        // One after the other: of equal times the last sample remains.
        let samples = order(pieces.flatMap(\.timestamps))
        let kept = samples.indices.lazy.filter {
            $0 + 1 == samples.count || samples[$0 + 1].time != samples[$0].time
        }.map { samples[$0] }
        var result = SampleSeries(labels: pieces[0].key.labels, timestamps: [], values: [])
        guard pieces.contains(where: { !$0.histograms.isEmpty }) else {
            let values = pieces.flatMap(\.values)
            result.timestamps = kept.map(\.time)
            result.values = kept.map { values[$0.number] }
            return result
        }
        // Two metrics of one name, of which one is a native histogram: only the histograms are shown.
        let histograms = pieces.flatMap { piece -> [NativeHistogram?] in
            piece.histograms.isEmpty ? Array(repeating: nil, count: piece.timestamps.count) : piece.histograms
        }
        for sample in kept {
            guard let histogram = histograms[sample.number] else { continue }
            result.timestamps.append(sample.time)
            result.values.append(0)
            result.histograms.append(histogram)
        }
        return result
    }

    /// The samples by time, those of equal times by their numbers. Most are in order already.
    private static func order(_ timestamps: [Int64]) -> [(time: Int64, number: Int)] {
        var samples = timestamps.enumerated().map { (time: $1, number: $0) }
        samples.sort { $0.time != $1.time ? $0.time < $1.time : $0.number < $1.number }
        return samples
    }
}
