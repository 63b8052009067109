/// OTLP's span kinds by the names that Jaeger's clients use (rules J-7, J-42).
package enum SpanKindName {
    /// By kind.
    package static let words = ["unspecified", "internal", "server", "client", "producer", "consumer"]

    /// Lower case; empty for an unspecified or unknown kind.
    package static func name(of kind: Int32) -> String {
        kind > 0 && words.indices.contains(Int(kind)) ? words[Int(kind)] : ""
    }

    /// Lower case; a kind that is not known is unspecified.
    package static func word(of kind: Int32) -> String {
        words.indices.contains(Int(kind)) ? words[Int(kind)] : words[0]
    }

    /// - Parameter name: of either case; `unspecified` and the empty text are kind 0.
    package static func kind(named name: String) -> Int32? {
        name.isEmpty ? 0 : words.firstIndex(of: name.lowercased()).map(Int32.init)
    }
}
