import NIOCore
import Testing

@testable import MartletClient

@Suite("Partitioner")
struct PartitionerTests {
    @Test(
        "hashes are those of Kafka's Java client",
        arguments: [
            ("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971), ("abc", 479_470_107),
        ] as [(String, Int32)])
    func murmur2(key: String, hash: Int32) {
        #expect(Int32(bitPattern: Partitioner.murmur2(ByteBuffer(string: key))) == hash)
    }

    @Test("a key's partition is its hash without sign, modulo the count")
    func partition() {
        let hash = Int32(bitPattern: UInt32(bitPattern: -973_932_308) & 0x7FFF_FFFF)
        #expect(Partitioner.partition(of: ByteBuffer(string: "21"), count: 12) == hash % 12)
        #expect(Partitioner.partition(of: ByteBuffer(), count: 1) == 0)
    }
}
