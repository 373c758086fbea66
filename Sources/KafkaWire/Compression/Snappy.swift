import CCodecs
import NIOCore

/// Snappy, framed as the xerial library for Java frames it, by libsnappy.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 8 | magic: 82 53 4E 41 50 50 59 00 |
/// | 8 | 4 | version, 1 |
/// | 12 | 4 | oldest version that can read it, 1 |
/// | 16 | 4 | length of a block |
/// | 20 | … | block: raw snappy of up to 32 KiB |
/// | … | … | more lengths and blocks |
///
/// Some clients send one raw block without a frame; that is read too.
enum Snappy {
    private static let magic: UInt64 = 0x8253_4E41_5050_5900
    private static let headerBytes = 16
    private static let blockBytes = 32 * 1_024

    /// What a compressed byte can become at most: a copy of 64 bytes takes three.
    private static let largestRatio = 22

    static func compress(_ bytes: ByteBuffer) throws(CompressionError) -> ByteBuffer {
        var input = bytes
        var output = ByteBuffer()
        output.reserveCapacity(headerBytes + 4 + snappy_max_compressed_length(min(blockBytes, input.readableBytes)))
        output.writeMultipleIntegers(magic, 1 as Int32, 1 as Int32)
        while let block = input.readSlice(length: min(blockBytes, input.readableBytes)), block.readableBytes > 0 {
            let lengthAt = output.writerIndex
            output.writeInteger(0 as Int32)
            try compress(block: block, to: &output)
            output.setInteger(Int32(output.writerIndex - lengthAt - 4), at: lengthAt)
        }
        return output
    }

    private static func compress(block: ByteBuffer, to output: inout ByteBuffer) throws(CompressionError) {
        var status = SNAPPY_OK
        let bound = snappy_max_compressed_length(block.readableBytes)
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: bound) { free in
            var written = free.count
            status = block.withUnsafeReadableBytes { source in
                snappy_compress(source.charBase, source.count, free.charBase, &written)
            }
            return status == SNAPPY_OK ? written : 0
        }
        guard status == SNAPPY_OK else { throw .failed }
    }

    static func decompress(_ bytes: ByteBuffer, limit: Int) throws(CompressionError) -> ByteBuffer {
        var input = bytes
        var output = ByteBuffer()
        guard input.getInteger(at: input.readerIndex, as: UInt64.self) == magic else {
            try decompress(block: input, to: &output, limit: limit)
            return output
        }
        guard input.readSlice(length: headerBytes) != nil else { throw .corrupt }
        while input.readableBytes > 0 {
            guard let length = input.readInteger(as: Int32.self), length >= 0,
                let block = input.readSlice(length: Int(length))
            else { throw .corrupt }
            try decompress(block: block, to: &output, limit: limit)
        }
        return output
    }

    private static func decompress(
        block: ByteBuffer, to output: inout ByteBuffer, limit: Int
    ) throws(CompressionError) {
        var size = 0
        let known = block.withUnsafeReadableBytes { source in
            snappy_uncompressed_length(source.charBase, source.count, &size)
        }
        guard known == SNAPPY_OK, size <= block.readableBytes * largestRatio else { throw .corrupt }
        guard size <= limit - output.readableBytes else { throw .tooLarge }
        if size == 0 { return }
        var status = SNAPPY_OK
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { free in
            var written = size
            status = block.withUnsafeReadableBytes { source in
                snappy_uncompress(source.charBase, source.count, free.charBase, &written)
            }
            return status == SNAPPY_OK ? written : 0
        }
        guard status == SNAPPY_OK else { throw .corrupt }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate var charBase: UnsafePointer<CChar>? { baseAddress?.assumingMemoryBound(to: CChar.self) }
}

extension UnsafeMutableRawBufferPointer {
    fileprivate var charBase: UnsafeMutablePointer<CChar>? { baseAddress?.assumingMemoryBound(to: CChar.self) }
}
