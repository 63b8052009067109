import Corpus

/// Requests with every field of OTLP's messages, by the field numbers of rule 8.4.
enum FullRequests {
    private typealias Writer = Corpus.ProtobufWriter

    static func traces() -> [UInt8] {
        request { scope in
            scope.message(2) { span in
                span.id(1, high: 1, low: 2)
                span.id(2, 3)
                span.string(3, "vendor=1")
                span.id(4, 4)
                span.string(5, "operation")
                span.uint(6, 2)
                span.fixed64(7, 1_789_999_000_000_000_000)
                span.fixed64(8, 1_789_999_000_000_500_000)
                attributes(9, &span)
                span.uint(10, 1)
                span.message(11) { event in
                    event.fixed64(1, 1_789_999_000_000_100_000)
                    event.string(2, "exception")
                    attributes(3, &event)
                    event.uint(4, 2)
                }
                span.uint(12, 3)
                span.message(13) { link in
                    link.id(1, high: 5, low: 6)
                    link.id(2, 7)
                    link.string(3, "state")
                    attributes(4, &link)
                    link.uint(5, 4)
                    link.fixed32(6, 0x101)
                }
                span.uint(14, 5)
                span.message(15) { status in
                    status.string(2, "message")
                    status.uint(3, 2)
                }
                span.fixed32(16, 0x301)
            }
        }
    }

    static func logs() -> [UInt8] {
        request { scope in
            scope.message(2) { record in
                record.fixed64(1, 1_789_999_000_000_000_000)
                record.uint(2, 17)
                record.string(3, "ERROR")
                record.message(5) { map(&$0) }
                attributes(6, &record)
                record.uint(7, 1)
                record.fixed32(8, 1)
                record.id(9, high: 1, low: 2)
                record.id(10, 3)
                record.fixed64(11, 1_789_999_000_000_000_500)
                record.string(12, "event.name")
            }
        }
    }

    static func metrics() -> [UInt8] {
        request { scope in
            metric(5, &scope) { gauge in
                gauge.message(1) { number(&$0) { $0.double(4, 2.5) } }
                gauge.message(1) { number(&$0) { $0.fixed64(6, UInt64(bitPattern: -3)) } }
            }
            metric(7, &scope) { sum in
                sum.message(1) { number(&$0) { $0.fixed64(6, 12) } }
                sum.uint(2, 2)
                sum.bool(3, true)
            }
            metric(9, &scope) { histogram in
                histogram.message(1) { explicitHistogram(&$0) }
                histogram.uint(2, 1)
            }
            metric(10, &scope) { histogram in
                histogram.message(1) { exponentialHistogram(&$0) }
                histogram.uint(2, 2)
            }
            metric(11, &scope) { summary in
                summary.message(1) { point in
                    times(&point)
                    point.fixed64(4, 10)
                    point.double(5, 100)
                    point.message(6) { quantile in
                        quantile.double(1, 0.5)
                        quantile.double(2, 9)
                    }
                    attributes(7, &point)
                    point.uint(8, 0)
                }
            }
        }
    }

    private static func request(_ items: (inout Writer) -> Void) -> [UInt8] {
        var writer = Writer()
        writer.message(1) { group in
            group.message(1) { resource in
                resource.message(1) { pair in
                    pair.string(1, "service.name")
                    pair.message(2) { $0.string(1, "full") }
                }
                attributes(1, &resource)
                resource.uint(2, 3)
            }
            group.message(2) { inner in
                inner.message(1) { scope in
                    scope.string(1, "scope")
                    scope.string(2, "1.0")
                    attributes(3, &scope)
                    scope.uint(4, 2)
                }
                items(&inner)
                inner.string(3, "https://example.com/scope-schema")
            }
            group.string(3, "https://example.com/schema")
        }
        return writer.bytes
    }

    /// A value of each kind.
    private static func attributes(_ field: UInt64, _ writer: inout Writer) {
        let values: [(String, (inout Writer) -> Void)] = [
            ("string", { $0.string(1, "text") }), ("bool", { $0.bool(2, true) }), ("int", { $0.int(3, -7) }),
            ("double", { $0.double(4, 0.1) }), ("bytes", { $0.data(7, [0, 1, 255]) }), ("empty", { _ in }),
            ("map", { map(&$0) }),
        ]
        for (key, write) in values {
            writer.message(field) { pair in
                pair.string(1, key)
                pair.message(2, write)
            }
        }
    }

    /// An `AnyValue` that holds a map that holds an array.
    private static func map(_ value: inout Writer) {
        value.message(6) { list in
            list.message(1) { pair in
                pair.string(1, "array")
                pair.message(2) { inner in
                    inner.message(5) { array in
                        array.message(1) { $0.int(3, 1) }
                        array.message(1) { $0.string(1, "two") }
                    }
                }
            }
        }
    }

    private static func metric(_ kind: UInt64, _ scope: inout Writer, _ points: (inout Writer) -> Void) {
        scope.message(2) { metric in
            metric.string(1, "metric.\(kind)")
            metric.string(2, "description")
            metric.string(3, "s")
            metric.message(kind, points)
            metric.message(12) { pair in
                pair.string(1, "meta")
                pair.message(2) { $0.int(3, 1) }
            }
        }
    }

    private static func times(_ point: inout Writer) {
        point.fixed64(2, 1_789_998_000_000_000_000)
        point.fixed64(3, 1_789_999_000_000_000_000)
    }

    private static func number(_ point: inout Writer, _ value: (inout Writer) -> Void) {
        times(&point)
        value(&point)
        point.message(5) { exemplar(&$0) }
        attributes(7, &point)
        point.uint(8, 1)
    }

    private static func exemplar(_ writer: inout Writer) {
        writer.fixed64(2, 1_789_998_500_000_000_000)
        writer.double(3, 0.75)
        writer.id(4, 3)
        writer.id(5, high: 1, low: 2)
        attributes(7, &writer)
    }

    private static func explicitHistogram(_ point: inout Writer) {
        times(&point)
        point.fixed64(4, 10)
        point.double(5, 12.5)
        point.packedFixed64(6, [1, 2, 3, 4])
        point.packedFixed64(7, [0.1, 1, 10].map(\.bitPattern))
        point.message(8) { exemplar(&$0) }
        attributes(9, &point)
        point.double(11, 0.05)
        point.double(12, 99)
    }

    private static func exponentialHistogram(_ point: inout Writer) {
        attributes(1, &point)
        times(&point)
        point.fixed64(4, 15)
        point.double(5, -3)
        point.zigzag(6, -2)
        point.fixed64(7, 2)
        point.message(8) { buckets in
            buckets.zigzag(1, -4)
            buckets.packedVarints(2, [1, 0, 500])
        }
        point.message(9) { buckets in
            buckets.zigzag(1, 7)
            buckets.packedVarints(2, [3])
        }
        point.message(11) { exemplar(&$0) }
        point.double(12, -9)
        point.double(13, 9)
        point.double(14, 1e-9)
    }
}
