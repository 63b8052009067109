private import CLinux
internal import HTTP
internal import Observability
internal import Scheduling
internal import Storage

/// What of the server's memory each kind of holder may take at most: what its setting says, or a share of `memory-limit` if that is less.
struct MemoryBudget {
    let ledger: MemoryLedger
    /// Rows that are not in parts on the disk. Three tables of one tenant that are as large as they may be find room.
    let memtables: Int
    /// Rows that are sealed together, which takes about three times as much meanwhile.
    let flush: Int
    /// Blocks and dictionaries of parts that are merged.
    let merge: Int
    /// One request of telemetry.
    let body: Int
    /// Telemetry that is received and handled.
    let bodies: BodyMemory.Pool
    /// Bodies of other requests.
    let otherBodies: BodyMemory.Pool
    let queries: Int
    let parts: Int
    let results: Int

    init(_ configuration: Configuration, _ log: Log) {
        let ledger = MemoryLedger(
            limit: configuration.memoryLimit ?? MachineMemory.available() / 2, resident: MachineMemory.resident,
            release: MachineMemory.release
        ) { state, used in
            let fields: Log.Fields = ["used": .int(used)]
            switch state {
            case .plenty: log.info("there is memory again", fields)
            case .tight: log.info("memory is tight: rows are flushed early, and caches shrink", fields)
            case .full: log.warning("the memory is full: no telemetry is taken", fields)
            case .exhausted: log.warning("the memory is exhausted: no query is taken either", fields)
            }
        }
        self.ledger = ledger
        memtables = min(max(32 * configuration.flushBytes, 512 << 20, ledger.share(150)), ledger.share(200))
        flush = min(configuration.flushBytes, ledger.share(30))
        merge = min(72 << 20, ledger.share(60))
        body = min(configuration.maxBodySize, ledger.share(80))
        func pool(_ bytes: Int) -> BodyMemory.Pool { BodyMemory.Pool(limit: bytes, isFull: { ledger.isFull }) }
        let bodies = pool(min(max(1 << 30, 2 * body), ledger.share(100)))
        let otherBodies = pool(min(1 << 30, ledger.share(50)))
        ledger.add("bodies", bytes: { bodies.usedBytes + otherBodies.usedBytes })
        (self.bodies, self.otherBodies) = (bodies, otherBodies)
        queries = min(configuration.queryTotalMemory, ledger.share(250))
        parts = min(configuration.partCache, ledger.share(120))
        results = min(configuration.resultCache, ledger.share(30))
        // Memtables are freed in tens of megabytes, and their successors want as many: the pages stay with the process.
        varve_keep_memory(min(512 << 20, ledger.share(100)), min(256 << 20, ledger.share(100)))
    }

    /// Watches the memory, now that all who hold some are there; memtables, results and the index of labels are counted where they are
    /// made.
    func watch(_ admission: QueryAdmission, _ parts: OpenParts, _ metrics: MetricsRegistry) -> MemoryKeeper {
        ledger.add("queries", bytes: { admission.memory.usedBytes })
        ledger.add("parts", bytes: { parts.usedBytes }, shrink: { parts.shrink() })
        register(in: metrics)
        return MemoryKeeper(ledger)
    }

    private func register(in metrics: MetricsRegistry) {
        let ledger = ledger
        metrics.computed("varve_memory_limit_bytes", help: "Memory that the process may take.") { Double(ledger.limit) }
        metrics.computed(
            "varve_memory_used_bytes",
            help: "Memory that the process takes: what is resident, or what is counted if that is more."
        ) { Double(ledger.used) }
        metrics.computed(
            "varve_memory_state",
            help: "0 plenty of memory, 1 caches shrink, 2 no telemetry is taken, 3 no query is taken either."
        ) {
            Double(ledger.state.rawValue)
        }
        for holder in ledger.holders {
            metrics.computed(
                "varve_memory_held_bytes", help: "Memory by who holds it.", labels: ["holder": holder.name]
            ) { Double(holder.bytes()) }
        }
    }
}

/// A thread that looks at the memory, and has it given back while it is tight.
final class MemoryKeeper: Sendable {
    private static let pause = Duration.milliseconds(100)

    private let isStopping = Monitor(false)
    private let thread: WorkerThread

    init(_ ledger: MemoryLedger) {
        ledger.look()
        thread = WorkerThread { [isStopping] in
            while isStopping.wait(timeout: Self.pause, until: { $0 ? true : nil }) == nil { ledger.look() }
        }
    }

    /// Ends the thread; to be called once.
    func stop() {
        isStopping.notifying { $0 = true }
        thread.join()
    }
}
