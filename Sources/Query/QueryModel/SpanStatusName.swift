/// OTLP's status codes by their words.
package enum SpanStatusName {
    package static let words = ["unset", "ok", "error"]

    /// A code that is not known is unset.
    package static func word(of code: Int32) -> String {
        words.indices.contains(Int(code)) ? words[Int(code)] : words[0]
    }

    /// - Parameter word: of either case.
    package static func code(named word: String) -> Int32? {
        words.firstIndex(of: word.lowercased()).map(Int32.init)
    }
}
