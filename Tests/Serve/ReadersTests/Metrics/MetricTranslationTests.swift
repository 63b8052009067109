import Readers
import Testing

struct MetricTranslationTests {
    typealias Row = (name: String, unit: String, type: NameTranslation.MetricType, expected: String?)

    static let names: [Row] = [
        // The examples of rule T-2.
        ("http.server.request.count", "{request}", .counter, "http_server_request_count_total"),
        ("http.server.request.duration", "s", .other, "http_server_request_duration_seconds"),
        ("system.cpu.utilization", "1", .gauge, "system_cpu_utilization_ratio"),
        ("system.network.io", "By", .counter, "system_network_io_bytes_total"),
        ("speed", "m/s", .gauge, "speed_meters_per_second"),
        // Words that are there already are not repeated.
        ("disk.bytes.read", "By", .counter, "disk_bytes_read_total"),
        ("requests_total_by_kind", "", .counter, "requests_by_kind_total"),
        ("queue.ratio", "1", .gauge, "queue_ratio"),
        ("share", "1", .other, "share"),
        // Runs of other characters are one underscore; none at the ends.
        ("__a..b--c__", "", .gauge, "a_b_c"),
        ("ns:rule", "", .gauge, "ns:rule"),
        ("2xx.responses", "", .counter, "_2xx_responses_total"),
        ("größe", "", .gauge, "gr_e"),
        // Nothing left: no metric.
        ("...", "", .gauge, nil), ("", "", .gauge, nil), ("日本", "", .gauge, nil),
        // Units (rule T-3).
        ("t", "ms", .gauge, "t_milliseconds"), ("t", "us", .gauge, "t_microseconds"),
        ("t", "ns", .gauge, "t_nanoseconds"), ("t", "min", .gauge, "t_minutes"),
        ("t", "h", .gauge, "t_hours"), ("t", "d", .gauge, "t_days"), ("t", "KiBy", .gauge, "t_kibibytes"),
        ("t", "MBy", .gauge, "t_megabytes"), ("t", "%", .gauge, "t_percent"), ("t", "Cel", .gauge, "t_celsius"),
        ("t", "Hz", .gauge, "t_hertz"), ("t", "By/s", .gauge, "t_bytes_per_second"),
        ("t", "/m", .gauge, "t_per_minute"), ("t", "m/mo", .gauge, "t_meters_per_month"),
        ("t", "{packet}/s", .gauge, "t_per_second"), ("t", "s/{packet}", .gauge, "t_seconds"),
        ("t", "foo bar", .gauge, "t_foo_bar"), ("t", " s ", .gauge, "t_seconds"),
        ("t", "1/s", .gauge, "t_per_second"),
    ]

    @Test(arguments: names) func `T-2, T-3: names are escaped and get suffixes`(row: Row) {
        let names = NameTranslation(.underscoreEscapingWithSuffixes)
        #expect(names.metricName(row.name, unit: row.unit, type: row.type) == row.expected)
    }

    static let strategies: [(TranslationStrategy, String, String, String)] = [
        (.underscoreEscapingWithoutSuffixes, "a.b__c", "s", "a_b__c"),
        (.underscoreEscapingWithoutSuffixes, "7.x", "s", "_7_x"),
        (.noUTF8EscapingWithSuffixes, "http.server.io", "By", "http.server.io_bytes_total"),
        (.noUTF8EscapingWithSuffixes, "io.bytes.total", "By", "io.bytes_total"),
        (.noTranslation, "http.server.io", "By", "http.server.io"),
    ]

    @Test(arguments: strategies) func `T-1: strategies decide on escaping and suffixes`(
        strategy: TranslationStrategy, name: String, unit: String, expected: String
    ) {
        #expect(NameTranslation(strategy).metricName(name, unit: unit, type: .counter) == expected)
    }

    @Test(arguments: [
        ("http.method", "http_method"), ("a..b", "a__b"), ("1st", "key_1st"), ("_private", "key_private"),
        ("__meta", "__meta"), ("größe", "gr__e"), ("plain", "plain"),
    ])
    func `T-4: labels keep runs of underscores and get a prefix where they must`(key: String, expected: String) {
        #expect(NameTranslation(.underscoreEscapingWithSuffixes).labelName(key) == expected)
    }

    @Test(arguments: [
        ("s", "seconds"), ("By", "bytes"), ("m/s", "meters_per_second"), ("{request}", ""), ("1", ""), ("", ""),
    ])
    func `P-23: metadata shows the unit in words`(unit: String, expected: String) {
        #expect(NameTranslation.unitText(unit) == expected)
    }
}
