import JSON
import Observability
import Synchronization

/// A reply's `stats` (rule L-19): the summary says what the query read; what only Loki's own parts could fill is zero.
struct LokiStatistics {
    private let lines: Int
    private let bytes: Int
    private let matchedLines: Int
    private let partsConsidered: Int
    private let partsRead: Int
    private let entriesReturned: Int
    private let seconds: Double
    private let queueSeconds: Double
    private let usedBloomFilters: Bool
    private let statistics: QueryStatistics

    init(_ statistics: QueryStatistics, time: Duration, entriesReturned: Int) {
        self.statistics = statistics
        queueSeconds = Double(statistics.queueTime.load(ordering: .relaxed)) / 1e9
        usedBloomFilters = statistics[.bloom].bytesRead.load(ordering: .relaxed) > 0
        lines = statistics.rowsRead.load(ordering: .relaxed)
        bytes = statistics.bytesDecoded.load(ordering: .relaxed)
        matchedLines = statistics.rowsMatched.load(ordering: .relaxed)
        partsConsidered = statistics.partsConsidered.load(ordering: .relaxed)
        partsRead = statistics.partsRead.load(ordering: .relaxed)
        self.entriesReturned = entriesReturned
        let (whole, fraction) = time.components
        seconds = Double(whole) + Double(fraction) / 1e18
    }

    func write(to json: inout JSONWriter) {
        json.beginObject()
        json.key("summary")
        writeSummary(to: &json)
        json.key("querier")
        json.beginObject()
        json.key("store")
        json.raw(Self.emptyStore)
        json.key("querierExecTime")
        json.double(seconds)
        json.endObject()
        json.key("ingester")
        json.beginObject()
        for name: StaticString in ["totalReached", "totalChunksMatched", "totalBatches", "totalLinesSent"] {
            json.key(name)
            json.int(0)
        }
        json.key("store")
        json.raw(Self.emptyStore)
        json.endObject()
        json.key("cache")
        writeCaches(to: &json)
        json.key("index")
        json.beginObject()
        json.key("totalChunks")
        json.int(partsConsidered)
        json.key("postFilterChunks")
        json.int(partsRead)
        json.key("shardsDuration")
        json.int(0)
        json.key("usedBloomFilters")
        json.bool(usedBloomFilters)
        json.key("totalStreams")
        json.int(0)
        json.endObject()
        // Loki has no such member; its clients pass over what they do not know.
        json.key("storage")
        Explanation.write(statistics, to: &json)
        json.endObject()
    }

    private func writeSummary(to json: inout JSONWriter) {
        let perSecond = { (count: Int) in
            seconds > 0 ? Int(min(Double(count) / seconds, 9e18)) : 0
        }
        json.beginObject()
        json.key("bytesProcessedPerSecond")
        json.int(perSecond(bytes))
        json.key("linesProcessedPerSecond")
        json.int(perSecond(lines))
        json.key("totalBytesProcessed")
        json.int(bytes)
        json.key("totalLinesProcessed")
        json.int(lines)
        json.key("execTime")
        json.double(seconds)
        json.key("queueTime")
        json.double(queueSeconds)
        json.key("subqueries")
        json.int(0)
        json.key("totalEntriesReturned")
        json.int(entriesReturned)
        json.key("splits")
        json.int(0)
        json.key("shards")
        json.int(0)
        json.key("totalPostFilterLines")
        json.int(matchedLines)
        json.key("totalStructuredMetadataBytesProcessed")
        json.int(0)
        json.endObject()
    }

    private static let emptyStore: StaticString = """
        {"totalChunksRef":0,"totalChunksDownloaded":0,"chunksDownloadTime":0,"queryReferencedStructuredMetadata":false,\
        "queryUsedV2Engine":false,"chunk":{"headChunkBytes":0,"headChunkLines":0,"decompressedBytes":0,\
        "decompressedLines":0,"compressedBytes":0,"totalDuplicates":0,"postFilterLines":0,\
        "headChunkStructuredMetadataBytes":0,"decompressedStructuredMetadataBytes":0},"chunkRefsFetchTime":0,\
        "congestionControlLatency":0,"pipelineWrapperFilteredLines":0,"dataobj":{}}
        """

    private func writeCaches(to json: inout JSONWriter) {
        let names: [StaticString] = [
            "chunk", "index", "result", "statsResult", "volumeResult", "seriesResult", "labelResult",
            "instantMetricResult",
        ]
        let counters: [StaticString] = [
            "entriesFound", "entriesRequested", "entriesStored", "bytesReceived", "bytesSent", "requests",
            "downloadTime", "queryLengthServed",
        ]
        json.beginObject()
        for name in names {
            json.key(name)
            json.beginObject()
            for counter in counters {
                json.key(counter)
                json.int(0)
            }
            json.endObject()
        }
        json.endObject()
    }
}
