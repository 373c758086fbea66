import Basics
import Broker
import KafkaWire
import Logging
import NIOCore
import NIOEmbedded
import Raft
import RaftCore
import Testing

@testable import Networking

/// The connection that another broker dials.
@Suite struct PeerConnectionTests {
    private static let voters = Set([NodeID(1), NodeID(2)])

    private static func hello(node: Int32 = 2, shards: UInt16 = 1) -> PeerFrame {
        .hello(PeerHello(broker: BrokerRegistration(id: NodeID(node), host: "h", port: 1), shardCount: shards))
    }

    /// A channel to the broker of `fixture`, as its peer listener makes it.
    private func dial(_ fixture: ConnectionFixture) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(loop: fixture.loop)
        let receiver = DialledByPeer(broker: fixture.broker, voters: Self.voters, shardCount: 1)
        try channel.pipeline.syncOperations.addHandler(PeerFrameHandler(receiver, logger: fixture.broker.logger))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 2)).wait()
        return channel
    }

    private func send(_ frame: PeerFrame, to channel: EmbeddedChannel) throws {
        for part in PeerFrameCodec.encode(frame) { try channel.writeInbound(part) }
    }

    private func received(_ channel: EmbeddedChannel) throws -> ByteBuffer {
        var bytes = ByteBuffer()
        while let part = try channel.readOutbound(as: ByteBuffer.self) { bytes.writeImmutableBuffer(part) }
        return bytes
    }

    @Test func `whoever says hello first is heard`() throws {
        let channel = try dial(try ConnectionFixture())
        try send(Self.hello(), to: channel)
        let vote = VoteResponse(term: Term(1), granted: false)
        try send(.raft(PeerMessage(shard: .metadata, message: .voteResponse(vote))), to: channel)
        #expect(channel.isActive)
    }

    @Test func `a message before the hello ends the connection`() throws {
        let channel = try dial(try ConnectionFixture())
        let vote = VoteResponse(term: Term(1), granted: false)
        try send(.raft(PeerMessage(shard: .metadata, message: .voteResponse(vote))), to: channel)
        #expect(!channel.isActive)
    }

    @Test func `a second hello, a strange node and another number of shards end the connection`() throws {
        let fixture = try ConnectionFixture()
        for frames in [[Self.hello(), Self.hello()], [Self.hello(node: 3)], [Self.hello(shards: 2)]] {
            let channel = try dial(fixture)
            for frame in frames { try send(frame, to: channel) }
            #expect(!channel.isActive)
        }
    }

    @Test func `an answer that was not asked for ends the connection`() throws {
        let channel = try dial(try ConnectionFixture())
        try send(Self.hello(), to: channel)
        try send(.forwarded(id: 1, response: nil), to: channel)
        #expect(!channel.isActive)
    }

    @Test func `a request that is passed on is answered on the connection it came on`() throws {
        let fixture = try ConnectionFixture()
        let channel = try dial(fixture)
        try send(Self.hello(), to: channel)
        let request = try WireFrame(InitProducerIDRequest(), version: 2, correlationID: 77, clientID: nil).withoutLength
        try send(.forward(id: 5, request: request), to: channel)
        fixture.settle()
        var bytes = try received(channel)
        let length: UInt32? = bytes.readInteger(endianness: .little)
        #expect(length == UInt32(bytes.readableBytes))
        guard case .forwarded(5, var response?) = try PeerFrameCodec.decode(bytes) else {
            Issue.record("no answer")
            return
        }
        let header = try ResponseHeader(from: &response, answering: InitProducerIDRequest.self, version: 2)
        #expect(header.correlationID == 77)
        #expect(try InitProducerIDResponse(decoding: response, version: 2).errorCode == .none)
    }

    @Test func `noise ends the connection and nothing else`() throws {
        let fixture = try ConnectionFixture()
        for seed in 0..<50 as Range<UInt64> {
            var random = RandomSource(seed: seed)
            let channel = try dial(fixture)
            if Bool.random(using: &random) { try send(Self.hello(), to: channel) }
            let noise = (0..<200).map { _ in UInt8.random(in: 0...3, using: &random) }
            try channel.writeInbound(ByteBuffer(bytes: noise))
            _ = try channel.finish(acceptAlreadyClosed: true)
        }
        try fixture.receive(try fixture.metadata())
        fixture.settle()
        #expect(try fixture.answers() == [1])
    }
}
