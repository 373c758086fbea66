import CCodecs
import NIOCore

/// The gzip codec (RFC 1952), by zlib.
enum Gzip {
    /// 2^15 bytes of window, and 16 more to ask zlib for the gzip wrapper.
    private static let windowBits: Int32 = 15 + 16

    static func compress(_ bytes: ByteBuffer) throws(CompressionError) -> ByteBuffer {
        var stream = z_stream()
        let opened = deflateInit2_(
            &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY,
            ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)
        )
        guard opened == Z_OK else { throw .failed }
        defer { deflateEnd(&stream) }

        let bound = Int(deflateBound(&stream, UInt(bytes.readableBytes)))
        var output = ByteBuffer()
        var status = Z_OK
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: bound) { free in
            status = bytes.withUnsafeReadableBytes { input in
                stream.point(input: input, output: free)
                return deflate(&stream, Z_FINISH)
            }
            return free.count - Int(stream.avail_out)
        }
        guard status == Z_STREAM_END else { throw .failed }
        return output
    }

    /// Several members one after another count as one, as Java reads them.
    static func decompress(_ bytes: ByteBuffer, limit: Int) throws(CompressionError) -> ByteBuffer {
        var stream = z_stream()
        let opened = inflateInit2_(&stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard opened == Z_OK else { throw .failed }
        defer { inflateEnd(&stream) }

        return try StreamDecompression.run(bytes, limit: limit) { input, output in
            stream.point(input: input, output: output)
            let status = inflate(&stream, Z_NO_FLUSH)
            let progress = StreamDecompression.Progress(
                consumed: input.count - Int(stream.avail_in),
                produced: output.count - Int(stream.avail_out)
            )
            switch status {
            case Z_OK, Z_BUF_ERROR: return .more(progress)
            case Z_STREAM_END: return inflateReset(&stream) == Z_OK ? .frameEnd(progress) : .failed
            case Z_MEM_ERROR: return .failed
            default: return .corrupt
            }
        }
    }
}

extension z_stream {
    /// zlib counts in 32 bits, which is what a ByteBuffer can hold; it does not write to its input although the type
    /// lets it.
    fileprivate mutating func point(input: UnsafeRawBufferPointer, output: UnsafeMutableRawBufferPointer) {
        next_in = UnsafeMutablePointer(mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        avail_in = UInt32(input.count)
        next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        avail_out = UInt32(output.count)
    }
}
