import Glibc

/// Standard error, numbers as people read them, and right-aligned tables.
enum Console {
    static func error(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = write(2, bytes, bytes.count)
    }

    static func explain(_ errno: Int32) -> String { String(cString: strerror(errno)) }

    /// `value` with that many decimals.
    static func decimal(_ value: Double, _ places: Int) -> String {
        guard value.isFinite else { return "-" }
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        guard abs(value) * scale < 9e15 else { return "\(value)" }
        let scaled = Int64((abs(value) * scale).rounded())
        let digits = String(scaled)
        let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
        let sign = value < 0 && scaled != 0 ? "-" : ""
        return places == 0 ? sign + padded : sign + padded.dropLast(places) + "." + padded.suffix(places)
    }

    /// With a comma at every third digit.
    static func grouped(_ value: Int) -> String {
        var text = ""
        for (i, digit) in String(abs(value)).reversed().enumerated() {
            if i > 0, i % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return (value < 0 ? "-" : "") + String(text.reversed())
    }

    /// Prints rows under a header; the first column is left-aligned, the others right-aligned.
    static func table(_ header: [String], _ rows: [[String]]) {
        let widths = header.indices.map { column in
            ([header] + rows).map { $0[column].count }.max() ?? 0
        }
        for row in [header] + rows {
            let cells = row.enumerated().map { column, cell in
                let space = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + space : space + cell
            }
            print(cells.joined(separator: "  "))
        }
    }
}
