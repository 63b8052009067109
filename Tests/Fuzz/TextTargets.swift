import JSON
import Pattern
import Schema
import TableSchema

/// Readers of text: JSON bodies, the SQL of Schema/ and its numbers, and patterns.
extension FuzzTarget {
    /// What is read, written and read again is written alike: a tree may change once, where `1e5` becomes an integer.
    static let json = FuzzTarget("json", seeds: { jsonSeeds.map { Array($0.utf8) } }) { bytes in
        guard let value = try? JSONValue.parse(bytes) else { return }
        var writer = JSONWriter()
        writer.value(value)
        guard let again = try? JSONValue.parse(writer.bytes) else {
            preconditionFailure("its own output cannot be read")
        }
        var second = JSONWriter()
        second.value(again)
        precondition(second.bytes == writer.bytes, "other text came out than went in")
    }

    private static let jsonSeeds = [
        #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","kind":2,"flags":1}]}]}]}"#,
        #"[0,-0,1e5,-1.5E-7,18446744073709551615,-9223372036854775808,123456789012345678901234567890,1e999]"#,
        #"{"a":"\u00e9\ud83d\ude00\n\t\"\\\/","":null,"b":[true,false,{}],"a":2}"#, #""plain""#, " [ ] ",
        "{\"x\":{\"y\":{\"z\":[[[]]]}}}",
    ]

    static let schema = FuzzTarget("schema", seeds: { Schema.files.map(\.bytes) }) { bytes in
        let name = "999_fuzz.sql"
        guard let lock = try? TableCatalog.lock(for: [(name, Array(bytes))], extending: []) else { return }
        guard (try? TableCatalog.parse(files: [(name, Array(bytes))], lock: Array(lock.utf8))) != nil else {
            preconditionFailure("what was locked does not parse under its lock")
        }
    }

    static let lock = FuzzTarget("lock", seeds: { [Schema.lock] }) { bytes in
        _ = try? TableCatalog.parse(files: Schema.files, lock: Array(bytes))
    }

    /// A pattern from a query, and the same text as what it is matched with.
    static let pattern = FuzzTarget("pattern", seeds: { patternSeeds.map { Array($0.utf8) } }) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        guard let pattern = try? bytes.count % 2 == 0 ? Pattern(anchored: text) : Pattern(unanchored: text) else {
            return
        }
        _ = pattern.firstMatch(in: text)
    }

    private static let patternSeeds = [
        "a|b|(?i)c+[d-f]*(?P<n>.)$", "^(GET|POST) /api/.*[0-9]{3}$", "service-(a|b|cd)", "(a*)*(b{2,5})?.+",
        "\\Q.*\\E[[:alpha:]]\\p{Greek}\\b",
    ]
}
