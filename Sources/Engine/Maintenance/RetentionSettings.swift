internal import Core
package import Settings
package import TableSchema

/// What a server's file of settings says of retention, for tools that need nothing else of it.
package struct RetentionSettings: Sendable {
    /// Whether the server drops anything.
    package var isOn = true
    package var policy = RetentionPolicy()

    private static let keys = ["retention", "retention-rules", "retention-size"]

    package init() {}

    /// - Returns: the settings, and what is wrong in the file: a problem with rules is no reason to drop by others. Settings that
    ///   are not of retention are left to the server, unless they look as if they were meant to be.
    package static func read(
        _ bytes: [UInt8], path: String, tables: TableCatalog
    ) -> (settings: RetentionSettings, problems: [ConfigurationProblem]) {
        let file = SettingsFile.read(bytes, path: path)
        var settings = RetentionSettings()
        var problems: [ConfigurationProblem] = []
        for entry in file.entries {
            do throws(SettingError) {
                try settings.apply(entry, tables)
            } catch {
                let place = SettingPlace.file(path, line: entry.line)
                problems.append(ConfigurationProblem(place: place, message: "\(entry.key): \(error.message)"))
            }
        }
        return (settings, problems + file.problems)
    }

    private mutating func apply(_ entry: SettingsFile.Entry, _ tables: TableCatalog) throws(SettingError) {
        switch entry.key {
        case "retention": isOn = try RetentionText.isOn(entry.value)
        case "retention-rules": policy.rules = try RetentionText.rules(entry.value, tables)
        case "retention-size": policy.byteLimit = try RetentionText.byteLimit(entry.value).map { Int64($0) }
        default:
            if entry.key.hasPrefix("retention") || Suggestion.nearest(to: entry.key, among: Self.keys) != nil {
                throw SettingError("unknown setting\(Suggestion.question(entry.key, among: Self.keys))")
            }
        }
    }
}
