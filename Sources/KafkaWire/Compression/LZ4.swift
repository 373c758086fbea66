import CCodecs
import NIOCore

/// The LZ4 frame format, by liblz4.
enum LZ4 {
    /// Blocks do not refer to each other: Java's Kafka client reads no others.
    static func compress(_ bytes: ByteBuffer) throws(CompressionError) -> ByteBuffer {
        var preferences = LZ4F_preferences_t()
        preferences.frameInfo.blockSizeID = LZ4F_max64KB
        preferences.frameInfo.blockMode = LZ4F_blockIndependent
        let bound = LZ4F_compressFrameBound(bytes.readableBytes, &preferences)
        var output = ByteBuffer()
        var failed = false
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: bound) { free in
            let written = bytes.withUnsafeReadableBytes { input in
                LZ4F_compressFrame(free.baseAddress, free.count, input.baseAddress, input.count, &preferences)
            }
            failed = LZ4F_isError(written) != 0
            return failed ? 0 : written
        }
        if failed { throw .failed }
        return output
    }

    static func decompress(_ bytes: ByteBuffer, limit: Int) throws(CompressionError) -> ByteBuffer {
        var context: OpaquePointer?
        let opened = LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
        guard LZ4F_isError(opened) == 0, let context else { throw .failed }
        defer { LZ4F_freeDecompressionContext(context) }

        return try StreamDecompression.run(bytes, limit: limit) { input, output in
            var consumed = input.count
            var produced = output.count
            // What it returns is a hint at how much input it wants next, 0 when a frame is complete.
            let wanted = LZ4F_decompress(context, output.baseAddress, &produced, input.baseAddress, &consumed, nil)
            if LZ4F_isError(wanted) != 0 { return .corrupt }
            let progress = StreamDecompression.Progress(consumed: consumed, produced: produced)
            return wanted == 0 ? .frameEnd(progress) : .more(progress)
        }
    }
}
