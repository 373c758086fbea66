import CMartlet
import NIOCore

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// How appends reach the disk.
public enum WritePath: Hashable, Sendable {
    /// Through the page cache.
    case buffered
    /// Past it, in whole pages.
    case direct
}

/// The real file system: one system call per method.
public struct POSIXFileSystem: FileSystem {
    private let writePath: WritePath

    /// - Parameter writePath: `direct` is buffered where the file system can't do better.
    public init(writePath: WritePath = .buffered) { self.writePath = writePath }

    public func createDirectory(_ path: String) throws(StorageError) {
        var partial = ""
        for component in path.split(separator: "/", omittingEmptySubsequences: false) {
            partial += component
            if !partial.isEmpty, mkdir(partial, 0o755) != 0, errno != EEXIST {
                throw .io(.createDirectory, path: partial, errno: errno)
            }
            partial += "/"
        }
    }

    public func open(_ path: String, _ mode: FileMode) throws(StorageError) -> any StorageFile {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .create: O_RDWR | O_CREAT
            }
        let descriptor = try check(martlet_open(path, flags, 0o644), .open, path)
        return POSIXFile(descriptor: descriptor, path: path, writePath: mode == .read ? .buffered : writePath)
    }

    public func list(_ directory: String) throws(StorageError) -> [String] {
        guard let stream = opendir(directory) else { throw .io(.list, path: directory, errno: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw .io(.list, path: directory, errno: errno) }
        return names
    }

    public func rename(_ source: String, to target: String) throws(StorageError) {
        guard systemRename(source, target) == 0 else { throw .io(.rename, path: target, errno: errno) }
    }

    public func unlink(_ path: String) throws(StorageError) {
        guard systemUnlink(path) == 0 else { throw .io(.unlink, path: path, errno: errno) }
    }

    public func syncDirectory(_ path: String) throws(StorageError) {
        let descriptor = try check(martlet_open(path, O_RDONLY | O_DIRECTORY, 0), .syncDirectory, path)
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .io(.syncDirectory, path: path, errno: errno) }
    }

    public func lock(_ path: String) throws(StorageError) -> any FileLock {
        let descriptor = try check(martlet_open(path, O_RDWR | O_CREAT, 0o644), .open, path)
        let file = POSIXFile(descriptor: descriptor, path: path, writePath: .buffered)
        let result = martlet_lock(descriptor)
        if result == -EWOULDBLOCK { throw .locked(path: path) }
        _ = try check(result, .lock, path)
        return file
    }
}

private let systemRename = rename
private let systemUnlink = unlink

/// Turns a shim's -errno into an error.
private func check(_ result: Int32, _ operation: StorageOperation, _ path: String) throws(StorageError) -> Int32 {
    guard result >= 0 else { throw .io(operation, path: path, errno: -result) }
    return result
}

/// An open descriptor. Positioned calls only, so it has no state that threads could disturb but the direct writer,
/// which guards its own.
private final class POSIXFile: StorageFile, FileLock {
    /// Buffers in one call of pwritev(2); Linux takes 1024.
    private static let vectorCountMax = 512

    private let descriptor: Int32
    private let path: String
    private let direct: DirectWriter?

    init(descriptor: Int32, path: String, writePath: WritePath) {
        self.descriptor = descriptor
        self.path = path
        direct = writePath == .direct ? DirectWriter(of: descriptor) : nil
    }

    deinit { close(descriptor) }

    func size() throws(StorageError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .io(.size, path: path, errno: errno) }
        return Int(status.st_size)
    }

    func read(into target: UnsafeMutableRawBufferPointer, at position: Int) throws(StorageError) -> Int {
        var done = 0
        while done < target.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: target[done...])
            let count = pread(descriptor, rest.baseAddress, rest.count, off_t(position + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw .io(.read, path: path, errno: errno)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func append(_ buffers: [ByteBuffer], at position: Int, durably: Bool) throws(StorageError) {
        guard let direct else {
            try write(buffers, at: position)
            return durably ? try flush() : ()
        }
        let failure = direct.append(buffers, at: position, durably: durably)
        guard failure == 0 else { throw .io(.write, path: path, errno: failure) }
    }

    func fill(_ range: Range<Int>) throws(StorageError) {
        guard let failure = direct?.fill(range), failure != 0 else { return }
        throw .io(.allocate, path: path, errno: failure)
    }

    func write(_ buffers: [ByteBuffer], at position: Int) throws(StorageError) {
        var position = position
        for start in stride(from: 0, to: buffers.count, by: Self.vectorCountMax) {
            let group = buffers[start ..< min(start + Self.vectorCountMax, buffers.count)]
            position += try writeGroup(group, at: position)
        }
    }

    private func writeGroup(_ buffers: ArraySlice<ByteBuffer>, at position: Int) throws(StorageError) -> Int {
        let total = buffers.reduce(0) { $0 + $1.readableBytes }
        // A short write is continued from where it stopped; it happens when a disk fills up or a signal arrives.
        var done = 0
        while done < total {
            let written = Self.withVectors(of: buffers, skipping: done) { vectors in
                martlet_write_vector(descriptor, vectors.baseAddress, Int32(vectors.count), Int64(position + done))
            }
            guard written > 0 else { throw .io(.write, path: path, errno: written == 0 ? EIO : Int32(-written)) }
            done += Int(written)
        }
        return total
    }

    private static func withVectors<Result>(
        of buffers: ArraySlice<ByteBuffer>, skipping: Int, _ body: (UnsafeBufferPointer<iovec>) -> Result
    ) -> Result {
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: buffers.count) { vectors in
            var count = 0
            var skip = skipping
            for buffer in buffers {
                // The pointer outlives the closure legitimately: `buffers` keeps its storage alive and unchanged.
                buffer.withUnsafeReadableBytes { bytes in
                    defer { skip = max(0, skip - bytes.count) }
                    guard skip < bytes.count else { return }
                    let rest = UnsafeRawBufferPointer(rebasing: bytes[skip...])
                    vectors.initializeElement(
                        at: count,
                        to: iovec(iov_base: UnsafeMutableRawPointer(mutating: rest.baseAddress), iov_len: rest.count))
                    count += 1
                }
            }
            return withExtendedLifetime(buffers) { body(UnsafeBufferPointer(rebasing: vectors[..<count])) }
        }
    }

    func flush() throws(StorageError) { _ = try check(martlet_flush(descriptor), .flush, path) }

    func dropCache() throws(StorageError) { _ = try check(martlet_drop_cache(descriptor), .dropCache, path) }

    func truncate(to length: Int) throws(StorageError) {
        guard ftruncate(descriptor, off_t(length)) == 0 else { throw .io(.truncate, path: path, errno: errno) }
        direct?.forgetEnd()
    }

    func allocate(_ length: Int) throws(StorageError) {
        _ = try check(martlet_allocate(descriptor, Int64(length)), .allocate, path)
    }

    func punchHole(at position: Int, length: Int) throws(StorageError) {
        _ = try check(martlet_punch_hole(descriptor, Int64(position), Int64(length)), .punchHole, path)
    }
}
