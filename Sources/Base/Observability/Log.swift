/// Where the server tells what it does. A value that is passed to whoever has something to tell; what becomes of an entry is the
/// sink's business, so that tests can look at entries and the engine stays without I/O.
package struct Log: Sendable {
    package enum Level: Int, Comparable, CaseIterable, Sendable {
        case debug, info, warning, error

        package var name: String {
            switch self {
            case .debug: "debug"
            case .info: "info"
            case .warning: "warning"
            case .error: "error"
            }
        }

        package static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }

    package enum Value: Hashable, Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
        ExpressibleByStringInterpolation, ExpressibleByBooleanLiteral
    {
        case string(String)
        case int(Int)
        case double(Double)
        case bool(Bool)

        package init(stringLiteral value: String) { self = .string(value) }
        package init(integerLiteral value: Int) { self = .int(value) }
        package init(booleanLiteral value: Bool) { self = .bool(value) }
    }

    package typealias Fields = KeyValuePairs<String, Value>

    package struct Entry: Sendable {
        package var level: Level
        package var message: String
        package var fields: [(name: String, value: Value)]

        package init(level: Level, message: String, fields: [(name: String, value: Value)]) {
            self.level = level
            self.message = message
            self.fields = fields
        }
    }

    /// Drops everything.
    package static let silent = Log(level: .error) { _ in }

    package let level: Level
    private let sink: @Sendable (Entry) -> Void

    /// - Parameters:
    ///   - level: entries below it are dropped.
    ///   - sink: may be called by several threads at once.
    package init(level: Level, sink: @escaping @Sendable (Entry) -> Void) {
        self.level = level
        self.sink = sink
    }

    package func debug(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> Fields = [:]) {
        write(.debug, message, fields)
    }

    package func info(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> Fields = [:]) {
        write(.info, message, fields)
    }

    package func warning(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> Fields = [:]) {
        write(.warning, message, fields)
    }

    package func error(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> Fields = [:]) {
        write(.error, message, fields)
    }

    private func write(_ level: Level, _ message: () -> String, _ fields: () -> Fields) {
        guard level >= self.level else { return }
        sink(Entry(level: level, message: message(), fields: fields().map { ($0.key, $0.value) }))
    }
}
