private import JSON
package import Observability

/// The server's own metrics in Prometheus's text format, version 0.0.4.
package enum MetricsText {
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    package static func render(_ families: [MetricsRegistry.Family]) -> [UInt8] {
        var output: [UInt8] = []
        for family in families {
            guard let first = family.members.first else { continue }
            let help = escaped(family.help, quotes: false)
            output += "# HELP \(family.name) \(help)\n# TYPE \(family.name) \(typeName(first.instrument))\n".utf8
            for member in family.members {
                append(member.instrument, name: family.name, labels: member.labels, to: &output)
            }
        }
        return output
    }

    private static func typeName(_ instrument: MetricsRegistry.Instrument) -> String {
        switch instrument {
        case .counter, .computed(monotonic: true, _): "counter"
        case .gauge, .computed(monotonic: false, _): "gauge"
        case .histogram: "histogram"
        }
    }

    private typealias LabelList = [(name: String, value: String)]

    private static func append(
        _ instrument: MetricsRegistry.Instrument, name: String, labels: LabelList, to output: inout [UInt8]
    ) {
        switch instrument {
        case .counter(let counter): line(name, labels, Double(counter.value), &output)
        case .gauge(let gauge): line(name, labels, Double(gauge.value), &output)
        case .computed(_, let read): line(name, labels, read(), &output)
        case .histogram(let histogram):
            let (counts, total, sum) = histogram.cumulative
            for (bound, count) in zip(histogram.bounds, counts) {
                line("\(name)_bucket", labels + [("le", PrometheusNumber.format(bound))], Double(count), &output)
            }
            line("\(name)_bucket", labels + [("le", "+Inf")], Double(total), &output)
            line("\(name)_sum", labels, sum, &output)
            line("\(name)_count", labels, Double(total), &output)
        }
    }

    private static func line(_ name: String, _ labels: LabelList, _ value: Double, _ output: inout [UInt8]) {
        output += name.utf8
        if !labels.isEmpty {
            let pairs = labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }
            output += "{\(pairs.joined(separator: ","))}".utf8
        }
        output += " \(PrometheusNumber.format(value))\n".utf8
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
