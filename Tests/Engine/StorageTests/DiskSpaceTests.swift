import EngineFixtures
import Files
import Storage
import Testing

/// What is done as a disk of a thousand bytes fills.
struct DiskSpaceTests {
    private let disk = SimulatedFileSystem(seed: 1)
    private let limits = DiskSpace.Limits(reserve: 100, low: 400, full: 200)

    init() throws {
        try disk.createDirectory("/data")
        disk.setCapacity(1000)
    }

    private func fill(_ name: String, _ count: Int) throws {
        let file = try disk.open("/data/" + name, .append)
        try file.append([UInt8](repeating: 1, count: count))
    }

    private func space() -> DiskSpace {
        DiskSpace(directory: "/data", fileSystem: disk, limits: limits)
    }

    @Test func `the reserve is set aside, and found again`() throws {
        #expect(space().reserved == 100)
        #expect(disk.bytes(of: "/data/RESERVE")?.count == 100)
        let again = space()
        #expect(again.reserved == 100 && again.free == 900 && again.state == .plenty)
    }

    @Test func `merges stop before ingest does, and each goes on a little later than it stopped`() throws {
        let space = space()
        let steps: [(fill: Int, state: DiskSpace.State)] = [
            (500, .plenty), (501, .low), (700, .low), (701, .full), (690, .full), (675, .low), (470, .low),
            (449, .plenty),
        ]
        for (count, state) in steps {
            if try disk.exists("/data/x") { try disk.remove("/data/x") }
            try fill("x", count)
            space.check()
            #expect(space.state == state, "\(count) bytes")
        }
    }

    @Test func `while the disk is full nothing is admitted, and what is said has the numbers`() throws {
        let space = space()
        try space.admit()
        try fill("x", 850)
        space.check()
        #expect(throws: DiskSpace.Full.self) { try space.admit() }
        do { try space.admit() } catch {
            #expect("\(error)".contains("50 bytes are free") && "\(error)".contains("225"))
        }
        try disk.remove("/data/x")
        space.check()
        try space.admit()
    }

    @Test func `a reserve in use does not count as free`() throws {
        let space = space()
        try fill("x", 890)
        space.useReserve()
        #expect(space.reserved == 0 && space.free == 10 && space.state == .full)
        #expect(!disk.files.contains("/data/RESERVE"))
        #expect(throws: DiskSpace.Full.self) { try space.admit() }
        // A flush may use it, and queries and retention may.
        try fill("part", 100)
    }

    @Test func `without room there is no reserve, and the server starts all the same`() throws {
        try fill("x", 750)
        let space = space()
        #expect(space.reserved == 0 && space.free == 150 && space.state == .full)
    }

    @Test func `marks that nobody set follow the file system, however it grows`() throws {
        disk.setCapacity(1600)
        let space = DiskSpace(directory: "/data", fileSystem: disk, limits: DiskSpace.Limits())
        // A sixteenth is set aside, and as much is left free; a quarter is left by merges.
        #expect(space.reserved == 100 && space.state == .plenty)
        try fill("x", 1450)
        space.check()
        #expect(space.free == 50 && space.state == .full)
        #expect(throws: DiskSpace.Full.self) { try space.admit() }
        disk.setCapacity(3200)
        space.check()
        try space.admit()
        #expect(space.free == 1650 && space.state == .plenty)
        disk.setCapacity(2500)
        space.check()
        #expect(space.state == .plenty)
        disk.setCapacity(2150)
        space.check()
        #expect(space.free == 600 && space.state == .plenty)
        disk.setCapacity(2050)
        space.check()
        #expect(space.free == 500 && space.state == .low)
    }

    @Test func `a reserve of another size than the one that is set is made anew`() throws {
        _ = space()
        for reserve: Int64 in [150, 80, 100] {
            let other = DiskSpace(
                directory: "/data", fileSystem: disk, limits: .init(reserve: reserve, low: 400, full: 200))
            #expect(other.reserved == reserve && disk.bytes(of: "/data/RESERVE")?.count == Int(reserve))
        }
        let none = DiskSpace(directory: "/data", fileSystem: disk, limits: .init(reserve: 0, low: 400, full: 200))
        #expect(none.reserved == 0)
    }

    @Test func `a reserve from when the file system was smaller is made anew`() throws {
        disk.setCapacity(1600)
        _ = DiskSpace(directory: "/data", fileSystem: disk, limits: DiskSpace.Limits())
        disk.setCapacity(16_000)
        let space = DiskSpace(directory: "/data", fileSystem: disk, limits: DiskSpace.Limits())
        #expect(space.reserved == 1000 && disk.bytes(of: "/data/RESERVE")?.count == 1000)
    }
}
