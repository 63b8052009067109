internal import Core
internal import Encoding
internal import Files

/// Finds and checks a part's footer: the last 64 KiB of the file nearly always hold it whole.
enum FooterFile {
    private static let tailLength: Int64 = 1 << 16

    static func read(_ file: any ReadableFile) throws(PartError) -> PartFooter {
        let result: Result<PartFooter, PartError>
        do throws(FileError) {
            result = try read(file, length: file.size())
        } catch {
            throw error.isEndOfFile
                ? .truncated : .file(operation: error.operation.rawValue, errno: error.code)
        }
        return try result.get()
    }

    private static func read(
        _ file: any ReadableFile, length: Int64
    ) throws(FileError) -> Result<PartFooter, PartError> {
        guard length >= Int64(PartLayout.headerLength + PartLayout.trailerLength) else {
            return .failure(.notAPart)
        }
        let header = try file.readExactly(at: 0, count: PartLayout.headerLength)
        guard Array(header[..<8]) == PartLayout.magic else { return .failure(.notAPart) }
        let version = word32(header, 8)
        guard (PartLayout.firstVersion...PartLayout.version).contains(version) else {
            return .failure(.unsupportedVersion(version))
        }

        let tailStart = max(0, length - tailLength)
        let tail = try file.readExactly(at: tailStart, count: Int(length - tailStart))
        let trailer = Array(tail.suffix(PartLayout.trailerLength))
        guard Array(trailer[24...]) == PartLayout.magic else { return .failure(.notAPart) }
        let offset = word64(trailer, 0)
        let end = UInt64(length) - UInt64(PartLayout.trailerLength)
        guard offset <= end, end - offset <= UInt64(PartLayout.footerLimit) else {
            return .failure(.corruptFooter("it lies outside the file"))
        }
        let stored =
            Int64(offset) >= tailStart
            ? Array(tail[Int(Int64(offset) - tailStart)..<(tail.count - PartLayout.trailerLength)])
            : try file.readExactly(at: Int64(offset), count: Int(end - offset))
        guard XXH3.hash(stored) == word64(trailer, 16) else {
            return .failure(.corruptFooter("its checksum is wrong"))
        }
        return decode(stored, rawLength: Int(word32(trailer, 8)), word32(trailer, 12), length, version)
    }

    private static func decode(
        _ stored: [UInt8], rawLength: Int, _ compression: UInt32, _ length: Int64, _ version: UInt32
    ) -> Result<PartFooter, PartError> {
        guard rawLength <= PartLayout.footerLimit,
            let compression = UInt8(exactly: compression).flatMap(CompressionID.init(rawValue:))
        else { return .failure(.corruptFooter("its length is out of range")) }
        var decoder = PageDecoder(byteLimit: PartLayout.footerLimit)
        do {
            let raw = try stored.withUnsafeBytes {
                try decoder.decodeRaw(
                    page: $0, encoding: .plain, compression: compression, rawLength: rawLength)
            }
            return .success(try PartFooter(decoding: raw.array, fileLength: length, version: version))
        } catch let error as PartError {
            return .failure(error)
        } catch {
            return .failure(.corruptFooter("it cannot be decompressed"))
        }
    }

    private static func word32(_ bytes: [UInt8], _ at: Int) -> UInt32 {
        bytes.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: UInt32.self)) }
    }

    private static func word64(_ bytes: [UInt8], _ at: Int) -> UInt64 {
        bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: UInt64.self)) }
    }
}
