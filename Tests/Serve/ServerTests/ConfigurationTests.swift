import API
import Core
import Files
import Foundation
import Ingest
import Maintenance
import Observability
import Settings
import Testing

@testable import Server

/// Where settings come from, which one counts, and what is said of wrong ones.
struct ConfigurationTests {
    private func load(
        file: String? = nil, environment: [String: String] = [:], flags: [(name: String, value: String)] = []
    ) throws -> (result: ConfigurationLoader.Result, path: String) {
        let path = NSTemporaryDirectory() + "varve-\(UUID().uuidString).yaml"
        defer { try? FileManager.default.removeItem(atPath: path) }
        if let file { try file.write(toFile: path, atomically: true, encoding: .utf8) }
        let configFlag = file == nil ? [] : [(name: "config", value: path)]
        let result = ConfigurationLoader.load(
            flags: configFlag + flags, environment: environment, fileSystem: PosixFileSystem())
        return (result, path)
    }

    @Test func `every setting can be made by flag, variable and file, and reads back as it is shown`() throws {
        for setting in Setting.all {
            let shown = setting.show(Configuration())
            let file = try load(file: "# comment\n\(setting.key): \"\(shown)\"\n").result
            let variable = try load(environment: [setting.variable: shown]).result
            let flag = try load(flags: [(setting.key, shown)]).result
            for result in [file, variable, flag] {
                #expect(result.problems == [], "\(setting.key)")
                #expect(setting.show(result.configuration) == shown)
            }
        }
    }

    @Test func `flags win over variables, and these over the file`() throws {
        let file = "data-dir: /from-file\nflush-bytes: 2MiB\nquery-timeout: 5s\n"
        let environment = ["VARVE_DATA_DIR": "/from-variable", "VARVE_FLUSH_BYTES": "3MiB", "OTHER": "x"]
        let configuration = try load(file: file, environment: environment, flags: [("data-dir", "/from-flag")])
            .result.configuration
        #expect(configuration.dataDirectory == "/from-flag")
        #expect(configuration.flushBytes == 3 << 20)
        #expect(configuration.queryTimeout == 5_000_000_000)
        #expect(configuration.durability == .fsync)
    }

    @Test func `values are what they say`() throws {
        let file = """
            listen-otlp: ":4318"
            listen-http: "[::1]:0"
            durability: written
            flush-age: 1m30s
            query-memory: 500 MB
            max-body-size: 65536
            max-connections: 7
            log-level: debug
            cors-origins:
              - https://a.example.com
              - https://*.b.example.com
            otlp-cors-origins: "*"
            """
        let (result, _) = try load(file: file)
        #expect(result.problems == [])
        let configuration = result.configuration
        #expect(configuration.listenOTLP == ListenAddress(host: "::", port: 4318))
        #expect(configuration.listenHTTP.description == "[::1]:0")
        #expect(configuration.durability == .written)
        #expect(configuration.flushAge == 90_000_000_000)
        #expect(configuration.queryMemory == 500_000_000)
        #expect(configuration.maxBodySize == 65_536)
        #expect(configuration.maxConnections == 7)
        #expect(configuration.logLevel == .debug)
        #expect(configuration.corsOrigins == .only(["https://a.example.com", "https://*.b.example.com"]))
        #expect(configuration.otlpCORSOrigins == .any)
    }

    @Test func `rules of retention name tables, tenants and services, and read back as they are shown`() throws {
        let file = """
            retention: "on"
            retention-rules:
              - table=otel_logs keep=14d
              - tenant=acme table=otel_traces keep=168h
              - service="check out, new" keep=forever
            retention-size: 100GiB
            """
        let (result, _) = try load(file: file)
        #expect(result.problems == [])
        let configuration = result.configuration
        #expect(configuration.retentionBytes == 100 << 30)
        #expect(configuration.retentionRules.count == 3)
        #expect(configuration.retentionRules[0].timeToLive == Int64(14) * 86_400_000_000_000)
        #expect(configuration.retentionRules[1].tenant?.name == "acme")
        #expect(configuration.retentionRules[2].service == Array("check out, new".utf8))
        #expect(configuration.retentionRules[2].timeToLive == nil)
        let setting = try #require(Setting.named("retention-rules"))
        let shown = setting.show(configuration)
        let again = try load(flags: [("retention-rules", shown)]).result.configuration
        #expect(again.retentionRules == configuration.retentionRules)
    }

    @Test(arguments: [
        ("table=otel_log keep=1d", "unknown table \"otel_log\"; did you mean \"otel_logs\"?"),
        ("tenant=a/b keep=1d", "\"a/b\" cannot be a tenant's name"),
        ("table=otel_logs", "a rule needs keep=DURATION or keep=forever"),
        ("table=otel_logs keep=soon", "\"soon\" is no duration; it looks like 30s, 1m30s or 500ms"),
        ("service=a service=b keep=1d", "service stands twice in one rule"),
        ("servise=a keep=1d", "unknown word \"servise\" in a rule; did you mean \"service\"?"),
        ("service=\"a keep=1d", "a quote is not closed in service=\"a keep=1d"),
        (
            "service=a table=otel_service_dependencies_1h keep=1d",
            "the table otel_service_dependencies_1h has no services that a rule could tell apart"
        ),
    ])
    func `a rule of retention that cannot be meant is refused`(rule: String, message: String) throws {
        let problems = try load(flags: [("retention-rules", rule)]).result.problems
        #expect(problems.map(\.message) == [message])
    }

    @Test(arguments: [
        ("data-dirr: x", 1, "unknown setting \"data-dirr\"; did you mean \"data-dir\"?"),
        ("\n\nlisten-htpp: x", 3, "unknown setting \"listen-htpp\"; did you mean \"listen-http\"?"),
        ("colour: red", 1, "unknown setting \"colour\""),
        ("data-dir: a\ndata-dir: b", 2, "\"data-dir\" is set twice; first in line 1"),
        ("durability: sync", 1, "durability: \"sync\" is none of fsync, written, memory"),
        ("flush-bytes: many", 1, "flush-bytes: \"many\" is no size; it looks like 64MiB, 500MB or 65536"),
        ("flush-bytes: 1", 1, "flush-bytes: 1 is not between 1MiB and 1GiB"),
        ("query-timeout: 0s", 1, "query-timeout: a duration is above zero"),
        (
            "listen-http: here", 1,
            "listen-http: \"here\" is no address; it looks like 127.0.0.1:4318, [::1]:4318 or :4318"
        ),
        ("data-dir:\n  x: 1", 2, "\"data-dir\" has a plain value, not settings below it"),
        ("- a\n- b", 1, "the file is a mapping of settings to values"),
        ("just text", 1, "the file is a mapping of settings to values"),
        ("data-dir: *x", 1, "aliases are not supported"),
        ("log-level: debug\nx: [a, [b]]", 2, "the file is a mapping of settings to values"),
    ])
    func `what is wrong in a file is said with its line`(file: String, line: Int, message: String) throws {
        let (result, path) = try load(file: file)
        #expect(result.problems.map(\.description) == ["\(path):\(line): \(message)"])
    }

    @Test func `text that is no YAML is refused with its line`() throws {
        let (result, _) = try load(file: "data-dir: a\n\tlog-level: b: c\n")
        let problem = try #require(result.problems.first)
        guard case .file(_, let line) = problem.place else {
            Issue.record("\(problem)")
            return
        }
        #expect(line == 2)
    }

    @Test func `an empty file sets nothing, and a missing one is a problem`() throws {
        #expect(try load(file: "").result.problems == [])
        #expect(try load(file: "# nothing\n---\n").result.problems == [])
        let missing = try load(flags: [("config", "/nowhere/x.yaml")]).result
        #expect(
            missing.problems.map(\.description) == [
                "/nowhere/x.yaml: cannot open /nowhere/x.yaml: No such file or directory"
            ])
    }

    @Test func `flags and variables are named in what is said of them, and all problems are found`() throws {
        let environment = ["VARVE_DATA_DIRS": "x", "VARVE_LOG_LEVEL": "loud", "VARVE_PORT": "tcp://10.0.0.1:80"]
        let (result, _) = try load(environment: environment, flags: [("flush-agee", "1s"), ("max-connections", "0")])
        #expect(
            result.problems.map(\.description) == [
                "VARVE_DATA_DIRS: unknown setting; did you mean \"VARVE_DATA_DIR\"?",
                "VARVE_LOG_LEVEL: \"loud\" is none of debug, info, warning, error",
                "--flush-agee: unknown setting \"flush-agee\"; did you mean \"flush-age\"?",
                "--max-connections: \"0\" is no whole number from 1 to 100000",
            ])
        #expect(result.warnings == ["the variable VARVE_PORT is no setting"])
    }

    @Test(arguments: [
        ("", "", 0), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "ab", 1), ("abc", "xabc", 1),
        ("kitten", "sitting", 3),
        ("data-dir", "datadir", 1),
    ])
    func `distances count edits`(left: String, right: String, distance: Int) {
        #expect(Suggestion.distance(left, right) == distance)
        #expect(Suggestion.distance(right, left) == distance)
    }

    @Test func `a log line is one JSON object`() {
        let entry = Log.Entry(
            level: .warning, message: "a \"b\"\n",
            fields: [("path", .string("/x")), ("count", 3), ("ratio", .double(0.5)), ("ok", true)])
        let line = String(
            decoding: JSONLog.line(entry, at: Timestamp(nanoseconds: 1_767_323_045_678_901_234)), as: UTF8.self)
        #expect(
            line
                == #"{"time":"2026-01-02T03:04:05.678Z","level":"warning","message":"a \"b\"\n","path":"/x","count":3,"ratio":0.5,"ok":true}"#
                + "\n")
    }

    @Test(
        arguments: [
            ([], 2), (["bogus"], 2), (["help"], 0), (["--help"], 0), (["serve", "--help"], 0), (["help", "serve"], 0),
            (["help", "x"], 2),
            (["version"], 0), (["version", "x"], 2), (["schema"], 0), (["check-config"], 0),
            (["check-config", "x"], 2),
            (["check-config", "--log-level"], 2), (["check-config", "--log-level=debug"], 0),
            (["check-config", "--nope", "1"], 2),
            (["serve", "--durability", "no"], 2),
        ] as [([String], Int32)])
    func `wrong commands and settings exit with 2`(arguments: [String], status: Int32) {
        #expect(CommandLineTool.run(arguments: ["varve"] + arguments, environment: [:]) == status)
    }
}
