internal import Core
private import Files
private import JSON
private import Parts
private import Schema
private import Storage
private import TableSchema

/// `varve parts`: which parts a data directory has, and where their bytes are. It takes the directory's lock.
enum PartListing {
    static func run(directory: String, asJSON: Bool) -> Int32 {
        do {
            let fileSystem = PosixFileSystem()
            guard try fileSystem.exists(directory + "/CURRENT") else {
                return fail("\(directory) is no data directory")
            }
            let tables = try TableCatalog.parse(files: Schema.files, lock: Schema.lock)
            let store = try Store(directory: directory, tables: tables, fileSystem: fileSystem)
            for (_, handles) in store.allParts.sorted(by: { $0.key < $1.key }) {
                for handle in handles {
                    let part = try handle.part()
                    let sizes = part.storedSizes(fileLength: handle.record.byteCount)
                    StandardStream.write(
                        asJSON ? json(handle, sizes) : Array(text(handle, sizes).utf8), to: .output)
                }
            }
            return 0
        } catch {
            return fail("\(error)")
        }
    }

    private static func fail(_ reason: String) -> Int32 {
        StandardStream.write("varve: \(reason)\n", to: .error)
        return 1
    }

    private static func json(_ handle: PartHandle, _ sizes: [StoredSize]) -> [UInt8] {
        let record = handle.record
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("path")
        writer.string(handle.path)
        writer.key("tenant")
        writer.string(record.tenant.name)
        writer.key("table")
        writer.string(handle.table.name)
        writer.key("level")
        writer.int(Int64(record.level))
        writer.key("rows")
        writer.int(Int64(record.rowCount))
        writer.key("bytes")
        writer.int(record.byteCount)
        writer.key("columns")
        writer.beginArray()
        for size in sizes {
            writer.beginObject()
            writer.key("path")
            writer.string(size.path)
            writer.key("bytes")
            writer.int(Int64(size.bytes))
            writer.key("pages")
            writer.int(Int64(size.pages))
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        writer.newline()
        return writer.bytes
    }

    private static func text(_ handle: PartHandle, _ sizes: [StoredSize]) -> String {
        let record = handle.record
        var text = "\(handle.path)  \(record.rowCount) rows  \(record.byteCount) bytes\n"
        for size in sizes where size.bytes > 0 { text += "    \(size.bytes)\t\(size.pages) pages\t\(size.path)\n" }
        return text
    }
}
