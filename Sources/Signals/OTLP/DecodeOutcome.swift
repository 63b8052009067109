/// What became of a request's spans, records or points.
package struct DecodeOutcome: Sendable, Equatable {
    package var accepted = 0
    package var rejected = 0
    /// Why the first of the rejected ones was, for `partial_success` (rule O-5).
    package var message = ""

    package init() {}

    mutating func reject(_ reason: @autoclosure () -> String) {
        rejected += 1
        if message.isEmpty { message = reason() }
    }
}
