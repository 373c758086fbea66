import Basics
import NIOCore

/// Whether and how hard blocks are compressed.
public enum BlockCompression: Hashable, Sendable {
    case off
    /// zstd level; negative ones trade ratio for speed.
    case zstd(level: Int32)
}

/// How an attempt at compressing a block is made.
public enum CompressionAttempt: Hashable, Sendable {
    case whole
    /// The block goes as it is; whether it would have shrunk is told by its first bytes.
    case sample
}

/// Turns entries into blocks. May be used from any thread; each call takes a compression context of its own from the
/// encoder's pool, which holds as many as there were calls at the same time.
public final class BlockEncoder: Sendable {
    /// Below this many bytes zstd gains nothing worth its call.
    static let compressionThreshold = 512
    /// What a sample takes of a payload.
    private static let sampleBytes = 8.kibibytes

    private let compressors = ContextPool { ZstdCompressor() }

    public init() {}

    /// The greedy rule by which pending entries become blocks: each range is at most `BlockLimits.targetBytes`, except
    /// that an entry larger than that has a block of its own.
    public static func split(_ entries: ArraySlice<Entry>) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = entries.startIndex
        var bytes = 0
        for index in entries.indices {
            let more = entries[index].encodedBytes
            if index > start, bytes + more > BlockLimits.targetBytes {
                ranges.append(start ..< index)
                start = index
                bytes = 0
            }
            bytes += more
        }
        if start < entries.endIndex { ranges.append(start ..< entries.endIndex) }
        return ranges
    }

    public static func split(_ entries: [Entry]) -> [Range<Int>] { split(entries[...]) }

    public func encode(
        _ entries: [Entry], shard: ShardID, compression: BlockCompression, attempt: CompressionAttempt = .whole
    ) -> EncodedBlock {
        encode(entries[...], shard: shard, compression: compression, attempt: attempt)
    }

    /// Encodes the entries of one block: the expensive part, which needs to know neither index nor term. The payloads
    /// are copied once.
    public func encode(
        _ entries: ArraySlice<Entry>, shard: ShardID, compression: BlockCompression,
        attempt: CompressionAttempt = .whole
    ) -> EncodedBlock {
        let plan = Plan(entries)
        let raw = Self.assemble(entries, plan)
        var header = BlockHeader(
            codec: .raw, shard: shard, segment: .zero, base: .zero, term: .zero, count: entries.count,
            directoryLength: plan.directoryBytes, rawLength: plan.payloadBytes, storedLength: plan.payloadBytes,
            payloadChecksum: 0, headerChecksum: 0)
        var bytes = raw
        var rawPayload: ByteBuffer?
        var didShrink: Bool?
        if case .zstd(let level) = compression, plan.isWorthCompressing, attempt == .sample {
            didShrink = sampleShrinks(raw, header, level: level)
        } else if case .zstd(let level) = compression, plan.isWorthCompressing {
            let compressed = compress(raw, header, level: level)
            didShrink = compressed != nil
            if let compressed {
                header.codec = .zstd
                header.storedLength = compressed.storedLength
                bytes = compressed.bytes
                rawPayload = raw.getSlice(at: header.payloadStart, length: plan.payloadBytes)
            }
        }
        header.payloadChecksum = bytes.withUnsafeReadableBytes {
            crc32c($0[header.payloadStart ..< header.payloadStart + header.storedLength])
        }
        return EncodedBlock(header: header, bytes: bytes, rawPayload: rawPayload, didShrink: didShrink)
    }

    /// The sizes of a block before compression.
    private struct Plan {
        var directoryBytes = 0
        var payloadBytes = 0
        var compressedBytes = 0

        init(_ entries: ArraySlice<Entry>) {
            invariant(!entries.isEmpty, "a block holds at least one entry")
            for entry in entries {
                invariant(entry.head.readableBytes <= BlockLimits.headBytesMax, "head exceeds headBytesMax")
                directoryBytes += BlockFormat.entryRecordBytes + entry.head.readableBytes
                payloadBytes += entry.payload.readableBytes
                if entry.isCompressed { compressedBytes += entry.payload.readableBytes }
            }
            invariant(directoryBytes <= BlockLimits.directoryBytesMax, "directory of \(directoryBytes) bytes")
            invariant(payloadBytes <= BlockLimits.payloadBytesMax, "payload of \(payloadBytes) bytes")
        }

        var isWorthCompressing: Bool {
            payloadBytes >= BlockEncoder.compressionThreshold && compressedBytes * 2 <= payloadBytes
        }
    }

    private static func assemble(_ entries: ArraySlice<Entry>, _ plan: Plan) -> ByteBuffer {
        let end = BlockFormat.headerBytes + plan.directoryBytes + plan.payloadBytes
        let size = BlockFormat.padded(end)
        var buffer = ByteBufferAllocator().buffer(capacity: size)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { raw in
            raw.zero(0 ..< BlockFormat.headerBytes)
            var record = BlockFormat.headerBytes
            var head = record + entries.count * BlockFormat.entryRecordBytes
            var payload = BlockFormat.headerBytes + plan.directoryBytes
            for entry in entries {
                raw.put(UInt16(entry.type.rawValue), at: record)
                raw.put(UInt16(entry.head.readableBytes), at: record + 2)
                raw.put(UInt32(entry.payload.readableBytes), at: record + 4)
                entry.head.withUnsafeReadableBytes { raw.copy($0, to: head) }
                entry.payload.withUnsafeReadableBytes { raw.copy($0, to: payload) }
                record += BlockFormat.entryRecordBytes
                head += entry.head.readableBytes
                payload += entry.payload.readableBytes
            }
            raw.zero(end ..< size)
            return size
        }
        return buffer
    }

    private func sampleShrinks(_ raw: ByteBuffer, _ header: BlockHeader, level: Int32) -> Bool {
        compressors.withContext { compressor in
            raw.withUnsafeReadableBytes { source in
                let count = min(header.rawLength, Self.sampleBytes)
                let sample = source[header.payloadStart ..< header.payloadStart + count]
                return compressor.compress(sample, level: level, limit: count - count / 8) != nil
            }
        }
    }

    /// The block with its payload compressed, or nil if that does not save at least an eighth: less is not worth what
    /// every reader will pay. (Random values of 100 bytes save a fourteenth, in the records' own framing.)
    private func compress(
        _ raw: ByteBuffer, _ header: BlockHeader, level: Int32
    ) -> (bytes: ByteBuffer, storedLength: Int)? {
        compressors.withContext { compressor in
            raw.withUnsafeReadableBytes { source in
                let payload = source[header.payloadStart ..< header.payloadStart + header.rawLength]
                let limit = header.rawLength - header.rawLength / 8
                guard let stored = compressor.compress(payload, level: level, limit: limit) else { return nil }
                let end = header.payloadStart + stored.count
                let size = BlockFormat.padded(end)
                var bytes = ByteBufferAllocator().buffer(capacity: size)
                bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { target in
                    target.copy(UnsafeRawBufferPointer(rebasing: source[..<header.payloadStart]), to: 0)
                    target.copy(stored, to: header.payloadStart)
                    target.zero(end ..< size)
                    return size
                }
                return (bytes, stored.count)
            }
        }
    }
}
