import Basics
import NIOCore
import SegmentLog

extension Samples {
    /// What one block of about 256 KiB has, without heads: as many batches as are encoded together under load.
    static func entries(isCompressible: Bool) throws -> [Entry] {
        let batch = try batch(isCompressible: isCompressible)
        return (0..<14).map { _ in Entry(head: ByteBuffer(repeating: 1, count: 43), payload: batch) }
    }
}

extension MicroCase {
    static let logCases = [
        MicroCase("block: encode 14 batches, raw") {
            let entries = try Samples.entries(isCompressible: false)
            let encoder = BlockEncoder()
            return { _ = encoder.encode(entries, shard: .metadata, compression: .off) }
        },
        MicroCase("block: encode 14 batches, zstd level 1") {
            let entries = try Samples.entries(isCompressible: true)
            let encoder = BlockEncoder()
            return { _ = encoder.encode(entries, shard: .metadata, compression: .zstd(level: 1)) }
        },
    ]
}
