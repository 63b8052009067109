internal import Core
package import QueryModel

extension ServiceGraph {
    /// The dependencies by the names that clients know, where a resource without a name has one too.
    package func named() -> [ServiceDependency] {
        func isNamed(_ service: String) -> Bool { !service.isEmpty && service != TraceSpan.unnamedService }
        guard !dependencies.allSatisfy({ isNamed($0.parent) && isNamed($0.child) }) else { return dependencies }
        var merged: [[String]: ServiceDependency] = [:]
        for dependency in dependencies {
            let names = [dependency.parent, dependency.child].map { TraceSpan.shownName(ofService: $0) }
            guard names[0] != names[1] else { continue }
            var sum = merged[names] ?? ServiceDependency(parent: names[0], child: names[1])
            sum.calls += dependency.calls
            sum.errors += dependency.errors
            sum.durations.merge(dependency.durations)
            merged[names] = sum
        }
        return ServiceGraph(dependencies: Array(merged.values), tables: []).dependencies
    }
}

extension TraceSpan {
    /// How clients know a service; the stored name may be empty.
    package static func shownName(ofService stored: String) -> String { stored.isEmpty ? unnamedService : stored }

    /// The stored names of services as clients know them.
    package static func storedNames(of shown: [String]) -> Set<String> {
        Set(shown).union(shown.contains(unnamedService) ? [""] : [])
    }
}
