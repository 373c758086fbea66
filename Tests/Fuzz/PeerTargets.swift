import Basics
import Broker
import CMartlet
import NIOCore
import Raft
import RaftCore
import SegmentLog

/// Frames between brokers, their checksums made right: an error, or a frame that reads the same when written.
enum PeerTarget {
    static func run(_ input: ByteBuffer) {
        var input = input
        if let kind: UInt8 = input.getInteger(at: input.readerIndex), kind == 2 { Checksums.repairPeerMessage(&input) }
        guard let frame = try? PeerFrameCodec.decode(input) else { return }
        var bytes = ByteBuffer()
        for part in PeerFrameCodec.encode(frame) { bytes.writeImmutableBuffer(part) }
        bytes.moveReaderIndex(forwardBy: 4)
        guard let again = try? PeerFrameCodec.decode(bytes) else { preconditionFailure("\(frame) cannot be read") }
        precondition("\(again)" == "\(frame)", "\(frame) changed")
    }
}

/// One block, its checksums made right.
enum BlockTarget {
    static func run(_ input: ByteBuffer) {
        var input = input
        Checksums.repairBlock(&input, at: input.readerIndex)
        guard let block = try? Block.decode(input) else { return }
        precondition(block.encodedSize == input.readableBytes)
        var index = block.base
        for entry in block.entries {
            precondition(entry.index == index)
            index = index.next
        }
        precondition(index == block.last.next)
        guard let payload = try? block.payload() else { return }
        precondition(payload.byteCount == block.header.rawLength)
        for entry in block.entries { _ = entry.payload(in: payload) }
    }
}

/// The heads of entries, which the state machine reads.
enum CommandTarget {
    static func run(_ input: ByteBuffer) {
        guard let command = try? Command.decode(input) else { return }
        guard let again = try? Command.decode(command.encoded()) else { preconditionFailure("\(command) is lost") }
        precondition("\(again)" == "\(command)", "\(command) changed")
    }
}

/// Makes checksums right, because chance never does: what lies behind them could not be reached.
enum Checksums {
    static func crc32c(_ bytes: ByteBuffer, at start: Int, _ count: Int, seed: UInt32 = 0) -> UInt32 {
        bytes.withUnsafeReadableBytes { raw in
            martlet_crc32c(seed, raw.baseAddress.map { $0 + (start - bytes.readerIndex) }, count)
        }
    }

    /// Both checksums of the block at `start`, as far as its lengths stay within the buffer; its length then.
    @discardableResult
    static func repairBlock(_ bytes: inout ByteBuffer, at start: Int) -> Int? {
        guard bytes.writerIndex - start >= 64,
            let directory: UInt32 = bytes.getInteger(at: start + 36, endianness: .little),
            let stored: UInt32 = bytes.getInteger(at: start + 44, endianness: .little)
        else { return nil }
        let length = 64 + Int(directory) + Int(stored)
        guard length <= bytes.writerIndex - start else { return nil }
        let payload = crc32c(bytes, at: start + 64 + Int(directory), Int(stored))
        bytes.setInteger(payload, at: start + 48, endianness: .little)
        let head = crc32c(bytes, at: start, 60)
        bytes.setInteger(
            crc32c(bytes, at: start + 64, Int(directory), seed: head), at: start + 60, endianness: .little)
        return (length + 7) & ~7
    }

    /// The checksum over 60 bytes that ends a record of 64.
    static func repairRecord(_ bytes: inout ByteBuffer, at start: Int) {
        guard bytes.writerIndex - start >= 64 else { return }
        bytes.setInteger(crc32c(bytes, at: start, 60), at: start + 60, endianness: .little)
    }

    /// The Raft message in a frame of kind 2, and the blocks behind it.
    static func repairPeerMessage(_ frame: inout ByteBuffer) {
        let start = frame.readerIndex + 1
        guard let kind: UInt8 = frame.getInteger(at: start), (1...6).contains(kind) else { return }
        var words = [3, 2, 3, 2, 7, 7][Int(kind) - 1]
        if kind == 5 {
            guard let count: UInt64 = frame.getInteger(at: start + 8 + 48, endianness: .little), count < 1_000 else {
                return
            }
            words += Int(count)
        }
        guard frame.writerIndex - start >= 8 + words * 8 else { return }
        let sum = crc32c(frame, at: start + 8, words * 8, seed: crc32c(frame, at: start, 4))
        frame.setInteger(sum, at: start + 4, endianness: .little)
        var block = start + 8 + words * 8
        while let length = repairBlock(&frame, at: block) { block += length }
    }
}
