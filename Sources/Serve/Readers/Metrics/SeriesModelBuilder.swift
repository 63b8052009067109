internal import Core
internal import QueryModel
internal import Telemetry

/// Translates the attributes of streams, resources and scopes to labels (rules T-4 to T-8).
struct SeriesModelBuilder: Sendable {
    let translation: MetricTranslation
    let names: NameTranslation

    private static let identifying: Set<String> = [
        "service.name", "service.namespace", "service.instance.id",
    ]

    init(translation: MetricTranslation) {
        self.translation = translation
        names = NameTranslation(translation.strategy)
    }

    /// The labels that a stream's series have in common.
    func labels(_ identity: SeriesIdentity, resource: ResourceModel, scope: IdentityMessage?) -> Labels {
        var labels = labels(identity.attributes)
        for (name, value) in resource.promoted where labels[name] == nil { labels[name] = value }
        if let scope { addScope(scope, to: &labels) }
        if !resource.job.isEmpty { labels["job"] = resource.job }
        if !resource.instance.isEmpty { labels["instance"] = resource.instance }
        return Labels(labels.map { Label($0.key, $0.value) })
    }

    func resource(
        _ message: IdentityMessage, number: Int, key: (Labels) -> SeriesKey
    ) -> ResourceModel {
        func text(_ key: String) -> String {
            message.attributes.last { $0.key == key }?.value.text ?? ""
        }
        let name = text("service.name")
        let namespace = text("service.namespace")
        let job = name.isEmpty || namespace.isEmpty ? name : namespace + "/" + name
        let instance = text("service.instance.id")
        let promoted = labels(
            message.attributes.filter { translation.promotes(resourceAttribute: $0.key) })
        var target: SeriesKey?
        let others = message.attributes.filter { !Self.identifying.contains($0.key) }
        if !others.isEmpty, !(job.isEmpty && instance.isEmpty) {
            var labels = labels(others)
            if !job.isEmpty { labels["job"] = job }
            if !instance.isEmpty { labels["instance"] = instance }
            labels["__name__"] = MetricTargets.name
            target = key(Labels(labels.map { Label($0.key, $0.value) }))
        }
        return ResourceModel(
            number: number, job: job, instance: instance,
            promoted: promoted.map { (name: $0.key, value: $0.value) }, target: target)
    }

    private func addScope(_ scope: IdentityMessage, to labels: inout [String: String]) {
        guard !scope.name.isEmpty else { return }
        labels["otel_scope_name"] = scope.name
        labels["otel_scope_version"] = scope.version
        labels["otel_scope_schema_url"] = scope.schemaURL
        let attributes = scope.attributes.map { Attribute(key: "otel_scope_" + $0.key, value: $0.value) }
        for (name, value) in self.labels(attributes) { labels[name] = value }
    }

    /// Values of attributes whose keys come to the same name are joined in the order of their keys (rule T-4).
    func labels(_ attributes: [Attribute]) -> [String: String] {
        var labels: [String: String] = [:]
        for attribute in attributes.sorted(by: { $0.key < $1.key }) {
            let name = names.labelName(attribute.key)
            guard !name.isEmpty, name != "__name__" else { continue }
            let text = attribute.value.text
            labels[name] = labels[name].map { $0 + ";" + text } ?? text
        }
        return labels
    }
}
