import CMartlet
import Foundation
import Glibc
import KafkaWire
import NIOCore
import NIOPosix

/// What this machine can do without a broker, so that a result can be seen against it.
struct MachineLimits: Encodable, Sendable {
    struct Disk: Encodable, Sendable {
        /// Past the page cache (O_DIRECT) or through it.
        var isDirect: Bool
        var writeBytes: Int
        /// Of one write with its flush, in milliseconds.
        var p50: Double
        var p99: Double
        var megabytesPerSecond: Double
    }

    struct Zstd: Encodable, Sendable {
        var compressMegabytesPerSecond: Double
        var decompressMegabytesPerSecond: Double
        var ratio: Double
    }

    /// Each write flushed before the next one.
    var disk: [Disk]
    var loopbackMegabytesPerSecond: Double
    /// One core.
    var crc32cMegabytesPerSecond: Double
    /// One core, JSON in blocks of 256 KiB, the level that batches are compressed with.
    var zstd: Zstd

    /// Takes about `seconds` for each of the writing sizes and less for the rest.
    ///
    /// - Parameter directory: on the disk to be measured; holds a file of up to 512 MiB meanwhile.
    static func measure(directory: String, seconds: Double) async throws -> MachineLimits {
        try await NIOThreadPool.singleton.runIfActive {
            MachineLimits(
                disk: try DiskProbe(directory: directory, seconds: seconds).measure(),
                loopbackMegabytesPerSecond: try LoopbackProbe.measure(seconds: min(seconds, 1)),
                crc32cMegabytesPerSecond: measureChecksum(),
                zstd: try measureZstd()
            )
        }
    }

    private static func measureChecksum() -> Double {
        let block = [UInt8](repeating: 0xA5, count: 1_048_576)
        var sum: UInt32 = 0
        let rate = megabytesPerSecond(blockBytes: block.count, seconds: 0.3) {
            sum = martlet_crc32c(sum, block, block.count)
        }
        // Uses the sum, so that the loop is not optimised away.
        return sum == 0 ? rate.nextUp : rate
    }

    /// On blocks as large as the log's, in turn: one that stays in the cache would be faster than any reader can be.
    private static func measureZstd() throws -> Zstd {
        var payloads = PayloadGenerator(.json, byteCount: 1_024, seed: 1)
        let blocks = (0..<16).map { _ in
            var block = ByteBuffer()
            for _ in 0..<1_024 { block.writeImmutableBuffer(payloads.next()) }
            return block
        }
        let compressed = try blocks.map { try Compression.compress($0, with: .zstd) }
        let blockBytes = blocks[0].readableBytes
        var turn = 0
        func next() -> Int {
            turn = (turn + 1) % blocks.count
            return turn
        }
        return Zstd(
            compressMegabytesPerSecond: try megabytesPerSecond(blockBytes: blockBytes, seconds: 0.3) {
                _ = try Compression.compress(blocks[next()], with: .zstd)
            },
            decompressMegabytesPerSecond: try megabytesPerSecond(blockBytes: blockBytes, seconds: 0.3) {
                _ = try Compression.decompress(compressed[next()], with: .zstd, limit: blockBytes)
            },
            ratio: Double(blockBytes * blocks.count)
                / Double(compressed.reduce(0) { $0 + $1.readableBytes })
        )
    }

    private static func megabytesPerSecond(
        blockBytes: Int, seconds: Double, _ work: () throws -> Void
    ) rethrows -> Double {
        let start = ContinuousClock.now
        var blocks = 0
        while start.duration(to: .now) < .seconds(seconds) {
            try work()
            blocks += 1
        }
        return Double(blocks * blockBytes) / 1e6 / (start.duration(to: .now) / .seconds(1))
    }

    var text: String {
        var table = Table([("write + fdatasync", .left), ("p50 ms", .right), ("p99 ms", .right), ("MB/s", .right)])
        for disk in disk {
            let kibibytes = disk.writeBytes / 1_024
            let size = kibibytes >= 1_024 ? "\(kibibytes / 1_024) MiB" : "\(kibibytes) KiB"
            table.add([
                "\(disk.isDirect ? "direct  " : "buffered") \(size)", disk.p50.fixed(3), disk.p99.fixed(3),
                disk.megabytesPerSecond.fixed(1),
            ])
        }
        return """
            \(table.description)
            loopback TCP  \(loopbackMegabytesPerSecond.fixed(0)) MB/s, one connection
            CRC-32C       \(crc32cMegabytesPerSecond.fixed(0)) MB/s, one core
            zstd          \(zstd.compressMegabytesPerSecond.fixed(0)) MB/s, back \
            \(zstd.decompressMegabytesPerSecond.fixed(0)) MB/s, JSON to 1/\(zstd.ratio.fixed(1)), one core
            """
    }
}
