import Basics
import NIOCore
import Testing

@testable import SegmentLog

@Suite struct OffsetsFileTests {
    private static let path = LogFixture.path("00000000000000000001.offsets")

    /// A log with some sealed segments.
    private func fixture() throws -> LogFixture {
        let fixture = try LogFixture()
        for number in 0 ..< 40 { fixture.append(count: 2, payloadBytes: 60 + number * 6) }
        fixture.settle()
        return fixture
    }

    private func store(_ content: String, _ fixture: LogFixture) throws {
        var result: Result<Void, StorageError>?
        fixture.log.storeOffsets(ByteBuffer(string: content), of: LogIndex(1)) { result = $0 }
        fixture.settle()
        try #require(result).get()
    }

    private func load(_ fixture: LogFixture) throws -> Result<ByteBuffer, StorageError> {
        var result: Result<ByteBuffer, StorageError>?
        fixture.log.loadOffsets(of: LogIndex(1)) { result = $0 }
        fixture.settle()
        return try #require(result)
    }

    private func isRefused(_ result: Result<ByteBuffer, StorageError>) -> Bool {
        guard case .failure(.damaged(let ranges)) = result else { return false }
        return ranges.map(\.reason) == [.offsets]
    }

    @Test func whatIsStoredIsLoadedAndTheNewestCounts() throws {
        let fixture = try fixture()
        try store("first", fixture)
        #expect(try load(fixture).get() == ByteBuffer(string: "first"))
        try store("second, and longer", fixture)
        try store("third", fixture)
        #expect(try load(fixture).get() == ByteBuffer(string: "third"))
    }

    @Test func whatIsMissingOrNotWholeIsRefused() throws {
        let fixture = try fixture()
        #expect(isRefused(try load(fixture)))
        try store("content", fixture)
        let size = try #require(fixture.disk.content(Self.path)).count
        for position in 0 ..< size {
            fixture.disk.alter(Self.path) { $0[position] ^= 1 }
            #expect(isRefused(try load(fixture)))
            fixture.disk.alter(Self.path) { $0[position] ^= 1 }
        }
        for length in 0 ..< size {
            let cut = try self.fixture()
            try store("content", cut)
            cut.disk.alter(Self.path) { $0.removeLast(size - length) }
            #expect(isRefused(try load(cut)))
        }
        #expect(try load(fixture).get() == ByteBuffer(string: "content"))
    }

    @Test func aDamagedFileIsReplaced() throws {
        let fixture = try fixture()
        try store("content", fixture)
        fixture.disk.alter(Self.path) { $0[70] ^= 1 }
        try store("content", fixture)
        #expect(try load(fixture).get() == ByteBuffer(string: "content"))
    }

    @Test func theFileGoesWithItsSegment() throws {
        let fixture = try fixture()
        try store("content", fixture)
        fixture.log.reclaim(below: fixture.segments[1].base)
        fixture.settle()
        #expect(fixture.disk.content(Self.path) == nil)
    }

    @Test func aFileWithoutASegmentIsRemovedAtTheStart() throws {
        let fixture = try fixture()
        try store("content", fixture)
        try fixture.disk.rename(Self.path, to: LogFixture.path("00000000000000009999.offsets"))
        fixture.close()
        let reopened = try LogFixture(disk: fixture.disk)
        #expect(try reopened.disk.list(LogFixture.directory).allSatisfy { !$0.hasSuffix(".offsets") })
    }

    @Test func aDumpTellsIt() throws {
        let fixture = try fixture()
        try store("content", fixture)
        fixture.close()
        var items: [LogInspector.Item] = []
        try LogInspector(options: LogFixture.options(), fileSystem: fixture.disk).dump { items.append($0) }
        #expect(items.contains(.offsets(name: "00000000000000000001.offsets", bytes: 7, isValid: true)))
    }
}
