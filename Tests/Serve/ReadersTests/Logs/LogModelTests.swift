import Core
import QueryModel
import Randomness
import Testing

@testable import Readers

/// What files say of themselves is not believed.
struct LogZoneTests {
    @Test(
        arguments: [
            (nil, 0, 0..<0), (nil, 3, 0..<3), (0...0, 0, 0..<0), (0...2, 3, 0..<3), (1...1, 3, 1..<2),
            (1...9, 3, 1..<3),
            (7...9, 3, 3..<3), (-5...0, 3, 0..<1), (-5...(-2), 3, 0..<0), (Int64.min...Int64.max, 3, 0..<3),
            (Int64.max...Int64.max, 3, 3..<3), (Int64.min...Int64.min, 3, 0..<0),
        ] as [(ClosedRange<Int64>?, Int, Range<Int>)])
    func `a zone's codes are those that the dictionary has`(zone: ClosedRange<Int64>?, count: Int, codes: Range<Int>) {
        #expect(LogReader.codes(in: zone, of: count) == codes)
    }
}

/// Rules M-2 to M-4: names and index labels.
struct LogLabelTests {
    @Test(arguments: [
        ("service.name", "service_name"), ("a..b", "a_b"), ("a_.b", "a_b"), ("__a", "_a"), ("a-b c", "a_b_c"),
        ("9lives", "key_9lives"), ("1", "key_1"), ("é", "_"), ("日本.x", "_x"), ("x日本", "x_"), ("Ab9", "Ab9"),
        ("", ""), ("[k]", "_k_"), ("{\u{0}|`", "_"),
    ])
    func `M-4: names keep ASCII letters and digits`(key: String, name: String) {
        #expect(LogLabelName.sanitized(key) == name)
    }

    @Test func `M-4: the members of maps become labels of their own`() {
        let attributes = [
            Attribute(
                key: "http",
                value: .map([
                    Attribute(key: "method", value: .string("GET")),
                    Attribute(
                        key: "req.header", value: .map([Attribute(key: "1", value: .array([.int(1), .bool(true)]))])),
                    Attribute(key: "none", value: .map([])),
                ])),
            Attribute(key: "nothing", value: .empty),
            Attribute(key: "", value: .int(1)),
        ]
        var labels: [Label] = []
        LogLabelName.flatten(attributes, into: &labels)
        #expect(labels == [Label("http_method", "GET"), Label("http_req_header_1", "[1,true]")])
    }

    @Test(arguments: [
        ("service.name", "service_name"), ("service.namespace", "service_namespace"),
        ("service.instance.id", "service_instance_id"), ("deployment.environment", "deployment_environment"),
        ("deployment.environment.name", "deployment_environment_name"), ("cloud.region", "cloud_region"),
        ("cloud.availability_zone", "cloud_availability_zone"), ("k8s.cluster.name", "k8s_cluster_name"),
        ("k8s.namespace.name", "k8s_namespace_name"), ("k8s.pod.name", "k8s_pod_name"),
        ("k8s.container.name", "k8s_container_name"), ("container.name", "container_name"),
        ("k8s.replicaset.name", "k8s_replicaset_name"), ("k8s.deployment.name", "k8s_deployment_name"),
        ("k8s.statefulset.name", "k8s_statefulset_name"), ("k8s.daemonset.name", "k8s_daemonset_name"),
        ("k8s.cronjob.name", "k8s_cronjob_name"), ("k8s.job.name", "k8s_job_name"),
    ])
    func `M-2: these attributes are index labels`(attribute: String, label: String) {
        let labels = LogLabelRules.standard.indexLabels(ofResource: [Attribute(key: attribute, value: .string("v"))])
        #expect(labels[label] == "v")
    }

    @Test(arguments: ["host.name", "service_name", "k8s.node.name", "app", "service.version", "k8s.pod.uid"])
    func `M-2: others are not`(attribute: String) {
        let labels = LogLabelRules.standard.indexLabels(ofResource: [Attribute(key: attribute, value: .string("v"))])
        #expect(labels.text == #"{service_name="unknown_service"}"#)
    }

    @Test(arguments: [
        (["container.name=c"], "c"), (["k8s.container.name=k", "container.name=c"], "c"),
        (["k8s.job.name=j"], "j"), (["k8s.job.name=j", "k8s.container.name=k"], "k"),
        (["service.name=", "k8s.job.name=j"], "j"), (["service.name=s", "container.name=c"], "s"),
        (["k8s.pod.name=p"], "unknown_service"), ([], "unknown_service"),
    ])
    func `M-3: a stream without a name takes the first of other labels`(attributes: [String], name: String) {
        let resource = attributes.map { text in
            let parts = text.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            return Attribute(key: parts[0], value: .string(parts[1]))
        }
        #expect(LogLabelRules.standard.indexLabels(ofResource: resource)["service_name"] == name)
    }

    @Test func `M-3: with other index labels, other substitutes are found`() {
        let rules = LogLabelRules(indexedAttributes: ["job", "app"])
        let resource = [
            Attribute(key: "job", value: .string("j")), Attribute(key: "app", value: .string("a")),
            Attribute(key: "service.name", value: .string("s")),
        ]
        #expect(rules.indexLabels(ofResource: resource).text == #"{app="a", job="j", service_name="a"}"#)
    }

    @Test(arguments: [
        ("trace_id", true), ("trace.id", true), ("trace", true), ("trace.", true), ("", true), ("traceid", false),
        ("trace_i", false), ("id", false), ("trace_id_2", false),
    ])
    func `a key is known that can become a label`(key: String, can: Bool) {
        #expect(LogLabelName.canMake("trace_id", from: Array(key.utf8)) == can)
    }
}

/// Rule M-6.
struct LogLevelTests {
    @Test(arguments: [
        ("trace", "trace"), ("TRC", "trace"), ("Debug", "debug"), ("dbg", "debug"), ("INFO", "info"), ("inf", "info"),
        ("Information", "info"), ("warn", "warn"), ("WRN", "warn"), ("Warning", "warn"), ("error", "error"),
        ("ERR", "error"), ("Critical", "critical"), ("FATAL", "fatal"), ("notice", "notice"), ("WARN2", "WARN2"),
        ("", ""), ("somewhat serious", "somewhat serious"),
    ])
    func `values of labels are normalised, or kept`(text: String, level: String) {
        #expect(LogLevel.normalized(text) == level)
    }

    @Test func `each severity number has its level`() {
        let levels = ["trace", "debug", "info", "warn", "error", "fatal"]
        for number in Int64(1)...24 { #expect(LogLevel.ofSeverity(number) == levels[(Int(number) - 1) / 4]) }
        for number in [Int64(-1), 0, 25, .max] { #expect(LogLevel.ofSeverity(number) == nil) }
    }

    @Test(
        arguments: [
            (["level=warn"], "warn"), (["lvl=err", "level=info"], "info"),
            (["severity_text=INFO", "Severity=fatal"], "fatal"),
            (["log_level=dbg", "LVL=err"], "debug"), (["severity_text=weird"], "weird"), (["levels=info"], nil),
            ([], nil),
            (["SEVERITY_TEXT=err"], "error"), (["LEVEL=x", "level=inf"], "info"),
        ] as [([String], String?)])
    func `the best label tells`(labels: [String], level: String?) {
        let labels = labels.map { text in
            let parts = text.split(separator: "=").map(String.init)
            return Label(parts[0], parts[1])
        }
        #expect(LogLevel.ofLabels(labels) == level)
    }

    @Test(arguments: [
        // JSON: fields to depth two, of objects only.
        (#"{"level":"error","msg":"info"}"#, "error"), (#" {"a":1,"LVL":"WRN"}"#, "warn"),
        (#"{"log":{"level":"debug"}}"#, "debug"), (#"{"a":{"b":{"level":"wrn"}},"c":"fatal"}"#, "fatal"),
        (#"{"a":[{"level":"debug"}],"severity":"critical"}"#, "critical"), (#"{"log.level":"trc"}"#, "trace"),
        (#"{"level":"\u0065rr"}"#, "error"), (#"{"level":30,"msg":"a warning"}"#, "warn"),
        (#"{"level":"odd"} err"#, "error"), (#"{"level":null,"x":"y"}"#, "unknown"), (#"{"level":"#, "unknown"),
        (#"{"msg":"x","level":"info"#, "info"), ("{}", "unknown"), ("{", "unknown"),
        // logfmt: fields in any case.
        ("ts=1 level=info msg=error", "info"), ("Level=WARN", "warn"), (#"msg="level=info" lvl=dbg"#, "debug"),
        (#"msg="a \" level=info" severity=fatal"#, "fatal"), (#"level="Warning" a=b"#, "warn"),
        ("level=odd then error", "error"), ("xlevel=info", "info"), ("level=", "unknown"), (#"level=""#, "unknown"),
        (#"a="b\"#, "unknown"), ("=info", "info"),
        // Words: the earliest whole one.
        ("an ERROR after a warning", "error"), ("WARNING: error", "warn"), ("information", "unknown"),
        ("error_count 5", "unknown"), ("terror", "unknown"), ("[err] x", "error"), ("a fatal", "fatal"),
        ("Debugging", "unknown"), ("(critical)", "critical"), ("", "unknown"), ("TRACE", "trace"),
        ("éerror", "unknown"),
    ])
    func `a line tells by a field or a word`(line: String, level: String) {
        #expect(LogLevel.ofLine(line.utf8Span.span) == level)
    }

    @Test func `no line makes the search trap`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let pieces = [
            "{", "}", "\"", "level", "=", ":", "info", "\\", " ", ",", "[", "]", "err", "\u{e9}", "a", "lvl=", "1",
        ]
        for _ in 0..<5000 {
            let line = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                pieces[Int.random(in: 0..<pieces.count, using: &random)]
            }.joined()
            let level = LogLevel.ofLine(line.utf8Span.span)
            #expect(["info", "error", "unknown"].contains(level), "seed \(seed): \(line)")
        }
    }
}
