/// Something that is wrong with the configuration, and where.
package struct ConfigurationProblem: Error, Hashable, Sendable, CustomStringConvertible {
    package var place: SettingPlace
    package var message: String

    package init(place: SettingPlace, message: String) {
        self.place = place
        self.message = message
    }

    package var description: String { "\(place): \(message)" }
}

/// Where a setting was made.
package enum SettingPlace: Hashable, Sendable, CustomStringConvertible {
    case flag(String)
    case environment(String)
    /// Lines count from one; zero is the file as a whole.
    case file(String, line: Int)

    package var description: String {
        switch self {
        case .flag(let name): "--\(name)"
        case .environment(let name): name
        case .file(let path, 0): path
        case .file(let path, let line): "\(path):\(line)"
        }
    }
}

/// What is wrong with a value, wherever it stands.
package struct SettingError: Error, Hashable, Sendable {
    package var message: String

    package init(_ message: String) { self.message = message }
}
