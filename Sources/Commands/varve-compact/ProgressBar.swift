internal import Offline

/// One line on standard error that is written over and over, if that is a terminal.
final class ProgressBar {
    private static let width = 24

    private let title: String
    private let isShown = Console.errorIsTerminal
    private let begun = Console.now()
    private var shown = 0.0
    private var lineLength = 0

    init(_ title: String) { self.title = title }

    /// Shows how far the work has come.
    ///
    /// - Throws: if the user asked to stop.
    func show(_ progress: WorkProgress) throws(OfflineError) {
        if Interrupt.isRequested { throw .interrupted }
        guard isShown else { return }
        let now = Console.now()
        guard now - shown >= 0.1 else { return }
        shown = now
        draw(progress, now)
    }

    private func draw(_ progress: WorkProgress, _ now: Double) {
        let share = progress.allBytes > 0 ? min(1, Double(progress.doneBytes) / Double(progress.allBytes)) : 0
        let filled = Int(share * Double(Self.width))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.width - filled)
        var line = "\(title) [\(bar)] \(Int(share * 100)) %  \(Console.size(progress.doneBytes)) of "
        line += "\(Console.size(progress.allBytes))  \(Console.grouped(progress.doneRows)) rows"
        let elapsed = now - begun
        if share > 0.02, elapsed > 2 {
            let left = Int(elapsed / share - elapsed)
            line += "  \(left / 60):\(left % 60 < 10 ? "0" : "")\(left % 60) left"
        }
        let blanks = String(repeating: " ", count: max(0, lineLength - line.count))
        lineLength = line.count
        Console.error("\r" + line + blanks)
    }

    /// Takes the line away, before something else is written or at the end.
    func clear() {
        guard lineLength > 0 else { return }
        Console.error("\r" + String(repeating: " ", count: lineLength) + "\r")
        lineLength = 0
    }
}
