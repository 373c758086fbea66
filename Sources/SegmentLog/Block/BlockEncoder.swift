import Basics
import CMartlet
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
    /// From this size on a payload is left where it is, unless asked otherwise: one more buffer on its way to sockets
    /// and disk costs less than a copy.
    public static let keptPayloadBytesMin = 8.kibibytes
    /// What payloads that stay where they are may keep in memory for each of their bytes. A buffer is up to twice as
    /// large as what is in it, since its size is a power of two, and parts of it may be in other blocks.
    private static let heldFactorMax = 3
    /// From this size on a CRC is cheaper combined than computed.
    private static let combinedBytesMin = 4.kibibytes

    private static let zeros = ByteBuffer(repeating: 0, count: BlockFormat.alignment)

    private let compressors = ContextPool { ZstdCompressor() }
    private let keptPayloadBytesMin: Int

    /// - Parameter keptPayloadBytesMin: a block that is not compressed keeps its payloads where they are, if they have
    ///   this size on average.
    public init(keptPayloadBytesMin: Int = BlockEncoder.keptPayloadBytesMin) {
        self.keptPayloadBytesMin = keptPayloadBytesMin
    }

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
    /// are copied once, or not at all.
    public func encode(
        _ entries: ArraySlice<Entry>, shard: ShardID, compression: BlockCompression,
        attempt: CompressionAttempt = .whole
    ) -> EncodedBlock {
        let plan = Plan(entries)
        var header = BlockHeader(
            codec: .raw, shard: shard, segment: .zero, base: .zero, term: .zero, count: entries.count,
            directoryLength: plan.directoryBytes, rawLength: plan.payloadBytes, storedLength: plan.payloadBytes,
            payloadChecksum: 0, headerChecksum: 0)
        guard case .zstd(let level) = compression, plan.isWorthCompressing else {
            return encodeRaw(entries, plan, header, didShrink: nil)
        }
        if attempt == .sample {
            return encodeRaw(entries, plan, header, didShrink: sampleShrinks(entries, plan, level: level))
        }
        let raw = Self.assemble(entries, plan)
        guard let compressed = compress(raw, header, level: level) else {
            return Self.encoded(raw, header, rawPayload: nil, didShrink: false)
        }
        header.codec = .zstd
        header.storedLength = compressed.storedLength
        let payload = raw.getSlice(at: header.payloadStart, length: header.rawLength)
        return Self.encoded(compressed.bytes, header, rawPayload: payload, didShrink: true)
    }

    private static func encoded(
        _ bytes: ByteBuffer, _ header: BlockHeader, rawPayload: ByteBuffer?, didShrink: Bool?
    ) -> EncodedBlock {
        var header = header
        header.payloadChecksum = bytes.withUnsafeReadableBytes {
            crc32c($0[header.payloadStart ..< header.payloadStart + header.storedLength])
        }
        return EncodedBlock(header: header, front: bytes, rawPayload: rawPayload, didShrink: didShrink)
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

        var payloadStart: Int { BlockFormat.headerBytes + directoryBytes }

        var isWorthCompressing: Bool {
            payloadBytes >= BlockEncoder.compressionThreshold && compressedBytes * 2 <= payloadBytes
        }
    }

    private func encodeRaw(
        _ entries: ArraySlice<Entry>, _ plan: Plan, _ header: BlockHeader, didShrink: Bool?
    ) -> EncodedBlock {
        guard mayKeepPayloads(entries, plan) else {
            return Self.encoded(Self.assemble(entries, plan), header, rawPayload: nil, didShrink: didShrink)
        }
        var header = header
        header.payloadChecksum = Self.checksum(of: entries)
        let end = plan.payloadStart + plan.payloadBytes
        var front = ByteBufferAllocator().buffer(capacity: plan.payloadStart)
        front.writeWithUnsafeMutableBytes(minimumWritableBytes: plan.payloadStart) { raw in
            Self.writeDirectory(of: entries, to: raw)
            return plan.payloadStart
        }
        var rest: [ByteBuffer] = []
        rest.reserveCapacity(entries.count + 1)
        for entry in entries { rest.append(entry.payload) }
        let padding = BlockFormat.padded(end) - end
        if padding > 0, let zeros = Self.zeros.getSlice(at: 0, length: padding) { rest.append(zeros) }
        return EncodedBlock(header: header, front: front, rest: rest, rawPayload: nil, didShrink: didShrink)
    }

    /// Whether the payloads are large enough to stay where they are, and don't keep much more than themselves in
    /// memory: each may be a slice of something larger.
    private func mayKeepPayloads(_ entries: ArraySlice<Entry>, _ plan: Plan) -> Bool {
        guard plan.payloadBytes / entries.count >= keptPayloadBytesMin else { return false }
        var owner: UnsafeRawPointer?
        let held = entries.reduce(0) { $0 + $1.payload.heldBytes(besides: &owner) }
        return held <= Self.heldFactorMax * plan.payloadBytes
    }

    /// The CRC-32C of the entries' payloads.
    private static func checksum(of entries: ArraySlice<Entry>) -> UInt32 {
        entries.reduce(0) { sum, entry in
            let length = entry.payload.readableBytes
            guard let known = entry.payloadChecksum, length >= combinedBytesMin else {
                return entry.payload.withUnsafeReadableBytes { crc32c($0, seed: sum) }
            }
            assert(entry.payload.withUnsafeReadableBytes { crc32c($0) } == known, "not the payload's checksum")
            return martlet_crc32c_combine(sum, known, length)
        }
    }

    private static func assemble(_ entries: ArraySlice<Entry>, _ plan: Plan) -> ByteBuffer {
        let end = plan.payloadStart + plan.payloadBytes
        let size = BlockFormat.padded(end)
        var buffer = ByteBufferAllocator().buffer(capacity: size)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { raw in
            writeDirectory(of: entries, to: raw)
            var payload = plan.payloadStart
            for entry in entries {
                entry.payload.withUnsafeReadableBytes { raw.copy($0, to: payload) }
                payload += entry.payload.readableBytes
            }
            raw.zero(end ..< size)
            return size
        }
        return buffer
    }

    /// The directory, behind the place for the header.
    private static func writeDirectory(of entries: ArraySlice<Entry>, to raw: UnsafeMutableRawBufferPointer) {
        raw.zero(0 ..< BlockFormat.headerBytes)
        var record = BlockFormat.headerBytes
        var head = record + entries.count * BlockFormat.entryRecordBytes
        for entry in entries {
            raw.put(UInt16(entry.type.rawValue), at: record)
            raw.put(UInt16(entry.head.readableBytes), at: record + 2)
            raw.put(UInt32(entry.payload.readableBytes), at: record + 4)
            entry.head.withUnsafeReadableBytes { raw.copy($0, to: head) }
            record += BlockFormat.entryRecordBytes
            head += entry.head.readableBytes
        }
    }

    private func sampleShrinks(_ entries: ArraySlice<Entry>, _ plan: Plan, level: Int32) -> Bool {
        let count = min(plan.payloadBytes, Self.sampleBytes)
        var sample = ByteBufferAllocator().buffer(capacity: count)
        for entry in entries where sample.readableBytes < count {
            let length = min(entry.payload.readableBytes, count - sample.readableBytes)
            sample.writeBytes(entry.payload.readableBytesView.prefix(length))
        }
        return compressors.withContext { compressor in
            sample.withUnsafeReadableBytes { bytes in
                compressor.compress(bytes[...], level: level, limit: count - count / 8) != nil
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
