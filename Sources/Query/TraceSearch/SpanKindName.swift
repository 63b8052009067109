/// OTLP's span kinds by the names that Jaeger's clients use (rules J-7, J-42).
package enum SpanKindName {
    private static let names = ["", "internal", "server", "client", "producer", "consumer"]

    /// Lower case; empty for an unspecified or unknown kind.
    package static func name(of kind: Int32) -> String {
        names.indices.contains(Int(kind)) ? names[Int(kind)] : ""
    }

    /// - Parameter name: of either case; `unspecified` and the empty text are kind 0.
    package static func kind(named name: String) -> Int32? {
        let name = name.lowercased()
        if name == "unspecified" { return 0 }
        return names.firstIndex(of: name).map(Int32.init)
    }
}
