import Encoding
import Indexing

/// Indexes of tokens and templates: a byte for the kind, two for the length of the directory, the directory, and the pages. What is
/// read of them is put under checksums that are right, which chance would never hit: so it is the decoders that are tried.
extension FuzzTarget {
    private static let blockCount = 40

    static let index = FuzzTarget("index", seeds: { TokenIndex.Kind.allCases.map(sampleIndex) }) { bytes in
        guard bytes.count >= 3, let kind = TokenIndex.Kind(rawValue: bytes[0]) else { return }
        let split = min(3 + Int(bytes[1]) + Int(bytes[2]) << 8, bytes.count)
        let directory = Array(bytes[3..<split])
        let pages = Array(bytes[split...])
        guard kind != .templates else { return search(directory) }
        guard let index = try? TokenIndex(decoding: directory, kind: kind, blockCount: blockCount) else { return }
        precondition(
            index.encoded == directory || index.encoded.count <= directory.count, "an index grows by being read")
        var tokenizer = Tokenizer()
        let conditions =
            tokenizer.conditions(containing: "needleqzv7f3a91 word7 10.0.0.1") + [TokenCondition(whole: 0)]
            + [TokenCondition(whole: .max)]
        for condition in conditions {
            var blocks = BlockSet.none(of: blockCount)
            try? index.trusting(pages).find(condition, first: 0, &blocks) { (range) throws(MissingPage) in
                guard range.upperBound <= pages.count else { throw MissingPage() }
                return Array(pages[range])
            }
        }
    }

    private static func search(_ templates: [UInt8]) {
        guard let index = try? TemplateIndex(decoding: templates, blockCount: blockCount) else { return }
        for text in [
            "", "GET", "10.0.0.1",
            "word7 is no word but more than sixty-three bytes, of which an index looks at the first",
        ] {
            let blocks = index.blocks(mayContain: [TextMatcher(Array(text.utf8))])
            precondition(blocks.allSatisfy { $0 < blockCount })
        }
    }

    private static func sampleTemplates() -> [UInt8] {
        var builder = TemplateIndex.Builder()
        for block in 0..<blockCount {
            var encoder = PageEncoder(zstdLevel: 1)
            let lines = (0..<40).map { Array("took \($0 + block)ms from 10.0.\($0).1 as 2ZYF\($0)".utf8) }
            let lengths = lines.map { UInt32($0.count) }
            let page = lengths.withUnsafeBufferPointer { lengths in
                Array(lines.joined()).withUnsafeBufferPointer {
                    encoder.encode(strings: lengths, bytes: $0, areTexts: true)
                }
            }
            encoder.output[page.bytes].withUnsafeBytes {
                builder.add(
                    page: $0, encoding: page.encoding.rawValue, compression: page.compression.rawValue,
                    count: page.count)
            }
            builder.endBlock()
        }
        return builder.finish()
    }

    private struct MissingPage: Error {}

    private static func sampleIndex(_ kind: TokenIndex.Kind) -> [UInt8] {
        if kind == .templates {
            let directory = sampleTemplates()
            return [kind.rawValue, UInt8(directory.count & 255), UInt8(directory.count >> 8)] + directory
        }
        var tokenizer = Tokenizer()
        let hashes = HashSet64()
        var stampBuilder = TokenStamps.Builder()
        var stamps: [TokenStamps] = []
        var blooms = TokenBlooms.Builder(falsePositives: 0.01)
        var postings = TokenPostings.Builder()
        for block in 0..<blockCount {
            for row in 0..<20 {
                let text = Array("id 10.0.\(row).1 \(block * 7919 + row * 104_729) word\(row) a/b\(block % 7)".utf8)
                text.withUnsafeBytes { tokenizer.add($0, to: hashes, &stampBuilder) }
            }
            hashes.withElements {
                blooms.endBlock($0)
                postings.endBlock($0)
            }
            hashes.removeAll()
            stamps.append(stampBuilder.finish())
        }
        let index: TokenIndex
        let pages: [UInt8]
        switch kind {
        case .blooms:
            let made = blooms.finish()
            (index, pages) = (TokenIndex(.blooms(made.directory), stamps: stamps), made.pages)
        case .postings:
            let made = postings.finish()
            (index, pages) = (TokenIndex(.postings(made.directory), stamps: stamps), made.pages)
        case .templates: preconditionFailure("made above")
        }
        let directory = index.encoded
        return [kind.rawValue, UInt8(directory.count & 255), UInt8(directory.count >> 8)] + directory + pages
    }
}
