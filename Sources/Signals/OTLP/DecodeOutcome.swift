internal import Core

/// What became of a request's spans, records or points.
package struct DecodeOutcome: Sendable, Equatable {
    package var accepted = 0
    package var rejected = 0
    /// Why the first of the rejected ones was, for `partial_success` (rule O-5).
    package var message = ""
    /// Of the rejected ones, those whose time is not accepted.
    package var outside = 0
    /// Of the accepted log records, those that were stored without a trace or span id, since it was ill-formed (logs.proto).
    package var withoutIDs = 0

    package init() {}

    /// What the sender is told, empty if there is nothing to say. Where nothing is rejected it is a warning, as the specification of
    /// OTLP has it.
    package var explanation: String {
        var text = outside > 0 && outside < rejected ? "\(message) (\(outside) of \(rejected) for their time)" : message
        if withoutIDs > 0 {
            if !text.isEmpty { text += "; " }
            text +=
                "\(withoutIDs) log records were stored without their ill-formed trace_id or span_id: a trace_id has 16 bytes, a span_id 8"
        }
        return text
    }

    /// Counts rows that were refused before the others were decoded.
    package mutating func reject(_ count: Int, _ reason: String) {
        guard count > 0 else { return }
        rejected += count
        message = message.isEmpty ? reason : "\(reason); \(message)"
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
