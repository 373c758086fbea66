import Basics
import NIOCore
import Testing

@testable import SegmentLog

@Suite struct InspectorTests {
    private func closedLog() throws -> (LogFixture, LogInspector) {
        let fixture = try LogFixture()
        for number in 0 ..< 40 { fixture.append(count: 2, payloadBytes: 60 + number * 6) }
        fixture.log.saveHardState(HardStateRecord(term: 2, vote: 5)) {}
        fixture.close()
        return (fixture, LogInspector(options: LogFixture.options(), fileSystem: fixture.disk))
    }

    @Test func aDumpTellsEveryFileAndEveryBlock() throws {
        let (fixture, inspector) = try closedLog()
        var items: [LogInspector.Item] = []
        try inspector.dump { items.append($0) }
        let blocks = items.compactMap { if case .block(_, let heads) = $0 { heads } else { nil } }
        #expect(blocks.map(\.base) == (0 ..< 40).map { LogIndex(1 + 2 * UInt64($0)) })
        #expect(blocks.flatMap { $0.entries.map(\.head) } == (1 ... 80).map { ByteBuffer(string: "h\($0)") })
        #expect(items.first == .state(
            HardStateRecord(term: 2, vote: 5), watermark: LogIndex(80), firstSegment: .zero))
        let bases = items.compactMap { if case .segment(_, let base, _) = $0 { base } else { nil } }
        #expect(bases == fixture.segments.map(\.base))
        let sidecars = items.filter { if case .sidecar(_, _, isValid: true) = $0 { true } else { false } }
        #expect(sidecars.count == bases.count - 1)
    }

    @Test func aSoundLogVerifies() throws {
        let (fixture, inspector) = try closedLog()
        let verification = try inspector.verify()
        #expect(verification.isSound && !verification.hasTornTail)
        #expect(verification.segments.map(\.blocks).reduce(0, +) == 40)
        #expect(verification.segments.dropLast().allSatisfy { $0.sidecar == .matches })
        let first = try #require(fixture.disk.content(LogFixture.segmentPath(1)))
        #expect(verification.segments.first?.checksum == first.withUnsafeBytes { crc32c($0) })
    }

    @Test func damageAnywhereIsFound() throws {
        let (fixture, inspector) = try closedLog()
        let second = fixture.segments[1]
        fixture.disk.alter(LogFixture.segmentPath(second.base.rawValue)) { $0[second.end - 30] ^= 1 }
        let verification = try inspector.verify()
        #expect(!verification.isSound)
        #expect(verification.damage.map(\.file) == [LogLayout.segmentName(second.base)])
        #expect(verification.damage.map(\.lastIndex) == [second.last])
    }

    @Test func aWrongSidecarAndAMissingSegmentAreFound() throws {
        let (fixture, inspector) = try closedLog()
        fixture.disk.alter(LogFixture.path("00000000000000000001.index")) { $0[80] ^= 1 }
        try fixture.disk.unlink(LogFixture.segmentPath(fixture.segments[1].base.rawValue))
        let verification = try inspector.verify()
        #expect(verification.segments.first?.sidecar == .differs)
        #expect(verification.damage.contains { $0.firstIndex == fixture.segments[1].base })
    }

    @Test func anUnfinishedGroupCommitIsNoDamage() throws {
        let fixture = try LogFixture()
        fixture.append()
        fixture.settle()
        fixture.append(payloadBytes: 1_000)
        fixture.settle()
        let end = try #require(fixture.segments.last?.end)
        fixture.disk.restart(losing: .everythingUnflushed)
        fixture.disk.alter(LogFixture.segmentPath(1)) { $0[end - 20] ^= 1 }
        let verification = try LogInspector(options: LogFixture.options(), fileSystem: fixture.disk).verify()
        #expect(verification.isSound && verification.hasTornTail)
    }
}
