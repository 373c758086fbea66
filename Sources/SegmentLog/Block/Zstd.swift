import Basics
import CZstd
import NIOCore
import Synchronization

/// Contexts that are costly to make, kept for the next caller. Bounded by the number of calls at the same time.
final class ContextPool<Context: Sendable>: Sendable {
    private let idle = Mutex<[Context]>([])
    private let make: @Sendable () -> Context

    init(_ make: @escaping @Sendable () -> Context) { self.make = make }

    func withContext<Result>(_ body: (Context) -> Result) -> Result {
        let context = idle.withLock { $0.popLast() } ?? make()
        defer { idle.withLock { $0.append(context) } }
        return body(context)
    }
}

/// One zstd compression context and the space it compresses into.
///
/// `@unchecked Sendable`: owned by one caller at a time, which takes it out of a `ContextPool` and puts it back.
final class ZstdCompressor: @unchecked Sendable {
    /// Space above this is given back after use, so that one giant entry does not cost its size for ever.
    private static let keptBytesMax = 1.mebibytes

    private let context: OpaquePointer
    private var output = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    init() {
        guard let context = ZSTD_createCCtx() else { preconditionFailure("out of memory for a zstd context") }
        self.context = context
    }

    deinit {
        ZSTD_freeCCtx(context)
        output.deallocate()
    }

    /// One frame with its content size, valid until the next call; nil if it would be longer than `limit`.
    func compress(
        _ source: Slice<UnsafeRawBufferPointer>, level: Int32, limit: Int
    ) -> UnsafeRawBufferPointer? {
        reserve(limit)
        let input = UnsafeRawBufferPointer(rebasing: source)
        _ = ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        let length = ZSTD_compress2(context, output.baseAddress, limit, input.baseAddress, input.count)
        guard ZSTD_isError(length) == 0 else { return nil }
        return UnsafeRawBufferPointer(rebasing: output[..<length])
    }

    private func reserve(_ bytes: Int) {
        let isTooSmall = output.count < bytes
        let isTooLarge = output.count > Self.keptBytesMax && bytes <= Self.keptBytesMax
        guard isTooSmall || isTooLarge else { return }
        output.deallocate()
        output = .allocate(byteCount: max(bytes, BlockLimits.targetBytes), alignment: 16)
    }
}

/// One zstd decompression context.
///
/// `@unchecked Sendable`: owned by one caller at a time, which takes it out of a `ContextPool` and puts it back.
final class ZstdDecompressor: @unchecked Sendable {
    private static let pool = ContextPool { ZstdDecompressor() }

    private let context: OpaquePointer

    private init() {
        guard let context = ZSTD_createDCtx() else { preconditionFailure("out of memory for a zstd context") }
        self.context = context
    }

    deinit { ZSTD_freeDCtx(context) }

    /// Exactly `rawLength` bytes, or an error: the frame's own idea of its length is not trusted.
    static func decompress(_ stored: ByteBuffer, rawLength: Int) throws(BlockError) -> ByteBuffer {
        var raw = ByteBufferAllocator().buffer(capacity: rawLength)
        let length = pool.withContext { decompressor in
            stored.withUnsafeReadableBytes { source in
                raw.writeWithUnsafeMutableBytes(minimumWritableBytes: rawLength) { target in
                    let length = ZSTD_decompressDCtx(
                        decompressor.context, target.baseAddress, rawLength, source.baseAddress, source.count)
                    return ZSTD_isError(length) == 0 ? length : 0
                }
            }
        }
        guard length == rawLength else { throw .decompressionFailed }
        return raw
    }
}
