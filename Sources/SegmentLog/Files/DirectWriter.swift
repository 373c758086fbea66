import CMartlet
import NIOCore
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Writes the growing end of a file past the page cache (O_DIRECT): an append costs one copy in memory instead of a
/// kernel copy into fresh pages, and the flush behind it has no pages left to write.
///
/// Direct writes are whole pages. So the page in which the last append ended is kept here and written again with the
/// next one, and what follows the end in its page is zeros. A power failure may leave either content of such a page;
/// both begin with the same bytes, so what was flushed before stays.
///
/// Belongs to one open file. The mutex is taken by the log's writer, and by who seals the file after it.
final class DirectWriter: Sendable {
    static let pageBytes = 4_096
    private static let stagingBytes = 4 * 1_024 * 1_024 + pageBytes

    /// What `fill` writes; never changed.
    private static let zeros = ZeroPages()

    private struct State: ~Copyable {
        let descriptor: Int32
        /// Aligned pages on their way to the file. Between appends the front holds the page that `end` lies in.
        let staging: UnsafeMutableRawBufferPointer
        /// Where the last append ended; nil when nobody knows what lies before the next one in its page.
        var end: Int?

        deinit {
            close(descriptor)
            staging.deallocate()
        }

        /// Takes the page at `position` into the front of `staging`; what the file does not have of it is zeros.
        func readPage(at position: Int) -> Int32 {
            let page = UnsafeMutableRawBufferPointer(rebasing: staging[..<DirectWriter.pageBytes])
            let count = pread(descriptor, page.baseAddress, page.count, off_t(position))
            guard count >= 0 else { return errno }
            page.zero(count ..< page.count)
            return 0
        }

        /// Writes `bytes`, whole pages.
        func write(_ bytes: UnsafeRawBufferPointer, at position: Int, durably: Bool) -> Int32 {
            var done = 0
            while done < bytes.count {
                var vector = iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress.map { $0 + done }),
                    iov_len: bytes.count - done)
                let target = Int64(position + done)
                let written =
                    durably
                    ? martlet_write_durably(descriptor, &vector, 1, target)
                    : martlet_write_vector(descriptor, &vector, 1, target)
                guard written > 0 else { return written == 0 ? EIO : Int32(-written) }
                done += Int(written)
            }
            return 0
        }

        /// Writes the first `filled` bytes of `staging`, and zeros up to the end of their last page.
        func writePages(at position: Int, filled: Int, durably: Bool) -> Int32 {
            let pages = DirectWriter.roundedUp(filled)
            staging.zero(filled ..< pages)
            return write(UnsafeRawBufferPointer(rebasing: staging[..<pages]), at: position, durably: durably)
        }
    }

    private let state: Mutex<State>

    /// Opens the file of `descriptor` a second time, for direct access; nil where the file system has none.
    init?(of descriptor: Int32) {
        #if os(Linux)
        let direct = martlet_open("/proc/self/fd/\(descriptor)", O_RDWR | martlet_o_direct, 0)
        guard direct >= 0 else { return nil }
        state = Mutex(
            State(
                descriptor: direct, staging: .allocate(byteCount: Self.stagingBytes, alignment: Self.pageBytes)))
        #else
        return nil
        #endif
    }

    /// Writes buffers from `position` on, filled up with zeros to a whole page.
    ///
    /// - Returns: 0, or the errno of what went wrong.
    func append(_ buffers: [ByteBuffer], at position: Int, durably: Bool) -> Int32 {
        state.withLock { state in
            let end = position + buffers.reduce(0) { $0 + $1.readableBytes }
            var page = position / Self.pageBytes * Self.pageBytes
            var filled = position - page
            if filled > 0, state.end != position {
                let failure = state.readPage(at: page)
                guard failure == 0 else { return failure }
            }
            state.end = nil
            var source = BufferCursor(buffers)
            while page + filled < end {
                let count = min(state.staging.count - filled, end - page - filled)
                source.copy(to: UnsafeMutableRawBufferPointer(rebasing: state.staging[filled ..< filled + count]))
                filled += count
                let failure = state.writePages(at: page, filled: filled, durably: durably)
                guard failure == 0 else { return failure }
                let whole = filled / Self.pageBytes * Self.pageBytes
                state.staging.copyMemory(from: UnsafeRawBufferPointer(rebasing: state.staging[whole ..< filled]))
                page += whole
                filled -= whole
            }
            state.end = end
            return 0
        }
    }

    /// What was remembered of the file's end no longer holds.
    func forgetEnd() { state.withLock { $0.end = nil } }

    /// Writes zeros into the whole pages of a range.
    func fill(_ range: Range<Int>) -> Int32 {
        state.withLock { state in
            var next = Self.roundedUp(range.lowerBound)
            let end = range.upperBound / Self.pageBytes * Self.pageBytes
            while next < end {
                let count = min(Self.zeros.bytes.count, end - next)
                let piece = UnsafeRawBufferPointer(rebasing: Self.zeros.bytes[..<count])
                let failure = state.write(piece, at: next, durably: false)
                guard failure == 0 else { return failure }
                next += piece.count
            }
            return 0
        }
    }

    private static func roundedUp(_ count: Int) -> Int { (count + pageBytes - 1) / pageBytes * pageBytes }
}

/// Aligned zeros, for everybody.
///
/// `@unchecked Sendable`: written before `init` returns, and only read afterwards.
private final class ZeroPages: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer

    init() {
        let pages = UnsafeMutableRawBufferPointer.allocate(
            byteCount: 64 * DirectWriter.pageBytes, alignment: DirectWriter.pageBytes)
        pages.initializeMemory(as: UInt8.self, repeating: 0)
        bytes = UnsafeRawBufferPointer(pages)
    }
}

/// Walks a list of buffers as if it were one.
private struct BufferCursor {
    private let buffers: [ByteBuffer]
    private var number = 0
    private var offset = 0

    init(_ buffers: [ByteBuffer]) { self.buffers = buffers }

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
