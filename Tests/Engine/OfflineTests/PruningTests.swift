import Core
import EngineFixtures
import Files
import Maintenance
import Offline
import Settings
import Storage
import TableSchema
import Testing

/// Retention without a server: what goes is said before, and no more than that goes.
struct PruningTests {
    private static let day: Int64 = 86_400_000_000_000
    private static let start: Int64 = 1_699_920_000_000_000_000

    /// Three days of rows; the services are the table's labels.
    private let place = OfflineDirectory { table in
        var table = table
        for column in table.columns.indices where table.columns[column].name == "label" {
            table.columns[column].name = "service_name"
        }
        table.timeToLive = 30 * PruningTests.day
        table.ttlColumn = table.partitionColumn
        return table
    }

    private func policy(_ rules: [RetentionRule]) -> RetentionPolicy {
        var policy = RetentionPolicy()
        policy.rules = rules
        return policy
    }

    private func pruning(_ policy: RetentionPolicy, daysAfter days: Double) throws -> Pruning {
        try Pruning(place.directory(), policy: policy, now: now(days))
    }

    private func now(_ days: Double) -> Timestamp {
        Timestamp(nanoseconds: Self.start + Int64(days * Double(Self.day)))
    }

    private func isOf(_ service: String, _ row: [Cell]) -> Bool {
        row[EveryTypeTable.label].bytes == Array(service.utf8)
    }

    @Test func `a partition goes once its last row has expired`() throws {
        try place.fill(3, rows: 200, seed: 1)
        let before = try place.rows()
        #expect(try pruning(RetentionPolicy(), daysAfter: 31).isEmpty)
        let files = place.partFiles
        let pruning = try pruning(RetentionPolicy(), daysAfter: 31.5)
        #expect(pruning.partitions.map(\.partition.start) == [Self.start] && pruning.parts.isEmpty)
        #expect(place.partFiles == files, "finding out changes nothing")
        let expected = before.filter { $0.key[EveryTypeTable.time].integer >= Self.start + Self.day }
        #expect(pruning.rowCount == before.values.reduce(0, +) - expected.values.reduce(0, +))
        try pruning.carryOut(place.directory().openStore())
        #expect(try place.rows() == expected)
        #expect(try place.verify().summary.isClean)
        #expect(try self.pruning(RetentionPolicy(), daysAfter: 31.5).isEmpty)
    }

    @Test func `rows of a service go from partitions in which all of them have expired`() throws {
        try place.fill(3, rows: 300, seed: 2)
        let before = try place.rows()
        let rules = policy([RetentionRule(service: Array("label-1".utf8), timeToLive: Self.day)])
        // Those of the second day have expired in part: they wait.
        let pruning = try pruning(rules, daysAfter: 2.5)
        #expect(pruning.partitions.isEmpty && Set(pruning.parts.map(\.plan.part.partition)) == [Self.start])
        let expected = before.filter {
            !isOf("label-1", $0.key) || $0.key[EveryTypeTable.time].integer >= Self.start + Self.day
        }
        let gone = before.values.reduce(0, +) - expected.values.reduce(0, +)
        #expect(pruning.rowCount == gone && gone > 0)
        let bytes = pruning.parts.reduce(0) { $0 + $1.plan.part.byteCount }
        #expect(pruning.byteCount > 0 && pruning.byteCount < bytes)
        let files = place.partFiles
        try pruning.carryOut(place.directory().openStore())
        #expect(try place.rows() == expected)
        #expect(try place.verify().summary.isClean)
        #expect(Set(place.partFiles).subtracting(files).count == pruning.parts.count)
        #expect(try self.pruning(rules, daysAfter: 2.5).isEmpty)
    }

    @Test func `a part of which no row is left goes as a whole`() throws {
        try place.fill(1, rows: 300, seed: 3)
        let before = try place.rows()
        // Every service has a rule.
        let rules = policy((0..<40).map { RetentionRule(service: Array("label-\($0)".utf8), timeToLive: 1) })
        let pruning = try pruning(rules, daysAfter: 1.5)
        #expect(pruning.parts.map(\.rowCount) == pruning.parts.map(\.plan.part.rowCount))
        try pruning.carryOut(place.directory().openStore())
        #expect(try place.rows() == before.filter { $0.key[EveryTypeTable.time].integer >= Self.start + Self.day })
        #expect(place.partFiles.count == 2)
    }

    @Test func `a limit of size drops what ended first`() throws {
        try place.fill(2, rows: 200, seed: 4)
        let total = try place.directory().parts.reduce(0) { $0 + $1.record.byteCount }
        var policy = RetentionPolicy()
        policy.byteLimit = total - 1
        let pruning = try pruning(policy, daysAfter: 10)
        #expect(pruning.partitions.map(\.reason) == [.size])
        #expect(pruning.partitions.map(\.partition.start) == [Self.start])
        policy.byteLimit = total
        #expect(try self.pruning(policy, daysAfter: 10).isEmpty)
    }

    @Test func `given up anywhere, it leaves each part as it was or without the rows, and goes on later`() throws {
        try place.fill(3, rows: 200, seed: 5)
        let before = try place.rows()
        let rules = policy([RetentionRule(service: Array("label-2".utf8), timeToLive: Self.day)])
        let expected = before.filter {
            !isOf("label-2", $0.key) || $0.key[EveryTypeTable.time].integer >= Self.start + 2 * Self.day
        }
        var stops = 0
        for stop in 1... {
            let pruning = try pruning(rules, daysAfter: 3.5)
            if pruning.isEmpty { break }
            var calls = 0
            do {
                try pruning.carryOut(place.directory().openStore()) { (_) throws(OfflineError) in
                    calls += 1
                    if calls > stop { throw .interrupted }
                }
            } catch OfflineError.interrupted {
                stops += 1
            }
            let rows = try place.rows()
            #expect(rows.allSatisfy { before[$0.key] == $0.value } && expected.allSatisfy { rows[$0.key] == $0.value })
            #expect(try place.verify().summary.isClean)
        }
        #expect(stops > 0)
        #expect(try place.rows() == expected)
    }

    @Test func `a part that cannot be read is said to need a repair`() throws {
        try place.fill(1, rows: 100, seed: 6)
        for path in place.partFiles { place.disk.edit(path) { $0.removeLast(40) } }
        let rules = policy([RetentionRule(service: Array("label-1".utf8), timeToLive: 1)])
        #expect {
            try pruning(rules, daysAfter: 20)
        } throws: { error in
            "\(error)".contains("Run varve-compact repair first")
        }
    }

    // MARK: The file of settings

    private func read(_ text: String) -> (settings: RetentionSettings, problems: [String]) {
        let (settings, problems) = RetentionSettings.read(Array(text.utf8), path: "f", tables: place.tables)
        return (settings, problems.map(\.description))
    }

    @Test func `retention is read from a server's file, and the rest of it is left to the server`() throws {
        let (settings, problems) = read(
            """
            data-dir: /var/lib/varve
            merge: "on"
            retention: "on"
            retention-rules:
              - table=every_type keep=14d
              - service="load test" keep=forever
            retention-size: 2GiB
            """)
        #expect(problems == [] && settings.isOn && settings.policy.byteLimit == 2 << 30)
        #expect(
            settings.policy.rules == [
                RetentionRule(table: place.table.id, timeToLive: 14 * Self.day),
                RetentionRule(service: Array("load test".utf8), timeToLive: nil),
            ])
        #expect(read("retention: \"off\"").settings.isOn == false)
        #expect(read("").problems == [] && read("retention-size: none").settings.policy.byteLimit == nil)
    }

    @Test(arguments: [
        (
            "retention-rule: table=every_type keep=1d",
            "f:1: retention-rule: unknown setting; did you mean \"retention-rules\"?"
        ),
        ("retension: \"off\"", "f:1: retension: unknown setting; did you mean \"retention\"?"),
        ("retention-days: 4", "f:1: retention-days: unknown setting"),
        (
            "x: 1\nretention-size: 5 parsecs",
            "f:2: retention-size: \"5 parsecs\" is no size; it looks like 64MiB, 500MB or 65536"
        ),
        (
            "retention-rules: table=every_tipe keep=1d",
            "f:1: retention-rules: unknown table \"every_tipe\"; did you mean \"every_type\"?"
        ),
        ("retention: maybe", "f:1: retention: \"maybe\" is none of on, off"),
        ("just text", "f:1: the file is a mapping of settings to values"),
    ])
    func `what is wrong with retention is said with its line`(text: String, message: String) {
        #expect(read(text).problems == [message])
    }
}
