/// The word that somebody who wrote another one probably meant.
package enum Suggestion {
    /// The nearest of `candidates`, if it is near: a third of its letters may be wrong, but no more than three.
    package static func nearest(to word: String, among candidates: [String]) -> String? {
        let distances = candidates.map { (word: $0, distance: distance(word, $0)) }
        guard let best = distances.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= min(3, max(1, best.word.count / 3)) ? best.word : nil
    }

    /// `; did you mean "data-dir"?`, or nothing.
    package static func question(_ word: String, among candidates: [String]) -> String {
        nearest(to: word, among: candidates).map { "; did you mean \"\($0)\"?" } ?? ""
    }

    /// How many letters must be inserted, removed, replaced or swapped with their neighbour.
    package static func distance(_ left: String, _ right: String) -> Int {
        let (a, b) = (Array(left.utf8.prefix(100)), Array(right.utf8.prefix(100)))
        var older: [Int] = []
        var previous = Array(0...b.count)
        for i in a.indices {
            var current = [i + 1]
            for j in b.indices {
                let replaced = previous[j] + (a[i] == b[j] ? 0 : 1)
                var best = min(replaced, previous[j + 1] + 1, current[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, older[j - 1] + 1) }
                current.append(best)
            }
            (older, previous) = (previous, current)
        }
        return previous[b.count]
    }
}
