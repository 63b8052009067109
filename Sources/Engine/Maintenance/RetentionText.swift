internal import Core
package import Settings
package import TableSchema

/// Rules of retention as operators write them: `table=otel_logs tenant=acme service=checkout keep=14d`, with commas between.
package enum RetentionText {
    /// `none`, or rules.
    package static func rules(_ text: String, _ tables: TableCatalog) throws(SettingError) -> [RetentionRule] {
        if text == "none" { return [] }
        var rules: [RetentionRule] = []
        for words in try words(text) { rules.append(try rule(words, tables)) }
        guard !rules.isEmpty else { throw SettingError("there is no rule; one looks like table=otel_logs keep=14d") }
        return rules
    }

    package static func text(_ rules: [RetentionRule], _ tables: TableCatalog) -> String {
        if rules.isEmpty { return "none" }
        return rules.map { rule in
            var words: [String] = []
            if let tenant = rule.tenant { words.append("tenant=\(tenant.name)") }
            if let table = rule.table { words.append("table=\(tables.table(id: table)?.name ?? "\(table.number)")") }
            if let service = rule.service { words.append("service=\"\(String(decoding: service, as: UTF8.self))\"") }
            words.append("keep=" + (rule.timeToLive.map { ValueText.duration($0) } ?? "forever"))
            return words.joined(separator: " ")
        }.joined(separator: ", ")
    }

    /// `on` or `off`.
    package static func isOn(_ text: String) throws(SettingError) -> Bool {
        try ValueText.oneOf([true, false], text) { $0 ? "on" : "off" }
    }

    /// `none`, or a size.
    package static func byteLimit(_ text: String) throws(SettingError) -> Int? {
        text == "none" ? nil : try ValueText.size(text, in: 1 << 20...1 << 60)
    }

    /// The words of each rule. What stands in double quotes is taken as it is, but for the quotes.
    private static func words(_ text: String) throws(SettingError) -> [[String]] {
        var rules: [[String]] = []
        var words: [String] = []
        var word = ""
        var isQuoted = false
        func endWord() {
            if !word.isEmpty { words.append(word) }
            word = ""
        }
        for character in text + "," {
            switch character {
            case "\"": isQuoted.toggle()
            case " " where !isQuoted: endWord()
            case "," where !isQuoted:
                endWord()
                if !words.isEmpty { rules.append(words) }
                words = []
            default: word.append(character)
            }
        }
        guard !isQuoted else { throw SettingError("a quote is not closed in \(text)") }
        return rules
    }

    private static func rule(_ words: [String], _ tables: TableCatalog) throws(SettingError) -> RetentionRule {
        var rule = RetentionRule(timeToLive: nil)
        var keys: Set<String> = []
        for word in words {
            guard let sign = word.firstIndex(of: "=") else {
                throw SettingError("\"\(word)\" has no value; a rule looks like table=otel_logs service=shop keep=14d")
            }
            let (key, value) = (String(word[..<sign]), String(word[word.index(after: sign)...]))
            guard keys.insert(key).inserted else { throw SettingError("\(key) stands twice in one rule") }
            switch key {
            case "tenant":
                guard let tenant = TenantID(value) else { throw SettingError("\"\(value)\" cannot be a tenant's name") }
                rule.tenant = tenant
            case "table":
                guard let table = tables.table(named: value) else {
                    let names = tables.tables.map(\.name)
                    throw SettingError("unknown table \"\(value)\"\(Suggestion.question(value, among: names))")
                }
                rule.table = table.id
            case "service": rule.service = Array(value.utf8)
            case "keep": rule.timeToLive = value == "forever" ? nil : try ValueText.duration(value)
            default:
                let known = ["tenant", "table", "service", "keep"]
                throw SettingError("unknown word \"\(key)\" in a rule\(Suggestion.question(key, among: known))")
            }
        }
        guard keys.contains("keep") else { throw SettingError("a rule needs keep=DURATION or keep=forever") }
        if rule.service != nil, let id = rule.table, let table = tables.table(id: id) {
            guard table.column("service_name") != nil else {
                throw SettingError("the table \(table.name) has no services that a rule could tell apart")
            }
        }
        return rule
    }
}
