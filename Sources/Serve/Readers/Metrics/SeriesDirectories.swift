internal import Core
internal import Synchronization

/// The directories of all tenants of one reader, whose memory is bounded together and shared fairly.
///
/// When they take too much, the largest go first, until there is room: a tenant that has less than an equal share never loses its
/// directory to one that has more. What goes is translated anew when it is next asked for, of the parts that are there by then.
final class SeriesDirectories: Sendable {
    /// In bytes.
    private let limit: Int
    private let translation: MetricTranslation
    private let directories = Mutex<[TenantID: SeriesDirectory]>([:])

    init(translation: MetricTranslation, limit: Int) {
        self.translation = translation
        self.limit = limit
    }

    /// Bytes of memory, about.
    var byteCount: Int { directories.withLock { $0.values.reduce(0) { $0 + $1.byteCount } } }

    func directory(of tenant: TenantID) -> SeriesDirectory {
        directories.withLock { directories in
            makeRoom(&directories)
            if let known = directories[tenant] { return known }
            let directory = SeriesDirectory(translation: translation)
            directories[tenant] = directory
            return directory
        }
    }

    private func makeRoom(_ directories: inout [TenantID: SeriesDirectory]) {
        var sizes = directories.mapValues(\.byteCount)
        var total = sizes.values.reduce(0, +)
        while total > limit, let largest = sizes.max(by: { ($0.value, $0.key) < ($1.value, $1.key) }) {
            directories[largest.key] = nil
            sizes[largest.key] = nil
            total -= largest.value
        }
    }
}
