import Basics
import Broker
import NIOCore
import NIOEmbedded
import Testing

@testable import Networking

@Suite struct KafkaConnectionTests {
    private static func joined(_ buffers: [ByteBuffer]) -> ByteBuffer {
        var whole = ByteBuffer()
        for buffer in buffers { whole.writeImmutableBuffer(buffer) }
        return whole
    }

    // MARK: Order

    @Test func `a request that comes byte by byte is answered when it is whole`() throws {
        let fixture = try ConnectionFixture()
        let request = try fixture.metadata()
        for position in 0..<request.readableBytes - 1 {
            try fixture.receive(try #require(request.getSlice(at: position, length: 1)))
        }
        fixture.settle()
        #expect(try fixture.answers().isEmpty)
        try fixture.receive(try #require(request.getSlice(at: request.readableBytes - 1, length: 1)))
        fixture.settle()
        #expect(try fixture.answers() == [1])
    }

    @Test func `requests of one read are answered in order, with one flush`() throws {
        let fixture = try ConnectionFixture()
        let flushes = fixture.flushes
        try fixture.receive(Self.joined(try (0..<5).map { _ in try fixture.metadata() }))
        fixture.settle()
        #expect(try fixture.answers() == [1, 2, 3, 4, 5])
        #expect(fixture.flushes == flushes + 1)
    }

    @Test func `an answer that is ready waits for the one before it`() throws {
        let fixture = try ConnectionFixture()
        try fixture.createTopic("t")
        try fixture.receive(Self.joined([try fixture.produce(10), try fixture.metadata()]))
        fixture.loop.run()
        #expect(try fixture.answers().isEmpty)
        fixture.settle()
        #expect(try fixture.answers() == [2, 3])
    }

    // MARK: Bounds

    @Test func `a client with as many requests under way as it may have is not read`() throws {
        let fixture = try ConnectionFixture { $0.requestsPerConnectionMax = 2 }
        try fixture.createTopic("t")
        let reads = fixture.reads
        try fixture.receive(Self.joined([try fixture.produce(1), try fixture.produce(2), try fixture.metadata()]))
        fixture.loop.run()
        #expect(fixture.reads == reads)
        // The answers make room: first for what was read already, then for the socket.
        fixture.settle()
        #expect(try fixture.answers() == [2, 3, 4])
        #expect(fixture.reads == reads + 1)
    }

    @Test func `requests without an answer make room when they are done`() throws {
        let fixture = try ConnectionFixture { $0.requestsPerConnectionMax = 2 }
        try fixture.createTopic("t")
        let reads = fixture.reads
        try fixture.receive(
            Self.joined(try (0..<5).map { try fixture.produce($0, acks: 0) } + [try fixture.metadata()]))
        fixture.loop.run()
        #expect(fixture.reads == reads)
        fixture.settle()
        #expect(try fixture.answers() == [7])
        #expect(fixture.reads == reads + 1)
    }

    @Test func `answers that wait in their bytes stop reading too`() throws {
        let fixture = try ConnectionFixture { $0.responseBytesPerConnectionMax = 20 }
        try fixture.createTopic("t")
        let reads = fixture.reads
        try fixture.receive(Self.joined([try fixture.produce(1), try fixture.metadata(), try fixture.metadata()]))
        fixture.loop.run()
        #expect(fixture.reads == reads)
        fixture.settle()
        #expect(try fixture.answers() == [2, 3, 4])
        #expect(fixture.reads == reads + 1)
    }

    @Test func `nothing is written while the socket takes nothing, and everything afterwards`() throws {
        let fixture = try ConnectionFixture()
        fixture.channel.isWritable = false
        try fixture.receive(Self.joined(try (0..<3).map { _ in try fixture.metadata() }))
        fixture.settle()
        #expect(try fixture.answers().isEmpty)
        fixture.channel.isWritable = true
        fixture.channel.pipeline.fireChannelWritabilityChanged()
        fixture.settle()
        #expect(try fixture.answers() == [1, 2, 3])
    }

    @Test func `a slow reader is not read once its answers pile up`() throws {
        let fixture = try ConnectionFixture { $0.requestsPerConnectionMax = 3 }
        fixture.channel.isWritable = false
        let reads = fixture.reads
        try fixture.receive(Self.joined(try (0..<10).map { _ in try fixture.metadata() }))
        fixture.settle()
        #expect(fixture.reads == reads)
        fixture.channel.isWritable = true
        fixture.channel.pipeline.fireChannelWritabilityChanged()
        fixture.settle()
        #expect(try fixture.answers() == Array(1...10))
        #expect(fixture.reads == reads + 1)
    }

    @Test func `while the broker is congested no client is read`() throws {
        let fixture = try ConnectionFixture { $0.pendingBytesMax = 10_000 }
        try fixture.createTopic("t")
        // The first is on its way to the disk, the second waits for the next group.
        try fixture.receive(try fixture.produce(4_000))
        fixture.loop.run()
        let reads = fixture.reads
        try fixture.receive(Self.joined([try fixture.produce(6_000), try fixture.metadata()]))
        #expect(fixture.broker.isCongested)
        #expect(fixture.reads == reads)
        fixture.settle()
        #expect(try fixture.answers() == [2, 3, 4])
        #expect(fixture.reads == reads + 1)
    }

    @Test func `incomplete requests count against the bound of the server until they are whole`() throws {
        let fixture = try ConnectionFixture()
        try fixture.createTopic("t")
        let request = try fixture.produce(5_000)
        try fixture.receive(try #require(request.getSlice(at: 0, length: 4_000)))
        #expect(fixture.memory.bytes == 4_000)
        try fixture.receive(try #require(request.getSlice(at: 4_000, length: request.readableBytes - 4_000)))
        #expect(fixture.memory.bytes == 0)
        fixture.settle()
        #expect(try fixture.answers() == [2])
    }

    @Test func `a client that would pass the bound of the server is closed, and its bytes are given back`() throws {
        let fixture = try ConnectionFixture(memoryBytesMax: 1_000)
        try fixture.receive(try #require(fixture.produce(5_000).getSlice(at: 0, length: 900)))
        #expect(fixture.channel.isActive)
        try fixture.receive(ByteBuffer(repeating: 1, count: 200))
        #expect(!fixture.channel.isActive)
        #expect(fixture.memory.bytes == 0)
    }

    // MARK: Ends

    @Test(arguments: [-1, 104_857_601] as [Int32]) func `a length that cannot be closes the connection`(
        length: Int32
    ) throws {
        let fixture = try ConnectionFixture()
        try fixture.receive(ByteBuffer(integer: length))
        #expect(!fixture.channel.isActive)
    }

    @Test func `bytes that are no request close the connection, and what came before them is not answered`() throws {
        let fixture = try ConnectionFixture()
        var bytes = ByteBuffer(integer: Int32(8))
        bytes.writeRepeatingByte(0xFF, count: 8)
        try fixture.receive(bytes)
        fixture.settle()
        #expect(!fixture.channel.isActive)
        #expect(try fixture.answers().isEmpty)
    }

    @Test func `an answer that comes after the end goes nowhere`() throws {
        let fixture = try ConnectionFixture()
        try fixture.createTopic("t")
        try fixture.receive(Self.joined([try fixture.produce(1), try fixture.fetch(maxWait: 500)]))
        try fixture.channel.close().wait()
        fixture.settle()
        fixture.loop.advanceTime(by: .seconds(1))
        fixture.settle()
        #expect(try fixture.answers().isEmpty)
    }

    @Test func `a connection that was silent for too long is closed, and no earlier`() throws {
        let fixture = try ConnectionFixture()
        fixture.loop.advanceTime(by: .seconds(50))
        try fixture.receive(try fixture.metadata())
        fixture.settle()
        fixture.loop.advanceTime(by: .seconds(59))
        #expect(fixture.channel.isActive)
        fixture.loop.advanceTime(by: .seconds(1))
        #expect(!fixture.channel.isActive)
    }

    @Test func `many small answers leave in one write`() throws {
        let fixture = try ConnectionFixture()
        let writes = fixture.writes
        try fixture.receive(Self.joined(try (0..<20).map { _ in try fixture.metadata() }))
        fixture.settle()
        #expect(try fixture.answers().count == 20)
        #expect(fixture.writes == writes + 1)
    }

    @Test func `answers that the socket still holds are not written over by later ones`() throws {
        let fixture = try ConnectionFixture()
        let writes = fixture.writes
        for _ in 0..<3 {
            try fixture.receive(try fixture.metadata())
            fixture.settle()
        }
        #expect(fixture.writes == writes + 3)
        #expect(try fixture.answers() == [1, 2, 3])
    }

    @Test func `an error of the socket closes the connection`() throws {
        let fixture = try ConnectionFixture()
        fixture.channel.pipeline.fireErrorCaught(IOError(errnoCode: 104, reason: "reset"))
        #expect(!fixture.channel.isActive)
    }

    @Test func `a fetch waits without holding up the socket`() throws {
        let fixture = try ConnectionFixture()
        try fixture.createTopic("t")
        let reads = fixture.reads
        try fixture.receive(try fixture.fetch(maxWait: 1_000))
        #expect(fixture.reads == reads + 1)
        fixture.loop.advanceTime(by: .milliseconds(999))
        #expect(try fixture.answers().isEmpty)
        fixture.loop.advanceTime(by: .milliseconds(2))
        fixture.settle()
        #expect(try fixture.answers() == [2])
    }
}
