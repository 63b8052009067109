import Testing

@testable import Pattern

struct RequiredTextsTests {
    @Test(arguments: [
        ("timeout", [["timeout"]]), ("order .* total [0-9]+", [["order "], [" total "]]),
        ("(GET|POST) /api", [["GET /api", "POST /api"]]), ("a+b", [["a"], ["b"]]), ("ab*c", [["a"], ["c"]]),
        ("ab?c", [["abc", "ac"]]), ("x{2,3}y", [["x"], ["y"]]), ("x{0,3}y", [["y"]]), ("(?i)error", []),
        ("foo(?i:bar)", []), ("foo|bar.*baz", [["foo", "bar"]]), ("foo|.*", []), ("^start", [["start"]]),
        ("a\\.b\\d", [["a.b"]]), ("[abc]x[^]]y", [["x"], ["y"]]), ("\\bword\\b", [["word"]]), (".*", []),
        ("(a|b)(c|d)", [["ac", "ad", "bc", "bd"]]), ("é+x", [["é"], ["x"]]), ("\\x41", []), ("\\Qa.b\\E", []),
        ("a{", [["a{"]]), ("(?:a|)b", [["ab", "b"]]), ("foo.+?bar", [["foo"], ["bar"]]), ("(?s)a.b", [["a"], ["b"]]),
        ("(?P<name>x)y", [["xy"]]), ("[[:alpha:]]z", [["z"]]),
    ])
    func `an expression requires these texts`(source: String, texts: [[String]]) throws {
        let pattern = try Pattern(unanchored: source)
        #expect(pattern.required.map { Set($0.map { String(decoding: $0, as: UTF8.self) }) } == texts.map { Set($0) })
    }

    @Test func `a text that matches has what is required`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = Generator(state: seed)
        let atoms = ["a", "b", "ab", ".", "[ab]", "(a|b)", "(ab|ba)", "(a.b|b)", "\\.", "(?:a)", "^", "$", "(|a)"]
        let suffixes = ["", "", "", "*", "+", "?", "{2}", "{0,1}", "+?"]
        for _ in 0..<3000 {
            var source = ""
            for _ in 0...random.below(4) {
                source += atoms[random.below(atoms.count)] + suffixes[random.below(suffixes.count)]
                if random.below(8) == 0 { source += "|" }
            }
            guard let pattern = try? Pattern(unanchored: source), !pattern.required.isEmpty else { continue }
            for _ in 0..<20 {
                let text = String((0..<random.below(9)).map { _ in ["a", "b", "."][random.below(3)] as Character })
                guard pattern.matches(text) else { continue }
                for set in pattern.required {
                    let has = set.contains {
                        text.isEmpty && $0.isEmpty || text.contains(String(decoding: $0, as: UTF8.self))
                    }
                    #expect(has, "\(source) matches \(text)")
                }
            }
        }
    }

    private struct Generator {
        var state: UInt64

        mutating func below(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
    }
}
