import Foundation
import Testing

/// Runs every script of Tests/Scripts/promql.
struct ScriptTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Scripts/promql")

    static let names: [String] = {
        let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
        return (names ?? []).filter { $0.hasSuffix(".test") }.sorted()
    }()

    @Test func `there are scripts`() {
        #expect(Self.names.count >= 8)
    }

    @Test(arguments: names)
    func `script holds`(name: String) throws {
        var script = TestScript(try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8))
        script.run()
        #expect(script.evaluations > 0)
        for failure in script.failures { Issue.record("\(name), \(failure)") }
    }

    @Test(arguments: [
        "eval instant at 0 1\n  2", "load 1m\n  a 1\neval instant at 0 a\n  a 2", "eval_fail instant at 0 1",
        "nonsense",
        "load 1m\n  a 1\neval instant at 0 a", "eval instant at 0 a\n  a 1",
        "load 1m\n  a 1 2\neval range from 0 to 1m step 1m a\n  a 1 _",
    ])
    func `a script that does not hold fails`(text: String) {
        var script = TestScript(text)
        script.run()
        #expect(script.failures.count == 1)
    }
}
