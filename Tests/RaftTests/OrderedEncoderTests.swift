import Basics
import NIOCore
import NIOEmbedded
import RaftCore
import SegmentLog
import Testing

@testable import Raft

@Suite struct OrderedEncoderTests {
    private let loop = EmbeddedEventLoop()
    private let threads = [ManualExecutor(), ManualExecutor()]

    private func encoder(inlineBytesMax: Int = 0) -> OrderedEncoder {
        var configuration = RaftConfiguration(
            shard: .metadata, core: CoreConfiguration(id: NodeID(1), voters: [NodeID(1)]), seed: 1)
        configuration.inlineEncodingBytesMax = inlineBytesMax
        return OrderedEncoder(configuration, threads: threads, eventLoop: loop)
    }

    private func block(_ bytes: Int) -> [Entry] { [Entry(payload: ByteBuffer(repeating: 7, count: bytes))] }

    @Test func `blocks that are done out of order come back in order`() {
        let encoder = encoder()
        var sizes: [Int] = []
        encoder.onEncoded = { encoded, _ in sizes.append(encoded.rawLength) }
        for number in 1...4 { encoder.encode(block(1_000 * number), for: []) }
        #expect(!encoder.hasRoom)
        threads[1].runAll()
        loop.run()
        #expect(sizes.isEmpty && encoder.isBusy)
        threads[0].runAll()
        loop.run()
        #expect(sizes == [1_000, 2_000, 3_000, 4_000] && !encoder.isBusy)
    }

    @Test func `a small block is encoded at once unless another one is under way`() {
        let encoder = encoder(inlineBytesMax: 5_000)
        var sizes: [Int] = []
        encoder.onEncoded = { encoded, _ in sizes.append(encoded.rawLength) }
        func encode(_ bytes: Int) { encoder.encode(block(bytes), for: []) }
        encode(1_000)
        #expect(sizes == [1_000])
        encode(10_000)
        encode(2_000)
        #expect(sizes == [1_000])
        for thread in threads { thread.runAll() }
        loop.run()
        #expect(sizes == [1_000, 10_000, 2_000])
    }
}
