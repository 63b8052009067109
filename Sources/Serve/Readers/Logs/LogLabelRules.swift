internal import Core
internal import QueryModel

/// Which resource attributes are index labels of Loki's model (rule M-2), and what a stream without a name is called (M-3).
package struct LogLabelRules: Sendable {
    private let labelOfAttribute: [String: String]

    /// - Parameter indexedAttributes: keys of resource attributes; of keys with the same label the first one counts.
    package init(indexedAttributes: [String]) {
        labelOfAttribute = Dictionary(
            indexedAttributes.map { ($0, LogLabelName.sanitized($0)) }, uniquingKeysWith: { first, _ in first })
    }

    /// What Loki indexes by default.
    package static let standard = LogLabelRules(indexedAttributes: [
        "service.name", "service.namespace", "service.instance.id", "deployment.environment",
        "deployment.environment.name", "cloud.region", "cloud.availability_zone", "k8s.cluster.name",
        "k8s.namespace.name", "k8s.pod.name", "k8s.container.name", "container.name",
        "k8s.replicaset.name", "k8s.deployment.name", "k8s.statefulset.name", "k8s.daemonset.name",
        "k8s.cronjob.name", "k8s.job.name",
    ])

    static let serviceName = "service_name"
    private static let unknownService = "unknown_service"

    /// Labels that name a service which does not say its name, the best one first.
    private static let serviceNameSubstitutes = [
        "service", "app", "application", "app_name", "name", "app_kubernetes_io_name", "container",
        "container_name", "k8s_container_name", "component", "workload", "job", "k8s_job_name",
    ]

    func hasIndexLabel(_ name: String) -> Bool {
        name == Self.serviceName || labelOfAttribute.values.contains(name)
    }

    func isIndexed(_ attribute: Attribute) -> Bool {
        labelOfAttribute[attribute.key] != nil
    }

    /// The index labels of a resource; never without `service_name`.
    func indexLabels(ofResource attributes: [Attribute]) -> Labels {
        var values: [String: String] = [:]
        for attribute in attributes {
            guard let label = labelOfAttribute[attribute.key], values[label] == nil else { continue }
            let text = attribute.value.text
            if !text.isEmpty { values[label] = text }
        }
        if values[Self.serviceName] == nil {
            values[Self.serviceName] =
                Self.serviceNameSubstitutes.lazy.compactMap { values[$0] }.first ?? Self.unknownService
        }
        return Labels(values.map { Label($0.key, $0.value) })
    }
}

/// Names of attributes as names of labels (rule M-4).
enum LogLabelName {
    /// Every run of characters other than ASCII letters and digits becomes one `_`, and `key_` goes before a leading digit.
    static func sanitized(_ key: String) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(key.utf8.count + 4)
        for byte in key.utf8 {
            if isLetter(byte) || isDigit(byte) {
                bytes.append(byte)
            } else if bytes.last != underscore {
                bytes.append(underscore)
            }
        }
        if let first = bytes.first, isDigit(first) { bytes.insert(contentsOf: "key_".utf8, at: 0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let underscore = UInt8(ascii: "_")

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// Hands over a label for each attribute that has a name and a value; the members of maps one by one.
    static func flatten(_ attributes: [Attribute], into labels: inout [Label]) {
        for attribute in attributes { flatten(attribute.value, path: attribute.key, into: &labels) }
    }

    static func flatten(_ value: AttributeValue, path: String, into labels: inout [Label]) {
        guard case .map(let members) = value else {
            let label = Label(sanitized(path), value.text)
            // A label without a value is an absent one.
            if !label.name.isEmpty, !label.value.isEmpty { labels.append(label) }
            return
        }
        for member in members { flatten(member.value, path: path + "_" + member.key, into: &labels) }
    }

    /// Labels sorted by name, of each name the first one.
    static func unique(_ labels: [Label]) -> [Label] {
        let order = labels.indices.sorted {
            labels[$0].name == labels[$1].name ? $0 < $1 : labels[$0].name < labels[$1].name
        }
        var result: [Label] = []
        result.reserveCapacity(labels.count)
        for index in order where result.last?.name != labels[index].name { result.append(labels[index]) }
        return result
    }
}
