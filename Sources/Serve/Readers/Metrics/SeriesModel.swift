internal import Core
internal import QueryModel
internal import Synchronization
internal import Telemetry

/// What a sample of a metric is to Prometheus: the series of one OTLP stream differ by it (rule T-9).
struct SampleRoles: OptionSet, Hashable {
    let rawValue: UInt8

    /// A gauge, a sum, or an exponential histogram as a native one.
    static let value = SampleRoles(rawValue: 1)
    static let bucket = SampleRoles(rawValue: 2)
    static let count = SampleRoles(rawValue: 4)
    static let sum = SampleRoles(rawValue: 8)
    static let quantile = SampleRoles(rawValue: 16)

    static let all: [SampleRoles] = [.value, .bucket, .count, .sum, .quantile]

    /// The label that tells apart the series of one role.
    var extraLabel: String? {
        switch self {
        case .bucket: "le"
        case .quantile: "quantile"
        default: nil
        }
    }
}

/// A metric by its descriptor, and the names of its series.
final class MetricFamily: Sendable {
    /// Dense, from zero, in its directory.
    let number: Int
    let kind: MetricKind
    let isDelta: Bool
    let name: String
    let type: String
    let help: String
    let unit: String
    let roles: SampleRoles

    struct Key: Hashable {
        var name: String
        var unit: String
        var description: String
        var kind: UInt8
        var temporality: Int32
        var isMonotonic: Bool
    }

    /// - Returns: nil if the metric has no kind, or no name that Prometheus would take.
    init?(_ key: Key, number: Int, translation: NameTranslation) {
        guard let kind = MetricKind(rawValue: key.kind) else { return nil }
        // Delta points are shown accumulated, so a monotonic delta sum has a counter's name as well; see `DeltaRestarts`.
        let type: NameTranslation.MetricType =
            kind == .gauge ? .gauge : kind == .sum && key.isMonotonic ? .counter : .other
        guard let name = translation.metricName(key.name, unit: key.unit, type: type) else { return nil }
        self.number = number
        self.kind = kind
        self.name = name
        isDelta = key.temporality == 1 && kind != .gauge && kind != .summary
        help = key.description
        unit = NameTranslation.unitText(key.unit)
        let cumulativeType: String
        switch kind {
        case .gauge: (cumulativeType, roles) = ("gauge", .value)
        case .sum: (cumulativeType, roles) = (key.isMonotonic ? "counter" : "gauge", .value)
        case .histogram: (cumulativeType, roles) = ("histogram", [.bucket, .count, .sum])
        case .exponentialHistogram: (cumulativeType, roles) = ("histogram", .value)
        case .summary: (cumulativeType, roles) = ("summary", [.quantile, .count, .sum])
        }
        // Rule T-11.
        self.type = isDelta ? "unknown" : cumulativeType
    }

    func sampleName(_ role: SampleRoles) -> String {
        switch role {
        case .bucket: name + "_bucket"
        case .count: name + "_count"
        case .sum: name + "_sum"
        default: name
        }
    }
}

/// A label set that a query can answer with, known by its number: equal sets have equal numbers in one directory.
final class SeriesKey: Sendable {
    let number: Int
    let labels: Labels

    init(number: Int, labels: Labels) {
        self.number = number
        self.labels = labels
    }
}

/// The bounds of an explicit histogram, as they are stored.
final class BucketBounds: Sendable {
    /// Dense, from zero, in its directory.
    let number: Int
    /// Without the last bucket's, which has none.
    let bounds: [Double]
    /// The value of `le` of each bucket; the last is `+Inf`.
    let texts: [String]

    init(_ bytes: Span<UInt8>, number: Int) {
        self.number = number
        bounds = (0..<bytes.count / 8).map { i in
            Double(bitPattern: bytes.littleEndian(at: i * 8))
        }
        texts = bounds.map { MetricLabelText.plain($0) } + ["+Inf"]
    }
}

/// A resource as series show it (rules T-5 to T-7).
final class ResourceModel: Sendable {
    /// Dense, from zero, in its directory.
    let number: Int
    let job: String
    let instance: String
    let promoted: [(name: String, value: String)]
    /// Of `target_info`; nil if the resource has none.
    let target: SeriesKey?

    init(
        number: Int, job: String, instance: String, promoted: [(name: String, value: String)],
        target: SeriesKey?
    ) {
        self.number = number
        self.job = job
        self.instance = instance
        self.promoted = promoted
        self.target = target
    }
}

/// One OTLP stream: its metric, and the labels that its series have in common.
final class SeriesModel: Sendable {
    /// Dense, from zero, in its directory.
    let number: Int
    /// The identity as it is stored.
    let bytes: [UInt8]
    /// Orders streams that give equal label sets: the greater one's sample counts where both have one.
    let identity: UInt64
    /// Nil if the metric has no series.
    let family: MetricFamily?
    let resource: ResourceModel
    /// Without `__name__`, and without what `le` and `quantile` come to in derived series.
    let labels: Labels
    private let keys = Mutex(Keys())

    private struct Keys {
        var plain: [SampleRoles: SeriesKey] = [:]
        var buckets: [Int: [SeriesKey]] = [:]
        var quantiles: [UInt64: SeriesKey] = [:]
    }

    init(
        number: Int, bytes: [UInt8], identity: UInt64, family: MetricFamily?, resource: ResourceModel, labels: Labels
    ) {
        self.number = number
        self.bytes = bytes
        self.identity = identity
        self.family = family
        self.resource = resource
        self.labels = labels
    }

    /// The series of a role without an extra label.
    func key(_ role: SampleRoles, in directory: SeriesDirectory) -> SeriesKey {
        keys.withLock { keys in
            if let known = keys.plain[role] { return known }
            let key = directory.key(derived(role, extra: nil))
            keys.plain[role] = key
            return key
        }
    }

    /// The series of each bucket.
    func keys(_ bounds: BucketBounds, in directory: SeriesDirectory) -> [SeriesKey] {
        keys.withLock { keys in
            if let known = keys.buckets[bounds.number] { return known }
            let made = bounds.texts.map { directory.key(derived(.bucket, extra: $0)) }
            keys.buckets[bounds.number] = made
            return made
        }
    }

    func key(quantile: Double, in directory: SeriesDirectory) -> SeriesKey {
        keys.withLock { keys in
            if let known = keys.quantiles[quantile.bitPattern] { return known }
            let key = directory.key(derived(.quantile, extra: MetricLabelText.plain(quantile)))
            keys.quantiles[quantile.bitPattern] = key
            return key
        }
    }

    private func derived(_ role: SampleRoles, extra: String?) -> Labels {
        var result = labels
        if let extra, let label = role.extraLabel { result = result.setting(label, to: extra) }
        return result.setting("__name__", to: family?.sampleName(role) ?? "")
    }
}
