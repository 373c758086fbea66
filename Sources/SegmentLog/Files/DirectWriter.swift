import CMartlet
import NIOCore
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Writes whole pages past the page cache (O_DIRECT): a large append then costs one copy in memory instead of a kernel
/// copy into fresh pages, which is several times slower and evicts what readers want.
///
/// Belongs to one open file. Pages are gathered in an aligned buffer behind a mutex that only the log's writer takes.
/// Page cache and direct writes never share a page, so the two need no coordination.
final class DirectWriter: Sendable {
    static let pageBytes = 4_096
    /// Fewer bytes than this in whole pages are not worth a system call of their own.
    static let worthwhileBytes = 64 * 1_024
    private static let stagingBytes = 1_024 * 1_024

    private struct State: ~Copyable {
        var descriptor: Int32
        let staging: UnsafeMutableRawBufferPointer

        deinit {
            close(descriptor)
            staging.deallocate()
        }
    }

    private let state: Mutex<State>

    /// Opens the file of `descriptor` a second time, for direct writes; nil where the file system has none.
    init?(of descriptor: Int32) {
        #if os(Linux)
        let direct = martlet_open("/proc/self/fd/\(descriptor)", O_WRONLY | martlet_o_direct, 0)
        guard direct >= 0 else { return nil }
        state = Mutex(
            State(
                descriptor: direct,
                staging: .allocate(byteCount: Self.stagingBytes, alignment: Self.pageBytes)))
        #else
        return nil
        #endif
    }

    /// The pages that lie whole within these bytes; nil if they are too few to be written directly.
    static func wholePages(at position: Int, count: Int) -> Range<Int>? {
        let start = (position + pageBytes - 1) / pageBytes * pageBytes
        let end = (position + count) / pageBytes * pageBytes
        return end - start >= worthwhileBytes ? start ..< end : nil
    }

    /// Writes `range` of the file, which consists of whole pages, from buffers that begin at `position`.
    ///
    /// - Returns: 0, or the errno of what went wrong.
    func write(_ range: Range<Int>, from buffers: [ByteBuffer], at position: Int) -> Int32 {
        state.withLock { state in
            var source = BufferCursor(buffers, skipping: range.lowerBound - position)
            var next = range.lowerBound
            while next < range.upperBound {
                let piece = UnsafeMutableRawBufferPointer(
                    rebasing: state.staging[..<min(Self.stagingBytes, range.upperBound - next)])
                source.copy(to: piece)
                var done = 0
                while done < piece.count {
                    var vector = iovec(iov_base: piece.baseAddress.map { $0 + done }, iov_len: piece.count - done)
                    let written = martlet_write_vector(state.descriptor, &vector, 1, Int64(next + done))
                    guard written > 0 else { return written == 0 ? EIO : Int32(-written) }
                    done += Int(written)
                }
                next += piece.count
            }
            return 0
        }
    }
}

/// Walks a list of buffers as if it were one.
private struct BufferCursor {
    private let buffers: [ByteBuffer]
    private var number = 0
    private var offset: Int

    init(_ buffers: [ByteBuffer], skipping: Int) {
        self.buffers = buffers
        offset = skipping
        while number < buffers.count, offset >= buffers[number].readableBytes {
            offset -= buffers[number].readableBytes
            number += 1
        }
    }

    /// Fills `target`; there must be as many bytes left.
    mutating func copy(to target: UnsafeMutableRawBufferPointer) {
        var filled = 0
        while filled < target.count {
            let count = min(target.count - filled, buffers[number].readableBytes - offset)
            buffers[number].withUnsafeReadableBytes { bytes in
                UnsafeMutableRawBufferPointer(rebasing: target[filled ..< filled + count])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset ..< offset + count]))
            }
            filled += count
            offset += count
            if offset == buffers[number].readableBytes {
                number += 1
                offset = 0
            }
        }
    }
}
