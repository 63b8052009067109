internal import Core

/// What became of a request's spans, records or points.
package struct DecodeOutcome: Sendable, Equatable {
    package var accepted = 0
    package var rejected = 0
    /// Why the first of the rejected ones was, for `partial_success` (rule O-5).
    package var message = ""
    /// Of the rejected ones, those whose time is not accepted.
    package var outside = 0

    package init() {}

    /// What the sender is told.
    package var explanation: String {
        outside > 0 && outside < rejected ? "\(message) (\(outside) of \(rejected) for their time)" : message
    }

    mutating func reject(_ what: String, at time: Int64, outside times: ClosedRange<Int64>) {
        outside += 1
        func text(_ time: Int64) -> String { CalendarTime.shortText(Timestamp(nanoseconds: time)) }
        reject("\(what) \(text(time)) is not between \(text(times.lowerBound)) and \(text(times.upperBound))")
    }

    mutating func reject(_ reason: @autoclosure () -> String) {
        rejected += 1
        if message.isEmpty { message = reason() }
    }
}
