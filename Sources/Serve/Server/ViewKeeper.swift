internal import Readers
private import Scheduling

/// A thread that brings the graphs of fresh hours up to date with what is sealed, as long as somebody asks for them.
final class ViewKeeper: Sendable {
    private static let pause = Duration.milliseconds(100)

    private let isStopping = Monitor(false)
    private let thread: WorkerThread

    init(_ views: SpanViewReader) {
        thread = WorkerThread { [isStopping] in
            while isStopping.wait(timeout: Self.pause, until: { $0 ? true : nil }) == nil { views.keepUp() }
        }
    }

    /// Ends the thread; to be called once.
    func stop() {
        isStopping.notifying { $0 = true }
        thread.join()
    }
}
