import CZstd
import NIOCore

/// Zstandard frames (RFC 8878), by libzstd.
enum Zstd {
    /// zstd's own default, and Kafka's.
    private static let level: Int32 = 3

    static func compress(_ bytes: ByteBuffer) throws(CompressionError) -> ByteBuffer {
        var output = ByteBuffer()
        var failed = false
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: ZSTD_compressBound(bytes.readableBytes)) { free in
            let written = bytes.withUnsafeReadableBytes { input in
                ZSTD_compress(free.baseAddress, free.count, input.baseAddress, input.count, level)
            }
            failed = ZSTD_isError(written) != 0
            return failed ? 0 : written
        }
        if failed { throw .failed }
        return output
    }

    /// Accepts windows of up to 128 MiB, which is what levels up to 22 need and Java's client accepts. A frame that
    /// claims one costs address space only: the window is touched as far as output is really made.
    static func decompress(_ bytes: ByteBuffer, limit: Int) throws(CompressionError) -> ByteBuffer {
        guard let context = ZSTD_createDCtx() else { throw .failed }
        defer { ZSTD_freeDCtx(context) }

        return try StreamDecompression.run(bytes, limit: limit) { input, output in
            var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
            var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
            let wanted = ZSTD_decompressStream(context, &target, &source)
            if ZSTD_isError(wanted) != 0 {
                return ZSTD_getErrorCode(wanted) == ZSTD_error_memory_allocation ? .failed : .corrupt
            }
            let progress = StreamDecompression.Progress(consumed: source.pos, produced: target.pos)
            return wanted == 0 ? .frameEnd(progress) : .more(progress)
        }
    }
}
